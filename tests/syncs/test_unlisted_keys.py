"""Unlisted keys are requested only if a sync needs them."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

import pytest

from config.schemas.model import Model
from connections.http.client import ApiClient
from syncs.destination.base import Destination
from syncs.destination.options import SyncOptions
from syncs.engine.types import Outcome, Remote, Write


class Lazy(Destination):
    """Its list has keys only; G is deleted before it is requested."""

    Config = Model
    Options = SyncOptions
    asked: list[str]

    def location(self) -> str:
        return "lazy"

    @classmethod
    def normalize_key(cls, key: str) -> str:
        return key.upper()

    def fetch(self) -> Iterable[Remote]:
        return [Remote(key) for key in ("a", "b", "g")]

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        self.asked = [remote.key for remote in remotes]
        return [replace(remote, etag="1", value="v" if values else None) for remote in remotes if remote.key != "g"]

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        raise NotImplementedError


@pytest.fixture
def lazy() -> Lazy:
    return Lazy(ApiClient("Lazy", "http://127.0.0.1:9"), {})


def test_only_requested_keys_are_read_and_deleted_ones_are_missing(lazy: Lazy) -> None:
    looked = lazy.resolve_listing(lazy.listing(), {"A", "G", "Z"})
    assert lazy.asked == ["a", "g"]
    assert {remote.key: remote.etag for remote in looked} == {"a": "1", "b": None}


def test_values_are_read_for_wanted_keys(lazy: Lazy) -> None:
    looked = lazy.resolve_listing(lazy.listing(), {"A"}, values=True)
    assert {remote.key: remote.value for remote in looked} == {"a": "v", "b": None, "g": None}


def test_unlisted_keys_are_found_by_key(lazy: Lazy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "find_unlisted", lambda keys: [Remote(key) for key in keys if key == "FAR"])
    looked = lazy.resolve_listing(lazy.listing(), {"A", "FAR", "Z"})
    assert {remote.key: remote.etag for remote in looked} == {"a": "1", "FAR": "1", "b": None, "g": None}


def test_no_request_for_keys_that_no_sync_uses(lazy: Lazy) -> None:
    assert len(lazy.resolve_listing(lazy.listing(), {"Z"})) == 3
    assert not hasattr(lazy, "asked")
