"""Test data of Humanitec. The stand-in is the product's own sandbox, which cites the vendor's pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connections.sandbox import Drop, HumanitecSandbox

from .fake import Exchange, Fake


class _Recorded(HumanitecSandbox):
    """The sandbox, with every request and response as the description is asked about it."""

    def __init__(self, token: str) -> None:
        super().__init__(token=token)
        self.recorded: list[Exchange] = []

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, object, dict[str, str]]:
        is_fault = self.fault is not None and self.fault(method, path) is not None
        status, response, headers = super().answer(method, path, body)
        split = urlsplit(path)
        query, sent = dict(parse_qsl(split.query)), body or None
        self.recorded.append(Exchange(method, split.path, query, sent, None if is_fault else status, response))
        return status, response, headers


class Humanitec(Fake):
    description = "humanitec-openapi.yml"
    method = "api-token"
    credentials = {"apiToken": "contract-token"}
    configs = {
        "application": {"scope": "application", "org": "acme", "app": "shop"},
        "environment": {"scope": "environment", "org": "acme", "app": "shop", "env": "development"},
    }
    bad_key = "BAD KEY"

    def picked(self, config: Mapping[str, Any]) -> list[str]:
        return [name for name in ("org", "app", "env") if name in config]

    @contextmanager
    def running(self) -> Iterator[str]:
        with _Recorded(self.credentials["apiToken"]) as self.sandbox:
            yield self.sandbox.url

    def exchanged(self) -> Sequence[Exchange]:
        return self.sandbox.recorded

    def _scope(self, config: Mapping[str, str]) -> tuple[str, str, str]:
        return config["org"], config["app"], config.get("env", "")

    def held(self, config: Mapping[str, str]) -> dict[str, str]:
        return {key: value["value"] for key, value in self.sandbox.values.get(self._scope(config), {}).items()}

    def put(self, config: Mapping[str, str], key: str, value: str) -> None:
        self.sandbox.put(self._scope(config), key, value)

    def drop(self, config: Mapping[str, str], key: str) -> None:
        del self.sandbox.values[self._scope(config)][key]

    def history(self, config: Mapping[str, str], key: str) -> set[str]:
        changes = self.sandbox.history.get(self._scope(config), [])
        return {one["value"]["value"] for one in changes if one["key"] == key and one["value"] and not one["purged"]}

    def asked(self) -> list[tuple[str, str]]:
        found, self.sandbox.asked = self.sandbox.asked, []
        return found

    def fail(self, method: str | None, status: int = 500, body: Any = None) -> None:
        response = {"message": "no"} if body is None else body
        self.sandbox.fault = (lambda asked, path: (status, response) if asked == method else None) if method else None

    def lose(self, lost: bool) -> None:
        self.sandbox.late_fault = self._lost if lost else None

    def _lost(self, method: str, path: str) -> None:
        if method != "GET":
            raise Drop
