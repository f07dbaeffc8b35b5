"""`POST .../impact` beside each request that deletes, moves or renames."""

from __future__ import annotations

from typing import Any

import pytest

from syncs.models import Secret, SecretSync
from syncs.services.folders import ensure_folder
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World


@pytest.fixture
def sync(world: World) -> SecretSync:
    ensure_folder(world.actor, world.environment(), "/api")
    world.set("/api", A="1", B="2")
    world.set(R="${dev.api.A}")
    sync = world.sync(secret_path="/api", is_auto_sync_enabled=False)
    world.run(sync)
    return sync


def requests(world: World, sync: SecretSync) -> dict[str, tuple[Any, tuple[int, int] | None]]:
    """Path -> body, and how many keys go and stay."""
    project, where = str(world.project.pk), {"environment": "dev", "path": "/"}
    secret = {"environment": "dev", "secretPath": "/api"}
    environment, folder = world.environment().pk, world.folder("/api").pk
    ids = [str(Secret.objects.get(key="B").pk)]
    move = {
        "sourceEnvironment": "dev",
        "sourceSecretPath": "/api",
        "destinationEnvironment": "prod",
        "secretIds": ids,
    }
    v3, v4 = {"workspaceId": project}, {"projectId": project}
    return {
        f"/v1/projects/{project}": ({}, (0, 2)),
        f"/v1/workspace/{project}": ({}, (0, 2)),
        f"/v2/workspace/{world.project.slug}": ({}, (0, 2)),
        f"/v1/projects/{project}/environments/{environment}": ({}, (0, 2)),
        f"/v1/workspace/{project}/environments/{environment}": ({"slug": "live"}, (0, 2)),
        f"/v1/folders/{folder}": ({**v3, **where}, (0, 2)),
        "/v2/folders/api": ({**v4, **where, "name": "web"}, (0, 2)),
        "/v3/secrets/raw/B": ({**v3, **secret}, (1, 1)),
        "/v4/secrets/B": ({**v4, **secret, "newSecretName": "NEW"}, (1, 1)),
        "/v3/secrets/batch/raw": ({**v3, **secret, "secrets": [{"secretKey": "A"}, {"secretKey": "B"}]}, (2, 0)),
        "/v4/secrets/batch": ({**v4, **secret, "secrets": [{"secretKey": "B"}]}, (1, 1)),
        "/v4/secrets/move": ({**v4, **move}, (1, 1)),
        f"/v1/app-connections/humanitec/{world.connection.pk}": ({}, (0, 2)),
        f"/v1/secret-syncs/humanitec/{sync.pk}": ({}, (0, 2)),
        f"/v1/secret-syncs/humanitec/{sync.pk}/impact?removeSecrets=true": ({}, (2, 0)),
    }


def test_each_answers_with_syncs_and_references(world: World, api: Api, sync: SecretSync) -> None:
    admin = api_for("admin", None)
    for path, (body, expected) in requests(world, sync).items():
        address, _, query = path.partition("/impact?")
        given = dict(each.split("=") for each in query.split("&")) if query else {}
        caller = admin if "app-connections" in path else api
        status, answer = caller("POST", f"{address}/impact", body, **given)
        assert status == 200, (path, answer)
        (found,) = answer["syncs"]
        assert found == {
            "id": str(sync.pk),
            "name": "shop-dev",
            "destination": "humanitec",
            "location": sync.location,
            "removes": found["removes"],
            "keeps": found["keeps"],
        }
        assert (found["removes"], found["keeps"]) == expected, path
    status, answer = api("POST", "/v2/folders/api/impact", requests(world, sync)["/v2/folders/api"][0])
    reference = {"environment": "dev", "secretPath": "/", "secretKey": "R", "referenceType": "reference"}
    assert answer["references"] == [{**reference, "target": "${dev.api.A}"}]
    assert Secret.objects.count() == 3


def test_a_viewer_and_a_stranger_are_refused(world: World, sync: SecretSync) -> None:
    viewer, stranger = api_for("viewer", world), api_for("member", None)
    for path, (body, _) in requests(world, sync).items():
        address = path.partition("/impact?")[0]
        assert viewer("POST", f"{address}/impact", body)[0] == 403, path
        assert stranger("POST", f"{address}/impact", body)[0] in (403, 404), path


def test_what_does_not_exist_is_named(world: World, api: Api) -> None:
    body = {"projectId": str(world.project.pk), "environment": "dev", "secretPath": "/"}
    status, answer = api("POST", "/v4/secrets/NOPE/impact", body)
    assert (status, answer["message"]) == (404, "Secret with name 'NOPE' not found")
