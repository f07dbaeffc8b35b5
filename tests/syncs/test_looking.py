"""What a list leaves out is asked for only where somebody has to do with the key."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

import pytest

from connections.http.client import ApiClient
from syncs.destination.base import Destination
from syncs.engine.types import Outcome, Remote, Write


class Lazy(Destination):
    """Its list names keys only; G is gone by the time that it is asked for."""

    asked: list[str]

    def location(self) -> str:
        return "lazy"

    def normalize_key(self, key: str) -> str:
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


def test_only_named_keys_are_read_and_what_is_gone_by_then_is_not_there(lazy: Lazy) -> None:
    looked = lazy.resolve_listing(lazy.listing(), {"A", "G", "Z"})
    assert lazy.asked == ["a", "g"]
    assert {remote.key: remote.etag for remote in looked} == {"a": "1", "b": None}


def test_values_are_read_where_they_are_wanted(lazy: Lazy) -> None:
    looked = lazy.resolve_listing(lazy.listing(), {"A"}, values=True)
    assert {remote.key: remote.value for remote in looked} == {"a": "v", "b": None, "g": None}


def test_what_the_list_does_not_look_at_is_found_by_its_key(lazy: Lazy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "find_unlisted", lambda keys: [Remote(key) for key in keys if key == "FAR"])
    looked = lazy.resolve_listing(lazy.listing(), {"A", "FAR", "Z"})
    assert {remote.key: remote.etag for remote in looked} == {"a": "1", "FAR": "1", "b": None, "g": None}


def test_nothing_is_asked_where_nobody_has_to_do_with_any(lazy: Lazy) -> None:
    assert len(lazy.resolve_listing(lazy.listing(), {"Z"})) == 3
    assert not hasattr(lazy, "asked")
