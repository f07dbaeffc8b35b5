"""Every member that a change of a sync can have, by each caller: nothing is written before its plan was confirmed."""

from __future__ import annotations

import inspect
import json
from contextlib import suppress
from importlib import import_module
from io import StringIO
from pkgutil import iter_modules
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

import syncs.services
from connections.services import create_connection
from syncs.destinations.humanitec import Humanitec
from syncs.models import SecretSync, SyncRun
from syncs.services.folders import ensure_folder
from syncs.services.policy import policy_of
from syncs.services.sync_bodies import sync_changes
from tests.admin.test_sync_changes import entered, page_of
from tests.fixtures.api import Api
from tests.fixtures.world import ENVIRONMENT, OPTIONS, TOKEN, World

SYNCS = "/v1/secret-syncs/humanitec"
OF_SYNC = tuple(sync_changes(Humanitec).model_fields)
OF_POLICY = tuple(policy_of(Humanitec).model_fields)
VALUES: dict[str, Any] = {
    "name": "other",
    "description": "why",
    "connectionId": "",  # of a second connection
    "environment": "staging",
    "secretPath": "/other",
    "isAutoSyncEnabled": False,
    "syncOptions": {**OPTIONS, "keySchema": "KF_{{secretKey}}"},
    "destinationConfig": ENVIRONMENT,
    "unmanaged": "mirror",
    "maxDeletions": 3,
    "include": ["A"],
    "exclude": ["B"],
    "tags": ["live"],
    "recursive": True,
    "driftCheckMinutes": 5,
    "heal": True,
    "paused": True,
    "maxConcurrency": 2,
    "pacePercent": 50,
    "whileHeld": "writes",
    "windows": [{"kind": "deny", "schedule": "0 9 * * 1-5", "duration": 480, "timezone": "UTC"}],
    "afterWrites": "deploy",
}
"""A change of each member."""
NOT_IN_FORMS = {"destination", "pauseReason"}
"""Humanitec has no member in `destination`; the reason is part of a button, and does not say what a sync writes."""
STORED_AT_ONCE = {
    *("name", "description", "isAutoSyncEnabled", "paused"),
    *("heal", "driftCheckMinutes", "maxConcurrency", "pacePercent", "windows"),
}
"""Members that do not decide what a sync writes."""


@pytest.fixture
def synced(world: World) -> SecretSync:
    """A sync that owns A and B, and a foreign key wherever a change could lead."""
    world.set(A="1", B="2")
    ensure_folder(world.actor, world.environment(), "/other")
    world.set("/", "staging", A="staging")
    sync = world.sync()
    world.run(sync)
    world.sandbox.put(("acme", "shop", ""), "FOREIGN", "x")
    world.sandbox.put(("acme", "shop", "development"), "FOREIGN", "x")
    world.sandbox.asked.clear()
    return sync


def value_of(world: World, member: str) -> Any:
    if member != "connectionId":
        return VALUES[member]
    made = create_connection(
        world.actor, "humanitec", name="second", method="api-token", credentials={"apiToken": TOKEN}
    )
    world.sandbox.asked.clear()
    return str(made.pk)


def state(sync: SecretSync) -> dict[str, Any]:
    """Everything that is stored of a sync and its policy, and how many runs it has."""
    return {
        **SecretSync.objects.values().get(pk=sync.pk),
        **{f"policy.{k}": v for k, v in SecretSync.objects.get(pk=sync.pk).policy.__dict__.items() if k[0] != "_"},
        "runs": SyncRun.objects.filter(sync=sync).count(),
    }


def test_every_service_that_changes_a_sync_takes_the_digest_of_its_plan() -> None:
    """Enumerated from the services: what stores members of a stored sync or of its policy."""
    found = {}
    for module in iter_modules(syncs.services.__path__):
        loaded = import_module(f"syncs.services.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            parameters = inspect.signature(function).parameters
            stores = {"actor", "sync", "data"} <= set(parameters) and not name.startswith("_")
            if stores and function.__module__ == loaded.__name__ and loaded.__name__.endswith(".syncs"):
                found[name] = "digest" in parameters
    assert found.pop("propose") is False, "it stores nothing"
    assert found == {"update_sync": True, "update_policy": True}


def test_every_member_has_a_value_here() -> None:
    assert {*OF_SYNC, *OF_POLICY} - NOT_IN_FORMS <= set(VALUES)


def in_form(world: World, sync: SecretSync, settings: dict[str, Any], member: str, value: Any) -> dict[str, Any]:
    """The settings with the change, as a browser sends them."""
    if member in ("environment", "secretPath"):
        place = {"environment": "dev", "path": "/", "environment" if member == "environment" else "path": value}
        return {**settings, "folder": world.folder(**place).pk}
    if member == "isAutoSyncEnabled":
        return {name: each for name, each in settings.items() if name != "is_auto_sync_enabled"}
    if member == "windows":
        return {**settings, "policy__windows": "\n".join("=".join(map(str, each.values())) for each in value)}
    if member in ("syncOptions", "destinationConfig"):
        return {**settings, **{f"{member}__{name}": each for name, each in value.items()}}
    name = {"connectionId": "connection"}.get(member, member if member in OF_SYNC else f"policy__{member}")
    return {**settings, name: "on" if value is True else ", ".join(value) if isinstance(value, list) else value}


@pytest.mark.parametrize("member", sorted({*OF_SYNC, *OF_POLICY} - NOT_IN_FORMS))
def test_the_admin_writes_nothing_before_the_plan_was_applied(
    world: World, browser: Client, synced: SecretSync, member: str
) -> None:
    value = value_of(world, member)
    settings = in_form(world, synced, entered(browser, synced), member, value)
    before = state(synced)
    response = browser.post(page_of(synced), settings)
    if response.status_code == 302:
        assert member in STORED_AT_ONCE
        assert state(synced) != before
    else:
        assert "digest" in response.context, response.context["adminform"].form.errors.as_text()
        assert member not in STORED_AT_ONCE
        assert state(synced) == before
    world.due()
    assert world.writes() == []


@pytest.mark.parametrize("member", sorted({*OF_SYNC, *OF_POLICY} - NOT_IN_FORMS))
def test_api_and_terminal_plan_it_without_storing_it(world: World, api: Api, synced: SecretSync, member: str) -> None:
    value = value_of(world, member)
    before = state(synced)
    path = f"{SYNCS}/{synced.pk}" if member in OF_SYNC else f"{SYNCS}/{synced.pk}/policy"
    status, answer = api("POST", f"{path}/plan", {member: value})
    assert status == 200, answer
    nested = {f"{member}.{name}": each for name, each in value.items()} if isinstance(value, dict) else {member: value}
    prefix = "" if member in OF_SYNC else "policy."
    texts = [f"{prefix}{name}={each if isinstance(each, str) else json.dumps(each)}" for name, each in nested.items()]
    out = StringIO()
    with suppress(SystemExit):  # 2 or 4, as `plan` documents
        options = [part for each in texts for part in ("--set", each)]
        call_command("plan", str(synced.pk), *options, "--json", stdout=out)
    assert json.loads(out.getvalue())["digest"] == answer["plan"]["digest"]
    assert state(synced) == before
    world.due()
    assert world.writes() == []
    status, changed = api("PATCH", path, {member: value}, digest=answer["plan"]["digest"])
    assert status == 200, changed
    assert state(synced) != before
