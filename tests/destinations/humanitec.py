"""Test data of Humanitec. The stand-in is the product's own sandbox, which cites the vendor's pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from connections.sandbox import Drop, HumanitecSandbox

from .fake import Fake


class Humanitec(Fake):
    method = "api-token"
    credentials = {"apiToken": "contract-token"}
    configs = {
        "application": {"scope": "application", "org": "acme", "app": "shop"},
        "environment": {"scope": "environment", "org": "acme", "app": "shop", "env": "development"},
    }
    bad_key = "BAD KEY"

    @contextmanager
    def running(self) -> Iterator[str]:
        with HumanitecSandbox(token=self.credentials["apiToken"]) as self.sandbox:
            yield self.sandbox.url

    def _scope(self, config: Mapping[str, str]) -> tuple[str, str, str]:
        return config["org"], config["app"], config.get("env", "")

    def held(self, config: Mapping[str, str]) -> dict[str, str]:
        return {key: value["value"] for key, value in self.sandbox.values.get(self._scope(config), {}).items()}

    def put(self, config: Mapping[str, str], key: str, value: str) -> None:
        self.sandbox.put(self._scope(config), key, value)

    def drop(self, config: Mapping[str, str], key: str) -> None:
        del self.sandbox.values[self._scope(config)][key]

    def asked(self) -> list[tuple[str, str]]:
        found, self.sandbox.asked = self.sandbox.asked, []
        return found

    def fail(self, method: str | None, status: int = 500, body: Any = None) -> None:
        said = {"message": "no"} if body is None else body
        self.sandbox.fault = (lambda asked, path: (status, said) if asked == method else None) if method else None

    def lose(self, lost: bool) -> None:
        self.sandbox.late_fault = self._lost if lost else None

    def _lost(self, method: str, path: str) -> None:
        if method != "GET":
            raise Drop
