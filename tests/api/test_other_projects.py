"""No role of one project reads or changes anything of another, whatever the endpoint; a viewer never sees a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.access.identities import create_identity
from config.access.models import AuditEvent
from config.access.roles import PLATFORM
from config.access.services import set_role
from syncs.models import NotificationTarget, Secret, SyncRun
from syncs.notifications.targets import TargetInput, create_target
from syncs.services.folders import create_project, ensure_folder
from syncs.services.imports import add_import
from syncs.services.secrets import set_secrets
from syncs.services.tags import create_tag
from syncs.source.validation import SecretInput
from tests.api.openapi import operations
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World

MARKER = "mArKeR-7e21"


@pytest.fixture
def names(world: World) -> dict[str, str]:
    """What a caller who knows every id of the project would send."""
    tag = create_tag(world.actor, world.project, "db")
    folder = ensure_folder(world.actor, world.environment(), "/api")
    given = [
        SecretInput(
            "KEY_OF_SHOP",
            f"{MARKER}-value",
            f"{MARKER}-comment",
            ["db"],
            [{"key": "pin", "value": f"{MARKER}-pin", "isEncrypted": True}],
        ),
        SecretInput("REFERS", "${KEY_OF_SHOP}"),
    ]
    set_secrets(world.actor, folder, given)
    set_secrets(world.actor, folder, [SecretInput("KEY_OF_SHOP", f"{MARKER}-second")])
    row = add_import(world.actor, world.folder(), world.environment(), "/api")
    identity = create_identity(PLATFORM, "of-shop", role="member", project=world.project).identity
    sync = world.sync("of-shop")
    run = SyncRun.objects.filter(sync=sync).first()
    target = create_target(world.actor, world.project, TargetInput("ops", f"json://192.0.2.1/{MARKER}-value"))
    project = str(world.project.pk)
    return {
        "projectId": project,
        "workspaceId": project,
        "projectSlug": world.project.slug,
        "workspaceSlug": world.project.slug,
        "environment": "dev",
        "environmentId": str(world.environment().pk),
        "slug": "dev",
        "sourceEnvironment": "dev",
        "destinationEnvironment": "staging",
        "path": "/api",
        "secretPath": "/api",
        "sourceSecretPath": "/api",
        "destinationSecretPath": "/",
        "folderId": str(folder.pk),
        "secretId": str(Secret.objects.get(key="KEY_OF_SHOP").pk),
        "secretName": "KEY_OF_SHOP",
        "secretImportId": str(row.pk),
        "tagId": str(tag.pk),
        "tagSlug": "db",
        "identityId": str(identity.pk),
        "clientSecretId": str(identity.client_secrets.get().pk),
        "connectionId": str(world.connection.pk),
        "syncId": str(sync.pk),
        "runId": str(run.pk if run else sync.pk),
        "targetId": str(target.pk),
        "name": "of-shop",
    }


def value_for(schema: dict[str, Any], name: str, names: dict[str, str]) -> Any:
    """Something that the endpoint would take, of that project wherever the name says so."""
    if name in names:
        return names[name]
    if name == "secretIds":
        return [names["secretId"]]
    if "properties" in schema:
        return body_for(schema, names)
    kind = schema.get("type")
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "array":
        return [value_for(schema["items"], name, names)]
    return {"boolean": True, "integer": 1, "object": {}}.get(str(kind), "mine")


def body_for(schema: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in schema.get("allOf", [schema]):
        for name, each in part.get("properties", {}).items():
            if name not in ("newSecretName", "tagIds", "type", "isReplication"):
                made[name] = value_for(each, name, names)
    return made


def asked(api: Api, method: str, path: str, operation: dict[str, Any], names: dict[str, str]) -> tuple[int, str]:
    query = {}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", names.get(name, "x"))
        elif name in names or parameter.get("required"):
            query[name] = str(value_for(parameter["schema"], name, names))
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = json.dumps(body_for(content["schema"], names)) if content else None
    response = api.raw(method, path.removeprefix("/api"), body, **query)
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return response.status_code, content.decode()


PUBLIC = {"loginUniversalAuth", "renewAccessToken", "revokeAccessToken", "getStatus"}


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_another_projects_secrets(world: World, names: dict[str, str], role: str) -> None:
    """A member of another project asks every endpoint for this one's things, by their ids."""
    other = create_project(PLATFORM, "Other", slug="other-project")
    made = create_identity(PLATFORM, f"of-other-{role}", role=role, project=other)
    api = api_of(made.identity, made.client_secret)
    before, told = state(world), AuditEvent.objects.filter(project=world.project).count()
    for method, path, operation in operations():
        if operation["operationId"] in PUBLIC:
            continue
        status, text = asked(api, method, path, operation, names)
        assert status < 500, (method, path, text)
        assert MARKER not in text, (method, path)
        assert "REFERS" not in text, (method, path)
        if status == 200:  # a list of one's own, or something that is no project's
            assert names["projectId"] not in text, (method, path, text)
    assert state(world) == before
    assert AuditEvent.objects.filter(project=world.project).count() == told


