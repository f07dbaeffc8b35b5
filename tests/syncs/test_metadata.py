"""Metadata of secrets is sent to destinations that support it; encrypted metadata is not."""

from __future__ import annotations

import pytest

from syncs.destinations.humanitec import Humanitec
from syncs.engine.plan import rest_of
from syncs.engine.types import Desired, Write, Written
from syncs.services.secrets import set_secrets
from syncs.source.loader import read
from syncs.source.validation import SecretInput
from tests.fixtures.world import World


def metadata(**values: str) -> list[dict[str, object]]:
    return [{"key": key, "value": value, "isEncrypted": key == "hidden"} for key, value in values.items()]


def test_metadata_is_sent_with_writes_and_changes_the_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Write] = []
    update, create = Humanitec.update, Humanitec.create

    def keep(write: Write) -> Write:
        taken.append(write)
        return write

    def updated(self: Humanitec, write: Write) -> Written:
        return update(self, keep(write))

    def created(self: Humanitec, write: Write) -> Written:
        return create(self, keep(write))

    monkeypatch.setattr(Humanitec, "sends_metadata", lambda _: True)
    monkeypatch.setattr(Humanitec, "create", created)
    monkeypatch.setattr(Humanitec, "update", updated)
    sync = world.sync()
    for team in ("shop", "shop", "blog"):
        given = SecretInput("A", "1", metadata=metadata(team=team, hidden="canary"))
        set_secrets(world.actor, world.folder("/"), [given])
        assert world.run(sync).status == "succeeded"
    assert [write.metadata for write in taken] == [(("team", "shop"),), (("team", "blog"),)]


def test_a_destination_without_metadata_is_not_written_for_it(world: World) -> None:
    sync = world.sync()
    counts = []
    for team in ("shop", "blog"):
        given = SecretInput("A", "1", metadata=metadata(team=team, hidden="canary"))
        set_secrets(world.actor, world.folder("/"), [given])
        counts.append(world.run(sync).changes.filter(action__in=("create", "update")).count())
    assert counts == [1, 0]
    (entry,) = read(sync).source.entries
    assert entry.metadata == (("team", "blog"),)
    assert "blog" not in repr(entry)


def test_without_metadata_what_was_written_before_stays_the_same(world: World) -> None:
    """A ledger of an earlier version knows nothing of it."""
    assert rest_of(Desired("A", "A", "A", "1", "why")) == '["A","why"]'
