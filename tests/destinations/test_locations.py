"""Locations are stored with syncs and their keys: each is, word for word, what it was when they were stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pytest

from config.errors import Invalid
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Items, Text, Whole
from config.schemas.unions import OneOf
from connections.aws import AwsClient, Keys
from connections.http.client import ApiClient
from syncs.destination.base import destinations
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.location import target_of

URL = "https://vendor.example"
STORED: list[tuple[str, dict[str, Any], str]] = [
    ("humanitec", {"scope": "application", "org": "Acme", "app": "shop"}, f"humanitec|{URL}|Acme/shop"),
    (
        "humanitec",
        {"scope": "environment", "org": "Acme", "app": "shop", "env": "dev"},
        f"humanitec|{URL}|Acme/shop/dev",
    ),
    ("github", {"scope": "organization", "org": "Acme", "visibility": "all"}, f"github|{URL}|organization/acme"),
    (
        "github",
        {"scope": "organization", "org": "Acme", "visibility": "selected", "selectedRepositoryIds": [7]},
        f"github|{URL}|organization/acme",
    ),
    ("github", {"scope": "repository", "owner": "Acme", "repo": "Shop"}, f"github|{URL}|repository/acme/shop"),
    (
        "github",
        {"scope": "repository-environment", "owner": "Acme", "repo": "Shop", "env": "Prod/EU"},
        f"github|{URL}|repository-environment/acme/shop/prod/eu",
    ),
    (
        "vercel",
        {"scope": "project", "teamId": "team_1", "app": "prj_1", "appName": "shop", "env": "production"},
        f"vercel|{URL}|prj_1/production",
    ),
    (
        "vercel",
        {"teamId": "team_1", "app": "shop", "appName": "shop", "env": "preview", "branch": "Fix/1"},
        f"vercel|{URL}|team_1/shop/preview/#Fix/1",
    ),
    (
        "vercel",
        {"scope": "team", "teamId": "team_1", "targetEnvironments": ["preview", "production"]},
        f"vercel|{URL}|team_1/shared/production+preview/linked",
    ),
    (
        "vercel",
        {"scope": "team", "teamId": "team_1", "targetEnvironments": ["preview"], "targetProjects": ["prj_2", "prj_1"]},
        f"vercel|{URL}|team_1/shared/preview/9b3d72c16a97e16f",
    ),
    ("hashicorp-vault", {"mount": "secret", "path": "dev/shop"}, f"hashicorp-vault|{URL}/secret|dev/shop"),
    (
        "gcp-secret-manager",
        {"scope": "global", "projectId": "shop-prod"},
        f"gcp-secret-manager|{URL}|projects/shop-prod",
    ),
    (
        "gcp-secret-manager",
        {"scope": "region", "projectId": "acme.com:shop", "locationId": "europe-west1"},
        f"gcp-secret-manager|{URL}|projects/acme.com%3Ashop/locations/europe-west1",
    ),
    (
        "aws-parameter-store",
        {"region": "eu-west-1", "path": "/shop/prod/"},
        f"aws|{URL}|123456789012|eu-west-1|/shop/prod/",
    ),
    (
        "aws-secrets-manager",
        {"mappingBehavior": "one-to-one", "region": "eu-west-1"},
        f"aws|{URL}|123456789012|eu-west-1|",
    ),
    (
        "aws-secrets-manager",
        {"mappingBehavior": "many-to-one", "region": "eu-west-1", "secretName": "shop/prod"},
        f"aws|{URL}|123456789012|eu-west-1|shop/prod",
    ),
    (
        "external-infisical",
        {"projectId": "p-1", "environment": "dev", "secretPath": "/"},
        f"external-infisical|{URL}|p-1/dev/",
    ),
    (
        "external-infisical",
        {"projectId": "p-1", "environment": "dev", "secretPath": "/a/b"},
        f"external-infisical|{URL}|p-1/dev/a/b",
    ),
    (
        "external-infisical",
        {"projectId": "p-1", "environment": "dev", "secretPath": "/long" * 30},
        f"external-infisical|{URL}|p-1/dev#6fc7eff648c07bcf29e0330843009cd65c6486b6bef61c973b1f7184fc70dad9",
    ),
]


@pytest.fixture
def client() -> Iterator[ApiClient]:
    with AwsClient(Keys("AKIDEXAMPLE", "secret", account="123456789012"), URL, one_address=True) as opened:
        yield opened


@pytest.mark.parametrize(("slug", "config", "location"), STORED, ids=lambda part: part if isinstance(part, str) else "")
def test_a_location_is_the_stored_one(client: ApiClient, slug: str, config: Mapping[str, Any], location: str) -> None:
    found = destinations.get(slug)
    assert found
    assert found(client, config).location() == location


def test_every_variant_of_the_first_eight_is_held_to_its_stored_location() -> None:
    variants = {
        (found.slug, scope)
        for found in destinations
        for scope in (found.Config.variants if isinstance(found.Config, OneOf) else [""])
    }
    kinds = {found.slug: found.Config.discriminator for found in destinations if isinstance(found.Config, OneOf)}
    stored = {(slug, str(config.get(kinds.get(slug, ""), ""))) for slug, config, _ in STORED}
    assert {slug for slug, _ in stored} == {
        *("aws-parameter-store", "aws-secrets-manager", "external-infisical", "gcp-secret-manager", "github"),
        *("hashicorp-vault", "humanitec", "vercel"),
    }
    assert stored - {("vercel", "")} <= variants


class Group(Model):
    kind: Annotated[Literal["group"], About(location=True)]
    number: Annotated[int, Whole("Number", location=True)]
    note: Annotated[str | None, Text("Note")] = None


class Project(Model):
    kind: Annotated[Literal["project"], About(location=True)]
    number: Annotated[int, Whole("Number", location=True)]
    names: Annotated[list[Annotated[str, Text()]] | None, Items(location=True)] = None
    branch: Annotated[str | None, Text("Branch", location=True, ignores_case=True)] = None


class Made(KeyValueDestination):
    slug = "made"
    label = "Made"
    Config = OneOf("kind", Group, Project)


class Wide(Made):
    slug = "wide"
    lists_wider = True


def test_marked_members_are_the_target() -> None:
    assert target_of(Group(kind="group", number=5, note="Of no account")) == "group/5"
    assert target_of(Project(kind="project", number=5)) == "project/5"
    assert target_of(Project(kind="project", number=5, names=["b", "a"])) == "project/5/a+b"
    assert target_of(Project(kind="project", number=5, branch="Main")) == "project/5//main"


def test_a_part_of_the_location_is_required_by_its_label() -> None:
    with pytest.raises(Invalid) as refused:
        Project.parse({"kind": "project", "number": 5, "branch": ""})
    assert [issue["message"] for issue in refused.value.issues] == ["Branch required"]


def test_targets_overlap_where_one_lists_the_other(client: ApiClient) -> None:
    other = {"kind": "group", "number": 5}
    for kind, nested in ((Made, False), (Wide, True)):
        one, wider = (kind(client, {"kind": "project", "number": 5, **more}) for more in ({"branch": "main"}, {}))
        assert one.overlaps(one.location())
        assert one.overlaps(wider.location()) is wider.overlaps(one.location()) is nested
        assert not one.overlaps(kind(client, other).location())
        assert not one.overlaps(f"{wider.location()}5")


def test_a_login_is_the_destinations_own_unless_it_says_another() -> None:
    assert Made.provider == Wide.provider == "made"
    assert [found.provider for found in destinations if found.slug.startswith("aws")] == ["aws", "aws"]
