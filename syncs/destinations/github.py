"""GitHub Actions secrets of an organization, a repository or an environment of one; write-only, sealed for GitHub.

Surprising facts: names are stored in upper case. Create and update are one request, so a read goes before each.
The response to a write does not have the new times: a read after it has.
Each write of an organization secret sends its visibility, and a list does not have the selected repositories.
Requests: 500 secrets with one changed take 5 for the list, one for the public key, the write, and a read before and
after it.
Source: https://docs.github.com/en/rest/actions/secrets
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from nacl.exceptions import CryptoError
from nacl.public import PublicKey, SealedBox
from pydantic import model_validator

from config.errors import BadRequest
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Items, Text, Whole
from config.schemas.unions import OneOf
from connections.errors import BadResponse, Conflict, IntegrationError, NotFound, Rejected
from connections.http.client import quote
from connections.providers._github_credentials import RIGHTS
from connections.providers.github import paged
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.engine.types import Action, Remote, Write, Written

SCOPE = About(help="The GitHub scope that secrets should be synced to.", location=True)
Owner = Annotated[
    str,
    Text(
        "Owner",
        "The account that the repository belongs to.",
        location=True,
        ignores_case=True,
        max_length=100,
        empty_message="Repository owner required",
    ),
]
Repo = Annotated[
    str,
    Text(
        "Repository",
        "The name of the repository.",
        location=True,
        ignores_case=True,
        max_length=100,
        empty_message="Repository name required",
    ),
]
ORGANIZATION_KEYS, REPOSITORY_KEYS = 1000, 100


class Organization(Model):
    """Repositories are listed with the visibility `selected`, and only then."""

    scope: Annotated[Literal["organization"], SCOPE]
    org: Annotated[
        str,
        Text(
            "Organization",
            "The name of the organization.",
            location=True,
            ignores_case=True,
            max_length=100,
            example="acme",
        ),
    ]
    visibility: Annotated[
        str,
        Text("Visibility", "Which of its repositories see the secrets.", choices=("all", "private", "selected")),
    ]
    selectedRepositoryIds: Annotated[
        list[Annotated[int, Whole(minimum=1, maximum=2**53 - 1)]] | None,
        Items("The numbers of the repositories that see them, with the visibility selected.", max_items=1000),
    ] = None

    @model_validator(mode="after")
    def _selected(self) -> Self:
        if self.visibility == "selected" and not self.selectedRepositoryIds:
            raise BadRequest('selectedRepositoryIds: with the visibility "selected", name at least one repository')
        if self.visibility != "selected" and self.selectedRepositoryIds:
            raise BadRequest('selectedRepositoryIds: leave it out unless the visibility is "selected"')
        return self

    def stored(self) -> dict[str, Any]:
        """Without an empty list: it means the same as none."""
        return {name: value for name, value in super().stored().items() if value != []}


class Repository(Model):
    scope: Annotated[Literal["repository"], SCOPE]
    owner: Owner
    repo: Repo


class RepositoryEnvironment(Model):
    scope: Annotated[Literal["repository-environment"], SCOPE]
    owner: Owner
    repo: Repo
    env: Annotated[
        str,
        Text(
            "Environment",
            "The name of the repository's environment, which exists.",
            location=True,
            ignores_case=True,
            max_length=255,
            example="development",
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Key:
    """The public key that values are encrypted with."""

    id: str
    public: PublicKey


class GitHub(KeyValueDestination):
    slug = "github"
    label = "GitHub"
    Config = OneOf("scope", Organization, Repository, RepositoryEnvironment)
    config: Organization | Repository | RepositoryEnvironment
    capabilities = Capabilities(
        holds_comments=False,
        key_pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        key_rule="letters, digits and underscores, but no digit first,",
        reserved=("GITHUB_*",),
        max_value_bytes=48 * 1024,
        pace=1.0,
        concurrency=4,
        concurrency_limit=100,
        note=(
            "Names are stored in upper case. GitHub has one request for create and update: a read goes before each, and"
            " a key that others create or delete between the two is overwritten or created. Times have seconds only: a"
            " change by others within the second of a write is not detected as drift. A workflow sees the first 100"
            " secrets of an organization, by name."
        ),
        rights=RIGHTS,
        verified=(
            "November 2026, against the vendor's OpenAPI description (@octokit/openapi 23.0.2), its documentation and a"
            " stand-in that decrypts the values; not against GitHub itself."
        ),
        docs_url="https://docs.github.com/en/rest/actions/secrets",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key: _Key | None = None
        self._key_lock = threading.Lock()

    @classmethod
    def limits(cls, config: Model) -> Capabilities:
        """Source: https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets"""
        keys = ORGANIZATION_KEYS if isinstance(config, Organization) else REPOSITORY_KEYS
        return replace(cls.capabilities, max_keys=keys)

    def write_fingerprint(self) -> str:
        """Each write of an organization secret sends its visibility."""
        if not isinstance(self.config, Organization):
            return ""
        selected = sorted(self.config.selectedRepositoryIds or ())
        return " ".join([self.config.visibility, *map(str, selected)])

    def normalize_key(self, key: str) -> str:
        return key.upper()

    def requests(self, writes: Mapping[Action, int]) -> int:
        """The public key once, and each write with the reads around it; the pace is that of writes alone."""
        per_key = {Action.CREATE: 3, Action.UPDATE: 3, Action.DELETE: 1}
        sealed = writes.get(Action.CREATE, 0) + writes.get(Action.UPDATE, 0)
        return sum(number * per_key[action] for action, number in writes.items()) + (1 if sealed else 0)

    def fetch(self) -> Iterable[Remote]:
        path = self._secrets()
        return [self._remote(each, path) for each in paged(self.client, path, "secrets")]

    def create(self, write: Write) -> Written:
        """Reads first: the write itself would overwrite a secret that was created after the list."""
        with contextlib.suppress(NotFound):
            self.client.request("GET", self._secret(write))
            raise Conflict(f"GitHub: {self.normalize_key(write.key)} was created after the list")
        self._put(write)
        return self._look(write)

    def update(self, write: Write) -> Written:
        """Reads first: the write itself would create a secret that was deleted after the list."""
        self.client.request("GET", self._secret(write))
        self._put(write)
        return self._look(write)

    def delete(self, write: Write) -> None:
        self.client.request("DELETE", self._secret(write))

    def _put(self, write: Write) -> None:
        """If the value is rejected because GitHub has replaced the public key, send it once more with the new key."""
        key = self._sealing_key()
        try:
            self._send(write, key)
        except Rejected:
            fresh = self._sealing_key(stale=key)
            if fresh.id == key.id:
                raise
            self._send(write, fresh)

    def _send(self, write: Write, key: _Key) -> None:
        sealed = base64.b64encode(SealedBox(key.public).encrypt(write.value.encode())).decode()
        body: dict[str, Any] = {"encrypted_value": sealed, "key_id": key.id}
        if isinstance(self.config, Organization):
            body["visibility"] = self.config.visibility
            if selected := self.config.selectedRepositoryIds:
                body["selected_repository_ids"] = selected
        self.client.request("PUT", self._secret(write), json=body)

    def _look(self, write: Write) -> Written:
        """The current object. The write is done: if this read fails, the next list has it."""
        path = self._secret(write)
        try:
            seen = self._remote(self.client.request("GET", path), path)
        except IntegrationError:
            return Written()
        return Written(seen.object_id, seen.etag)

    def _sealing_key(self, stale: _Key | None = None) -> _Key:
        """Requested once per run, and once more if it is `stale`."""
        with self._key_lock:
            if self._key is None or self._key is stale:
                path = f"{self._secrets()}/public-key"
                given = self.client.request("GET", path)
                try:
                    self._key = _Key(str(given["key_id"]), PublicKey(base64.b64decode(given["key"], validate=True)))
                except (KeyError, TypeError, ValueError, binascii.Error, CryptoError):
                    raise BadResponse(f"GitHub: GET {path}: unexpected response: no key to seal with") from None
            return self._key

    def _secrets(self) -> str:
        if isinstance(self.config, Organization):
            return f"/orgs/{quote(self.config.org)}/actions/secrets"
        repository = f"/repos/{quote(self.config.owner)}/{quote(self.config.repo)}"
        if isinstance(self.config, RepositoryEnvironment):
            return f"{repository}/environments/{quote(self.config.env)}/secrets"
        return f"{repository}/actions/secrets"

    def _secret(self, write: Write) -> str:
        return f"{self._secrets()}/{quote(self.normalize_key(write.key))}"

    def _remote(self, secret: Any, path: str) -> Remote:
        try:
            name, created, updated = (_text(secret[part]) for part in ("name", "created_at", "updated_at"))
        except (KeyError, TypeError):
            raise BadResponse(f"GitHub: GET {path}: unexpected response: a secret lacks a required member") from None
        return Remote(key=name, object_id=created, etag=f"{updated}|{secret.get('visibility', '')}")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
