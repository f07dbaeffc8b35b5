"""A local stand-in for Humanitec's Shared Values: small, stateful, with values that are secret or not as at the vendor.

Written by hand because the vendor offers no emulator, and the demo (`up --demo`) needs a vendor without an account.
Source of each response: Humanitec's published OpenAPI description, operations "Shared Values" and "Value Set Versions".
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import struct
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from connections.sandbox_deployments import ADDRESS as DEPLOYMENTS
from connections.sandbox_deployments import Deployments

ADDRESS = re.compile(
    r"/orgs/(?P<org>[^/]+)/apps/(?P<app>[^/]+)(?:/envs/(?P<env>[^/]+))?/values(?:/(?P<key>[^/]+))?", re.ASCII
)
VERSIONS = re.compile(
    r"/orgs/(?P<org>[^/]+)/apps/(?P<app>[^/]+)(?:/envs/(?P<env>[^/]+))?/value-set-versions"
    r"(?:/(?P<id>[^/]+)/(?P<act>restore|purge)/(?P<key>[^/]+))?",
    re.ASCII,
)
KEY = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)

MADE = {"created_at": "2026-01-01T00:00:00Z", "created_by": "sandbox"}
ACTIVE = {"status": "active", "status_changed_at": "2026-01-01T00:00:00Z"}

Answer = tuple[int, object]
Fault = Callable[[str, str], Answer | tuple[int, object, dict[str, str]] | None]


class Drop(Exception):
    """Raised by a fault: the connection is reset without a response."""


class HumanitecSandbox:
    """Serves on 127.0.0.1. `values` maps (org, app, env or "") to its values by key; `asked` lists (method, path).

    With a `token`, requests without it are refused; `orgs` maps organisations to applications to environments.
    `history` maps a scope to its changes, the oldest first, each with the one value it left (None: deleted).
    `exchanges` lists each request's body with the status and body of its response.
    `latency` is the time of each response, in seconds. `fault`, if set, may respond instead of the vendor: called with
    method and path, it returns (status, body), (status, body, headers) or None, takes its time, or raises `Drop`; a
    body of bytes is sent as it is. `late_fault` does the same after the vendor has handled the request.
    """

    def __init__(self, port: int = 0, token: str = "", *, latency: float = 0.0) -> None:
        self.token = token
        self.latency = latency
        self.orgs = {"acme": {"shop": ["development", "production"], "blog": ["development"]}}
        self.values: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
        self.history: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
        self.deployments = Deployments()
        self.asked: list[tuple[str, str]] = []
        self.exchanges: list[tuple[dict[str, Any], int, object]] = []
        self.fault: Fault | None = None
        self.late_fault: Fault | None = None
        self._lock = threading.Lock()
        self._clock = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> HumanitecSandbox:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def put(self, scope: tuple[str, str, str], key: str, value: str, *, is_secret: bool = True) -> None:
        """Set a value as a person does in the vendor's console."""
        with self._lock:
            self._write(scope, key, {"value": value, "description": "", "is_secret": is_secret})

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, object, dict[str, str]]:
        """What the vendor answers: status, JSON body (None: no body) and headers. Faults are asked outside the lock."""
        with self._lock:
            self.asked.append((method, path))
        fault = self.fault and self.fault(method, path)
        with self._lock:
            answer = fault or self.respond(method, path, body)
            self.exchanges.append((body, answer[0], answer[1]))
        if not fault and self.late_fault:
            answer = self.late_fault(method, path) or answer
        return answer[0], answer[1], answer[2] if len(answer) == 3 else {}

    def respond(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """The vendor's own response, without faults. Tests wrap it."""
        if method == "GET" and (named := self._names(urlsplit(path).path)) is not None:
            return 200, named
        if found := VERSIONS.fullmatch(urlsplit(path).path):
            return self._versions(method, found, urlsplit(path).query)
        if deploys := DEPLOYMENTS.fullmatch(urlsplit(path).path):
            return self.deployments.answer(method, (deploys[1], deploys[2], deploys[3]), body)
        found = ADDRESS.fullmatch(urlsplit(path).path)
        if not found:
            return _error(404, "no such address")
        scope = (found["org"], found["app"], found["env"] or "")
        key = unquote(found["key"] or "")
        if key:
            return self._one(method, scope, key, body)
        if method == "GET":
            return 200, self._list(scope)
        if method == "POST":
            return self._create(scope, body)
        if method == "DELETE":
            self.values.pop(scope, None)
            return 204, None
        return _error(405, "method not allowed")

    def _names(self, path: str) -> list[dict[str, Any]] | None:
        """The lists for pickers: organisations, their applications, their environments."""
        match path.strip("/").split("/"):
            case ["orgs"]:
                more = {"trial_expires_at": None, "logo": {"dark_url": "", "light_url": ""}}
                return [{**_named(org), **more} for org in self.orgs]
            case ["orgs", org, "apps"] if org in self.orgs:
                return [{**_named(app), **ACTIVE, "org_id": org, "envs": []} for app in self.orgs[org]]
            case ["orgs", org, "apps", app, "envs"] if app in self.orgs.get(org, {}):
                return [{**_named(env), **ACTIVE, "type": env} for env in self.orgs[org][app]]
        return None

    def _list(self, scope: tuple[str, str, str]) -> list[dict[str, Any]]:
        """An environment lists the application's values, overridden by its own."""
        org, app, env = scope
        merged = {**self.values.get((org, app, ""), {}), **(self.values.get(scope, {}) if env else {})}
        return [_shown(value) for value in merged.values()]

    def _create(self, scope: tuple[str, str, str], body: dict[str, Any]) -> Answer:
        key = body.get("key")
        if not isinstance(key, str) or not KEY.fullmatch(key) or "description" not in body:
            return _error(400, "key or description not valid")
        if key in self.values.get(scope, {}):
            return _error(409, "Shared Value already exists")
        return 201, _shown(self._write(scope, key, body))

    def _one(self, method: str, scope: tuple[str, str, str], key: str, body: dict[str, Any]) -> Answer:
        if key not in self.values.get(scope, {}):
            return _error(404, "Shared Value does not exist")
        if method == "DELETE":
            del self.values[scope][key]
            self._remember(scope, key, None, "value_delete")
            return 204, None
        if method not in ("PATCH", "PUT") or not ({"value", "description"} & set(body)):
            return _error(400, "value or description must be supplied")
        return 200, _shown(self._write(scope, key, body))

    def _write(self, scope: tuple[str, str, str], key: str, body: dict[str, Any]) -> dict[str, Any]:
        now = self._now()
        tick = self._tick
        held = self.values.setdefault(scope, {})
        before = held.get(key, {"created_at": now, "is_secret": bool(body.get("is_secret"))})
        held[key] = {
            "key": key,
            "value": body.get("value", before.get("value")) or "",
            "description": body.get("description", before.get("description")) or "",
            "is_secret": before["is_secret"],
            "source": "env" if scope[2] else "app",
            "secret_key": f"{'/'.join(filter(None, scope))}/{key}" if before["is_secret"] else None,
            "secret_version": str(tick) if before["is_secret"] else None,
            "secret_store_id": "humanitec" if before["is_secret"] else None,
            "created_at": before["created_at"],
            "updated_at": now,
        }
        self._remember(scope, key, dict(held[key]), "value_create" if before["created_at"] == now else "value_update")
        return held[key]

    # -- value set versions: every write creates one ------------------------------------------------------------

    def _remember(self, scope: tuple[str, str, str], key: str, value: dict[str, Any] | None, by: str) -> None:
        made = {"id": str(uuid.uuid4()), "key": key, "value": value, "at": self._now(), "by": by, "purged": False}
        self.history.setdefault(scope, []).append(made)

    def _versions(self, method: str, found: re.Match[str], query: str) -> Answer:
        scope = (found["org"], found["app"], found["env"] or "")
        if method == "GET" and not found["id"]:
            changed = parse_qs(query).get("key_changed", [None])[0]
            history = self.history.get(scope, [])
            shown = [self._version(scope, n) for n, one in enumerate(history) if changed in (None, one["key"])]
            return 200, shown[::-1]
        key = unquote(found["key"] or "")
        index = next((n for n, one in enumerate(self.history.get(scope, [])) if one["id"] == found["id"]), None)
        if method != "POST" or index is None:
            return _error(404, "no such version")
        kept = self._at(scope, index).get(key)
        if kept is None or kept["purged"]:
            return _error(400, "the key has no value in this version")
        if found["act"] == "purge":
            kept["purged"] = True
            return 204, None
        self._write(scope, key, kept["value"])
        return 200, self._version(scope, len(self.history[scope]) - 1)

    def _at(self, scope: tuple[str, str, str], index: int) -> dict[str, dict[str, Any]]:
        """The last change of each value that existed when the version was created."""
        standing = {one["key"]: one for one in self.history[scope][: index + 1]}
        return {key: one for key, one in standing.items() if one["value"] is not None}

    def _version(self, scope: tuple[str, str, str], index: int) -> dict[str, Any]:
        made = self.history[scope][index]
        shown = {key: _shown(one["value"]) for key, one in self._at(scope, index).items()}
        return {
            "id": made["id"],
            "values": shown,
            "change": [],
            "comment": "",
            "created_at": made["at"],
            "created_by": "sandbox",
            "updated_at": made["at"],
            "result_of": f"{'env' if scope[2] else 'app'}_{made['by']}",
            "source_value_set_version_id": None,
        }

    def _now(self) -> str:
        self._tick = next(self._clock)
        tick = self._tick
        return f"2026-01-01T{tick // 3600 % 24:02}:{tick // 60 % 60:02}:{tick % 60:02}.{tick:06}Z"


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "value": ""} if value["is_secret"] else dict(value)


def _named(name: str) -> dict[str, Any]:
    return {"id": name, "name": name.title(), **MADE}


def _error(status: int, message: str) -> Answer:
    return status, {"error": f"API-{status}", "message": message}


def _handler(sandbox: HumanitecSandbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one send per response: two would wait for each other's acknowledgement
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                body = json.loads(sent) if sent else {}
            except ValueError:
                body = None
            headers: dict[str, str] = {}
            if sandbox.token and self.headers.get("authorization") != f"Bearer {sandbox.token}":
                status, content = _error(403, "Could not validate token")
            elif isinstance(body, dict):
                try:
                    status, content, headers = sandbox.answer(self.command, self.path, body)
                except Drop:
                    self._reset()
                    return
            else:
                status, content = _error(422, "the body is not a JSON object")
            if sandbox.latency:
                time.sleep(sandbox.latency)
            data = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _reset(self) -> None:
            """Close the connection with a reset."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing, because paths contain names of keys."""

    return Handler
