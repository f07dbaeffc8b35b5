"""What code that others wrote may do with an address that a user gave: call hosts on the internet, and nothing else.

A notification's address chooses host, path and options of a library with a hundred ways to send. Python tells a hook of
every connection and file that is about to be opened, with the address that a name has become: what is checked is what
is called, whatever the name resolves to the next time.
"""

from __future__ import annotations

import ipaddress
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from django.conf import settings

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_STARTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork"))
_CALLS = frozenset(("socket.connect", "socket.sendto", "socket.sendmsg"))
_WATCHED = frozenset(("open", "syslog.openlog", "syslog.syslog")) | _STARTS | _CALLS
_refusals: ContextVar[list[str] | None] = ContextVar("refusals", default=None)


class Refused(PermissionError):
    """Code that is confined tried something else. It is an OSError, so a sender takes it for a failed connection."""


@contextmanager
def confined() -> Iterator[list[str]]:
    """Within, in this context and those copied from it, only allowed addresses are called. Yields what was refused."""
    _install()
    refused: list[str] = []
    token = _refusals.set(refused)
    try:
        yield refused
    finally:
        _refusals.reset(token)


def is_allowed(address: str) -> bool:
    """Whether users' own URLs may reach an address: one of the internet, or of a range that the operator allows."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        found = inner or found
    if any(found in ipaddress.ip_network(each, strict=False) for each in settings.ALLOWED_PRIVATE_CIDRS):
        return True
    return found.is_global and not found.is_multicast


@cache
def _install() -> None:
    """A hook cannot be taken out again, and where nothing is confined it does nothing."""
    sys.addaudithook(_hook)


def _hook(event: str, args: Any, watched: frozenset[str] = _WATCHED, inside: Any = _refusals) -> None:
    if event not in watched or (refusals := inside.get()) is None:
        return
    if problem := _problem(event, args):
        refusals.append(problem)
        raise Refused(problem)


def _problem(event: str, args: Any) -> str:
    """In words; "" where it may be done."""
    if event == "open":
        path = args[0]
        return "" if isinstance(path, int) or _is_library(os.fsdecode(path)) else "it asks for a file of this machine"
    if event not in _CALLS:
        return "it asks for something of this machine"
    address = args[1]
    if address is None:  # of a socket that is connected already
        return ""
    if not isinstance(address, tuple):
        return "it asks for something of this machine"
    if is_allowed(str(address[0])):
        return ""
    return f"{address[0]} is not an address of the internet; KEYFERRY_ALLOWED_PRIVATE_CIDRS may allow it"


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
