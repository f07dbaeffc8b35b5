"""Reads of single keys: each is blocked by itself."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from connections.errors import Forbidden, NotFound, Unauthorized, Unavailable
from syncs.destination.reading import REFUSALS, in_parallel, read_each
from syncs.engine.types import Remote

MANY = [Remote(f"K{number}") for number in range(3 * REFUSALS)]


def test_a_refused_key_is_unreadable_and_the_others_are_read() -> None:
    def read(remote: Remote) -> Remote | None:
        if remote.key == "K1":
            raise Forbidden("denied on K1")
        return None if remote.key == "K2" else replace(remote, value="v")

    first, refused, *_ = found = read_each(read, MANY, 4)
    assert (first.value, first.unreadable) == ("v", "")
    assert (refused.key, refused.value, refused.unreadable) == ("K1", None, "denied on K1")
    assert [one.key for one in found] == [one.key for one in MANY if one.key != "K2"]


@pytest.mark.parametrize("error", [Unauthorized("bad login"), NotFound("no project"), Unavailable("down")])
def test_any_other_error_is_that_of_the_run(error: Exception) -> None:
    def read(remote: Remote) -> Remote:
        raise error

    with pytest.raises(type(error), match=str(error)):
        read_each(read, MANY, 4)


def test_a_login_that_may_read_nothing_is_not_tried_with_each_key() -> None:
    sent = []

    def read(remote: Remote) -> Remote:
        sent.append(remote.key)
        raise Forbidden(f"denied on {remote.key}")

    with pytest.raises(Forbidden, match="denied on"):
        read_each(read, MANY, 4)
    assert REFUSALS <= len(sent) < REFUSALS + 4


def test_reads_go_side_by_side_and_their_order_is_kept() -> None:
    together = threading.Barrier(4, timeout=30)

    def read(number: int) -> int:
        together.wait()
        return number

    assert in_parallel(read, range(8), 4) == list(range(8))
