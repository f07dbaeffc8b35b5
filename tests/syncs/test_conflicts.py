"""Keys that several folders of a recursive sync have, and the options of requests that a policy holds."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from config.errors import BadRequest, Invalid
from config.schemas.json_schema import described
from syncs.destination.base import destinations
from syncs.models import NO_ACTION, SecretSync
from syncs.services.folders import ensure_folder
from syncs.services.imports import add_import
from syncs.services.policy_options import REDEPLOY, requested_options, shown_options
from syncs.services.syncs import SyncInput, create_sync, update_sync
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from tests.contract.bases import Batches, BatchOptions
from tests.fixtures.api import Api, api_for
from tests.fixtures.contract import Case
from tests.fixtures.world import OPTIONS, World

SYNCS = "/v1/secret-syncs/humanitec"
RECURSIVELY = {**OPTIONS, "recursive": True}
CONFLICT = "1 key is in more than one folder: KEY in /api and /web. Rename"


def body(world: World, **options: Any) -> dict[str, Any]:
    return {
        "name": "shop-dev",
        "projectId": str(world.project.pk),
        "connectionId": str(world.connection.pk),
        "environment": "dev",
        "secretPath": "/",
        "syncOptions": {**OPTIONS, **options},
        "destinationConfig": {"scope": "application", "org": "acme", "app": "shop"},
    }


def conflicts(world: World, api: Api, path: str = "/") -> tuple[int, Any]:
    where = {"projectId": str(world.project.pk), "environment": "dev", "secretPath": path}
    return api("GET", "/v1/secret-syncs/recursive-conflicts", **where)


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


@pytest.fixture
def tree(world: World) -> World:
    for path in ("/api", "/web", "/shared"):
        ensure_folder(world.actor, world.environment(), path)
    world.set("/api", KEY="1", ONLY="2")
    world.set("/web", KEY="3")
    return world


def test_the_preview_lists_each_key_with_its_folders(tree: World, api: Api) -> None:
    assert conflicts(tree, api) == (200, {"conflicts": [{"key": "KEY", "paths": ["/api", "/web"]}]})
    assert conflicts(tree, api, "/api") == (200, {"conflicts": []})
    assert conflicts(tree, api, "/none")[0] == 400
    assert conflicts(tree, api_for("viewer", tree))[0] == 403


def test_a_conflict_refuses_create_update_and_trigger(tree: World, api: Api) -> None:
    status, answer = api("POST", SYNCS, body(tree, recursive=True))
    assert (status, CONFLICT in answer["message"]) == (400, True)
    sync = tree.sync()
    with pytest.raises(BadRequest, match=CONFLICT):
        tree.policy(sync, recursive=True)
    with pytest.raises(BadRequest, match=CONFLICT):
        update_sync(tree.actor, fresh(sync), SyncInput(sync_options=RECURSIVELY))
    assert not fresh(sync).policy.recursive
    tree.unset("KEY", path="/web")
    update_sync(tree.actor, fresh(sync), SyncInput(sync_options=RECURSIVELY))
    tree.set("/web", KEY="3")
    with pytest.raises(BadRequest, match=CONFLICT):
        trigger(tree.actor, fresh(sync), "sync")
    assert api("POST", f"{SYNCS}/{sync.pk}/sync-secrets")[0] == 400
    assert api("PATCH", f"{SYNCS}/{sync.pk}", {"description": "another matter"})[0] == 200


def test_keys_that_the_policy_leaves_out_are_no_conflict(tree: World) -> None:
    sync = tree.sync()
    tree.policy(sync, exclude=["KEY"], recursive=True)
    assert tree.run(fresh(sync)).status == "succeeded"
    assert tree.held() == {"ONLY": "2"}


def test_a_secret_that_two_folders_import_is_one_key(tree: World, api: Api) -> None:
    tree.unset("KEY", path="/web")
    tree.set("/shared", SHARED="4")
    for path in ("/api", "/web"):
        add_import(tree.actor, tree.folder(path), tree.environment(), "/shared")
    assert conflicts(tree, api) == (200, {"conflicts": []})
    sync = tree.sync(sync_options=RECURSIVELY)
    assert tree.run(fresh(sync)).status == "succeeded"
    assert tree.held() == {"KEY": "1", "ONLY": "2", "SHARED": "4"}


def test_options_that_the_modelled_object_lacks_are_kept_in_the_policy(world: World, api: Api) -> None:
    status, answer = api("POST", SYNCS, body(world, recursive=True, autoRedeployServices=True))
    assert (status, answer["secretSync"]["syncOptions"]) == (200, OPTIONS)
    sync = SecretSync.objects.get(pk=answer["secretSync"]["id"])
    assert sync.sync_options == OPTIONS
    assert (sync.policy.recursive, sync.policy.after_writes) == (True, "deploy")
    api("PATCH", f"{SYNCS}/{sync.pk}", {"syncOptions": OPTIONS})
    assert fresh(sync).policy.recursive, "left out, it stays as the policy has it"
    status, answer = api("PATCH", f"{SYNCS}/{sync.pk}", {"syncOptions": {**OPTIONS, "recursive": False}})
    assert (status, answer["secretSync"]["syncOptions"]) == (200, OPTIONS)
    assert not fresh(sync).policy.recursive
    assert (fresh(sync).policy.after_writes, fresh(sync).generation > sync.generation) == ("deploy", True)


def test_such_options_need_the_right_to_change_the_policy(world: World) -> None:
    member = api_for("member", world)
    assert member("POST", SYNCS, body(world, recursive=True))[0] == 403
    assert member("POST", SYNCS, body(world, recursive=False))[0] == 200


def test_a_modelled_object_that_has_the_option_returns_it(batches: Case) -> None:
    class WithRedeploy(BatchOptions):
        autoRedeployServices: Annotated[bool | None, REDEPLOY] = None

    class Redeployed(Batches):
        Options = WithRedeploy

    with destinations.override(Redeployed):
        batches.found = Redeployed
        sync = batches.sync(autoRedeployServices=True)
        assert shown_options(fresh(sync))["autoRedeployServices"] is True
        batches.policy(sync, after_writes=NO_ACTION)
        assert shown_options(fresh(sync))["autoRedeployServices"] is False
    assert "autoRedeployServices" not in fresh(sync).sync_options


def test_an_option_without_effect_is_refused(world: World) -> None:
    for found in destinations:
        names = requested_options(found).model_fields.keys()
        assert "recursive" in names
        assert ("autoRedeployServices" in names) == bool(found.after_writes)
        assert "recursive" not in described(found.Options)["properties"]
    given = SyncInput("s", None, world.connection.pk, "dev", "/", True, {**OPTIONS, "recursiv": True}, {})
    with pytest.raises(Invalid):
        create_sync(world.actor, world.project, "humanitec", given)


def test_a_first_sync_that_imports_is_not_recursive() -> None:
    for found in destinations:
        for behavior in ("import-prioritize-source", "import-prioritize-destination"):
            if found.capabilities.can_import:
                with pytest.raises(BadRequest, match="recursive"):
                    requested_options(found).parse({"initialSyncBehavior": behavior, "recursive": True})
