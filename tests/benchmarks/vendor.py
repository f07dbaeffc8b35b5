"""The stand-in for Humanitec as a process of its own, so that its work does not share our interpreter's lock.

`GET /_asked` answers with every request so far as [seconds since the epoch, method, path], `POST /_forget` empties that
list, `GET /_value?app&key` answers with a stored value.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connections.sandbox import HumanitecSandbox


class Vendor(HumanitecSandbox):
    """Counts and times what it is asked."""

    def __init__(self, port: int, latency: float) -> None:
        super().__init__(port, latency=latency)
        self.log: list[tuple[float, str, str]] = []

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        split = urlsplit(path)
        none: dict[str, str] = {}
        if split.path == "/_asked":
            return self._shaped(200, self.log, none)
        if split.path == "/_forget":
            self.log = []
            return self._shaped(200, {}, none)
        if split.path == "/_value":
            query = parse_qs(split.query)
            held = self.values.get(("acme", query["app"][0], ""), {})
            return self._shaped(200, {"value": held.get(query["key"][0], {}).get("value")}, none)
        self.log.append((time.time(), method, path))
        return super().answer(method, path, body)

    def _shaped(self, status: int, content: object, headers: dict[str, str]) -> Any:
        """As the sandbox's own answers are, whatever they carry besides."""
        shape = super().answer("GET", "/orgs", {})
        return (status, content) if len(shape) == 2 else (status, content, headers)


if __name__ == "__main__":
    with Vendor(int(sys.argv[1]), float(sys.argv[2])) as vendor:
        print(vendor.url, flush=True)
        threading.Event().wait()
