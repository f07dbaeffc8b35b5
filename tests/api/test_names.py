"""Names that are also words of the API, empty paths, invalid text, and members that responses leave out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.access.identities import create_identity, register_identity
from config.access.models import Membership, Project, Role, User
from config.access.roles import PLATFORM
from config.access.services import create_project
from syncs.models import Folder
from syncs.services.folders import ensure_folder
from syncs.services.tags import create_tag
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World


def location(world: World, **more: Any) -> dict[str, Any]:
    return {"projectId": str(world.project.pk), "environment": "dev", **more}


@pytest.mark.parametrize("name", ["batch", "move", "id"])
def test_a_secret_may_have_the_name_of_an_endpoint(world: World, api: Api, name: str) -> None:
    world.set(**{name: "1"})
    path = f"/v4/secrets/{name}"
    assert api("GET", path, **location(world))[1]["secret"]["secretValue"] == "1"
    if name != "batch":  # there these are of the batch
        assert api("PATCH", path, location(world, secretValue="2"))[1]["secret"]["secretValue"] == "2"
        assert api("DELETE", path, location(world))[1]["secret"]["secretKey"] == name
    assert api("PUT", path)[0] == 405


def test_a_folder_may_be_called_batch(world: World, api: Api) -> None:
    ensure_folder(world.actor, world.environment(), "/batch")
    given = {"workspaceId": str(world.project.pk), "environment": "dev", "path": "/"}
    assert api("DELETE", "/v1/folders/batch", given)[1]["folder"]["name"] == "batch"
    ensure_folder(world.actor, world.environment(), "/batch")
    assert api("DELETE", "/v2/folders/batch", location(world, path="/"))[1]["folder"]["name"] == "batch"


def test_an_empty_path_is_the_root(world: World, api: Api) -> None:
    v1 = {"workspaceId": str(world.project.pk), "environment": "dev"}
    for number, given in enumerate(({"directory": ""}, {"path": ""}, {"path": None, "directory": "/"}, {"path": "/"})):
        status, answer = api("POST", "/v1/folders", {**v1, **given, "name": f"f{number}"})
        assert (status, answer["folder"]["path"]) == (200, f"/f{number}")
    status, answer = api("GET", "/v1/folders", **v1, path="")
    assert [each["name"] for each in answer["folders"]] == ["f0", "f1", "f2", "f3"]
    target = {"import": {"environment": "prod", "path": ""}}
    status, answer = api("POST", "/v2/secret-imports", location(world, path="", **target))
    assert (status, answer["secretImport"]["importPath"]) == (200, "/")
    where = f"/v2/secret-imports/{answer['secretImport']['id']}"
    changed = api("PATCH", where, location(world, path="/", **{"import": {"path": "/x"}}))
    assert changed[1]["secretImport"]["importPath"] == "/x"
    changed = api("PATCH", where, location(world, path="/", **{"import": {"path": ""}}))
    assert changed[1]["secretImport"]["importPath"] == "/"
    assert not Folder.objects.filter(path__contains="None").exists()


def test_folders_below_are_matched_exactly(world: World, api: Api) -> None:
    for path in ("/api/one", "/API/two"):
        ensure_folder(world.actor, world.environment(), path)
    _, answer = api("GET", "/v2/folders", **location(world, path="/api", recursive="true"))
    assert [each["relativePath"] for each in answer["folders"]] == ["/one"]


@pytest.mark.parametrize(
    "value", [b"\xed\xa0\x80", b"\xff", b"\\ud800", b"x\\udc00y"], ids=["raw", "no UTF-8", "escaped", "low half"]
)
def test_half_a_character_is_no_text(world: World, api: Api, value: bytes) -> None:
    body = json.dumps(location(world, secretValue="@")).encode().replace(b"@", value)
    response = api.raw("POST", "/v4/secrets/A", body)
    assert (response.status_code, response.json()["message"]) == (400, "The request's body is not valid JSON")


def test_a_deleted_secret_is_returned_with_its_tags(world: World, api: Api) -> None:
    create_tag(world.actor, world.project, "db")
    tags = [each["id"] for each in api("GET", f"/v1/projects/{world.project.pk}/tags")[1]["tags"]]
    for name in ("A", "B"):
        assert api("POST", f"/v4/secrets/{name}", location(world, secretValue="1", tagIds=tags))[0] == 200
    assert [each["slug"] for each in api("DELETE", "/v4/secrets/A", location(world))[1]["secret"]["tags"]] == ["db"]
    _, answer = api("DELETE", "/v4/secrets/batch", location(world, secrets=[{"secretKey": "B"}]))
    assert [each["slug"] for each in answer["secrets"][0]["tags"]] == ["db"]


def test_a_batch_over_folders_costs_the_same_whatever_their_number(world: World, api: Api) -> None:
    def cost(count: int) -> int:
        items = []
        for number in range(count):
            path = f"/f{count}x{number}"
            ensure_folder(world.actor, world.environment(), path)
            items.append({"secretKey": "A", "secretValue": "1", "secretPath": path})
        with CaptureQueriesContext(connection) as captured:
            assert api("PATCH", "/v4/secrets/batch", location(world, mode="upsert", secrets=items))[0] == 200
        return len(captured)

    cost(1)  # the first makes the project's key
    assert cost(2) == cost(20)
    gone = [{"secretKey": "A", "secretValue": "1", "secretPath": path} for path in ("/f2x0", "/nowhere")]
    status, answer = api("PATCH", "/v4/secrets/batch", location(world, mode="upsert", secrets=gone))
    assert (status, "/nowhere" in answer["message"]) == (404, True)


def test_an_invitation_changes_no_member(world: World, api: Api) -> None:
    boss = User.objects.create_user("boss", password="x")
    Membership.objects.create(project=world.project, user=boss, role=Role.ADMIN)

    def invite(*names: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            status, _ = api("POST", f"/v2/workspace/{world.project.pk}/memberships", {"usernames": names})
        assert status == 200
        return len(captured)

    for number in range(12):
        User.objects.create_user(f"new{number}", password="x")
    few = invite("boss", "new0")
    assert few == invite("boss", *(f"new{number}" for number in range(1, 12)))
    assert Membership.objects.get(user=boss).role == Role.ADMIN
    assert Membership.objects.filter(project=world.project, role=Role.MEMBER).count() == 12


def test_a_machine_is_not_taken_from_its_admin(world: World) -> None:
    other = Project.objects.create(name="Other", slug="other-project")
    theirs = create_identity(PLATFORM, "theirs", role="member", project=other)
    loose = register_identity(PLATFORM, "of the instance", "no-access")
    api = api_for("admin", world)
    where = f"/v2/workspace/{world.project.pk}/identity-memberships"
    status, answer = api("POST", f"{where}/{theirs.identity.pk}", {"role": "viewer"})
    assert (status, answer["message"]) == (404, f"Identity with ID {theirs.identity.pk} not found")
    assert api("POST", f"{where}/{loose.pk}", {"role": "viewer"})[0] == 200


@pytest.mark.parametrize("name", ["a" * 29 + " - bcd", "__x__", "Ünïcode -- _ x", "---"])
def test_a_slug_made_from_a_name_is_a_slug(db: None, name: str) -> None:
    slug = create_project(PLATFORM, name).slug
    assert "--" not in slug
    assert "_" not in slug
    assert slug[0] != "-"
