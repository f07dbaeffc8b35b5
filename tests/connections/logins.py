"""Credentials in the form in which providers receive them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connections.provider import Provider


def login(provider: Provider | type[Provider], method: str, data: Mapping[str, str]) -> Any:
    """The credentials of what a connection stores."""
    return provider.methods[method].restored(data)
