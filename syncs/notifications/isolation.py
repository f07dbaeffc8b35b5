"""Confines third-party code that sends to a user's address: it may call hosts on the internet, and nothing else.

A notification's address chooses host, path and options of a library with a hundred ways to send. An audit hook of
Python sees every connection and file before it is opened, with the resolved address: the address that is checked is the
one that is called, whatever the name resolves to the next time.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from connections.http.egress import refused

_STARTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"))
_CALLS = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))
_WATCHED = frozenset(("open", "syslog.openlog", "syslog.syslog")) | _STARTS | _CALLS
_refusals: ContextVar[list[str] | None] = ContextVar("refusals", default=None)


class Refused(PermissionError):
    """Confined code tried something else. An OSError, so that a sender handles it as a failed connection."""


@contextmanager
def confined() -> Iterator[list[str]]:
    """Within, in this context and its copies, only allowed addresses can be called. Yields the refusals."""
    _install()
    found: list[str] = []
    token = _refusals.set(found)
    try:
        yield found
    finally:
        _refusals.reset(token)


@cache
def _install() -> None:
    """A hook cannot be removed again; if nothing is confined it does nothing."""
    sys.addaudithook(_hook)


def _hook(event: str, args: Any, watched: frozenset[str] = _WATCHED, inside: Any = _refusals) -> None:
    if event not in watched or (refusals := inside.get()) is None:
        return
    if problem := _problem(event, args):
        refusals.append(problem)
        raise Refused(problem)


def _problem(event: str, args: Any) -> str:
    """Why it is refused; "" if it is allowed."""
    if event == "open":
        path = args[0]
        return "" if isinstance(path, int) or _is_library(os.fsdecode(path)) else "it opens a file of this machine"
    if event not in _CALLS:
        return "it uses a resource of this machine"
    address = args[1]
    if address is None:  # a socket that is connected already
        return ""
    if not isinstance(address, tuple):
        return "it uses a resource of this machine"
    try:
        return refused(
            str(address[0]), encrypted=True
        )  # encryption depends on the address's scheme: webhooks, mail servers
    except ValueError:
        return "it connects to a name"


def _is_library(path: str) -> bool:
    real = os.path.realpath(path)
    return any(real.startswith(folder + os.sep) for folder in _libraries())


@cache
def _libraries() -> tuple[str, ...]:
    import apprise

    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found.add(os.path.dirname(os.path.dirname(apprise.__file__)))
    return tuple(sorted(os.path.realpath(folder) for folder in found))
