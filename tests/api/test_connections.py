"""App connections over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from connections.models import AppConnection
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import TOKEN, World

CONNECTIONS = "/v1/app-connections/humanitec"
KEYS = {
    "id", "name", "description", "app", "method", "version", "orgId", "projectId", "project",
    "isPlatformManagedCredentials", "gatewayId", "gatewayPoolId", "isAutoRotationEnabled", "credentialsHash",
    "credentials", "createdAt", "updatedAt",
}  # fmt: skip


def body(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "humanitec-prod",
        "method": "api-token",
        "credentials": {"apiToken": TOKEN},
        "projectId": str(world.project.pk),
        **changes,
    }


def test_the_whole_life_of_a_connection(api: Api, world: World) -> None:
    status, made = api("POST", CONNECTIONS, body(world))
    assert status == 200
    shown = made["appConnection"]
    assert set(shown) == KEYS
    assert shown["credentials"] == {}
    assert shown["project"] == {
        "id": str(world.project.pk),
        "name": "Shop",
        "type": "secret-manager",
        "slug": "shop-project",
    }
    assert api("GET", f"{CONNECTIONS}/{shown['id']}")[1] == made
    named = api("GET", f"{CONNECTIONS}/connection-name/humanitec-prod", projectId=str(world.project.pk))
    assert named == (200, made)
    listed = api("GET", CONNECTIONS, projectId=str(world.project.pk))[1]
    assert listed == {"appConnections": [shown]}
    available = api("GET", f"{CONNECTIONS}/available", projectId=str(world.project.pk))[1]["appConnections"]
    assert [(one["name"], one["projectId"]) for one in available] == [
        ("humanitec-dev", None),
        ("humanitec-prod", str(world.project.pk)),
    ]
    changed = api("PATCH", f"{CONNECTIONS}/{shown['id']}", {"method": "api-token", "description": "for production"})
    assert changed[1]["appConnection"]["description"] == "for production"
    assert changed[1]["appConnection"]["credentialsHash"] == shown["credentialsHash"]
    assert api("DELETE", f"{CONNECTIONS}/{shown['id']}")[0] == 200
    assert api("GET", f"{CONNECTIONS}/{shown['id']}")[0] == 404


def test_the_hash_changes_exactly_when_the_credentials_do(api: Api, world: World) -> None:
    first = api("POST", CONNECTIONS, body(world))[1]["appConnection"]
    path = f"{CONNECTIONS}/{first['id']}"
    same = api("PATCH", path, {"credentials": {"apiToken": f" {TOKEN} "}})[1]["appConnection"]
    assert same["credentialsHash"] == first["credentialsHash"]
    world.sandbox.token = "another-token"
    other = api("PATCH", path, {"credentials": {"apiToken": "another-token"}})[1]["appConnection"]
    assert other["credentialsHash"] != first["credentialsHash"]
    twin = api("POST", CONNECTIONS, body(world, name="twin", credentials={"apiToken": "another-token"}))[1]
    assert twin["appConnection"]["credentialsHash"] != other["credentialsHash"]


def test_what_the_vendor_refuses(api: Api, world: World) -> None:
    status, envelope = api("POST", CONNECTIONS, body(world, credentials={"apiToken": "wrong-secret-token"}))
    assert status == 400
    assert envelope["message"].startswith("Failed to validate credentials: Humanitec: GET /orgs answered 403")
    assert "wrong-secret-token" not in str(envelope)
    assert AppConnection.objects.count() == 1
    existing = AppConnection.objects.get()
    status, _ = api_for("admin", None)("PATCH", f"{CONNECTIONS}/{existing.pk}", {"credentials": {"apiToken": "wrong"}})
    assert status == 400
    existing.refresh_from_db()
    assert existing.version == 1


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"name": ""}, 422, "Name field must be at least 1 lowercase character(s)"),
        ({"name": "UPPER"}, 422, "lowercase letters, numbers, and hyphens"),
        ({"name": "a" * 65}, 422, "at most 64"),
        ({"method": "oauth"}, 422, "Invalid discriminator value. Expected 'api-token'"),
        ({"credentials": {}}, 422, "Required"),
        ({"credentials": {"apiToken": " "}}, 422, "API Token required"),
        ({"credentials": {"apiToken": TOKEN, "token": 1}}, 422, "Unrecognized key(s) in object: 'token'"),
        ({"credentials": None}, 422, "Expected object, received null"),
        ({"isPlatformManagedCredentials": True}, 422, "Invalid literal value, expected false"),
        ({"isAutoRotationEnabled": True}, 422, "Invalid literal value, expected false"),
        ({"gatewayId": "0b6b0f5e-3f0c-4f6e-9a51-7d3c1a52c001"}, 422, "gatewayId is not supported here: leave it out"),
        (
            {"gatewayPoolId": "0b6b0f5e-3f0c-4f6e-9a51-7d3c1a52c001"},
            422,
            "gatewayPoolId is not supported here: leave it out",
        ),
        ({"description": "x" * 257}, 422, "at most 256"),
        ({"projectId": "0b6b0f5e-3f0c-4f6e-9a51-7d3c1a52c001"}, 404, "not found"),
        ({"projectId": None}, 403, "Only an instance admin may manage organisation-wide connections."),
    ],
)
def test_what_create_refuses(api: Api, world: World, changes: dict[str, Any], status: int, said: str) -> None:
    answered, envelope = api("POST", CONNECTIONS, body(world, **changes))
    assert answered == status
    assert said in str(envelope["message"])
    assert AppConnection.objects.count() == 1
    assert world.sandbox.asked == []


def test_names_are_unique_in_their_scope(api: Api, world: World) -> None:
    assert api("POST", CONNECTIONS, body(world, name="humanitec-dev"))[0] == 200
    status, envelope = api("POST", CONNECTIONS, body(world, name="humanitec-dev"))
    assert (status, envelope["message"]) == (400, 'An App Connection with the name "humanitec-dev" already exists')


def test_a_connection_in_use_is_not_deleted(world: World) -> None:
    world.sync()
    status, envelope = api_for("admin", None)("DELETE", f"{CONNECTIONS}/{world.connection.pk}")
    assert status == 400
    assert envelope["message"] == (
        "Cannot delete App Connection with existing connections. Remove all existing connections and try again."
    )


def test_pickers(api: Api, world: World) -> None:
    status, organisations = api("GET", f"{CONNECTIONS}/{world.connection.pk}/organizations")
    assert status == 200
    assert organisations[0]["id"] == "acme"
    assert organisations[0]["apps"][0]["envs"][0] == {"id": "development", "name": "Development"}


def test_unknown_ids_and_names(api: Api) -> None:
    nowhere = str(uuid.uuid4())
    assert api("GET", f"{CONNECTIONS}/nope")[0] == 422
    assert api("GET", f"{CONNECTIONS}/{nowhere}")[1]["message"] == f"Could not find App Connection with ID {nowhere}"
    _, envelope = api("GET", f"{CONNECTIONS}/connection-name/nope")
    assert envelope["message"] == "Could not find App Connection with name nope in organization scope."


def test_credentials_never_come_back(api: Api, world: World) -> None:
    made = api("POST", CONNECTIONS, body(world))[1]["appConnection"]
    for path in ("/v1/app-connections", CONNECTIONS, f"{CONNECTIONS}/{made['id']}"):
        assert TOKEN not in str(api("GET", path, projectId=str(world.project.pk))[1])
    row = AppConnection.objects.get(pk=made["id"])
    assert TOKEN.encode() not in bytes(row.credentials_sealed)
    assert TOKEN not in f"{row!r}{row.__dict__}"
