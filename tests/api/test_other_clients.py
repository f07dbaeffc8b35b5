"""Requests and responses of clients that are not run here: the Go SDK and the Terraform provider."""

from __future__ import annotations

import pytest

from config.errors import Invalid
from config.schemas.json_schema import openapi
from config.schemas.unions import OneOf
from syncs.models import SecretSync
from syncs.planning.opening import destination_class
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World


@pytest.mark.parametrize("known", ["workspaceId", "workspaceSlug"])
def test_an_unknown_name_of_a_project_is_sent_empty(api: Api, world: World, known: str) -> None:
    world.set(A="1")
    names = {"workspaceId": str(world.project.pk), "workspaceSlug": world.project.slug}
    query = {**dict.fromkeys(names, ""), known: names[known], "environment": "dev", "secretPath": "/"}
    status, answer = api("GET", "/v3/secrets/raw", **query)
    assert (status, [one["secretKey"] for one in answer["secrets"]]) == (200, ["A"])
    status, answer = api("GET", "/v3/secrets/raw", **{**query, known: ""})
    assert (status, answer["message"]) == (400, "Missing project id or environment")


def test_an_identity_is_returned_with_its_membership(world: World) -> None:
    """Terraform reads the name from the inner object: without it every plan would change every identity."""
    api = api_for("admin", None)
    made = api("POST", "/v1/identities", {"name": "ci", "role": "member"})[1]["identity"]
    found = api("GET", f"/v1/identities/{made['id']}")[1]["identity"]
    assert (found["identity"]["id"], found["identity"]["name"], found["identity"]["authMethods"]) == (
        made["id"],
        "ci",
        [],
    )
    assert (found["identityId"], found["role"], found["orgId"]) == (made["id"], "member", made["orgId"])
    listed = {each["identity"]["name"]: each for each in api("GET", "/v1/identities")[1]["identities"]}
    assert listed["ci"] == found


def test_a_temporary_role_is_refused(api: Api, world: World) -> None:
    identity = api_for("admin", None)("POST", "/v1/identities", {"name": "ci"})[1]["identity"]["id"]
    where = f"/v2/workspace/{world.project.pk}/identity-memberships/{identity}"
    ends = {"role": "admin", "isTemporary": True, "temporaryMode": "relative", "temporaryRange": "1h"}
    assert api("POST", where, {"roles": [ends]})[0] == 422
    assert api("GET", where)[0] == 404
    status, answer = api("POST", where, {"roles": [{**ends, "isTemporary": False}]})
    assert (status, answer["identityMembership"]["roles"][0]["role"]) == (200, "admin")


def test_secrets_of_their_own_are_given_with_an_empty_name_of_the_one_document() -> None:
    config = destination_class("aws-secrets-manager").Config
    each = {"mappingBehavior": "one-to-one", "region": "eu-west-1"}
    assert config.parse({**each, "secretName": ""}).stored() == each
    for wrong in ({**each, "secretName": "prod"}, {**each, "mappingBehavior": "many-to-one", "secretName": ""}):
        with pytest.raises(Invalid):
            config.parse(wrong)
    assert isinstance(config, OneOf)
    described = openapi(config.variants["one-to-one"])
    assert "" in described["properties"]["secretName"]["enum"]
    assert "secretName" not in described["required"]


def test_a_duplicate_is_detected_for_every_form_of_its_target(api: Api, world: World) -> None:
    """Terraform asks before every change of a destination, as it writes it."""
    each = {"mappingBehavior": "one-to-one", "region": "eu-west-1"}
    SecretSync.objects.filter(pk=world.sync().pk).update(destination="aws-secrets-manager", destination_config=each)
    where = "/v1/secret-syncs/aws-secrets-manager/check-destination"
    for config, known in (({**each, "secretName": ""}, True), ({**each, "region": "eu-west-2"}, False), ("x", False)):
        answer = api("POST", where, {"projectId": str(world.project.pk), "destinationConfig": config})[1]
        assert answer["hasDuplicate"] is known
