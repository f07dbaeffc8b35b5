"""Bodies and queries of the endpoints of projects."""

from __future__ import annotations

from typing import Annotated

from config.responses import EXAMPLE_ID
from config.schemas.model import Body
from config.schemas.types import Flag, Items, Slug, Text, Whole

PRODUCTS = ("secret-manager", "cert-manager", "kms", "ssh", "secret-scanning", "pam", "ai")


class NewProject(Body):
    projectName: Annotated[str, Text("Name", max_length=64, example="Shop")]
    projectDescription: Annotated[
        str | None, Text("Description", min_length=0, max_length=1024, multiline=True, example="The web shop")
    ] = None
    slug: Annotated[
        str | None, Slug("slug", "Derived from the name if left out.", least=5, most=36, example="shop-dev")
    ] = None
    kmsKeyId: Annotated[
        str | None, Text("KMS key", "Accepted for compatibility; it has no effect.", min_length=0, example=EXAMPLE_ID)
    ] = None
    template: Annotated[
        str | None, Text("Template", "Accepted for compatibility; it has no effect.", min_length=0, max_length=64)
    ] = None
    type: Annotated[
        str, Text("Type", "Only secret-manager projects are supported.", choices=PRODUCTS, example=PRODUCTS[0])
    ] = PRODUCTS[0]
    shouldCreateDefaultEnvs: Annotated[bool, Flag(help="Whether to create dev, staging and prod.")] = True
    hasDeleteProtection: Annotated[bool, Flag()] = False


class ProjectChange(Body):
    name: Annotated[str | None, Text("Name", max_length=64, example="shop-dev")] = None
    description: Annotated[
        str | None, Text("Description", min_length=0, max_length=1024, multiline=True, example="What the shop needs")
    ] = None
    slug: Annotated[
        str | None, Text("Slug", max_length=64, pattern=r"[a-z0-9]+(?:[_-][a-z0-9]+)*", example="shop-dev")
    ] = None
    autoCapitalization: Annotated[bool | None, Flag()] = None
    hasDeleteProtection: Annotated[bool | None, Flag(help="A protected project cannot be deleted.")] = None
    secretSharing: Annotated[bool | None, Flag(help="Accepted for compatibility; it has no effect.")] = None
    showSnapshotsLegacy: Annotated[bool | None, Flag(help="Accepted for compatibility; it has no effect.")] = None
    defaultProduct: Annotated[str | None, Text("Product", "Accepted for compatibility.", choices=PRODUCTS)] = None
    pitVersionLimit: Annotated[
        int | None, Whole("Accepted for compatibility; all versions are kept.", minimum=1, maximum=100)
    ] = None
    secretDetectionIgnoreValues: Annotated[
        list[Annotated[str, Text("secretDetectionIgnoreValues", max_length=512)]] | None,
        Items("Accepted for compatibility; it has no effect.", max_items=100),
    ] = None


class RetentionChange(Body):
    auditLogsRetentionDays: Annotated[int, Whole("Accepted for compatibility; all events are kept.")]


class ProjectQuery(Body):
    includeRoles: Annotated[
        str | None, Text("Roles", "Include your roles in each project.", choices=("true", "false"))
    ] = None
    type: Annotated[str | None, Text("Type", choices=(*PRODUCTS, "all"))] = None
