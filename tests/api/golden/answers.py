"""Sends the requests, each in a transaction that is rolled back, and writes down what came back.

What differs from one recording to the next (ids, moments, tokens, hashes) is replaced by a placeholder that says what
it is; ids that the world knows by a name have that name.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.test import override_settings

from . import hand
from .case import Case
from .cases import cases
from .recorded import Line
from .world import CALLER_LIMIT, LOGIN_LIMIT, World

HEADERS = ("WWW-Authenticate", "Retry-After", "Allow", "ETag", "Content-Type", "Cache-Control", "Content-Disposition")
LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")
USUAL = {"Content-Type": "application/json", "Cache-Control": "no-store"}
"""A line has these headers only where they are others; None: not there."""

TEXT = "<text>"
MINUTE, MARGIN = 60, 3  # seconds
_PATTERNS = (
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"\breq-[\w-]{12}(?![\w-])"), "<request>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "<another time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?(\+00:00)?)?"), "<moment>"),
    (re.compile(r"\b\d+ seconds\b"), "<number> seconds"),
    (re.compile(r"^shop-[0-9a-f]{4}$"), "shop-<random>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<hash>"),
    (re.compile(r"^[A-Za-z0-9+/]{40,}={0,2}$"), "<hash>"),
)
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_LONG = re.compile(r"(x|0|9)\1{49,}")
_PLAIN = {"clientSecretPrefix", "uptime"}
"""Members whose values differ and have no shape to know them by."""


def lines(operations: dict[str, Any], world: World) -> Iterator[Line]:
    """Of these operations of the recorded document, and of those beside it."""
    seen: set[str] = set()
    for name, operation in operations.items():
        path = name.partition(" ")[2]
        right: Line | None = None
        for case in _with_etags(cases(name, operation, world, path not in seen), world):
            line = _line(case, world)
            if right is None:
                right = line
            elif case.operation == name and _answer(line) == _answer(right):
                line = {"operation": case.operation, "variant": case.variant, "as": "right"}
            yield line
        seen.add(path)


def _answer(line: Line) -> Line:
    return {key: value for key, value in line.items() if key != "variant"}


def _with_etags(given: Iterable[Case], world: World) -> Iterator[Case]:
    """And what answers have an ETag are requested again by one who has them; each limit is exceeded once."""
    for case in given:
        yield case
        if case.variant == "right" and case.method == "GET":
            tag = _sent(case, world).headers.get("ETag")
            if tag:
                yield replace(case, variant="right, If-None-Match: that", headers={"if-none-match": tag})
                yield replace(case, variant="right, If-None-Match: another", headers={"if-none-match": '"other"'})
        limit = {"GET /api/v1/projects": CALLER_LIMIT, "POST /api/v1/auth/universal-auth/login": LOGIN_LIMIT}
        if case.variant == "right" and case.operation in limit:
            settings = {limit[case.operation]: 1}
            yield replace(case, variant="within a limit", settings=settings)
            yield replace(case, variant="over a limit", settings=settings, times=2)


def _sent(case: Case, world: World) -> Any:
    headers = dict(case.headers)
    if case.caller:
        headers["authorization"] = f"Bearer {world.tokens[case.caller]}"
    data = case.text if case.text is not None else b"" if case.body is None else json.dumps(case.body).encode()
    kind = headers.pop("content-type", "application/json")
    if case.times > 1 and time.time() % MINUTE > MINUTE - MARGIN:
        time.sleep(MARGIN)  # a limit is of the running minute
    settings = override_settings(**case.settings) if case.settings else nullcontext()
    with settings, transaction.atomic():
        for _ in range(case.times):
            answer = world.client.generic(
                case.method, case.address(), data, content_type=kind, headers=headers, query_params=case.query or None
            )
        if answer.streaming:  # it reads the database
            answer.streaming_content = [answer.getvalue()]
        transaction.set_rollback(True)
    return answer


def _line(case: Case, world: World) -> Line:
    answer = _sent(case, world)
    path = case.operation.partition(" ")[2]
    modelled = hand.is_modelled(path)
    replaced = _Replaced(world)
    headers: dict[str, Any] = {}
    for name in (*HEADERS, *LIMITS):
        value = answer.headers.get(name)
        if name == "ETag" and value:
            value = "<etag>"
        if name in ("Retry-After", "x-ratelimit-reset") and value:
            value = "<seconds>"
        if value != USUAL.get(name):
            headers[name] = value if value is None else replaced.text(value)
    body = _body(answer, path)
    return {
        "operation": case.operation,
        "variant": case.variant,
        "modelled": modelled,
        "status": answer.status_code,
        **({"headers": headers} if headers else {}),
        "body": replaced.value(body if modelled else _without_sentences(body)),
    }


def _body(answer: Any, path: str) -> Any:
    kind = answer.headers.get("Content-Type", "")
    if answer.status_code == 200 and ("openapi" in kind or path in ("/api/docs/json", "/api/schema", "/api/docs")):
        return "<recorded elsewhere>"
    content = answer.getvalue().decode()
    if kind.startswith("application/json"):
        return json.loads(content)
    if kind.startswith("text/csv"):
        return list(csv.DictReader(io.StringIO(content)))
    return content


def _without_sentences(body: Any) -> Any:
    if isinstance(body, list):
        return [_without_sentences(each) for each in body]
    if not isinstance(body, dict):
        return body
    return {
        key: TEXT
        if key in ("message", "reason", "errorMessage") and isinstance(value, str)
        else _without_sentences(value)
        for key, value in body.items()
    }


class _Replaced:
    """One line's placeholders: an id that is not known by a name has a number, the same for the same id."""

    def __init__(self, world: World) -> None:
        self.known = world.known
        self.shapeless = world.shapeless
        self.ids: dict[str, str] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {
                self.text(key): "<random>" if key in _PLAIN and each else self.number(key, self.value(value[key]))
                for key, each in sorted(value.items())
            }
        return self.text(value) if isinstance(value, str) else value

    def number(self, key: str, value: Any) -> Any:
        """A number that the database counts; and for how long a token, some seconds old, is still good."""
        if key == "id" and str(value).isdecimal():
            return "<number>"
        if key == "expiresIn" and isinstance(value, int):
            return -(-value // 3600) * 3600
        return value

    def text(self, text: str) -> str:
        for known, name in self.shapeless:
            text = text.replace(known, name)
        text = _ID.sub(self.id, text)
        text = _LONG.sub(lambda found: f"<{found[1]} * {len(found[0])}>", text)
        for pattern, name in _PATTERNS:
            text = pattern.sub(name, text)
        return text

    def id(self, found: re.Match[str]) -> str:
        text = found[0]
        if text == hand.NOWHERE:
            return text
        return self.known.get(text) or self.ids.setdefault(text, f"<id:{len(self.ids) + 1}>")
