"""Where secrets are: folders and keys below an environment. Pure."""

from __future__ import annotations

from typing import NamedTuple

Address = tuple[str, str]
"""Of a folder: environment slug and path."""


class SecretAddress(NamedTuple):
    """Of a secret: its folder's address and its key."""

    environment: str
    path: str
    key: str

    @property
    def folder(self) -> Address:
        return self.environment, self.path

    def __str__(self) -> str:
        """As people read it: `dev:/services API_KEY`."""
        return f"{folder_text(self.folder)} {self.key}"


def folder_text(folder: Address) -> str:
    """As people read it: `dev:/services`."""
    return f"{folder[0]}:{folder[1]}"


def child_path(path: str, name: str) -> str:
    """The path of a folder or key directly below a folder."""
    return f"{path.rstrip('/')}/{name}"


def is_below(path: str, ancestor: str) -> bool:
    """Whether a folder lies below another, at any depth."""
    return path != ancestor and path.startswith(child_path(ancestor, ""))


def is_within(path: str, root: str) -> bool:
    """Whether a folder is another, or lies below it."""
    return path == root or is_below(path, root)
