"""A server on loopback whose answers a test gives, for tests of the HTTP client itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "canary-token"


class Vendor:
    """A server whose next answers are given; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.body = b""
        self.answer: Callable[[BaseHTTPRequestHandler, int], None] = reply(200, b"{}")
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                vendor.asked.append((self.command, self.path))
                vendor.headers = {name.lower(): value for name, value in self.headers.items()}
                vendor.body = self.rfile.read(int(self.headers.get("content-length") or 0))
                vendor.answer(self, len(vendor.asked))

            do_GET = do_POST = do_PATCH = do_DELETE = handle_one

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def reply(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler, int], None]:
    def answer(handler: BaseHTTPRequestHandler, _: int) -> None:
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer
