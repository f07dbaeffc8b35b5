"""Random histories of three syncs, external changes, faults and changed settings, against a model of the destination.

The model watches every request. A key that a sync did not write is overwritten only because its source has it, and
deleted in three cases only: by the first run of `overwrite-initially`, under `mirror`, or by an approval that lists the
object. After quiet the destination holds what the sources say.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

import pytest
from django.db import transaction
from django.db.models import Q
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from config.errors import ServiceError
from connections.models import AppConnection
from connections.sandbox import ADDRESS, Drop
from syncs.models import UNMANAGED, WHILE_HELD, InitialSet, Lease, RunChange, SecretSync, Status, SyncRun
from syncs.planning.preview import KEEP, REMOVE, preview
from syncs.planning.undo import undoable
from syncs.running.ledger import Ledger
from syncs.running.runner import execute
from syncs.services import approvals, deletion, folders, kept, triggers
from syncs.services import syncs as services
from syncs.services.syncs import SyncInput, update_policy
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

KEYS = ("A", "B", "C", "P_A", "P_B")
FOLDERS = ("/", "/other", "/third")
NAMES = ("first", "second", "third")
PREFIXES = ("", "P_")
FAULTS = ("", "", "503", "400", "drop", "crash", "late 503", "late drop", "late crash", "list")


class Crash(BaseException):
    """The worker dies."""


Scope = tuple[str, str, str]
Object = tuple[Scope, str, str]
"""Scope, key and creation time: one object."""


def scope_of(sync: SecretSync) -> Scope:
    config = sync.destination_config
    return config["org"], config["app"], config.get("env", "")


@dataclass
class Model:
    """What is allowed, and what was done against it."""

    world: World
    current: str = ""
    writers: dict[Object, set[str]] = field(default_factory=dict)
    first_seen: dict[tuple[str, Scope], set[Object]] = field(default_factory=dict)
    left: set[tuple[str, Object]] = field(default_factory=set)
    approved: set[tuple[Scope, str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    wishes: dict[str, dict[str, str]] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    unmanaged: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        """Before a run: the stand-in answers in threads of its own, which do not see this transaction."""
        live = {sync.name: sync for sync in syncs()}
        self.wishes = {name: self.wanted(live.get(name)) for name in NAMES}
        self.unmanaged = {name: sync.policy.unmanaged for name, sync in live.items()}
        self.scopes = {name: scope_of(sync) for name, sync in live.items()}

    def object(self, scope: tuple[str, str, str], key: str) -> tuple[Object, dict[str, Any]] | None:
        held = self.world.sandbox.values.get(scope, {}).get(key)
        return None if held is None else ((scope, key, held["created_at"]), held)

    def sync(self, name: str) -> SecretSync | None:
        return syncs().filter(name=name).first()

    def wanted(self, sync: SecretSync | None) -> dict[str, str]:
        """What the source of a live sync has: keys of the destination, and of the source."""
        if sync is None or sync.folder is None:
            return {}
        prefix = "P_" if sync.sync_options.get("keySchema") else ""
        return {f"{prefix}{key}": key for key in sync.folder.secrets.values_list("key", flat=True)}

    def before(self, method: str, scope: tuple[str, str, str], key: str, *, undoing: bool) -> None:
        """A write that is about to be done."""
        if not key:
            if method == "DELETE":
                self.wrong.append("a whole scope was deleted")
            return
        found = self.object(scope, key)
        if found is None or method == "POST":
            return
        one, held = found
        writers = self.writers.get(one, set())
        others = [
            name
            for name in writers - {self.current}
            if self.scopes.get(name) == scope and key in self.wishes[name] and (name, one) not in self.left
        ]
        unmanaged = self.unmanaged[self.current]
        said = f"{method} of {key} by {self.current} ({unmanaged})"
        if not held["is_secret"]:
            self.wrong.append(f"{said}: plain")
        elif self.current in writers:
            return
        elif others:
            self.wrong.append(f"{said}: written and wanted by {others}")
        elif method == "DELETE" and (scope, key, one[2]) in self.approved:
            return
        elif method == "PATCH" and writers and key in self.wishes[self.current]:
            return  # another sync wrote it and needs it no more
        elif undoing or unmanaged == "leave":
            self.wrong.append(f"{said}: not its own")
        elif method == "DELETE" and unmanaged != "mirror" and one not in self.first_seen.get((self.current, scope), ()):
            self.wrong.append(f"{said}: neither its own nor there at its first listing, nor approved")
        elif method == "PATCH" and key not in self.wishes[self.current]:
            self.wrong.append(f"{said}: not in its source")

    def gives_up(self, scope: Scope, key: str) -> None:
        """What a run hands over or releases is the heir's, or anybody's to write, whoever wants it again later."""
        heirs = {name for name, at in self.scopes.items() if at == scope and key in self.wishes[name]} - {self.current}
        for (at, name, _), writers in self.writers.items():
            if (at, name) == (scope, key):
                writers.discard(self.current)
                writers |= heirs

    def after(self, method: str, scope: tuple[str, str, str], key: str) -> None:
        found = self.object(scope, key)
        if method != "DELETE" and found:
            one = found[0]
            writers = self.writers.setdefault(one, set())
            writers -= {name for name in writers if (name, one) in self.left}  # it has another owner now
            writers.add(self.current)
            self.left.discard((self.current, one))

    def moves(self, name: str, to: Scope) -> None:
        """A sync leaves its keys elsewhere, and has those back that nobody has written since."""
        for one, writers in self.writers.items():
            if name in writers:
                (self.left.discard if one[0] == to else self.left.add)((name, one))


@contextmanager
def watched(model: Model, fault: str = "", *, undoing: bool = False) -> Iterator[None]:
    """Every write of the time being is looked at; the second one meets the fault."""
    sandbox = model.world.sandbox
    plain = sandbox.respond
    count = iter(range(1000))

    def answer(method: str, path: str, body: dict[str, Any]) -> Any:
        address = ADDRESS.fullmatch(urlsplit(path).path)
        if method == "GET" or address is None:
            return plain(method, path, body)
        scope = (address["org"], address["app"], address["env"] or "")
        key = body.get("key", "") if method == "POST" else unquote(address["key"] or "")
        model.before(method, scope, key, undoing=undoing)
        answered = plain(method, path, body)
        if answered[0] < 300:
            model.after(method, scope, key)
        return answered

    def failing(method: str, path: str) -> Any:
        if fault == "list" and method == "GET":
            return 200, b"[{"
        if method == "GET" or next(count) != 1:
            return None
        if fault.endswith("drop"):
            raise Drop
        return (int(fault[-3:]), {}) if fault[-3:].isdigit() else None

    sandbox.respond = answer  # type: ignore[method-assign]
    setattr(sandbox, "late_fault" if fault.startswith("late") else "fault", failing)
    try:
        with crashing(fault):
            yield
    except Crash:
        pass
    finally:
        sandbox.respond = plain  # type: ignore[method-assign]
        sandbox.fault = sandbox.late_fault = None


@contextmanager
def crashing(fault: str) -> Iterator[None]:
    """The worker dies once it has claimed its keys, or with answers that it has not written down."""
    claim = Ledger.claim

    def claiming(self: Ledger, changes: Any) -> None:
        claim(self, changes)
        raise Crash

    def dying(self: Ledger, outcomes: Any) -> None:
        raise Crash

    if fault.endswith("crash"):
        late = fault.startswith("late")
        with patch.object(Ledger, "record" if late else "claim", dying if late else claiming):
            yield
    else:
        yield


# -- steps: each a name and its numbers ------------------------------------------------------------------------


def edit(model: Model, which: int, key: int, value: int) -> None:
    model.world.set(FOLDERS[which], **{KEYS[key % 5]: "${prod.NOWHERE}" if value == 5 else f"v{value}"})


def remove(model: Model, which: int, key: int, _: int) -> None:
    if model.world.folder(FOLDERS[which]).secrets.filter(key=KEYS[key % 5]).exists():
        model.world.unset(KEYS[key % 5], path=FOLDERS[which])


def foreign(model: Model, which: int, key: int, value: int) -> None:
    """External changes: put, put as a plain value, delete, recreate."""
    sync = model.sync(NAMES[which])
    scope = scope_of(sync) if sync else ("acme", "shop", "")
    held = model.world.sandbox.values.setdefault(scope, {})
    if value >= 3:
        held.pop(KEYS[key % 5], None)
    if value != 3:
        model.world.sandbox.put(scope, KEYS[key % 5], f"foreign {value}", is_secret=value != 5)


def run(model: Model, which: int, fault: int, _: int) -> None:
    sync = model.sync(NAMES[which])
    if sync is None:
        return
    _run(model, sync, lambda: trigger(model.world.actor, sync, "sync"), FAULTS[fault % len(FAULTS)])


def go_on(model: Model, which: int, fault: int, _: int) -> None:
    """What waits for its next attempt, or was to run by itself."""
    sync = model.sync(NAMES[which])
    waiting = SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.RUNNING)).first() if sync else None
    if sync and waiting:
        _run(model, sync, lambda: waiting, FAULTS[fault % len(FAULTS)])


def _run(model: Model, sync: SecretSync, queued: Callable[[], SyncRun], fault: str = "") -> None:
    sync = syncs().get(pk=sync.pk)
    model.current = sync.name
    scope = scope_of(sync)
    if sync.confirmed_deletes is not None or not InitialSet.objects.filter(sync=sync, location=sync.location).exists():
        listed = model.world.sandbox.values.get(scope, {})
        model.first_seen[sync.name, scope] = {(scope, k, v["created_at"]) for k, v in listed.items()}
    AppConnection.objects.update(retry_at=None)
    Lease.objects.update(expires_at="2001-01-01T00:00:00Z")
    try:
        made = queued()
    except ServiceError:
        return
    model.look()
    approved = SyncRun.objects.get(pk=made.pk).options.approved or {}
    model.approved = {(scope, key, object_id or "") for key, object_id in approved.items()}
    with watched(model, fault, undoing=made.operation == "undo"):
        execute(made.pk)
    ended = not SyncRun.objects.filter(pk=made.pk, status__in=(Status.PENDING, Status.RUNNING, Status.HELD)).exists()
    if ended and InitialSet.objects.filter(sync=sync, location=sync.location).exists():
        model.first_seen[sync.name, scope] = set()  # the right ends with the first run, however it ends
    given_up = Q(reason__startswith="handed over") | Q(
        reason__contains="unmanaged again", outcome__in=("applied", "kept")
    )
    for key in RunChange.objects.filter(given_up, run=made).values_list("key", flat=True):
        model.gives_up(scope, key)


def decide(model: Model, which: int, choice: int, _: int) -> None:
    """Of a held run."""
    held = SyncRun.objects.select_related("sync__project").filter(sync__name=NAMES[which], status="held").first()
    if held is None:
        return
    try:
        if choice % 3 == 0:
            approvals.dismiss(model.world.actor, held)
        else:
            approvals.approve(model.world.actor, held, writes_only=choice % 3 == 1)
    except ServiceError:
        return
    if choice < 7:  # else the world moves on before the approved run, and may make the approval stale
        go_on(model, which, 0, 0)


def policy(model: Model, which: int, choice: int, limit: int) -> None:
    sync = model.sync(NAMES[which])
    if sync:
        changes = {"unmanaged": UNMANAGED[choice % 3], "max_deletions": limit, "while_held": WHILE_HELD[choice % 2]}
        update_policy(model.world.actor, sync, {**changes, "paused": choice == 9})


def retarget(model: Model, which: int, choice: int, _: int) -> None:
    """To the environment's own values, and back."""
    sync = model.sync(NAMES[which])
    if sync:
        config = ENVIRONMENT if choice % 2 else APPLICATION
        with contextlib.suppress(ServiceError):
            leaving = REMOVE if choice > 6 else KEEP
            services.update_sync(model.world.actor, sync, SyncInput(destination_config=config), leaving=leaving)
            if (changed := model.sync(NAMES[which])) is not None:
                model.moves(changed.name, scope_of(changed))


def move(model: Model, which: int, to: int, _: int) -> None:
    """Another folder is the source."""
    sync = model.sync(NAMES[which])
    if sync:
        services.update_sync(model.world.actor, sync, SyncInput(secret_path=FOLDERS[to % 3]))


def decide_again(model: Model, which: int, choice: int, _: int) -> None:
    """On keys that are kept on request."""
    sync = model.sync(NAMES[which])
    if sync is None:
        return
    with contextlib.suppress(ServiceError):
        if choice % 2:
            kept.forget_kept(model.world.actor, sync)
        else:
            kept.delete_kept(model.world.actor, sync)
            if choice < 7:
                go_on(model, which, 0, 0)


def schema(model: Model, which: int, choice: int, _: int) -> None:
    sync = model.sync(NAMES[which])
    if sync:
        options = {**OPTIONS, **({"keySchema": "P_{{secretKey}}"} if choice % 2 else {})}
        services.update_sync(model.world.actor, sync, SyncInput(sync_options=options))


def undo(model: Model, which: int, nth: int, fault: int) -> None:
    sync = model.sync(NAMES[which])
    runs = list(undoable(sync)) if sync else []
    if sync and runs:
        chosen = SyncRun.objects.select_related("sync").get(pk=runs[nth % len(runs)].pk)
        _run(model, sync, lambda: triggers.undo(model.world.actor, chosen), FAULTS[fault % len(FAULTS)])