def test_a_viewer_sees_no_value(world: World, names: dict[str, str]) -> None:
    api = api_for("viewer", world)
    before = state(world)
    seen = 0
    for method, path, operation in operations():
        if operation["operationId"] in PUBLIC:
            continue
        status, text = asked(api, method, path, operation, names)
        assert status < 500, (method, path, text)
        for kind in ("value", "second", "pin"):
            assert f"{MARKER}-{kind}" not in text, (method, path)
        seen += status == 200 and "KEY_OF_SHOP" in text
    assert seen >= 8, "the walk does not reach what it is about"
    assert state(world) == before


def test_an_instance_admin_sees_no_value_before_joining(world: World, names: dict[str, str]) -> None:
    made = create_identity(PLATFORM, "root", role="admin")
    api = api_of(made.identity, made.client_secret)
    for method, path, operation in operations():
        if method == "GET":
            assert MARKER + "-value" not in asked(api, method, path, operation, names)[1], path
            assert MARKER + "-second" not in asked(api, method, path, operation, names)[1], path
    role = {"roles": [{"role": "member"}]}
    where = f"/v2/workspace/{names['projectId']}/identity-memberships/{made.identity.pk}"
    assert api("POST", where, role)[0] == 200
    assert AuditEvent.objects.filter(event="set-role", actor_id=str(made.identity.pk)).exists()
    status, text = asked(api, *next(each for each in operations() if each[2]["operationId"] == "listSecrets"), names)
    assert (status, f"{MARKER}-second" in text) == (200, True)


def test_the_creator_is_the_admin(world: World) -> None:
    made = create_identity(PLATFORM, "maker", role="admin")
    api = api_of(made.identity, made.client_secret)
    project = api("POST", "/v1/projects", {"projectName": "Mine", "slug": "mine-project"})[1]["project"]
    given = {"projectId": project["id"], "environment": "dev", "secretValue": "x"}
    assert api("POST", "/v4/secrets/A", given)[1]["secret"]["secretValue"] == "x"
    set_role(PLATFORM, world.project, made.identity, None)


def api_of(identity: Any, client_secret: str) -> Api:
    from config.access.tokens import login

    return Api(login(str(identity.client_id), client_secret)["accessToken"])


def state(world: World) -> Any:
    project = world.project
    project.refresh_from_db()
    return (
        list(Secret.objects.order_by("pk").values_list("pk", "folder", "key", "version")),
        sorted(str(pk) for pk in project.environments.values_list("pk", flat=True)),
        sorted(project.memberships.values_list("identity__name", "user__username", "role"), key=str),
        (project.name, project.slug),
        world.connection.name,
        list(NotificationTarget.objects.values_list("name", "states", "is_enabled", "last_error")),
        SyncRun.objects.count(),
    )
