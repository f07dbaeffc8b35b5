"""Where a sync's keys live may be the vendor's to tell; one that does not answer is no fault of ours."""

from __future__ import annotations

import pytest

from config.errors import BadRequest
from connections.errors import Unreachable
from connections.http import quote
from syncs.destinations.humanitec import Humanitec

from .conftest import World


def mute(_: Humanitec) -> str:
    raise Unreachable("Vendor: who is it? got no answer within 10 s")


def test_a_sync_whose_place_the_vendor_does_not_tell_is_not_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Humanitec, "place", mute)
    with pytest.raises(BadRequest, match="Where the secrets would go is not known: Vendor: who is it"):
        world.sync()


def test_a_sync_whose_place_would_lead_elsewhere_is_not_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Humanitec, "place", lambda _: quote(".."))
    with pytest.raises(BadRequest, match="cannot be a part of an address"):
        world.sync()


def test_a_run_whose_place_the_vendor_does_not_tell_says_so_and_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.set(A="1")
    sync = world.sync()
    with monkeypatch.context() as patched:
        patched.setattr(Humanitec, "place", mute)
        run = world.run(sync)
        assert (run.status, world.held()) == ("pending", {})
        assert "got no answer" in (run.message or "")
    run = world.run(sync)
    assert (run.status, world.held()) == ("succeeded", {"A": "1"})
