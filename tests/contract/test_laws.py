"""The laws that hold for every destination and every variant of its config, over real HTTP on loopback.

After a sync the vendor holds what we wanted; what is not ours is as it was; what cannot be known is not acted on.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from config import encryption
from config.access.models import User
from config.access.roles import Actor, actor_of_user
from config.errors import BadRequest, Invalid
from connections.models import AppConnection
from connections.provider import providers
from connections.services import create_connection, open_client
from syncs.destination.base import Destination, destinations
from syncs.engine.types import Action
from syncs.models import Lease, ManagedSecret, SecretSync, SyncRun
from syncs.planning.builder import open_destination
from syncs.planning.preview import plan_as_json, preview
from syncs.running.runner import execute
from syncs.services import syncs as services
from syncs.services import triggers
from syncs.services.folders import create_project
from syncs.services.secrets import delete_secrets, set_secrets
from syncs.services.syncs import SyncInput, create_sync
from syncs.services.triggers import trigger
from syncs.source.selectors import folder_by_path, syncs, value_of
from syncs.source.validation import SecretInput
from tests.destinations.fake import Fake

from .bases import DESTINATIONS, FAKES, Bases

MARKER = "mArKeR-c0ffee"


def fake_of(slug: str) -> type[Fake]:
    """The test data of a destination; one that brings none fails here, by name."""
    if slug in FAKES:
        return FAKES[slug]
    module = importlib.import_module(f"tests.destinations.{slug.replace('-', '_')}")
    (found,) = (
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Fake) and member.__module__ == module.__name__ and not inspect.isabstract(member)
    )
    return found


SLUGS = [*DESTINATIONS, *(found.slug for found in destinations)]
VARIANTS = [(slug, variant) for slug in SLUGS for variant in fake_of(slug).configs]


class Place:
    """One variant of one destination, with a folder that feeds it."""

    def __init__(
        self, fake: Fake, slug: str, variant: str, actor: Actor, connection: AppConnection, project: Any
    ) -> None:
        self.fake, self.slug, self.config = fake, slug, dict(fake.configs[variant])
        found = destinations.get(slug)
        assert found
        self.can, self.found = found.limits(self.config), found
        self.actor, self.connection, self.project = actor, connection, project
        self.folder = folder_by_path(project.environments.get(slug="dev"), "/")

    def sync(self, **options: Any) -> SecretSync:
        behavior = {"initialSyncBehavior": "overwrite-destination"}
        given = SyncInput(
            name="contract",
            connection_id=self.connection.pk,
            environment="dev",
            secret_path="/",
            is_auto_sync_enabled=False,
            sync_options={**behavior, **self.fake.options, **options},
            destination_config=self.config,
        )
        return create_sync(self.actor, self.project, self.slug, given)

    def policy(self, sync: SecretSync, **changes: Any) -> None:
        services.update_policy(self.actor, syncs().get(pk=sync.pk), changes)

    def set(self, **values: str) -> None:
        set_secrets(self.actor, self.folder, [SecretInput(key, value) for key, value in values.items()], resolved=False)

    def unset(self, *keys: str) -> None:
        delete_secrets(self.actor, self.folder, keys)

    def run(self, sync: SecretSync, operation: str = "sync") -> SyncRun:
        run = (triggers.import_secrets if operation == "import" else partial(trigger, operation=operation))(
            self.actor, sync
        )
        execute(run.pk)
        return SyncRun.objects.get(pk=run.pk)

    def later(self) -> None:
        """As if the waits between attempts had passed."""
        for _ in range(6):
            AppConnection.objects.update(retry_at=None)
            Lease.objects.update(expires_at="2001-01-01T00:00:00Z")
            SyncRun.objects.filter(status__in=("pending", "running")).update(due_at=timezone.now())
            for run in SyncRun.objects.filter(status__in=("pending", "running")):
                execute(run.pk)

    @contextmanager
    def opened(self, sync: SecretSync) -> Iterator[Destination]:
        with open_client(self.connection) as client:
            yield open_destination(sync, client)

    def named(self, values: Mapping[str, str]) -> dict[str, str]:
        """With names as the vendor holds them equal."""
        with open_client(self.connection) as client:
            normalize_key = self.found(client, self.config, self.fake.options).normalize_key
        return {normalize_key(key): value for key, value in values.items()}

    @property
    def held(self) -> dict[str, str]:
        return self.named(self.fake.held(self.config))

    def holds(self, **values: str) -> bool:
        assert self.held == self.named(values)
        return True

    def source(self) -> dict[str, str]:
        """What the folder holds."""
        return {secret.key: value_of(secret) for secret in self.folder.secrets.select_related("folder__environment")}

    def put(self, key: str, value: str) -> None:
        """By other hands."""
        self.fake.put(self.config, key, value)

    def drop(self, key: str) -> None:
        """By other hands."""
        self.fake.drop(self.config, key)

    def writes(self) -> list[str]:
        return [method for method, path in self.fake.asked() if self.fake.is_write(method, path)]

    def secrets(self) -> list[str]:
        """Every part of the credentials that is one, and what the vendor gave for them."""
        provider = providers.get(self.found.provider)
        assert provider
        fields = provider.methods[self.fake.method].fields
        named = [field.name for field in fields if getattr(field, "secret", False)]
        given = [self.fake.credentials[name] for name in named if name in self.fake.credentials]
        assert given, "a login without a secret"
        return [*given, *self.fake.issued()]


@pytest.fixture(params=VARIANTS, ids=[f"{slug}-{variant}" for slug, variant in VARIANTS])
def location(
    request: pytest.FixtureRequest, db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    slug, variant = request.param
    encryption.forget()
    fake = fake_of(slug)()
    fake.serves(fake.configs[variant])
    # How fast a vendor may be asked is not what these laws look at.
    monkeypatch.setattr("syncs.running.runner.reserve_slot", lambda *_: 0.0)
    if slug in DESTINATIONS:
        monkeypatch.setitem(destinations._found, slug, DESTINATIONS[slug])
        monkeypatch.setitem(providers._found, Bases.slug, Bases)
    found = destinations.get(slug)
    assert found
    monkeypatch.setattr("syncs.running.runner.reserve_slot", lambda *_, **__: 0.0)  # the pace has tests of its own
    with fake.running() as url:
        settings.BASE_URLS = {found.provider: url}
        user = User.objects.create_superuser("ada")
        project = create_project(actor_of_user(user), "Contract", slug="contract-project")
        actor = actor_of_user(user)
        made = create_connection(
            actor, found.provider, name="contract", method=fake.method, credentials=dict(fake.credentials)
        )
        yield Place(fake, slug, variant, actor, made, project)


def test_the_vendor_holds_what_was_wanted(location: Place) -> None:
    wanted = {"A": "1", "C": "line 1\nline 2\n", "D": "ä ✓ '\"\\ $HOME"}
    location.set(**wanted)
    run = location.run(location.sync())
    assert (run.status, run.message) == ("succeeded", None)
    assert location.holds(**wanted)


def test_an_empty_value_arrives_or_is_blocked_by_name(location: Place) -> None:
    location.set(A="1", B="")
    run = location.run(location.sync())
    if location.can.takes_empty:
        assert run.status == "succeeded"
        assert location.holds(A="1", B="")
    else:
        assert [row.key for row in run.changes.filter(outcome="blocked", error_code="value-empty")] == ["B"]
        assert location.holds(A="1")


def test_many_keys_cost_no_more_requests_than_the_vendor_needs(location: Place) -> None:
    names = [f"K{number}" for number in range(25)]
    sync = location.sync()

    def requests(value: str) -> int:
        location.set(**dict.fromkeys(names, value))
        location.fake.asked()
        location.run(sync)
        return len(location.writes())

    with location.opened(sync) as destination:
        creates, updates = (destination.batch_size(action) for action in (Action.CREATE, Action.UPDATE))
    assert requests("1") == math.ceil(25 / creates) * location.fake.writes_a_create
    assert requests("2") == math.ceil(25 / updates) * location.fake.writes_an_update
    assert location.holds(**dict.fromkeys(names, "2"))


@pytest.mark.slow
def test_500_keys_with_one_changed_cost_the_vendors_minimum_of_requests(location: Place) -> None:
    count = min(500, location.can.max_keys or 500)
    location.set(**{f"K{number}": "x" for number in range(count)})
    sync = location.sync()
    assert location.run(sync).status == "succeeded"
    location.set(K7="y")
    location.fake.asked()
    location.run(sync)
    asked = location.fake.asked()
    writes = [one for one in asked if location.fake.is_write(*one)]
    assert len(writes) == location.fake.writes_an_update
    assert len(asked) - len(writes) == location.fake.reads(location.config, count), asked


def test_what_the_capabilities_say_of_the_list_is_so(location: Place) -> None:
    location.set(A="1")
    sync = location.sync()
    location.run(sync)
    with location.opened(sync) as destination:
        own = [remote for remote in destination.listing() if not remote.inherited]
        (listed,) = destination.read_values(own, values=True)
    assert (listed.object_id is not None) == location.can.has_object_ids
    assert (listed.etag is not None) == location.can.has_etag
    assert listed.value == ("1" if location.can.can_read_values else None)


def test_a_second_run_writes_nothing_and_one_change_writes_once(location: Place) -> None:
    location.set(**{f"K{number}": "x" for number in range(12)})
    sync = location.sync()
    location.run(sync)
    location.fake.asked()
    location.run(sync)
    assert location.writes() == []
    location.set(K3="y")
    location.run(sync)
    assert len(location.writes()) == location.fake.writes_an_update
    assert location.held["K3"] == "y"


def test_what_leaves_the_source_leaves_the_vendor_and_nothing_else_does(location: Place) -> None:
    location.set(A="1", B="2", C="3")
    sync = location.sync()
    location.run(sync)
    location.put("FOREIGN", "x")
    location.unset("B")
    location.run(sync)
    assert location.held.keys() == {"A", "C", "FOREIGN"}


@pytest.mark.parametrize(
    ("unmanaged", "before", "after"),
    [("overwrite-initially", False, True), ("leave", True, True), ("mirror", False, False)],
)
def test_keys_of_other_hands(location: Place, unmanaged: str, before: bool, after: bool) -> None:
    location.put("BEFORE", "x")
    location.set(A="1")
    sync = location.sync()
    location.policy(sync, unmanaged=unmanaged)
    location.run(sync)
    location.put("AFTER", "x")
    location.run(sync)
    assert ("BEFORE" in location.held, "AFTER" in location.held) == (before, after)


def test_leave_never_overwrites_what_it_did_not_write(location: Place) -> None:
    location.put("A", "theirs")
    location.set(A="ours", B="ours")
    sync = location.sync()
    location.policy(sync, unmanaged="leave")
    run = location.run(sync)
    assert run.status == "failed"
    assert location.holds(A="theirs", B="ours")


def test_drift_is_seen_and_mended(location: Place) -> None:
    location.set(A="1", B="2")
    sync = location.sync()
    location.run(sync)
    location.put("A", "theirs")
    location.drop("B")
    shown = {change.key: change.drift for change in preview(syncs().get(pk=sync.pk)).changes}
    tells = location.can.can_read_values or location.can.has_etag
    assert shown == {"A": "changed" if tells else "", "B": "missing"}
    location.run(sync)
    assert location.holds(A="1" if tells else "theirs", B="2")


def test_a_key_made_anew_by_other_hands_is_not_ours_to_delete(location: Place) -> None:
    location.set(A="1", B="2")
    sync = location.sync()
    location.run(sync)
    location.unset("B")
    location.drop("B")
    if not location.can.has_object_ids:
        location.run(sync)  # such a vendor's key is another's only once it was seen to be gone
    location.put("B", "theirs")
    location.run(sync)
    assert location.holds(A="1", B="theirs")


def test_the_first_overwrite_deletes_a_key_once(location: Place) -> None:
    location.put("BEFORE", "x")
    location.set(A="1")
    sync = location.sync()
    location.run(sync)
    location.put("BEFORE", "again")
    location.run(sync)
    assert location.holds(A="1", BEFORE="again")


def test_removal_takes_what_is_ours_and_nothing_else(location: Place) -> None:
    location.set(A="1", B="2", C="3", D="4")
    sync = location.sync()
    location.run(sync)
    location.put("FOREIGN", "x")
    run = location.run(sync, "remove")
    assert run.status == "succeeded"
    assert location.holds(FOREIGN="x")
    assert not ManagedSecret.objects.exists()


def test_plans_are_the_same_twice_write_nothing_and_come_true(location: Place) -> None:
    location.set(A="1", B="2")
    sync = location.sync()
    location.run(sync)
    location.set(A="3", C="4")
    location.unset("B")
    location.fake.asked()
    first, second = (plan_as_json(preview(syncs().get(pk=sync.pk))) for _ in range(2))
    assert first == second
    assert location.writes() == []
    run = location.run(sync)
    assert run.digest == first["digest"]
    planned = {change["key"]: change["action"] for change in first["changes"]}
    assert planned == {"A": "update", "B": "delete", "C": "create"}
    assert {row.key: row.action for row in run.changes.all()} == planned


def test_one_bad_key_does_not_stop_the_rest(location: Place) -> None:
    awkward = location.fake.bad_key or "a b.ä-ÄÖ%2F=#"
    set_secrets(location.actor, location.folder, [SecretInput(awkward, "x"), SecretInput("GOOD", "y")])
    run = location.run(location.sync())
    if not location.fake.bad_key:
        assert not location.can.key_pattern
        assert location.holds(**{awkward: "x", "GOOD": "y"})
        return
    assert run.status == "failed"
    assert run.message
    assert location.fake.bad_key in run.message
    assert location.holds(GOOD="y")


def test_an_incomplete_source_deletes_nothing(location: Place) -> None:
    location.set(A="1", B="2")
    sync = location.sync()
    location.run(sync)
    location.unset("B")
    location.set(C="${NOWHERE}")
    location.run(sync)
    assert location.holds(A="1", B="2")


def test_names_follow_the_schema(location: Place) -> None:
    location.put("FOREIGN", "x")
    location.set(A="1", B="2")
    if "keySchema" not in {field.name for field in location.found.Options.fields}:
        with pytest.raises(Invalid, match="keySchema"):
            location.sync(keySchema="KF_{{environment}}_{{secretKey}}")
        return
    (before,) = location.named({"KF_dev_BEFORE": "x"})  # within the schema, also where the vendor folds names
    location.put(before, "x")
    sync = location.sync(keySchema="KF_{{environment}}_{{secretKey}}")
    location.run(sync)
    location.unset("A")
    location.run(sync)
    assert location.holds(KF_dev_B="2", FOREIGN="x")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 429, 500, 503])
def test_every_fault_passes_and_the_next_runs_converge(location: Place, method: str, status: int) -> None:
    location.set(KEEP="0", CHANGE="1", GO="2")
    sync = location.sync()
    location.run(sync)
    location.set(CHANGE="3", COME="4")
    location.unset("GO")
    location.fake.fail(method, status)
    first = location.run(sync)
    assert first.status in ("succeeded", "failed", "pending")
    location.fake.fail(None)
    location.later()
    location.run(sync)
    location.later()
    wanted = {"KEEP": "0", "CHANGE": "3", "COME": "4"}
    # A vendor that says "not found", to a delete or of all that is there, has nothing more to delete, whatever its list
    # says later: what turns up again is not ours.
    if status == 404:
        location.run(sync)
        wanted |= {"GO": "2"} if "GO" in location.held else {}
    # Nor can an unanswered delete be settled where nothing tells our key from one that others made since.
    blind = not (location.can.has_object_ids or location.can.has_etag or location.can.can_read_values)
    unsettled = blind and (method, status) in (("DELETE", 500), ("DELETE", 503))
    wanted |= {"GO": "2"} if unsettled else {}
    assert location.held == wanted
    assert ManagedSecret.objects.filter(state="claim").exists() == unsettled


def test_writes_whose_answers_are_lost_are_settled_by_looking(location: Place) -> None:
    location.set(KEEP="0", CHANGE="1", GO="2")
    sync = location.sync()
    location.run(sync)
    location.set(CHANGE="3", COME="4")
    location.unset("GO")
    location.fake.lose(True)
    location.run(sync)
    location.fake.lose(False)
    location.later()
    location.run(sync)
    location.later()
    assert location.holds(KEEP="0", CHANGE="3", COME="4")
    assert not ManagedSecret.objects.filter(state="claim").exists()
    location.fake.asked()
    assert location.run(sync).status == "succeeded"
    assert location.writes() == []


@pytest.mark.parametrize("answer", [{"not": "a list"}, "text", None])
def test_a_list_that_cannot_be_believed_writes_nothing(location: Place, answer: Any) -> None:
    location.set(A="1")
    sync = location.sync()
    location.fake.fail("GET", 200, answer if answer is not None else [])
    if answer is None:
        location.fake.fail("GET", 302, {})
    run = location.run(sync)
    assert run.status in ("failed", "pending")
    location.fake.fail(None)
    assert location.held == {}


def test_no_value_and_no_credential_is_anywhere_but_sealed(location: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    location.set(A=MARKER, B=f"{MARKER} and ${{A}}")
    sync = location.sync()
    for method in ("POST", "PUT", "PATCH"):
        location.fake.fail(method, 422, {"message": f"refused {MARKER} {' '.join(location.secrets())}"})
        location.run(sync)
    location.fake.fail(None)
    location.run(sync)
    location.run(sync, "remove")
    secrets = location.secrets()
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


def test_a_run_is_undone(location: Place) -> None:
    location.set(SAME="1", CHANGED="1", GONE="1")
    sync = location.sync()
    location.run(sync)
    before = location.held
    location.set(CHANGED="2", MADE="2")
    location.unset("GONE")
    run = location.run(sync)
    assert location.held != before
    execute(triggers.undo(location.actor, SyncRun.objects.select_related("sync").get(pk=run.pk)).pk)
    if location.can.has_etag or location.can.can_read_values:
        assert location.held == before
    else:  # it cannot be told whether other hands were at what the run left
        assert location.holds(SAME="1", CHANGED="2", MADE="2", GONE="1")


def test_what_stands_there_is_imported_or_the_vendor_is_known_not_to_tell(location: Place) -> None:
    location.put("A", "theirs")
    location.put("B", "theirs")
    location.set(A="ours", C="ours")
    sync = location.sync()
    if not location.can.can_import:
        with pytest.raises(BadRequest, match="does not support importing secrets"):
            triggers.import_secrets(location.actor, sync)
        assert "import" not in str(location.found.Options.json_schema()["properties"]["initialSyncBehavior"]["enum"])
        return
    location.fake.asked()
    shown = preview(sync, "import")
    run = location.run(sync, "import")
    assert location.writes() == [], "an import changes nothing at the vendor"
    assert (run.status, run.message) == ("succeeded", None)
    if not location.can.can_read_values:
        assert dict(run.changes.values_list("key", "error_code")) == {"A": "unreadable", "B": "unreadable"}
        assert location.source() == {"A": "ours", "C": "ours"}
        return
    assert location.source() == {"A": "ours", "B": "theirs", "C": "ours"}
    assert {change.key: change.action for change in shown.changes} == {"A": "keep", "B": "create"}
    triggers.import_secrets(location.actor, sync, "prioritize-destination")
    location.later()
    assert location.source() == {"A": "theirs", "B": "theirs", "C": "ours"}


@pytest.mark.parametrize(("side", "a"), [("source", "ours"), ("destination", "theirs")])
def test_a_first_sync_that_imports_overwrites_nothing_that_it_did_not_bring(location: Place, side: str, a: str) -> None:
    if not location.can.can_import:
        with pytest.raises(Invalid):
            location.sync(initialSyncBehavior=f"import-prioritize-{side}")
        return
    location.put("A", "theirs")
    location.put("B", "theirs")
    location.put("C", "${X}")
    location.set(A="ours", D="ours")
    sync = location.sync(initialSyncBehavior=f"import-prioritize-{side}")
    planned = {change.key: change.action for change in preview(sync).changes if change.write}
    run = location.run(sync)
    assert run.status == "succeeded"
    if not location.can.can_read_values:
        assert location.holds(A="ours", B="theirs", C="${X}", D="ours")
        assert location.source() == {"A": "ours", "D": "ours"}
        return
    assert location.holds(A=a, B="theirs", C="${X}", D="ours")
    assert location.source() == {"A": a, "B": "theirs", "D": "ours"}
    assert {row.key: row.action for row in run.changes.filter(outcome="applied", action__in=["create"])} == {
        key: action for key, action in planned.items() if action == "create"
    }
    location.unset("B")
    location.run(sync)
    assert location.holds(A=a, C="${X}", D="ours")
