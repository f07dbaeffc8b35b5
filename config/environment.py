"""Every environment variable, declared once: `config.settings` reads them here, the operating page lists them.

Nothing else reads `os.environ`; a test holds that. (`manage.py`, `config.asgi` and `config.wsgi` only say there which
settings module Django loads, because Django takes that from nowhere else.) A variable that is set to nothing counts as
not set. Text is taken as it is: django-environ would take a value that begins with `$` for another variable's name.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


def _object(text: str) -> dict[str, Any]:
    """Raises ValueError where it is no JSON object."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _items(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _database(text: str) -> dict[str, Any]:
    """Raises ValueError where Django has no such database: django-environ takes any scheme."""
    found: dict[str, Any] = environ.Env.db_url_config(text)
    if not found.get("ENGINE", "").startswith("django.db.backends."):
        raise ValueError("not a database of Django")
    return found


def _flag(text: str) -> bool:
    return bool(environ.Env.parse_value(text, bool))


class Kind(enum.Enum):
    """How a text is read. The value is what people call it, then the function; that raises ValueError."""

    TEXT = ("text", str)
    PATH = ("path", str)
    NUMBER = ("whole number", int)
    SECONDS = ("seconds", float)
    FLAG = ("true or false", _flag)
    LIST = ("list, with commas", _items)
    OBJECT = ("JSON object", _object)
    DATABASE = ("URL of a database", _database)
    EMAIL = ("URL of a mail server", environ.Env.email_url_config)

    @property
    def label(self) -> str:
        return str(self.value[0])

    def read(self, text: str) -> Any:
        parse: Callable[[str], Any] = self.value[1]
        return parse(text)


@dataclass(frozen=True, slots=True)
class Variable:
    """`meaning` and `shown` are Markdown; `shown` is the default in words where the value itself would not say it."""

    name: str
    kind: Kind
    default: Any
    meaning: str
    shown: str = ""

    @property
    def default_in_words(self) -> str:
        if self.shown:
            return self.shown
        if self.default in (None, "", [], {}):
            return "none"
        if isinstance(self.default, list):
            return f"`{','.join(self.default)}`"
        return f"`{str(self.default).lower() if isinstance(self.default, bool) else self.default}`"


