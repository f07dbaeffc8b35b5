"""One request of the recording."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ROOT = "root"


@dataclass(frozen=True)
class Case:
    """One request. `text`: the body as it is sent, where it is not `body` as JSON."""

    operation: str
    variant: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    text: bytes | None = None
    caller: str | None = ROOT
    headers: Mapping[str, str] = field(default_factory=dict)
    slash: bool = False
    times: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]

    def address(self) -> str:
        template = self.operation.partition(" ")[2]
        return re.sub(r"\{(\w+)\}", lambda found: self.path[found[1]], template) + "/" * self.slash
