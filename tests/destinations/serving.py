"""Base of all fakes: it serves itself on loopback.

Written by hand because adapters are tested over real HTTP, with resets and lost responses; mocking libraries (respx)
replace the transport, which is tested too.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .fake import Exchange, Fake


@dataclass(frozen=True)
class Ask:
    """A request. `parts` are those of its path, decoded; `body` is its JSON or its form, parsed, or None."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def parts(self) -> list[str]:
        return [unquote(part) for part in self.path.strip("/").split("/")]


@dataclass(frozen=True)
class Answer:
    """A body of bytes is sent as it is, None as nothing."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Drop(Exception):
    """Raised by a handler or a fault: the connection is reset without a response."""


Fault = Callable[[Ask], Answer | None]


class Served(Fake):
    """`exchanges` has every request with its response.

    `fault` may respond instead of the vendor, `late_fault` after the vendor has carried out the request.
    """

    def __init__(self) -> None:
        self.exchanges: list[tuple[Ask, Answer]] = []
        self._exchanged: list[Exchange] = []
        self.fault: Fault | None = None
        self.late_fault: Fault | None = None
        self.url = ""
        self._asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    @abstractmethod
    def answer(self, ask: Ask) -> Answer:
        """What the vendor says, and does; one request at a time."""

    @contextmanager
    def running(self) -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self.url
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def asked(self) -> list[tuple[str, str]]:
        with self._lock:
            found, self._asked = self._asked, []
        return found

    def exchanged(self) -> Sequence[Exchange]:
        return self._exchanged

    def fail(self, method: str | None, status: int = 500, body: Any = None) -> None:
        response = {"message": "no"} if body is None else body
        self.fault = (lambda ask: Answer(status, response) if ask.method == method else None) if method else None

    def lose(self, lost: bool) -> None:
        self.late_fault = self._lost if lost else None

    def _lost(self, ask: Ask) -> Answer | None:
        if self.is_write(ask.method, ask.path):
            raise Drop
        return None

    def serve(self, ask: Ask) -> Answer:
        with self._lock:
            self._asked.append((ask.method, ask.path))
        answer = self.fault(ask) if self.fault else None
        if answer is not None:
            self._exchanged.append(Exchange(ask.method, ask.path, ask.query, ask.body, None, None))
        else:
            with self._lock:
                answer = self.answer(ask)
            self._exchanged.append(Exchange(ask.method, ask.path, ask.query, ask.body, answer.status, answer.body))
            if self.late_fault:
                answer = self.late_fault(ask) or answer
        with self._lock:
            self.exchanges.append((ask, answer))
        return answer


class LoginOnly(Served):
    """A vendor for tests of its login: it holds no keys."""

    configs = {"any": {}}
    bad_key = ""

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return {}

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        raise NotImplementedError

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        raise NotImplementedError


def _parsed(headers: Mapping[str, str], sent: bytes) -> Any:
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(sent.decode(), keep_blank_values=True))
    try:
        return json.loads(sent)
    except ValueError:
        return None


def _handler(fake: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one send per response: two would wait for each other's acknowledgement
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            split = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            ask = Ask(self.command, split.path, dict(parse_qsl(split.query)), headers, _parsed(headers, sent))
            try:
                answer = fake.serve(ask)
            except Drop:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
                return
            body = answer.body
            data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            if answer.status != 204:
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Silent: addresses name keys."""

    return Handler