VARIABLES: Mapping[str, tuple[Variable, ...]] = {
    "Data and keys": (
        Variable(
            "KEYFERRY_DATA_DIR",
            Kind.PATH,
            "data",
            "Directory of the SQLite database, the root keyset and the Django secret key.",
            "`./data`",
        ),
        Variable(
            "DATABASE_URL",
            Kind.DATABASE,
            None,
            "The database, such as `postgresql://user:password@db.example.com/keyferry` (extra `postgres`).",
            "SQLite in the data directory",
        ),
        Variable(
            "KEYFERRY_KEYSET_FILE",
            Kind.PATH,
            None,
            "The root keyset. Back it up apart from the database: without it no secret can be decrypted.",
            "`keyset.json` in the data directory",
        ),
        Variable(
            "SECRET_KEY",
            Kind.TEXT,
            "",
            "Signs sessions and access tokens. Every machine of one installation needs the same.",
            "generated once, in the data directory",
        ),
        Variable("KEYFERRY_RUN_RETENTION_DAYS", Kind.NUMBER, 90, "How many days the history of ended runs is kept."),
    ),
    "Web server": (
        Variable(
            "KEYFERRY_PUBLIC_URL",
            Kind.TEXT,
            "",
            "The address that people use, such as `https://keyferry.example.com`. With `https://`, cookies are sent "
            "over TLS only and `X-Forwarded-Proto` of the proxy is believed. Links in notifications begin with it.",
        ),
        Variable(
            "ALLOWED_HOSTS",
            Kind.LIST,
            ["localhost", "127.0.0.1", "[::1]"],
            "Host names that requests may be addressed to. The host of `KEYFERRY_PUBLIC_URL` is always one.",
        ),
        Variable(
            "KEYFERRY_TRUSTED_PROXIES",
            Kind.LIST,
            [],
            "Addresses or ranges of proxies whose `X-Forwarded-For` is believed.",
        ),
        Variable("DJANGO_DEBUG", Kind.FLAG, False, "Django's pages for developers. Never in production."),
    ),
    "Task queue and runs": (
        Variable(
            "KEYFERRY_BROKER_URL",
            Kind.TEXT,
            "",
            "Redis for the task queue, such as `redis://redis.example.com:6379/0` (extra `redis`).",
            "the database",
        ),
        Variable(
            "KEYFERRY_WORKERS",
            Kind.NUMBER,
            2,
            "How many task workers `up` starts on this machine; `--workers` overrides it.",
        ),
        Variable(
            "KEYFERRY_LEASE_SECONDS",
            Kind.SECONDS,
            15.0,
            "How long a run leases its location. A lease is renewed while the run works; after a worker died, another "
            "takes over when it has ended.",
            "`15`",
        ),
        Variable(
            "KEYFERRY_REQUEST_DEADLINE",
            Kind.SECONDS,
            10.0,
            "How long one request to a vendor may take in all. Must be less than `KEYFERRY_LEASE_SECONDS`.",
            "`10`",
        ),
    ),
    "Vendors": (
        Variable(
            "KEYFERRY_BASE_URLS",
            Kind.OBJECT,
            {},
            'Addresses to call instead of the vendors\' own, by provider: `{"humanitec": "http://127.0.0.1:9100"}`. '
            "They are the operator's, so they may be private.",
            "`{}`",
        ),
        Variable(
            "KEYFERRY_ALLOWED_PRIVATE_CIDRS",
            Kind.LIST,
            [],
            "Address ranges besides public ones that addresses given by users may lead to, such as `10.1.0.0/16`.",
        ),
        Variable(
            "KEYFERRY_AWS_ROLES",
            Kind.LIST,
            [],
            "ARNs, with `*` as a wildcard, of the roles that connections may assume with this server's own AWS "
            "identity. That identity is found as by every AWS SDK: environment, profile or the machine's role.",
        ),
        Variable(
            "KEYFERRY_GCP_SERVICE_ACCOUNT_FILE",
            Kind.PATH,
            "",
            "Key file of a service account that impersonates others for connections without a key of their own.",
        ),
        Variable(
            "KEYFERRY_GCP_IMPERSONATED",
            Kind.LIST,
            [],
            "E-mails of the accounts that it may impersonate. Whoever may create connections can use them.",
        ),
    ),
    "Rate limits": (
        Variable(
            "KEYFERRY_LOGIN_RATE_LIMIT",
            Kind.NUMBER,
            60,
            "Logins of machine identities a minute from one address; 0 is no limit.",
        ),
        Variable(
            "KEYFERRY_RATE_LIMIT", Kind.NUMBER, 0, "API requests a minute of one person or identity; 0 is no limit."
        ),
        Variable(
            "KEYFERRY_ADDRESS_RATE_LIMIT", Kind.NUMBER, 0, "API requests a minute from one address; 0 is no limit."
        ),
    ),
    "E-mail": (
        Variable(
            "EMAIL_URL",
            Kind.EMAIL,
            None,
            "The mail server, such as `smtp+tls://user:password@mail.example.com:587`; instead of the six below.",
        ),
        Variable("EMAIL_HOST", Kind.TEXT, "", "Host of the mail server."),
        Variable("EMAIL_PORT", Kind.NUMBER, 25, "Its port."),
        Variable("EMAIL_HOST_USER", Kind.TEXT, "", "User to sign in with."),
        Variable("EMAIL_HOST_PASSWORD", Kind.TEXT, "", "Password to sign in with."),
        Variable("EMAIL_USE_TLS", Kind.FLAG, False, "STARTTLS."),
        Variable("EMAIL_USE_SSL", Kind.FLAG, False, "TLS from the first byte."),
        Variable("DEFAULT_FROM_EMAIL", Kind.TEXT, "keyferry@localhost", "Sender of what Keyferry mails."),
    ),
    "First start": (
        Variable(
            "DJANGO_SUPERUSER_USERNAME", Kind.TEXT, "admin", "User name of the account that the first `up` creates."
        ),
        Variable("DJANGO_SUPERUSER_PASSWORD", Kind.TEXT, "", "Its password.", "generated, and printed once"),
        Variable("DJANGO_SUPERUSER_EMAIL", Kind.TEXT, "", "Its e-mail address."),
    ),
    "Commands": (
        Variable(
            "INFISICAL_CLIENT_SECRET",
            Kind.TEXT,
            "",
            "Client secret for `import_infisical`, where `--client-secret` would show it in the list of processes.",
        ),
    ),
}
"""By the heading that the operating page lists them under."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Reads declared variables out of `given`."""

    given: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def __call__(self, name: str) -> Any:
        """The value, or the declared default. Raises ImproperlyConfigured without the text, which may be a secret."""
        variable = DECLARED[name]
        text = self.given.get(name, "")
        if not text:
            return copy(variable.default)
        try:
            return variable.kind.read(text)
        except (ValueError, ImproperlyConfigured):
            raise ImproperlyConfigured(f"The environment variable {name} is not a {variable.kind.label}.") from None


DECLARED: Mapping[str, Variable] = {each.name: each for group in VARIABLES.values() for each in group}


def inherited(**changes: str) -> dict[str, str]:
    """The environment of a child process: this one's, with changes."""
    return {**os.environ, **changes}
