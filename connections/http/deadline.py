"""A deadline for a whole request, however slowly its bytes are sent and received.

Written by hand because httpx and httpcore limit each read and write only: a server that sends a byte now and then, in
the headers too, would occupy a worker for ever.
"""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

PIECE = 64 * 1024  # bytes that are written between two checks of the deadline


class _Clock(threading.local):
    """Each thread sends one request at a time."""

    ends_at = math.inf


_clock = _Clock()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Requests of this thread raise httpx's time-outs when that time is over, whatever they wait for."""
    before = _clock.ends_at  # a login may be renewed in the middle of a request
    _clock.ends_at = min(before, time.monotonic() + seconds)
    try:
        yield
    finally:
        _clock.ends_at = before


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    """Seconds that one read or write may take."""
    if _clock.ends_at == math.inf:
        return timeout
    left = _clock.ends_at - time.monotonic()
    if left <= 0:
        raise over("the request took too long as a whole")
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            self._inner.write(buffer[start : start + PIECE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class TimedBackend(httpcore.SyncBackend):
    """Opens connections that obey the deadline."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options))
