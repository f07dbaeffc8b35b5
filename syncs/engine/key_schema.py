"""How a secret's key is named at the destination, and which names at the destination follow the schema.

The text is validated before it is rendered: Handlebars accepts an unclosed tag silently (every key then becomes the
same string) and HTML-escapes what it renders (`A&B`), so the variables are rendered unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pybars import Compiler

MAX_LENGTH = 255
PLACEHOLDER = "{{secretKey}}"
ENVIRONMENT = "{{environment}}"
ALLOWED = re.compile(r"(?:[A-Za-z0-9_/-]|\{\{secretKey\}\}|\{\{environment\}\})*", re.ASCII)


_PART = r"(?:[A-Za-z0-9_/-]|\{\{environment\}\})*"
PATTERN = rf"(?:{_PART}\{{\{{secretKey\}}\}}{_PART})?"
"""A key schema as a regular expression, for descriptions of the API."""


class KeySchemaError(ValueError):
    """The text is not a key schema; the message is the modelled API's."""

    def __init__(self) -> None:
        super().__init__(
            "Key schema must include exactly one {{secretKey}} placeholder. It can also include {{environment}} "
            "placeholders. Only alphanumeric characters (a-z, A-Z, 0-9), dashes (-), underscores (_), and slashes (/) "
            "are allowed besides the placeholders."
        )


@lru_cache(maxsize=256)
def _compile(text: str) -> Callable[[Mapping[str, str]], str]:
    unescaped = text.replace(PLACEHOLDER, "{{{secretKey}}}").replace(ENVIRONMENT, "{{{environment}}}")
    template: Callable[[Mapping[str, str]], object] = Compiler().compile(unescaped)
    return lambda context: str(template(context))


@dataclass(frozen=True, slots=True)
class KeySchema:
    """A validated schema; "" renames nothing and matches everything."""

    text: str = ""

    @classmethod
    def parse(cls, text: str | None) -> KeySchema:
        """Raises KeySchemaError. Blank or None means "no schema"."""
        trimmed = (text or "").strip()
        if not trimmed:
            return cls()
        if len(trimmed) > MAX_LENGTH or not ALLOWED.fullmatch(trimmed) or trimmed.count(PLACEHOLDER) != 1:
            raise KeySchemaError
        return cls(trimmed)

    def render(self, key: str, environment: str) -> str:
        """The name of `key` at the destination; `environment` is the environment's slug."""
        if not self.text:
            return key
        return _compile(self.text)({"secretKey": key, "environment": environment})

    def match(self, name: str, environment: str, normalize_key: Callable[[str], str] = str) -> bool:
        """Whether a name at the destination could have come from this schema; `normalize_key` is the vendor's."""
        if not self.text:
            return True
        prefix, suffix = map(normalize_key, self._ends(environment))
        name = normalize_key(name)
        if len(name) < len(prefix) + len(suffix) or not (name.startswith(prefix) and name.endswith(suffix)):
            return False
        return "/" not in self.text or "/" not in name[len(prefix) : len(name) - len(suffix)]

    def strip(self, name: str, environment: str) -> str:
        """The secret's key for a name at the destination; a name that does not match is returned as it is."""
        if not self.text or not self.match(name, environment):
            return name
        prefix, suffix = self._ends(environment)
        return name[len(prefix) : len(name) - len(suffix)]

    def _ends(self, environment: str) -> tuple[str, str]:
        prefix, _, suffix = self.text.partition(PLACEHOLDER)
        return prefix.replace(ENVIRONMENT, environment), suffix.replace(ENVIRONMENT, environment)
