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
            canonical = self.found(client, self.config, self.fake.options).canonical
        return {canonical(key): value for key, value in values.items()}

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
def place(
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


def test_the_vendor_holds_what_was_wanted(place: Place) -> None:
    wanted = {"A": "1", "C": "line 1\nline 2\n", "D": "ä ✓ '\"\\ $HOME"}
    place.set(**wanted)
    run = place.run(place.sync())
    assert (run.status, run.message) == ("succeeded", None)
    assert place.holds(**wanted)


def test_an_empty_value_arrives_or_is_blocked_by_name(place: Place) -> None:
    place.set(A="1", B="")
    run = place.run(place.sync())
    if place.can.takes_empty:
        assert run.status == "succeeded"
        assert place.holds(A="1", B="")
    else:
        assert [row.key for row in run.changes.filter(outcome="blocked", error_code="value-empty")] == ["B"]
        assert place.holds(A="1")


def test_many_keys_cost_no_more_requests_than_the_vendor_needs(place: Place) -> None:
    names = [f"K{number}" for number in range(25)]
    sync = place.sync()

    def requests(value: str) -> int:
        place.set(**dict.fromkeys(names, value))
        place.fake.asked()
        place.run(sync)
        return len(place.writes())

    with place.opened(sync) as destination:
        creates, updates = (destination.keys_a_request(action) for action in (Action.CREATE, Action.UPDATE))
    assert requests("1") == math.ceil(25 / creates) * place.fake.writes_a_create
    assert requests("2") == math.ceil(25 / updates) * place.fake.writes_an_update
    assert place.holds(**dict.fromkeys(names, "2"))


@pytest.mark.slow
def test_500_keys_with_one_changed_cost_the_vendors_minimum_of_requests(place: Place) -> None:
    count = min(500, place.can.max_keys or 500)
    place.set(**{f"K{number}": "x" for number in range(count)})
    sync = place.sync()
    assert place.run(sync).status == "succeeded"
    place.set(K7="y")
    place.fake.asked()
    place.run(sync)
    asked = place.fake.asked()
    writes = [one for one in asked if place.fake.is_write(*one)]
    assert len(writes) == place.fake.writes_an_update
    assert len(asked) - len(writes) == place.fake.reads(place.config, count), asked


def test_what_the_capabilities_say_of_the_list_is_so(place: Place) -> None:
    place.set(A="1")
    sync = place.sync()
    place.run(sync)
    with place.opened(sync) as destination:
        own = [remote for remote in destination.listing() if not remote.inherited]
        (listed,) = destination.filled(own, values=True)
    assert (listed.incarnation is not None) == place.can.tells_incarnations
    assert (listed.stamp is not None) == place.can.has_stamp
    assert listed.value == ("1" if place.can.can_read_values else None)


def test_a_second_run_writes_nothing_and_one_change_writes_once(place: Place) -> None:
    place.set(**{f"K{number}": "x" for number in range(12)})
    sync = place.sync()
    place.run(sync)
    place.fake.asked()
    place.run(sync)
    assert place.writes() == []
    place.set(K3="y")
    place.run(sync)
    assert len(place.writes()) == place.fake.writes_an_update
    assert place.held["K3"] == "y"


def test_what_leaves_the_source_leaves_the_vendor_and_nothing_else_does(place: Place) -> None:
    place.set(A="1", B="2", C="3")
    sync = place.sync()
    place.run(sync)
    place.put("FOREIGN", "x")
    place.unset("B")
    place.run(sync)
    assert place.held.keys() == {"A", "C", "FOREIGN"}


@pytest.mark.parametrize(
    ("unmanaged", "before", "after"),
    [("overwrite-initially", False, True), ("leave", True, True), ("mirror", False, False)],
)
def test_keys_of_other_hands(place: Place, unmanaged: str, before: bool, after: bool) -> None:
    place.put("BEFORE", "x")
    place.set(A="1")
    sync = place.sync()
    place.policy(sync, unmanaged=unmanaged)
    place.run(sync)
    place.put("AFTER", "x")
    place.run(sync)
    assert ("BEFORE" in place.held, "AFTER" in place.held) == (before, after)


def test_leave_never_overwrites_what_it_did_not_write(place: Place) -> None:
    place.put("A", "theirs")
    place.set(A="ours", B="ours")
    sync = place.sync()
    place.policy(sync, unmanaged="leave")
    run = place.run(sync)
    assert run.status == "failed"
    assert place.holds(A="theirs", B="ours")


def test_drift_is_seen_and_mended(place: Place) -> None:
    place.set(A="1", B="2")
    sync = place.sync()
    place.run(sync)
    place.put("A", "theirs")
    place.drop("B")
    shown = {change.key: change.drift for change in preview(syncs().get(pk=sync.pk)).changes}
    tells = place.can.can_read_values or place.can.has_stamp
    assert shown == {"A": "changed" if tells else "", "B": "missing"}
    place.run(sync)
    assert place.holds(A="1" if tells else "theirs", B="2")


def test_a_key_made_anew_by_other_hands_is_not_ours_to_delete(place: Place) -> None:
    place.set(A="1", B="2")
    sync = place.sync()
    place.run(sync)
    place.unset("B")
    place.drop("B")
    if not place.can.tells_incarnations:
        place.run(sync)  # such a vendor's key is another's only once it was seen to be gone
    place.put("B", "theirs")
    place.run(sync)
    assert place.holds(A="1", B="theirs")


def test_the_first_overwrite_deletes_a_key_once(place: Place) -> None:
    place.put("BEFORE", "x")
    place.set(A="1")
    sync = place.sync()
    place.run(sync)
    place.put("BEFORE", "again")
    place.run(sync)
    assert place.holds(A="1", BEFORE="again")


def test_removal_takes_what_is_ours_and_nothing_else(place: Place) -> None:
    place.set(A="1", B="2", C="3", D="4")
    sync = place.sync()
    place.run(sync)
    place.put("FOREIGN", "x")
    run = place.run(sync, "remove")
    assert run.status == "succeeded"
    assert place.holds(FOREIGN="x")
    assert not ManagedSecret.objects.exists()


def test_plans_are_the_same_twice_write_nothing_and_come_true(place: Place) -> None:
    place.set(A="1", B="2")
    sync = place.sync()
    place.run(sync)
    place.set(A="3", C="4")
    place.unset("B")
    place.fake.asked()
    first, second = (plan_as_json(preview(syncs().get(pk=sync.pk))) for _ in range(2))
    assert first == second
    assert place.writes() == []
    run = place.run(sync)
    assert run.digest == first["digest"]
    planned = {change["key"]: change["action"] for change in first["changes"]}
    assert planned == {"A": "update", "B": "delete", "C": "create"}
    assert {row.key: row.action for row in run.changes.all()} == planned


def test_one_bad_key_does_not_stop_the_rest(place: Place) -> None:
    awkward = place.fake.bad_key or "a b.ä-ÄÖ%2F=#"
    set_secrets(place.actor, place.folder, [SecretInput(awkward, "x"), SecretInput("GOOD", "y")])
    run = place.run(place.sync())
    if not place.fake.bad_key:
        assert not place.can.key_pattern
        assert place.holds(**{awkward: "x", "GOOD": "y"})
        return
    assert run.status == "failed"
    assert run.message
    assert place.fake.bad_key in run.message
    assert place.holds(GOOD="y")


def test_an_incomplete_source_deletes_nothing(place: Place) -> None:
    place.set(A="1", B="2")
    sync = place.sync()
    place.run(sync)
    place.unset("B")
    place.set(C="${NOWHERE}")
    place.run(sync)
    assert place.holds(A="1", B="2")


def test_names_follow_the_schema(place: Place) -> None:
    place.put("FOREIGN", "x")
    place.set(A="1", B="2")
    if "keySchema" not in {field.name for field in place.found.Options.fields}:
        with pytest.raises(Invalid, match="keySchema"):
            place.sync(keySchema="KF_{{environment}}_{{secretKey}}")
        return
    (before,) = place.named({"KF_dev_BEFORE": "x"})  # within the schema, also where the vendor folds names
    place.put(before, "x")
    sync = place.sync(keySchema="KF_{{environment}}_{{secretKey}}")
    place.run(sync)
    place.unset("A")
    place.run(sync)
    assert place.holds(KF_dev_B="2", FOREIGN="x")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 429, 500, 503])
