"""All environment variables, declared once: `config.settings` reads them, and the operating page lists them.

Nothing else reads `os.environ`, which a test checks. (`manage.py`, `config.asgi` and `config.wsgi` set the settings
module in it, because Django reads it from there.) A variable with an empty value counts as not set. Text is used as is:
django-environ would read a value that begins with `$` as the name of another variable.
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
    """Raises ValueError for anything but a JSON object."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _items(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _database(text: str) -> dict[str, Any]:
    """Raises ValueError for databases that Django does not support: django-environ accepts any scheme."""
    found: dict[str, Any] = environ.Env.db_url_config(text)
    if not found.get("ENGINE", "").startswith("django.db.backends."):
        raise ValueError("not a database of Django")
    return found


def _flag(text: str) -> bool:
    return bool(environ.Env.parse_value(text, bool))


class Kind(enum.Enum):
    """How a text is parsed: a label, and a function that raises ValueError."""

    TEXT = ("text", str)
    PATH = ("path", str)
    NUMBER = ("whole number", int)
    SECONDS = ("seconds", float)
    FLAG = ("true or false", _flag)
    LIST = ("comma-separated list", _items)
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
    """`meaning` and `default_text` are Markdown; `default_text` describes the default if the value alone would not."""

    name: str
    kind: Kind
    default: Any
    meaning: str
    default_text: str = ""

    @property
    def described_default(self) -> str:
        if self.default_text:
            return self.default_text
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
            "over TLS only and `X-Forwarded-Proto` of the proxy is trusted. Links in notifications start with it.",
        ),
        Variable(
            "ALLOWED_HOSTS",
            Kind.LIST,
            ["localhost", "127.0.0.1", "[::1]"],
            "Allowed host names of requests. The host of `KEYFERRY_PUBLIC_URL` is always allowed.",
        ),
        Variable(
            "KEYFERRY_TRUSTED_PROXIES",
            Kind.LIST,
            [],
            "Addresses or ranges of proxies whose `X-Forwarded-For` is trusted.",
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
            "How long a run leases its location. The lease is renewed during the run; if a worker dies, another one "
            "takes over when the lease expires.",
            "`15`",
        ),
        Variable(
            "KEYFERRY_REQUEST_DEADLINE",
            Kind.SECONDS,
            10.0,
            "Total time limit of one request to a vendor. Must be less than `KEYFERRY_LEASE_SECONDS`.",
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
            "KEYFERRY_CA_FILE",
            Kind.PATH,
            "",
            "Certificates, in one PEM file, that are trusted for vendors and users' own servers, besides the usual "
            "ones.",
        ),
        Variable(
            "SSL_CERT_FILE",
            Kind.PATH,
            "",
            "Certificates, in one PEM file, that are trusted in place of the usual ones.",
            "those of certifi",
        ),
        Variable(
            "KEYFERRY_ALLOWED_PRIVATE_CIDRS",
            Kind.LIST,
            [],
            "Private address ranges that addresses entered by users may resolve to, such as `10.1.0.0/16`.",
        ),
        Variable(
            "KEYFERRY_AWS_ROLES",
            Kind.LIST,
            [],
            "ARNs, with `*` as a wildcard, of the roles that connections may assume with this server's own AWS "
            "identity. It is found as in every AWS SDK: environment, profile or the machine's role.",
        ),
        Variable(
            "KEYFERRY_AWS_WEB_IDENTITY_TOKEN_FILE",
            Kind.PATH,
            "",
            "File with the token that the platform issues to this server, such as that of a Kubernetes service "
            "account, for connections that sign in at AWS with it.",
            "`AWS_WEB_IDENTITY_TOKEN_FILE`",
        ),
        Variable(
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            Kind.PATH,
            "",
            "The same, as platforms set it by themselves: used if `KEYFERRY_AWS_WEB_IDENTITY_TOKEN_FILE` is not set.",
        ),
        Variable(
            "KEYFERRY_GITHUB_APP_FILE",
            Kind.PATH,
            "",
            "JSON file with `appId`, `clientId`, `clientSecret` and `privateKey` of a GitHub App, for connections that "
            "are created with the `code` of GitHub's redirect instead of an App of their own.",
        ),
        Variable(
            "KEYFERRY_GCP_SERVICE_ACCOUNT_FILE",
            Kind.PATH,
            "",
            "Key file of a service account, or configuration of workload identity federation, that impersonates others "
            "for connections without a login of their own.",
        ),
        Variable(
            "KEYFERRY_GCP_IMPERSONATED",
            Kind.LIST,
            [],
            "E-mail addresses of accounts that it may impersonate. Anyone who may create connections can use them.",
        ),
        Variable(
            "KEYFERRY_GCP_TOKEN_FILES",
            Kind.LIST,
            [],
            "Files with the token of a workload that connections with workload identity federation may use. Anyone who "
            "may create connections can use them.",
        ),
        Variable(
            "KEYFERRY_GCP_METADATA_SERVER",
            Kind.FLAG,
            False,
            "Whether connections may sign in as the service account of the machine that this server runs on, from "
            "Google's metadata server. It also impersonates others if no file is set. Anyone who may create "
            "connections can use it.",
        ),
    ),
    "Rate limits": (
        Variable(
            "KEYFERRY_LOGIN_RATE_LIMIT",
            Kind.NUMBER,
            60,
            "Logins of machine identities per minute and address; 0 means no limit.",
        ),
        Variable(
            "KEYFERRY_RATE_LIMIT", Kind.NUMBER, 0, "API requests per minute and person or identity; 0 means no limit."
        ),
        Variable(
            "KEYFERRY_ADDRESS_RATE_LIMIT", Kind.NUMBER, 0, "API requests per minute and address; 0 means no limit."
        ),
    ),
    "E-mail": (
        Variable(
            "EMAIL_URL",
            Kind.EMAIL,
            None,
            "The mail server, such as `smtp+tls://user:password@mail.example.com:587`; instead of the variables below.",
        ),
        Variable("EMAIL_HOST", Kind.TEXT, "", "Host of the mail server."),
        Variable("EMAIL_PORT", Kind.NUMBER, 25, "Its port."),
        Variable("EMAIL_HOST_USER", Kind.TEXT, "", "User to sign in with."),
        Variable("EMAIL_HOST_PASSWORD", Kind.TEXT, "", "Password to sign in with."),
        Variable("EMAIL_USE_TLS", Kind.FLAG, False, "STARTTLS."),
        Variable("EMAIL_USE_SSL", Kind.FLAG, False, "TLS from the first byte."),
        Variable("DEFAULT_FROM_EMAIL", Kind.TEXT, "keyferry@localhost", "Sender of e-mail from Keyferry."),
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
            "Client secret for `import_infisical`; `--client-secret` would show it in the process list.",
        ),
    ),
}
"""By heading of the operating page."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Reads declared variables from `variables`."""

    variables: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def __call__(self, name: str) -> Any:
        """The value or its default. Raises ImproperlyConfigured without the text, which may be a secret."""
        variable = DECLARED[name]
        text = self.variables.get(name, "")
        if not text:
            return copy(variable.default)
        try:
            return variable.kind.read(text)
        except (ValueError, ImproperlyConfigured):
            raise ImproperlyConfigured(f"The environment variable {name} is not a {variable.kind.label}.") from None


DECLARED: Mapping[str, Variable] = {each.name: each for group in VARIABLES.values() for each in group}


def inherited(**changes: str) -> dict[str, str]:
    """The environment of a child process: that of this process with changes."""
    return {**os.environ, **changes}
