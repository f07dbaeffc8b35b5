"""The laws that hold for every destination and every variant of its config, over real HTTP on loopback.

After a sync the vendor holds what we wanted; what is not ours is as it was; what cannot be known is not acted on.
"""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from config.errors import BadRequest, Invalid
from config.schemas.json_schema import openapi
from syncs.destination.base import Destination
from syncs.engine.types import Action
from syncs.models import ManagedSecret, SyncRun
from syncs.planning.preview import drift_of, plan_as_json, preview
from syncs.running.runner import execute
from syncs.services import triggers
from syncs.services.secrets import set_secrets
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.contract.variants import distinct, faults, in_turn
from tests.fixtures.contract import Case

MARKER = "mArKeR-c0ffee"


def test_the_vendor_holds_the_source(case: Case) -> None:
    wanted = {"A": "1", "C": "line 1\nline 2\n", "D": "ä ✓ '\"\\ $HOME"}
    case.set(**wanted)
    run = case.run(case.sync())
    assert (run.status, run.message) == ("succeeded", None)
    assert case.holds(**wanted)


def test_an_empty_value_is_written_or_blocked(case: Case) -> None:
    case.set(A="1", B="")
    run = case.run(case.sync())
    if case.can.takes_empty:
        assert run.status == "succeeded"
        assert case.holds(A="1", B="")
    else:
        assert [row.key for row in run.changes.filter(outcome="blocked", error_code="value-empty")] == ["B"]
        assert case.holds(A="1")


@distinct
def test_many_keys_cost_no_more_requests_than_the_vendor_needs(case: Case) -> None:
    names = [f"K{number}" for number in range(25)]
    sync = case.sync()

    def requests(value: str) -> int:
        case.set(**dict.fromkeys(names, value))
        case.fake.asked()
        case.run(sync)
        return len(case.writes())

    with case.opened(sync) as destination:
        creates, updates = (destination.batch_size(action) for action in (Action.CREATE, Action.UPDATE))
    assert requests("1") == math.ceil(25 / creates) * case.fake.writes_a_create
    assert requests("2") == math.ceil(25 / updates) * case.fake.writes_an_update
    assert case.holds(**dict.fromkeys(names, "2"))


@pytest.mark.slow
def test_500_keys_with_one_changed_cost_the_vendors_minimum_of_requests(case: Case) -> None:
    count = min(500, case.can.max_keys or 500)
    case.set(**{f"K{number}": "x" for number in range(count)})
    sync = case.sync()
    assert case.run(sync).status == "succeeded"
    case.set(K7="y")
    case.fake.asked()
    case.run(sync)
    asked = case.fake.asked()
    writes = [one for one in asked if case.fake.is_write(*one)]
    assert len(writes) == case.fake.writes_an_update
    assert len(asked) - len(writes) == case.fake.reads(case.config, count), asked


def test_the_list_matches_the_capabilities(case: Case) -> None:
    case.set(A="1")
    sync = case.sync()
    case.run(sync)
    with case.opened(sync) as destination:
        if not case.can.lists:
            assert destination.listing() == ()
            assert not any((case.can.can_import, case.can.can_read_values, case.can.has_etag, case.can.has_object_ids))
            return
        own = [remote for remote in destination.listing() if not remote.inherited]
        (listed,) = destination.read_values(own, values=True)
    assert (listed.object_id is not None) == case.can.has_object_ids
    assert (listed.etag is not None) == case.can.has_etag
    assert listed.value == ("1" if case.can.can_read_values else None)


def test_a_second_run_writes_nothing_and_one_change_writes_once(case: Case) -> None:
    case.set(**{f"K{number}": "x" for number in range(12)})
    sync = case.sync()
    case.run(sync)
    case.fake.asked()
    case.run(sync)
    assert case.writes() == []
    case.set(K3="y")
    case.run(sync)
    assert len(case.writes()) == case.fake.writes_an_update
    assert case.held["K3"] == "y"


@distinct
def test_only_keys_removed_from_the_source_are_deleted(case: Case) -> None:
    case.set(A="1", B="2", C="3")
    sync = case.sync()
    case.run(sync)
    case.put("FOREIGN", "x")
    case.unset("B")
    case.run(sync)
    assert case.held.keys() == {"A", "C", "FOREIGN"}