def test_every_fault_passes_and_the_next_runs_converge(place: Place, method: str, status: int) -> None:
    place.set(KEEP="0", CHANGE="1", GO="2")
    sync = place.sync()
    place.run(sync)
    place.set(CHANGE="3", COME="4")
    place.unset("GO")
    place.fake.fail(method, status)
    first = place.run(sync)
    assert first.status in ("succeeded", "failed", "pending")
    place.fake.fail(None)
    place.later()
    place.run(sync)
    place.later()
    wanted = {"KEEP": "0", "CHANGE": "3", "COME": "4"}
    # A vendor that says "not found", to a delete or of all that is there, has nothing more to delete, whatever its list
    # says later: what turns up again is not ours.
    if status == 404:
        place.run(sync)
        wanted |= {"GO": "2"} if "GO" in place.held else {}
    # Nor can an unanswered delete be settled where nothing tells our key from one that others made since.
    blind = not (place.can.tells_incarnations or place.can.has_stamp or place.can.can_read_values)
    unsettled = blind and (method, status) in (("DELETE", 500), ("DELETE", 503))
    wanted |= {"GO": "2"} if unsettled else {}
    assert place.held == wanted
    assert ManagedSecret.objects.filter(state="claim").exists() == unsettled


def test_writes_whose_answers_are_lost_are_settled_by_looking(place: Place) -> None:
    place.set(KEEP="0", CHANGE="1", GO="2")
    sync = place.sync()
    place.run(sync)
    place.set(CHANGE="3", COME="4")
    place.unset("GO")
    place.fake.lose(True)
    place.run(sync)
    place.fake.lose(False)
    place.later()
    place.run(sync)
    place.later()
    assert place.holds(KEEP="0", CHANGE="3", COME="4")
    assert not ManagedSecret.objects.filter(state="claim").exists()
    place.fake.asked()
    assert place.run(sync).status == "succeeded"
    assert place.writes() == []


