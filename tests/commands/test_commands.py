"""Commands as scripts use them: their output, their JSON, their exit codes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.access.models import AuditEvent, Identity, User
from syncs.models import Folder, SecretSync, SyncRun
from syncs.running.runner import execute
from syncs.services.syncs import update_policy
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from tests.fixtures.world import World

Command = Callable[..., tuple[int, str]]


def call(*args: str) -> tuple[int, str]:
    """Exit code and standard output."""
    out = StringIO()
    try:
        call_command(*args, stdout=out, stderr=StringIO())
    except SystemExit as left:
        return int(left.code or 0), out.getvalue()
    except CommandError as error:
        return error.returncode, str(error)
    return 0, out.getvalue()


def one_line(text: str) -> dict[str, Any]:
    assert text.count("\n") == 1
    return dict(json.loads(text))


def test_plan_has_exit_codes(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    name = "shop-project/shop-dev"
    code, text = call("plan", name)
    assert code == 2
    assert "create" in text
    assert "Workloads see new values at their next deployment" in text
    code, text = call("plan", str(sync.pk), "--json")
    assert (code, one_line(text)["counts"]["create"]) == (2, 1)
    world.run(sync)
    assert call("plan", name)[0] == 0
    world.set(B="${NOPE}")
    code, text = call("plan", name)
    assert code == 4
    assert "${NOPE} does not resolve" in text


def test_a_change_is_planned_and_not_stored(world: World) -> None:
    world.set(A="1", B="2")
    world.sandbox.put(("acme", "shop", "development"), "FOREIGN", "x")
    sync = world.sync()
    world.run(sync)
    before = SecretSync.objects.values().get(pk=sync.pk)
    to_environment = ("--set", "destinationConfig.scope=environment", "--set", "destinationConfig.env=development")
    code, text = call("plan", "shop-project/shop-dev", *to_environment)
    assert code == 4, "without a confirmation it would be held"
    assert "keys of this sync at acme / shop, which it would leave: A, B" in text
    assert "would delete 1 key that this sync did not write" in text
    code, text = call("plan", str(sync.pk), *to_environment, "--json")
    plan = one_line(text)
    assert (plan["counts"]["create"], plan["leaving"]["keys"]) == (2, ["A", "B"])
    for changes, code, counts in (
        (["name=other"], 0, {"unchanged": 2}),
        (["syncOptions.keySchema=KF_{{secretKey}}"], 2, {"create": 2, "delete": 2}),
        (["policy.exclude=B, C*"], 2, {"unchanged": 1, "delete": 1}),
        (["policy.maxDeletions=null", "policy.recursive=true"], 0, {"unchanged": 2}),
        (["isAutoSyncEnabled=false"], 0, {"unchanged": 2}),
    ):
        options = [part for each in changes for part in ("--set", each)]
        found, text = call("plan", str(sync.pk), *options, "--json")
        shown = {name: count for name, count in one_line(text)["counts"].items() if count}
        assert (found, shown) == (code, counts), changes
    assert SecretSync.objects.values().get(pk=sync.pk) == before
    assert SyncRun.objects.filter(sync=sync).count() == 2


def test_a_member_of_a_target_is_taken_out_with_null(world: World) -> None:
    sync = world.sync(config={"scope": "environment", "org": "acme", "app": "shop", "env": "development"})
    world.set(A="1")
    to_application = ("--set", "destinationConfig.scope=application", "--set", "destinationConfig.env=null")
    assert call("plan", str(sync.pk), *to_application)[0] == 2


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("name", "write FIELD=VALUE"),
        ("nme=x", "There is no field nme to set. Known here: connectionId, description"),
        ("destinationConfig.ap=x", "There is no field destinationConfig.ap to set"),
        ("policy.unmanged=leave", "There is no field policy.unmanged to set"),
        ("policy.unmanaged=burn", "unmanaged"),
        ("policy.maxDeletions=many", "maxDeletions"),
    ],
)
def test_a_change_that_is_none_is_an_error(world: World, change: str, text: str) -> None:
    sync = world.sync()
    with pytest.raises(CommandError) as refused:
        call_command("plan", str(sync.pk), "--set", change)
    assert refused.value.returncode == 1
    assert text in str(refused.value)


def test_undo_is_shown_and_applied(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    name = "shop-project/shop-dev"
    assert call("undo", name)[0] == 1  # nothing has run
    run = world.run(sync)
    code, text = call("undo", name)
    assert (code, "the run created it" in text) == (2, True)
    code, text = call("undo", name, "--run", str(run.pk), "--json")
    assert (code, one_line(text)["run"], one_line(text)["counts"]["delete"]) == (2, str(run.pk), 1)
    assert call("undo", name, "--run", "nonsense")[0] == 1
    assert world.held() == {"A": "1"}
    assert call("undo", name, "--apply") == (
        1,
        "Nothing was changed: nobody can be asked here. Add --yes to confirm it.",
    )
    code, text = call("undo", name, "--apply", "--yes")
    assert (code, "automatic runs are paused" in text) == (0, True)
    world.due()
    assert world.held() == {}


def test_drift_is_healed_and_accepted(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    name = "shop-project/shop-dev"
    assert call("drift", name, "--heal") == (0, "no drift\n")
    for key in ("A", "B"):
        world.sandbox.put(("acme", "shop", ""), key, "theirs")
    code, text = call("drift", name, "--accept", "take")
    assert (code, "the destination does not return its value" in text) == (1, True)
    assert call("drift", name, "--accept", "leave", "--key", "B") == (0, f"{name}: left; no longer synced\n")
    found = one_line(call("drift", name, "--heal", "--json")[1])
    assert [one["key"] for one in found["changes"]] == ["A", "B"]
    assert found["run"]["trigger"] == "manual"
    world.due()
    assert world.held() == {"A": "1", "B": "theirs"}


def test_the_status_of_syncs(world: World) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    name = "shop-project/shop-dev"
    assert call("status", name) == (2, f"{name}: Never ran\n  No run has ended yet.\n")
    world.run(sync)
    assert call("status") == (0, f"{name}: Up to date\n")
    world.policy(sync, paused=True, pause_reason="audit")
    code, text = call("status", name)
    assert (code, text.startswith(f"{name}: Paused\n  This sync is paused by ada since ")) == (2, True)
    assert text.endswith(" UTC: audit.\n")


def test_a_hold_is_shown_and_decided(world: World) -> None:
    name = "shop-project/shop-dev"
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    assert call("hold", name)[0] == 1
    for decision, held in (("--writes-only", 3), ("--dismiss", 3), ("--approve", 0)):
        world.set(A="1", B="2", C="3")
        world.run(sync)
        world.unset("A", "B", "C")
        update_policy(world.actor, syncs().get(pk=sync.pk), {"max_deletions": 9 if decision == "--approve" else 10})
        assert world.run(sync).status == "held"
        code, text = call("hold", name)
        assert (code, "it would delete 3 keys" in text, "no longer in the source" in text) == (4, True, True)
        assert len(one_line(call("hold", name, "--json")[1])["changes"]) == 3
        assert call("hold", name, decision)[0] == 0
        world.due()
        assert len(world.held()) == held, decision


def test_a_removal_is_shown_and_applied(world: World) -> None:
    name = "shop-project/shop-dev"
    world.set(A="1")
    world.run(world.sync())
    code, text = call("remove", name)
    assert (code, "A" in text, world.held()) == (2, True, {"A": "1"})
    code, text = call("remove", name, "--apply", "--purge", "--delete-sync")
    assert (code, "nobody can be asked here. Add --yes" in text, world.held()) == (1, True, {"A": "1"})
    assert call("remove", name, "--apply", "--yes", "--purge", "--delete-sync")[0] == 0
    world.due()
    assert world.held() == {}
    assert all(one["purged"] for one in world.sandbox.history["acme", "shop", ""] if one["value"])
    assert not SecretSync.objects.exists()


@pytest.mark.parametrize(("typed", "confirmed"), [("y", True), ("", False), ("shop-dev", False)])
def test_a_terminal_asks_before_keys_are_removed(
    world: World, monkeypatch: pytest.MonkeyPatch, typed: str, confirmed: bool
) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: typed)
    said = StringIO()
    with contextlib.suppress(CommandError):
        call_command("remove", str(sync), "--apply", stdout=StringIO(), stderr=said)
    assert "shop-dev, Humanitec acme / shop: 1 key deleted" in said.getvalue()
    assert sync.runs.filter(operation="remove").exists() == confirmed


def test_many_keys_are_removed_by_the_name_of_the_sync(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(**{f"K{number}": "x" for number in range(11)})
    sync = world.sync()
    world.run(sync)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: "y")
    assert call("remove", str(sync), "--apply")[0] == 1
    monkeypatch.setattr("builtins.input", lambda: "shop-dev")
    assert call("remove", str(sync), "--apply")[0] == 0


def test_the_api_is_called_from_a_terminal(world: World) -> None:
    sync = world.sync()
    path = f"/v1/secret-syncs/humanitec/{sync.pk}"
    code, text = call("api", "GET", path)
    assert (code, one_line(text)["secretSync"]["name"]) == (0, "shop-dev")
    code, text = call("api", "PATCH", f"/api{path}/policy/", '{"paused": true}')
    assert (code, one_line(text)["policy"]["paused"]) == (0, True)
    assert call("api", "GET", f"{path}/runs?limit=nonsense")[0] == 1
    assert call("api", "GET", "/v1/nowhere")[0] == 1
    assert call("api", "GET", path, "--user", "nobody")[0] == 1
    User.objects.create_user("eve")
    assert call("api", "GET", path, "--user", "eve")[0] == 1
    assert call("api", "TRACE", path)[0] == 1


@pytest.mark.parametrize("command", ["plan", "drift", "sync", "undo", "hold", "remove", "api"])
def test_usage_errors_are_1(db: None, command: str) -> None:
    assert call(command)[0] == 1
    assert call(command, "--nope")[0] == 1
    assert call(command, "not-a-sync")[0] == 1


def test_drift(world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    assert call("drift", str(sync.pk))[0] == 0
    world.sandbox.put(("acme", "shop", ""), "A", "changed")
    del world.sandbox.values["acme", "shop", ""]["B"]
    code, text = call("drift", str(sync.pk), "--json")
    assert code == 2
    assert {one["key"]: one["state"] for one in one_line(text)["changes"]} == {"A": "changed", "B": "missing"}


def test_sync_waits_and_reports_each_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: [execute(run.pk) for run in SyncRun.objects.filter(status="pending")])
    world.set(A="1", B="${NOPE}")
    sync = world.sync(is_auto_sync_enabled=False)
    code, text = call("sync", "shop-project/shop-dev", "--wait")
    assert code == 3
    assert "applied" in text
    assert "blocked" in text
    world.set(B="2")
    code, text = call("sync", "--all", "--wait", "--json")
    assert code == 0
    assert {one["key"]: one["outcome"] for one in one_line(text)["runs"][0]["changes"]} == {
        "A": "unchanged",
        "B": "applied",
    }
    world.set(C="3")
    world.run(sync)
    world.unset("A", "B", "C")
    assert call("sync", str(sync.pk), "--wait")[0] == 4


def test_sync_needs_names_or_all(world: World) -> None:
    assert call("sync", "--all", "shop-project/shop-dev")[0] == 1
    assert call("sync")[0] == 1
    assert not SecretSync.objects.exists()


def test_secrets(world: World, tmp_path: Path) -> None:
    folder = "shop-project/dev/api"
    awkward = {"PLAIN": "x", "QUOTE": 'it\'s "it" \\ done', "LINES": "a\nb", "DOLLAR": "$HOME ${PLAIN}", "EMPTY": ""}
    assert call("secrets", "set", folder, *(f"{key}={value}" for key, value in awkward.items()))[0] == 0
    assert call("secrets", "get", folder, "PLAIN") == (0, "x\n")
    assert AuditEvent.objects.filter(event="get-secret", metadata__secretKey="PLAIN").count() == 1
    assert call("secrets", "get", folder, "QUOTE") == (0, awkward["QUOTE"] + "\n")
    assert one_line(call("secrets", "list", folder, "--json")[1])["secrets"][0] == {"key": "DOLLAR", "version": 1}
    exported = tmp_path / "out.env"
    exported.write_text(call("secrets", "export", folder)[1])
    assert call("secrets", "import", "shop-project/staging", str(exported))[0] == 0
    assert one_line(call("secrets", "export", "shop-project/staging", "--json")[1]) == awkward
    for refused in (
        ("get", folder, "NOPE"),
        ("get", "shop-project/nope", "A"),
        ("get", "nope", "A"),
        ("set", f"{folder}/new", "A/B=1"),
        ("import", folder, str(tmp_path / "missing")),
        ("nope", folder),
    ):
        assert call("secrets", *refused)[0] == 1
    assert not Folder.objects.filter(path__endswith="/new").exists()


def test_create_identity(world: World) -> None:
    made = one_line(call("create_identity", "ci", "--role", "member", "--project", "shop-project", "--json")[1])
    assert set(made) == {"id", "clientId", "clientSecret"}
    assert Identity.objects.get(pk=made["id"]).role == ""
    assert call("create_identity", "ci", "--role", "owner")[0] == 1
    assert call("create_identity", "ci", "--role", "admin", "--project", "nope")[0] == 1


def test_pause_and_resume(world: World) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    for scope in ((), ("--connection", "humanitec-dev")):
        assert call("pause", *scope)[0] == 0
        code, text = call("sync", str(sync.pk), "--json")
        assert code == 1
        assert "paused by Keyferry" in one_line(text)["refused"][0]["message"]
        assert call("resume", *scope)[0] == 0
    assert call("pause", "--connection", "nope")[0] == 1
    assert call("pause", "--sync", str(sync), "--reason", "audit")[0] == 0
    sync.policy.refresh_from_db()
    assert (sync.policy.paused, sync.policy.pause_reason, sync.policy.paused_by) == (True, "audit", "Keyferry")
    assert call("resume", "--sync", str(sync), "--connection", "humanitec-dev")[0] == 1
    assert call("resume", "--sync", str(sync), "--reason", "done")[0] == 0
    sync.policy.refresh_from_db()
    assert (sync.policy.paused, sync.policy.pause_reason) == (False, "")
    assert world.run(sync).status == "succeeded"


def test_cancel(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    run = SyncRun.objects.get(sync=sync)
    code, text = call("cancel", str(run.pk))
    assert (code, "Cancelled by Keyferry, before it wrote anything." in text) == (0, True)
    assert call("cancel", str(run.pk))[0] == 1
    assert call("cancel", str(sync.pk))[0] == 1
    assert call("cancel", "nonsense")[0] == 1
    again = trigger(world.actor, sync, "sync")
    assert one_line(call("cancel", str(again.pk), "--json")[1])["status"] == "superseded"


def test_notifications(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    project = "shop-project"
    monkeypatch.setattr("sys.stdin", StringIO("json://127.0.0.1:9/tOkEn\n"))
    made = one_line(call("notifications", "add", project, "ops", "--on", "failed", "--json")[1])["notificationTarget"]
    assert (made["scheme"], made["states"]) == ("json", ["failed"])
    assert call("notifications", "add", project, "people", "--email", "admins")[0] == 0
    code, text = call("notifications", "list", project)
    assert (code, "people  admins" in text, "tOkEn" in text) == (0, True, False)
    assert len(one_line(call("notifications", "list", project, "--json")[1])["notificationTargets"]) == 2
    code, text = call("notifications", "test", project, "ops")
    assert (code, "127.0.0.1 is not a public address" in text) == (1, True)
    assert call("notifications", "test", project, "people") == (0, "people: the message was accepted\n")
    assert call("notifications", "remove", project, "ops")[0] == 0
    for refused in (("remove", project, "ops"), ("list", "nope"), ("test", project), ("sing", project)):
        assert call("notifications", *refused)[0] == 1


def test_verify_audit(world: World) -> None:
    world.set(A="1")
    code, text = call("verify_audit")
    last = AuditEvent.objects.values_list("hash", flat=True).first()
    assert (code, f"the chain is intact; the last hash is {last}" in text) == (0, True)
    world.set(A="2")
    assert call("verify_audit", "--has", str(last))[0] == 0
    assert call("verify_audit", "--has", "0" * 64)[0] == 1
    AuditEvent.objects.filter(event="create-secret").update(actor_name="someone else")
    assert call("verify_audit")[0] == 1


def test_list_destinations(db: None) -> None:
    known = {one["slug"]: one for one in one_line(call("list_destinations", "--json")[1])["destinations"]}
    assert known["humanitec"]["scopes"] == ["application", "environment"]
    assert [one["slug"] for one in one_line(call("list_destinations", "humanitec", "--json")[1])["destinations"]] == [
        "humanitec"
    ]
    said = call("list_destinations", "humanitec")[1]
    assert "humanitec: api-token" in said
    assert "letters, digits, underscores, dots and dashes" in said
    assert "humanitec" in call("list_destinations")[1]
    assert call("list_destinations", "nowhere")[0] == 1


def test_the_audit_log_is_searched_and_exported(world: World) -> None:
    world.set(A="mArKeR-audit")
    code, text = call("audit_log", "--project", "shop-project", "--event", "create-secret", "--jsonl")
    (event,) = [json.loads(line) for line in text.splitlines()]
    assert (code, event["actor"]["name"], event["eventMetadata"]["secretKey"]) == (0, "ada", "A")
    assert "mArKeR-audit" not in call("audit_log")[1]
    assert call("audit_log", "--actor", "nobody") == (0, "")
    assert call("audit_log", "--until", "2020-01-01") == (0, "")
    assert call("audit_log", "--since", "yesterday")[0] == 1