@in_turn(
    ("unmanaged", "before", "after"),
    ("overwrite-initially", False, True),
    ("leave", True, True),
    ("mirror", False, False),
)
def test_foreign_keys(case: Case, unmanaged: str, before: bool, after: bool) -> None:
    case.put("BEFORE", "x")
    case.set(A="1")
    sync = case.sync()
    case.policy(sync, unmanaged=unmanaged)
    case.run(sync)
    case.put("AFTER", "x")
    case.run(sync)
    expected = (before, after) if case.can.lists else (True, True)
    assert ("BEFORE" in case.held, "AFTER" in case.held) == expected


@distinct
def test_leave_never_overwrites_foreign_keys(case: Case) -> None:
    case.put("A", "theirs")
    case.set(A="ours", B="ours")
    sync = case.sync()
    case.policy(sync, unmanaged="leave")
    run = case.run(sync)
    if not case.can.lists:
        case.later()  # what is there shows only as a conflict, which may pass
        run.refresh_from_db()
    assert run.status == "failed"
    assert case.holds(A="theirs", B="ours")


def test_drift_is_detected_and_healed(case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    case.put("A", "theirs")
    case.drop("B")
    plan = preview(syncs().get(pk=sync.pk))
    if not case.can.lists:
        assert {(one["key"], one["state"]) for one in drift_of(plan)} == {("A", "unknown"), ("B", "unknown")}
        return
    shown = {change.key: change.drift for change in plan.changes}
    tells = case.can.can_read_values or case.can.has_etag
    assert shown == {"A": "changed" if tells else "", "B": "missing"}
    case.run(sync)
    assert case.holds(A="1" if tells else "theirs", B="2")


@distinct
def test_an_externally_recreated_key_is_not_deleted(case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    case.unset("B")
    case.drop("B")
    if not case.can.has_object_ids:
        case.run(sync)  # such a vendor's key is another's only once it was seen to be gone
    case.put("B", "theirs")
    case.run(sync)
    assert case.holds(A="1", B="theirs")


@distinct
def test_the_first_overwrite_deletes_a_key_once(case: Case) -> None:
    case.put("BEFORE", "x")
    case.set(A="1")
    sync = case.sync()
    case.run(sync)
    case.put("BEFORE", "again")
    case.run(sync)
    assert case.holds(A="1", BEFORE="again")


@distinct
def test_removal_deletes_only_own_keys(case: Case) -> None:
    case.set(A="1", B="2", C="3", D="4")
    sync = case.sync()
    case.run(sync)
    case.put("FOREIGN", "x")
    run = case.run(sync, "remove")
    assert run.status == "succeeded"
    assert case.holds(FOREIGN="x")
    assert not ManagedSecret.objects.exists()


@distinct
def test_plans_are_stable_write_nothing_and_match_the_run(case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    case.set(A="3", C="4")
    case.unset("B")
    case.fake.asked()
    first, second = (plan_as_json(preview(syncs().get(pk=sync.pk))) for _ in range(2))
    assert first == second
    assert case.writes() == []
    run = case.run(sync)
    assert run.digest == first["digest"]
    planned = {change["key"]: change["action"] for change in first["changes"]}
    assert planned == {"A": "update", "B": "delete", "C": "create"}
    assert {row.key: row.action for row in run.changes.all()} == planned


@distinct
def test_one_bad_key_does_not_stop_the_rest(case: Case) -> None:
    awkward = case.fake.bad_key or "a b.ä-ÄÖ%2F=#"
    set_secrets(case.actor, case.folder, [SecretInput(awkward, "x"), SecretInput("GOOD", "y")])
    run = case.run(case.sync())
    if not case.fake.bad_key:
        assert not case.can.key_pattern
        assert case.holds(**{awkward: "x", "GOOD": "y"})
        return
    assert run.status == "failed"
    assert run.message
    assert case.fake.bad_key in run.message
    assert case.holds(GOOD="y")


def test_a_value_that_the_vendor_refuses_is_blocked_by_name(case: Case) -> None:
    if case.found.refuses is Destination.refuses:
        return
    assert case.fake.bad_value, "the fake has a value that the vendor refuses"
    case.set(GOOD="y", BAD=case.fake.bad_value)
    sync = case.sync()
    shown = str(plan_as_json(preview(sync)))
    run = case.run(sync)
    assert [row.key for row in run.changes.filter(outcome="blocked", error_code="value-refused")] == ["BAD"]
    assert case.fake.bad_value not in f"{shown} {run.message}"
    assert case.holds(GOOD="y")


@distinct
def test_an_incomplete_source_deletes_nothing(case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    case.unset("B")
    case.set(C="${NOWHERE}")
    case.run(sync)
    assert case.holds(A="1", B="2")


@distinct
def test_names_follow_the_schema(case: Case) -> None:
    case.put("FOREIGN", "x")
    case.set(A="1", B="2")
    if "keySchema" not in case.found.Options.model_fields:
        with pytest.raises(Invalid, match="keySchema"):
            case.sync(keySchema="KF_{{environment}}_{{secretKey}}")
        return
    (before,) = case.named({"KF_dev_BEFORE": "x"})  # within the schema, also where the vendor folds names
    case.put(before, "x")
    sync = case.sync(keySchema="KF_{{environment}}_{{secretKey}}")
    case.run(sync)
    case.unset("A")
    case.run(sync)
    unseen = {} if case.can.lists else {before: "x"}
    assert case.holds(KF_dev_B="2", FOREIGN="x", **unseen)


STATUSES = (401, 403, 404, 409, 422, 429, 500, 503)


@distinct
def test_the_fake_knows_the_methods_of_a_run(case: Case) -> None:
    case.set(KEEP="0", CHANGE="1", GO="2")
    sync = case.sync()
    case.run(sync)
    case.set(CHANGE="3", COME="4")
    case.unset("GO")
    case.fake.asked()
    case.run(sync)
    assert {method for method, _ in case.fake.asked()} == set(case.fake.methods(case.config))


@pytest.mark.parametrize(("case", "method", "status"), [*faults(STATUSES)], indirect=["case"])
def test_later_runs_converge_after_every_fault(case: Case, method: str, status: int) -> None:
    case.set(KEEP="0", CHANGE="1", GO="2")
    sync = case.sync()
    case.run(sync)
    case.set(CHANGE="3", COME="4")
    case.unset("GO")
    case.fake.fail(method, status)
    case.fake.asked()
    first = case.run(sync)
    assert method in {asked for asked, _ in case.fake.asked()}, "the fault was met"
    assert first.status in ("succeeded", "failed", "pending")
    case.fake.fail(None)
    case.run(sync)  # in place of the one that waits for its next attempt
    case.later()
    wanted = {"KEEP": "0", "CHANGE": "3", "COME": "4"}
    # A vendor that says "not found", to a delete or of all that is there, has nothing more to delete, whatever its list
    # says later: what turns up again is not ours.
    if status == 404:
        case.run(sync)
        wanted |= {"GO": "2"} if "GO" in case.held else {}
        # Without a list the same is true of an update: the key is created again, which never overwrites what is there.
        wanted |= {"CHANGE": "1"} if not case.can.lists and method == "PUT" else {}
    # Nor can a delete without response be settled if nothing distinguishes our key from a recreated one. Without a list
    # that is so of each delete.
    blind = case.can.lists and not (case.can.has_object_ids or case.can.has_etag or case.can.can_read_values)
    unsettled = blind and (method, status) in (("DELETE", 500), ("DELETE", 503))
    wanted |= {"GO": "2"} if unsettled else {}
    assert case.held == wanted
    assert ManagedSecret.objects.filter(state="claim").exists() == unsettled


@distinct
def test_writes_with_lost_responses_are_settled_by_the_next_list(case: Case) -> None:
    case.set(KEEP="0", CHANGE="1", GO="2")
    sync = case.sync()
    case.run(sync)
    case.set(CHANGE="3", COME="4")
    case.unset("GO")
    case.fake.lose(True)
    case.run(sync)
    case.fake.lose(False)
    case.later()
    case.run(sync)
    case.later()
    assert case.holds(KEEP="0", CHANGE="3", COME="4")
    assert not ManagedSecret.objects.filter(state="claim").exists()
    case.fake.asked()
    assert case.run(sync).status == "succeeded"
    assert case.writes() == []


@in_turn(("answer",), ({"not": "a list"},), ("text",), (None,))
def test_an_unexpected_list_writes_nothing(case: Case, answer: Any) -> None:
    if not case.can.lists:
        return
    case.set(A="1")
    sync = case.sync()
    case.fake.fail("GET", 200, answer if answer is not None else [])
    if answer is None:
        case.fake.fail("GET", 302, {})
    run = case.run(sync)
    assert run.status in ("failed", "pending")
    case.fake.fail(None)
    assert case.held == {}


@distinct
def test_values_and_credentials_are_stored_encrypted_only(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case.set(A=MARKER, B=f"{MARKER} and ${{A}}")
    sync = case.sync()
    for method in ("POST", "PUT", "PATCH"):
        case.fake.fail(method, 422, {"message": f"refused {MARKER} {' '.join(case.secrets())}"})
        case.run(sync)
    case.fake.fail(None)
    case.run(sync)
    case.run(sync, "remove")
    secrets = case.secrets()
    assert not any(secret in caplog.text for secret in secrets)
    assert MARKER not in caplog.text
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            for row in cursor.fetchall():
                text = " ".join(
                    bytes(cell).decode("latin-1") if isinstance(cell, memoryview | bytes) else str(cell) for cell in row
                )
                assert not any(secret in text for secret in secrets), model
                assert MARKER not in text, model


@distinct
def test_a_run_is_undone(case: Case) -> None:
    case.set(SAME="1", CHANGED="1", GONE="1")
    sync = case.sync()
    case.run(sync)
    before = case.held
    case.set(CHANGED="2", MADE="2")
    case.unset("GONE")
    run = case.run(sync)
    assert case.held != before
    execute(triggers.undo(case.actor, SyncRun.objects.select_related("sync").get(pk=run.pk)).pk)
    if case.can.has_etag or case.can.can_read_values:
        assert case.held == before
    else:  # unknown whether the results of the run were changed externally
        assert case.holds(SAME="1", CHANGED="2", MADE="2", GONE="1")


def test_existing_keys_are_imported_or_known_unreadable(case: Case) -> None:
    case.put("A", "theirs")
    case.put("B", "theirs")
    case.set(A="ours", C="ours")
    sync = case.sync()
    if not case.can.can_import:
        with pytest.raises(BadRequest, match="does not support importing secrets"):
            triggers.import_secrets(case.actor, sync)
        assert "import" not in str(openapi(case.found.Options)["properties"]["initialSyncBehavior"]["enum"])
        return
    case.fake.asked()
    shown = preview(sync, "import")
    run = case.run(sync, "import")
    assert case.writes() == [], "an import changes nothing at the vendor"
    assert (run.status, run.message) == ("succeeded", None)
    if not case.can.can_read_values:
        assert dict(run.changes.values_list("key", "error_code")) == {"A": "unreadable", "B": "unreadable"}
        assert case.source() == {"A": "ours", "C": "ours"}
        return
    assert case.source() == {"A": "ours", "B": "theirs", "C": "ours"}
    assert {change.key: change.action for change in shown.changes} == {"A": "keep", "B": "create"}
    triggers.import_secrets(case.actor, sync, "prioritize-destination")
    case.later()
    assert case.source() == {"A": "theirs", "B": "theirs", "C": "ours"}


@in_turn(("side", "a"), ("source", "ours"), ("destination", "theirs"))
def test_a_first_run_that_imports_overwrites_only_imported_keys(case: Case, side: str, a: str) -> None:
    if not case.can.can_import:
        with pytest.raises(Invalid):
            case.sync(initialSyncBehavior=f"import-prioritize-{side}")
        return
    case.put("A", "theirs")
    case.put("B", "theirs")
    case.put("C", "${X}")
    case.set(A="ours", D="ours")
    sync = case.sync(initialSyncBehavior=f"import-prioritize-{side}")
    planned = {change.key: change.action for change in preview(sync).changes if change.write}
    run = case.run(sync)
    assert run.status == "succeeded"
    if not case.can.can_read_values:
        assert case.holds(A="ours", B="theirs", C="${X}", D="ours")
        assert case.source() == {"A": "ours", "D": "ours"}
        return
    assert case.holds(A=a, B="theirs", C="${X}", D="ours")
    assert case.source() == {"A": a, "B": "theirs", "D": "ours"}
    assert {row.key: row.action for row in run.changes.filter(outcome="applied", action__in=["create"])} == {
        key: action for key, action in planned.items() if action == "create"
    }
    case.unset("B")
    case.run(sync)
    assert case.holds(A=a, C="${X}", D="ours")
