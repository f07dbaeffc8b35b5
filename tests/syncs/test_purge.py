"""Removal that also purges old values from the vendor's history, if requested."""

from __future__ import annotations

from typing import Any

import pytest

from config.errors import BadRequest
from connections.models import AppConnection
from connections.sandbox import Drop
from syncs.destinations.humanitec import Humanitec
from syncs.models import SecretSync, SyncRun
from syncs.running.runner import execute
from syncs.services.deletion import delete_sync
from syncs.services.triggers import remove_secrets
from syncs.source.selectors import syncs
from tests.fixtures.api import api_for
from tests.fixtures.world import ENVIRONMENT, World

SCOPES: dict[str, tuple[dict[str, str] | None, tuple[str, str, str]]] = {
    "application": (None, ("acme", "shop", "")),
    "environment": (ENVIRONMENT, ("acme", "shop", "development")),
}


@pytest.fixture(params=list(SCOPES))
def written(world: World, request: pytest.FixtureRequest) -> tuple[SecretSync, tuple[str, str, str]]:
    """A sync that has written three values each of two keys, beside a foreign one."""
    config, scope = SCOPES[request.param]
    world.sandbox.put(scope, "FOREIGN", "theirs")
    sync = world.sync(config=config)
    for number in range(3):
        world.set(A=f"a{number}", B=f"b{number}")
        world.run(sync)
    return syncs().get(pk=sync.pk), scope


def removed(world: World, sync: SecretSync, **given: Any) -> SyncRun:
    run = remove_secrets(world.actor, sync, **given)
    execute(run.pk)
    return world.again(run)


def left(world: World, scope: tuple[str, str, str]) -> set[str]:
    """Keys with a value in the vendor's history that is not purged."""
    return {one["key"] for one in world.sandbox.history[scope] if one["value"] is not None and not one["purged"]}


def test_a_removal_keeps_the_vendors_history_unless_requested(world: World, written: Any) -> None:
    sync, scope = written
    assert removed(world, sync).status == "succeeded"
    assert {"A", "B"} <= left(world, scope)


def test_a_purge_removes_only_old_values_of_owned_keys(world: World, written: Any) -> None:
    sync, scope = written
    world.sandbox.put(scope, "C", "theirs")
    assert removed(world, sync, purge=True).status == "succeeded"
    assert set(world.held(scope)) == {"C"}
    assert left(world, scope) == {"C", "FOREIGN"}


def test_an_interrupted_purge_continues(world: World, written: Any) -> None:
    sync, scope = written
    asked = iter([False, True])

    def fault(method: str, path: str) -> Any:
        if "/purge/" in path and next(asked, False):
            raise Drop
        return None

    world.sandbox.fault = fault
    run = removed(world, sync, purge=True)
    assert run.status == "failed"  # a write whose answer was lost: named, its key's history is to be looked at
    assert "old values stay in the vendor's history" in (run.message or "")
    assert not world.held(scope).keys() & {"A", "B"}


def test_a_key_that_stays_keeps_its_history(world: World, written: Any) -> None:
    """Its deletion is refused permanently; the run continues with another key in a second attempt."""
    sync, scope = written
    asked = iter([True])

    def fault(method: str, path: str) -> Any:
        if method == "DELETE" and path.endswith("/A"):
            return 422, {"message": "no"}
        return (503, {}) if method == "DELETE" and next(asked, False) else None

    world.sandbox.fault = fault
    run = removed(world, sync, purge=True)
    assert run.status == "pending"
    execute(run.pk)
    assert (world.again(run).status, world.held(scope).keys() & {"A", "B"}) == ("failed", {"A"})
    assert left(world, scope) == {"A", "FOREIGN"}
    assert not [one for one in world.sandbox.history[scope] if one["key"] == "A" and one["purged"]]


def test_a_rate_limited_purge_is_retried(world: World, written: Any) -> None:
    sync, scope = written
    asked = iter([True])
    world.sandbox.fault = lambda method, path: (
        (429, {}) if "/value-set-versions" in path and next(asked, False) else None
    )
    run = removed(world, sync, purge=True)
    assert run.status == "pending"
    AppConnection.objects.update(retry_at=None)
    execute(run.pk)
    assert (world.again(run).status, left(world, scope)) == ("succeeded", {"FOREIGN"})


def test_refused_purges_are_reported(world: World, written: Any) -> None:
    sync, scope = written
    world.sandbox.fault = lambda method, path: (400, {"message": "no"}) if path.endswith("/purge/A") else None
    run = removed(world, sync, purge=True)
    assert run.status == "failed"
    assert "old values stay in the vendor's history: A (Humanitec: POST" in (run.message or "")
    assert "A" in left(world, scope)
    assert "B" not in left(world, scope)


def test_a_sync_is_deleted_with_its_secrets_and_their_history(world: World, written: Any) -> None:
    sync, scope = written
    delete_sync(world.actor, sync, with_secrets=True, purge=True)
    world.due()
    assert not SecretSync.objects.exists()
    assert left(world, scope) == {"FOREIGN"}


def test_over_the_api(world: World, written: Any) -> None:
    sync, scope = written
    member, admin = api_for("member", world), api_for("admin", world)
    path = f"/v1/secret-syncs/humanitec/{sync.pk}"
    assert member("POST", f"{path}/remove-secrets?purgeVersions=true")[0] == 403
    assert admin("POST", f"{path}/remove-secrets?purgeVersions=nonsense")[0] == 422
    assert admin("DELETE", f"{path}?purgeVersions=true")[0] == 400
    assert admin("POST", f"{path}/remove-secrets?purgeVersions=true")[0] == 200
    world.due()
    assert left(world, scope) == {"FOREIGN"}


def test_a_purge_without_vendor_history_is_refused(world: World, written: Any, monkeypatch: Any) -> None:
    from dataclasses import replace

    monkeypatch.setattr(Humanitec, "capabilities", replace(Humanitec.capabilities, keeps_versions=False))
    with pytest.raises(BadRequest, match="keeps no old values"):
        remove_secrets(world.actor, written[0], purge=True)
