"""Locations that depend on the vendor: an unavailable vendor is reported and nothing is written."""

from __future__ import annotations

import pytest

from config.errors import BadRequest
from connections.errors import Unreachable
from connections.http.client import quote
from syncs.destination.base import describe_target
from syncs.destinations.humanitec import Humanitec
from tests.fixtures.world import World


def mute(_: Humanitec) -> str:
    raise Unreachable("Vendor: who is it? got no response within 10 s")


def test_a_sync_whose_location_is_unknown_is_not_created(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Humanitec, "location", mute)
    with pytest.raises(BadRequest, match="The location of the target is unknown: Vendor: who is it"):
        world.sync()


def test_a_sync_with_an_ambiguous_location_is_not_created(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Humanitec, "location", lambda _: quote(".."))
    with pytest.raises(BadRequest, match="cannot be a part of an address"):
        world.sync()


def test_a_run_whose_location_is_unknown_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set(A="1")
    sync = world.sync()
    with monkeypatch.context() as patched:
        patched.setattr(Humanitec, "location", mute)
        run = world.run(sync)
        assert (run.status, world.held()) == ("pending", {})
        assert "got no response" in (run.message or "")
    run = world.run(sync)
    assert (run.status, world.held()) == ("succeeded", {"A": "1"})


@pytest.mark.parametrize(
    ("slug", "config", "words"),
    [
        # As PostgreSQL gives the members back: the shorter names first.
        ("humanitec", {"app": "shop", "env": "dev", "org": "acme", "scope": "environment"}, "acme / shop / dev"),
        ("humanitec", {"app": "shop", "org": "acme", "scope": "application"}, "acme / shop"),
        (
            "github",
            {"env": "prod", "repo": "app", "owner": "acme", "scope": "repository-environment"},
            "acme / app / prod",
        ),
        ("gone", {"b": "2", "a": "1"}, "1 / 2"),
        ("humanitec", {}, ""),
    ],
)
def test_a_target_is_described_in_the_order_of_its_parts(slug: str, config: dict[str, str], words: str) -> None:
    assert describe_target(slug, config) == words
