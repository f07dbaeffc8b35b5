"""Imports: existing keys become one change of the folder; keys that cannot be imported are reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from config.access.models import AuditEvent, Membership, Role, User
from config.access.roles import actor_of_user
from config.errors import BadRequest, PermissionDenied
from syncs.engine.import_plan import plan_import
from syncs.engine.plan import Row, State
from syncs.engine.types import Action, Remote
from syncs.models import SyncRun
from syncs.planning.imports import problem_of
from syncs.planning.preview import preview
from syncs.planning.undo import undoable
from syncs.running.runner import execute
from syncs.services import triggers
from syncs.source.selectors import folder_by_path, syncs
from tests.contract.bases import FakeDocument
from tests.fixtures.contract import Case, opened


@pytest.fixture
def case(db: None, settings: Settings) -> Iterator[Case]:
    with opened(FakeDocument(), "checked", "any", settings) as case:
        yield case


def planned(remote: Remote, held: dict[str, str | None] | None = None, **more: object) -> tuple[str, str]:
    given: dict[str, object] = {
        "overwrite": False,
        "normalize_key": str,
        "name_of": lambda name: name.removeprefix("KF_") if name.startswith("KF_") else None,
        "problem_of": lambda name, value: None,
        **more,
    }
    ledger = given.pop("ledger", [])
    (change,) = plan_import([remote], held or {}, ledger, **given).changes  # type: ignore[arg-type]
    assert change.write is None, "an import writes nothing at the destination"
    return change.action.value, change.source_key


@pytest.mark.parametrize(
    ("remote", "held", "more", "action"),
    [
        (Remote("KF_A", "1"), {}, {}, "create"),
        (Remote("A", "1"), {}, {}, "keep"),
        (Remote("KF_A", "1", inherited=True), {}, {}, "keep"),
        (Remote("KF_A", "1", is_secret=False), {}, {}, "keep"),
        (Remote("KF_A", "1", locked="it is a copy"), {}, {}, "keep"),
        (Remote("KF_A", "1", shared="others use it"), {}, {}, "keep"),
        (
            Remote("KF_A", "1", shared="others use it"),
            {},
            {"ledger": [Row("KF_A", "KF_A", True, State.OWNED)]},
            "create",
        ),
        (Remote("KF_A", None), {}, {}, "keep"),
        (Remote("KF_A", "1"), {"A": "1"}, {}, "unchanged"),
        (Remote("KF_A", "1"), {"A": "2"}, {}, "keep"),
        (Remote("KF_A", "1"), {"A": "2"}, {"overwrite": True}, "update"),
        (Remote("KF_A", "1"), {"A": None}, {"overwrite": True}, "update"),
        (Remote("KF_A", ""), {"A": "2"}, {"overwrite": True}, "keep"),
        (Remote("KF_A", "1"), {}, {"problem_of": lambda *_: ("no", "x")}, "blocked"),
        (Remote("KF_A", "1"), {}, {"ledger": [Row("KF_A", "KF_A", False, State.OWNED)]}, "keep"),
        (Remote("KF_A", "1"), {}, {"ledger": [Row("KF_A", "KF_A", False, State.MISSING)]}, "create"),
        (Remote("KF_A", "1"), {}, {"ledger": [Row("KF_A", "KF_A", True, State.OWNED)]}, "create"),
    ],
)
def test_the_outcome_of_each_key(
    remote: Remote, held: dict[str, str | None], more: dict[str, object], action: str
) -> None:
    assert planned(remote, held, **more) == (action, "" if remote.key == "A" else "A")


def test_invalid_names_are_reported_and_the_rest_is_imported(case: Case) -> None:
    for key, value in {"good": "1", "a/b": "2", "c:d": "3", " blank ": "4", "REF": "see ${OTHER}"}.items():
        case.put(key, value)
    sync = case.sync()
    run = case.run(sync, "import")
    assert case.source() == {"good": "1"}
    assert run.status == "failed"
    assert run.message
    assert run.message.startswith("4 keys blocked:")
    assert all(name in run.message for name in ("a/b", "c:d", " blank ", "REF"))
    codes = dict(run.changes.exclude(error_code="").values_list("key", "error_code"))
    assert codes == {
        "a/b": "name-not-allowed",
        "c:d": "name-not-allowed",
        " blank ": "name-not-allowed",
        "REF": "looks-like-reference",
    }
    stored = syncs().get(pk=sync.pk)
    assert (stored.import_status, stored.last_import_message) == ("failed", run.message)
    assert (stored.sync_status, stored.last_import_job_id) == (None, str(run.pk))


def test_a_text_that_cannot_be_stored_is_named_and_the_rest_is_imported(case: Case) -> None:
    case.put("A", "1")
    case.put("NUL", "a\0b")
    run = case.run(case.sync(), "import")
    assert case.source() == {"A": "1"}
    (blocked,) = run.changes.filter(outcome="blocked")
    assert (blocked.key, blocked.error_code) == ("NUL", "text-not-allowed")
    assert "NUL character" in blocked.reason


@pytest.mark.parametrize(("held", "code"), [({}, "text-not-allowed"), ({"KF_A": "2"}, None)])
def test_a_comment_is_stored_exactly_or_names_its_key(held: dict[str, str | None], code: str | None) -> None:
    """Of a secret that exists already the comment is not imported."""
    remote = Remote("KF_A", "1", comment="a\0b")
    plan = plan_import(
        [remote],
        held,
        [],
        overwrite=True,
        normalize_key=str,
        name_of=str,
        problem_of=lambda name, remote: problem_of(name, remote, ("dev", "/")),
    )
    assert plan.changes[0].code == code


def test_an_import_is_one_change_by_the_person_who_requested_it(case: Case) -> None:
    case.put("A", "1")
    case.put("B", "2")
    run = case.run(case.sync(), "import")
    assert {row.key: (row.action, row.outcome) for row in run.changes.all()} == {
        "A": ("create", "applied"),
        "B": ("create", "applied"),
    }
    assert {secret.actor_name for secret in case.folder.secrets.all()} == {"ada"}
    assert AuditEvent.objects.filter(event="create-secrets").count() == 1
    assert syncs().get().last_imported_at is not None


def test_the_key_schema_is_removed_from_names(case: Case) -> None:
    case.put("KF_dev_A", "1")
    case.put("OTHER", "1")
    case.run(case.sync(keySchema="KF_{{environment}}_{{secretKey}}"), "import")
    assert case.source() == {"A": "1"}


def test_plain_entries_and_blanks_are_left_as_they_are(case: Case) -> None:
    assert isinstance(case.fake, FakeDocument)
    case.fake.put(case.config, "NUMBER", 5)
    case.put("A", " padded ")
    sync = case.sync()
    case.run(sync, "import")
    assert case.source() == {"A": " padded "}
    assert {row.key for row in SyncRun.objects.get().changes.filter(outcome="kept")} == {"NUMBER"}
    again = case.run(sync, "import")
    assert again.unchanged == ["A"]


def test_an_import_cannot_be_undone_and_does_not_prevent_undo(case: Case) -> None:
    case.set(A="1")
    sync = case.sync()
    run = case.run(sync)
    case.put("B", "theirs")
    case.run(sync, "import")
    assert [each.pk for each in undoable(syncs().get(pk=sync.pk))] == [run.pk]


def test_an_import_needs_the_right_to_write_secrets(case: Case) -> None:
    viewer = User.objects.create_user("eve")
    Membership.objects.create(project=case.project, user=viewer, role=Role.VIEWER)
    sync = case.sync()
    with pytest.raises(PermissionDenied):
        triggers.import_secrets(actor_of_user(viewer), sync)
    assert not SyncRun.objects.exists()


def test_an_import_without_the_right_at_run_time_imports_nothing(case: Case) -> None:
    member = User.objects.create_user("bob")
    held = Membership.objects.create(project=case.project, user=member, role=Role.MEMBER)
    case.put("A", "1")
    run = triggers.import_secrets(actor_of_user(member), case.sync())
    held.delete()
    execute(run.pk)
    run.refresh_from_db()
    assert run.status == "failed"
    assert run.message
    assert "not allowed to edit on secrets" in run.message
    assert case.source() == {}


def test_an_import_into_a_deleted_folder_is_reported(case: Case) -> None:
    sync = case.sync()
    sync.folder = None
    sync.save(update_fields=["folder"])
    with pytest.raises(BadRequest, match="folder no longer exists"):
        triggers.import_secrets(case.actor, sync)
    with pytest.raises(BadRequest, match="folder no longer exists"):
        preview(sync, "import")


def test_a_first_sync_imports_once_as_a_run_of_its_own(case: Case) -> None:
    case.put("A", "1")
    sync = case.sync(initialSyncBehavior="import-prioritize-source")
    assert [change.action for change in preview(sync).changes] == [Action.ADOPT]
    run = case.run(sync)
    first = SyncRun.objects.get(operation="import")
    assert (first.status, run.status) == ("succeeded", "succeeded")
    assert first.changes.get().action == "create"
    case.unset("A")
    case.run(sync)
    assert SyncRun.objects.filter(operation="import").count() == 1
    assert case.held == {}
    assert folder_by_path(case.project.environments.get(slug="dev"), "/").secrets.count() == 0


def test_the_admin_shows_an_import_before_it_is_done(case: Case) -> None:
    case.put("A", "canary-value")
    case.set(A="mine")
    sync = case.sync()
    browser = Client()
    browser.force_login(User.objects.get(username="ada"))
    address = reverse("admin:syncs_secretsync_plan", args=[sync.pk])
    shown = browser.get(f"{address}?operation=import&behavior=prioritize-destination").content.decode()
    assert "Import into the source as shown" in shown
    assert "canary-value" not in shown
    done = reverse("admin:syncs_secretsync_run", args=[sync.pk, "import"])
    browser.post(done, {"behavior": "prioritize-destination"})
    run = SyncRun.objects.get()
    assert (run.operation, run.options.import_behavior) == ("import", "prioritize-destination")
    execute(run.pk)
    assert case.source() == {"A": "canary-value"}