def forget(model: Model, which: int, choice: int, _: int) -> None:
    """Delete a sync, with its secrets or without, or make it again."""
    sync = model.sync(NAMES[which])
    if sync is None:
        make(model, which)
    elif choice == 0:
        try:
            deletion.delete_sync(model.world.actor, sync)
        except ServiceError:  # a run is going, or its worker has died
            return
        for writers in model.writers.values():
            writers.discard(NAMES[which])
    elif choice == 1:
        _run(model, sync, lambda: trigger(model.world.actor, sync, "remove"))


def make(model: Model, which: int) -> None:
    config = ENVIRONMENT if NAMES[which] == "third" else APPLICATION
    model.world.sync(NAMES[which], config, secret_path=FOLDERS[which], is_auto_sync_enabled=which != 1)


STEPS = (
    *(edit, edit, remove, foreign, run, run, run, go_on, decide, policy, schema, undo, forget),
    *(retarget, move, decide_again, go_on),
)
steps = st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 2), st.integers(0, 9), st.integers(0, 5))


def quiet(model: Model) -> None:
    """Everything mended and nothing held back, until no run is left to do."""
    world = model.world
    for path in FOLDERS:
        for secret in world.folder(path).secrets.all():
            world.set(path, **{secret.key: f"last {path}{secret.key}"})
    for sync in syncs():
        update_policy(world.actor, sync, {"max_deletions": None, "paused": False})
    writes = -1
    while writes != len(world.writes()):
        writes = len(world.writes())
        for name in NAMES:
            if sync := model.sync(name):
                for waiting in SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.RUNNING)):
                    _run(model, sync, lambda waiting=waiting: waiting)  # type: ignore[misc]
                if again := model.sync(name):
                    _run(model, again, lambda again=again: trigger(world.actor, again, "sync"))  # type: ignore[misc]
                approve_held(model, name)


