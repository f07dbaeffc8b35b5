"""Changes of syncs and connections, and all runs, are recorded in the audit log."""

from __future__ import annotations

from typing import Any

import pytest

from config.access import audit
from config.access.identities import create_identity
from config.access.models import AuditEvent
from config.access.roles import PLATFORM
from config.access.tokens import login
from config.errors import Unauthenticated
from syncs.models import SyncRun
from tests.api.test_connections import CONNECTIONS
from tests.api.test_connections import body as connection_body
from tests.api.test_syncs import SYNCS, body
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World


class Told:
    """The events since the last look, oldest first: name and actor."""

    def __init__(self) -> None:
        self.seen = AuditEvent.objects.count()

    def __call__(self) -> list[tuple[str, str]]:
        rows = list(AuditEvent.objects.order_by("sequence").values_list("event", "actor_name")[self.seen :])
        self.seen += len(rows)
        return rows


ME = "machine-admin"


def test_the_life_of_a_sync(world: World, api: Api) -> None:
    world.set(A="1", B="2", C="3")
    told = Told()
    sync = api("POST", SYNCS, body(world, isAutoSyncEnabled=False))[1]["secretSync"]["id"]
    where = f"{SYNCS}/{sync}"
    assert told() == [("create-secret-sync", ME)]
    requests: tuple[tuple[str, str, Any, str], ...] = (
        ("GET", where, None, "get-secret-sync"),
        ("GET", f"{SYNCS}/sync-name/{body(world)['name']}?projectId={world.project.pk}", None, "get-secret-sync"),
        ("PATCH", where, {"description": "x"}, "update-secret-sync"),
        ("PATCH", f"{where}/policy", {"maxDeletions": 1}, "update-sync-policy"),
        ("POST", f"{where}/sync-secrets", {}, "sync-secret-sync"),
    )
    for method, path, given, event in requests:
        assert api(method, path, given)[0] == 200, path
        assert told() == [(event, ME)], path
    world.due()
    assert told() == [("secret-sync-sync-secrets", ME)]
    world.unset("A", "B", "C")
    told()
    api("POST", f"{where}/sync-secrets", {})
    world.due()
    assert told() == [("sync-secret-sync", ME), ("hold-run", "Keyferry")]
    api("POST", f"{where}/sync-secrets", {})
    world.due()
    assert told() == [("sync-secret-sync", ME)]  # refreshed in place
    held = SyncRun.objects.get(status="held")
    assert api("POST", f"{where}/runs/{held.pk}/dismiss")[0] == 200
    assert told() == [("dismiss-run", ME)]
    world.set(D="4")
    world.due()
    api("POST", f"{where}/sync-secrets", {})
    world.due()
    world.unset("D")
    told()
    run = SyncRun.objects.filter(changes__key="D", status="succeeded").first()
    assert run
    assert api("POST", f"{where}/runs/{run.pk}/undo", {})[0] == 200
    assert told() == [("undo-secret-sync", ME)]
    world.due()
    assert told() == [("secret-sync-sync-secrets", ME)]
    assert api("POST", f"{where}/remove-secrets")[0] == 200
    assert told() == [("remove-secret-sync", ME)]
    world.due()
    assert told() == [("secret-sync-remove-secrets", ME)]
    assert api("DELETE", where)[0] == 200
    assert told() == [("delete-secret-sync", ME)]
    assert list(audit.broken_links()) == []


def test_a_sync_deleted_with_its_secrets(world: World, api: Api) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    told = Told()
    assert api("DELETE", f"{SYNCS}/{sync.pk}", removeSecrets="true")[0] == 200
    assert told() == [("remove-secret-sync", ME)]
    world.due()
    assert told() == [("secret-sync-remove-secrets", ME), ("delete-secret-sync", ME)]


def test_an_automatic_run_belongs_to_the_platform(world: World, api: Api) -> None:
    world.set(A="1")
    world.sync()
    world.due()
    told = Told()
    world.set(A="2")
    world.due()
    assert told() == [("update-secret", "ada"), ("secret-sync-sync-secrets", "Keyferry")]


def test_an_approval(world: World, api: Api) -> None:
    world.set(**{f"K{number}": "x" for number in range(4)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset(*(f"K{number}" for number in range(4)))
    held = world.run(sync)
    told = Told()
    assert api("POST", f"{SYNCS}/{sync.pk}/runs/{held.pk}/approve", {})[0] == 200
    assert told() == [("approve-run", ME)]
    world.due()
    assert told() == [("secret-sync-sync-secrets", ME)]


def test_the_life_of_a_connection(world: World, api: Api) -> None:
    told = Told()
    made = api("POST", CONNECTIONS, connection_body(world))[1]["appConnection"]["id"]
    where = f"{CONNECTIONS}/{made}"
    assert told() == [("create-app-connection", ME)]
    for method, path, given, event in (
        ("GET", where, None, "get-app-connection"),
        ("PATCH", where, {"description": "x"}, "update-app-connection"),
        ("PATCH", f"{where}/pause", {"isPaused": True}, "pause-app-connection"),
        ("PATCH", f"{where}/pause", {"isPaused": False}, "resume-app-connection"),
        ("DELETE", where, None, "delete-app-connection"),
    ):
        assert api(method, path, given)[0] == 200, path
        assert told() == [(event, ME)], path


def test_a_machines_login(world: World) -> None:
    made = create_identity(PLATFORM, "ci", role="member", project=world.project)
    told = Told()
    login(str(made.identity.client_id), made.client_secret, "192.0.2.9")
    assert told() == [("login-identity-universal-auth", "ci")]
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            login(str(made.identity.client_id), "wrong")
    assert told() == [("lock-identity-universal-auth", "ci")]
    assert api_for("viewer", world)
    assert [event for event, _ in told()] == ["create-identity", "login-identity-universal-auth"]