@pytest.mark.parametrize("answer", [{"not": "a list"}, "text", None])
def test_a_list_that_cannot_be_believed_writes_nothing(place: Place, answer: Any) -> None:
    place.set(A="1")
    sync = place.sync()
    place.fake.fail("GET", 200, answer if answer is not None else [])
    if answer is None:
        place.fake.fail("GET", 302, {})
    run = place.run(sync)
    assert run.status in ("failed", "pending")
    place.fake.fail(None)
    assert place.held == {}


def test_no_value_and_no_credential_is_anywhere_but_sealed(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    place.set(A=MARKER, B=f"{MARKER} and ${{A}}")
    sync = place.sync()
    for method in ("POST", "PUT", "PATCH"):
        place.fake.fail(method, 422, {"message": f"refused {MARKER} {' '.join(place.secrets())}"})
        place.run(sync)
    place.fake.fail(None)
    place.run(sync)
    place.run(sync, "remove")
    secrets = place.secrets()
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


def test_a_run_is_undone(place: Place) -> None:
    place.set(SAME="1", CHANGED="1", GONE="1")
    sync = place.sync()
    place.run(sync)
    before = place.held
    place.set(CHANGED="2", MADE="2")
    place.unset("GONE")
    run = place.run(sync)
    assert place.held != before
    execute(triggers.undo(place.actor, SyncRun.objects.select_related("sync").get(pk=run.pk)).pk)
    if place.can.has_stamp or place.can.can_read_values:
        assert place.held == before
    else:  # it cannot be told whether other hands were at what the run left
        assert place.holds(SAME="1", CHANGED="2", MADE="2", GONE="1")


def test_what_stands_there_is_imported_or_the_vendor_is_known_not_to_tell(place: Place) -> None:
    place.put("A", "theirs")
    place.put("B", "theirs")
    place.set(A="ours", C="ours")
    sync = place.sync()
    if not place.can.can_import:
        with pytest.raises(BadRequest, match="does not support importing secrets"):
            triggers.import_secrets(place.actor, sync)
        assert "import" not in str(place.found.Options.json_schema()["properties"]["initialSyncBehavior"]["enum"])
        return
    place.fake.asked()
    shown = preview(sync, "import")
    run = place.run(sync, "import")
    assert place.writes() == [], "an import changes nothing at the vendor"
    assert (run.status, run.message) == ("succeeded", None)
    if not place.can.can_read_values:
        assert dict(run.changes.values_list("key", "error_code")) == {"A": "unreadable", "B": "unreadable"}
        assert place.source() == {"A": "ours", "C": "ours"}
        return
    assert place.source() == {"A": "ours", "B": "theirs", "C": "ours"}
    assert {change.key: change.action for change in shown.changes} == {"A": "keep", "B": "create"}
    triggers.import_secrets(place.actor, sync, "prioritize-destination")
    place.later()
    assert place.source() == {"A": "theirs", "B": "theirs", "C": "ours"}


@pytest.mark.parametrize(("side", "a"), [("source", "ours"), ("destination", "theirs")])
def test_a_first_sync_that_imports_overwrites_nothing_that_it_did_not_bring(place: Place, side: str, a: str) -> None:
    if not place.can.can_import:
        with pytest.raises(Invalid):
            place.sync(initialSyncBehavior=f"import-prioritize-{side}")
        return
    place.put("A", "theirs")
    place.put("B", "theirs")
    place.put("C", "${X}")
    place.set(A="ours", D="ours")
    sync = place.sync(initialSyncBehavior=f"import-prioritize-{side}")
    planned = {change.key: change.action for change in preview(sync).changes if change.write}
    run = place.run(sync)
    assert run.status == "succeeded"
    if not place.can.can_read_values:
        assert place.holds(A="ours", B="theirs", C="${X}", D="ours")
        assert place.source() == {"A": "ours", "D": "ours"}
        return
    assert place.holds(A=a, B="theirs", C="${X}", D="ours")
    assert place.source() == {"A": a, "B": "theirs", "D": "ours"}
    assert {row.key: row.action for row in run.changes.filter(outcome="applied", action__in=["create"])} == {
        key: action for key, action in planned.items() if action == "create"
    }
    place.unset("B")
    place.run(sync)
    assert place.holds(A=a, C="${X}", D="ours")