def approve_held(model: Model, name: str) -> None:
    """The first run at another target is held without a confirmed plan, whatever the limit of deletes."""
    held = SyncRun.objects.select_related("sync__project").filter(sync__name=name, status="held").first()
    if held and (sync := model.sync(name)):
        _run(model, sync, lambda: approvals.approve(model.world.actor, held))


def agrees(model: Model) -> None:
    """Each key of a source is at its location with its value, or is blocked for an existing reason."""
    for sync in syncs():
        held = model.world.held(scope_of(sync))
        changes = preview(sync).changes
        blocked = {change.key: change.code for change in changes if change.action.value == "blocked"}
        waiting = {change.key for change in changes if change.after in blocked}  # the other half of a move
        for key, source_key in model.wanted(sync).items():
            if key in blocked:
                assert blocked[key] in ("plain-value", "owned-by-other", "unmanaged", "maybe-ours", "collision"), key
                continue
            assert sync.folder
            assert held.get(key) == f"last {sync.folder.path}{source_key}", (sync.name, key, held)
        mine = sync.managed.filter(state="owned", location=sync.location).values_list("key", flat=True)
        surplus = set(mine) - set(model.wanted(sync)) - waiting
        assert not surplus, (sync.name, surplus)


def play(world: World, history: list[tuple[int, int, int, int]]) -> None:
    with transaction.atomic():
        world.sandbox.values.clear()
        model = Model(world)
        for path in FOLDERS[1:]:
            folders.ensure_folder(world.actor, world.environment(), path)
        for which in range(len(NAMES)):
            make(model, which)
        for step, which, one, other in history:
            STEPS[step](model, which, one, other)
            assert not model.wrong, model.wrong
        quiet(model)
        assert not model.wrong, model.wrong
        agrees(model)
        transaction.set_rollback(True)


quietly = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@given(st.lists(steps, min_size=10, max_size=40))
@settings(max_examples=10, deadline=None, suppress_health_check=quietly, derandomize=True)
@example([(3, 0, 0, 1), (0, 0, 0, 1), (4, 0, 0, 0), (11, 0, 0, 0)])
def test_a_few_histories(world: World, history: list[tuple[int, int, int, int]]) -> None:
    play(world, history)


@pytest.mark.slow
@given(st.lists(steps, min_size=30, max_size=50))
@settings(max_examples=60, deadline=None, suppress_health_check=quietly)
def test_thousands_of_steps(world: World, history: list[tuple[int, int, int, int]]) -> None:
    play(world, history)
