"""What a person chooses for a sync to Google Secret Manager: the target, its options and members of the policy."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas import About, Items, Model, Text
from connections.http.client import quote
from syncs.destination.options import SyncOptions


def _location(label: str, help: str = "") -> Text:
    """The type of a location, which becomes part of a host name."""
    return Text(label, help, pattern=r"[a-z]+(-[a-z]+[0-9]+)?", pattern_message=f"{label} must be one such as us-east1")


class OfProject(Model):
    scope: Annotated[str, About(help="The Google Cloud scope that secrets should be synced to.")]
    projectId: Annotated[
        str,
        Text(
            "Project ID",
            "The Google Cloud project: its ID or its number.",
            pattern=r"[a-z0-9.:-]+",
            pattern_message="Must be the ID of a project, such as shop-prod, or its number",
            empty_message="Project ID required",
            example=EXAMPLE_ID,
        ),
    ]

    def parent(self, project: str) -> str:
        """The path of what holds the secrets, of a project by its ID or number."""
        return f"projects/{quote(project)}"


class Global(OfProject):
    userReplicaLocationIds: Annotated[
        list[Annotated[str, _location("Replica location")]] | None,
        Items("Where new secrets are stored; none: Google chooses. It cannot be changed later.", max_items=100),
    ] = None


class Region(OfProject):
    locationId: Annotated[str, _location("Location ID", "The region of the secrets.")]

    def parent(self, project: str) -> str:
        return f"{super().parent(project)}/locations/{quote(self.locationId)}"


class SecretManagerOptions(SyncOptions):
    oldVersions: Annotated[
        str | None,
        Text(
            "Old versions",
            "What a replaced version becomes: keep (the default; each is billed), disable, or destroy permanently.",
            choices=("keep", "disable", "destroy"),
        ),
    ] = None


def _lower(text: str) -> str:
    """Letters of other alphabets are allowed: that they are no capitals is what a pattern cannot say."""
    if text != text.lower():
        raise BadRequest("A label must be in lower case")
    if len(text.encode()) > 128:
        raise BadRequest("A key or value of a label has at most 128 bytes in UTF-8")
    return text


class Label(Model):
    """Source: https://cloud.google.com/secret-manager/docs/add-labels-to-secrets (requirements)."""

    key: Annotated[
        str,
        Text(
            "Key",
            max_length=63,
            pattern=r"(?!managed-by$)[a-z\u0080-\uffff][a-z0-9_\u0080-\uffff-]*",
            pattern_message="Must begin with a lower-case letter and have only those, digits, _ and -; not managed-by",
            example="team",
        ),
        AfterValidator(_lower),
    ]
    value: Annotated[
        str,
        Text(
            "Value",
            min_length=0,
            max_length=63,
            pattern=r"[a-z0-9_\u0080-\uffff-]*",
            pattern_message="Must have only lower-case letters, digits, _ and -",
            example="boats",
        ),
        AfterValidator(_lower),
    ]


def _each_once(labels: list[Label] | None) -> list[Label] | None:
    if len({label.key for label in labels or ()}) != len(labels or ()):
        raise BadRequest("Keys of labels must be unique")
    return labels


class SecretManagerPolicy(Model):
    labels: Annotated[
        list[Label] | None,
        # Google allows 64, of which one marks secrets as created by a sync.
        Items("Labels that a secret gets when it is created. Those of existing secrets stay.", "Labels", max_items=63),
        AfterValidator(_each_once),
    ] = None
