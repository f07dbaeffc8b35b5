"""GitHub's secrets of an organization, a repository or an environment of one; write-only, sealed for GitHub.

Surprising facts: names are stored in upper case. Create and update are one request, so a read goes before each.
The response to a write does not have the new times: a read after it has.
Each write of an organization secret sends its visibility, and a list does not have the selected repositories.
Requests: 500 secrets with one changed take 5 for the list, one for the public key, the write, and a read before and
after it; with the visibility `selected` one more for each secret that is synced.
Source: https://docs.github.com/en/rest/actions/secrets
"""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from nacl.public import PublicKey, SealedBox
from pydantic import BeforeValidator, Field

from connections.errors import IntegrationError, NotFound, Rejected
from connections.http.client import quote
from connections.http.responses import Number, Response, Text
from connections.providers._github_credentials import RIGHTS
from connections.providers.github import paged
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.reading import read_each
from syncs.destination.upsert import UpsertDestination
from syncs.engine.types import Action, Remote, Write

from ._github_targets import TARGETS, OfOrganization, OfRepository, max_keys, unseen


class Secret(Response):
    name: Text
    created_at: Text
    updated_at: Text
    visibility: str = ""


class SealingKey(Response):
    """The public key that values are encrypted for."""

    key_id: Number
    key: Annotated[
        bytes, BeforeValidator(lambda text: base64.b64decode(text, validate=True)), Field(min_length=32, max_length=32)
    ]

    def seal(self, value: str) -> dict[str, Any]:
        sealed = SealedBox(PublicKey(self.key)).encrypt(value.encode())
        return {"encrypted_value": base64.b64encode(sealed).decode(), "key_id": self.key_id}


class Reached(Response):
    id: int


class GitHub(UpsertDestination):
    slug = "github"
    label = "GitHub"
    Config = TARGETS
    Item = Secret
    config: OfOrganization | OfRepository
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
            " change by others within the second of a write is not detected as drift. With the visibility selected, the"
            " repositories of each synced secret are read in every run, one request each. A workflow sees the first 100"
            " secrets of an organization, by name. GitHub documents neither number nor size of Dependabot secrets; a"
            " value of more than 48 KB is refused here as for the other stores. GitHub Enterprise Server has no"
            " Codespaces."
        ),
        rights=RIGHTS,
        verified=(
            Verified(date(2026, 11, 25), "the vendor's OpenAPI description (@octokit/openapi 23.0.2)"),
            Verified(date(2026, 11, 25), "a stand-in that decrypts the values", "not GitHub itself"),
        ),
        docs_url="https://docs.github.com/en/rest/actions/secrets",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._key: SealingKey | None = None
        self._key_lock = threading.Lock()

    @classmethod
    def limits(cls, config: Any) -> Capabilities:
        return replace(cls.capabilities, max_keys=max_keys(config))

    def write_fingerprint(self) -> str:
        """Each write of an organization's secret sends its visibility."""
        if not isinstance(self.config, OfOrganization):
            return ""
        return " ".join([self.config.visibility, *map(str, self._selected())])

    def normalize_key(self, key: str) -> str:
        return key.upper()

    def requests(self, writes: Mapping[Action, int]) -> int:
        """With the public key, once."""
        sealed = writes.get(Action.CREATE, 0) + writes.get(Action.UPDATE, 0)
        return super().requests(writes) + (1 if sealed else 0)

    def items(self) -> Iterable[Secret]:
        try:
            return paged(self.client, self.config.path(), Secret, "secrets")
        except NotFound as error:
            raise NotFound(f"{error}{unseen(self.client, self.config)}") from None

    def remote(self, item: Secret) -> Remote:
        return Remote(item.name, object_id=item.created_at, etag=f"{item.updated_at}|{item.visibility}")

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """With the repositories that see them, which the list leaves out, in the etag if others have changed them.

        One after another, as GitHub asks for: in parallel they would reach its limit of 900 a minute.
        """
        if not self._selected():
            return remotes
        return read_each(self._with_selection, remotes, concurrency=1)

    def _with_selection(self, remote: Remote) -> Remote | None:
        """None if it was deleted since the list. One that has another visibility has changed anyway."""
        if not remote.etag or not remote.etag.endswith("|selected"):
            return remote
        path = f"{self._secret(remote.key)}/repositories"
        try:
            found = {each.id for each in paged(self.client, path, Reached, "repositories")}
        except NotFound:
            return None
        if found == set(self._selected()):
            return remote
        return replace(remote, etag=f"{remote.etag}|{','.join(map(str, sorted(found)))}")

    def look(self, key: str) -> Secret:
        return self.client.get(self._secret(key), Secret)

    def put(self, write: Write) -> None:
        """If the value is rejected because GitHub has replaced the public key, send it once more with the new key."""
        key = self._sealing_key()
        try:
            self._send(write, key)
        except Rejected:
            fresh = key
            with contextlib.suppress(IntegrationError):  # the refusal is what happened
                fresh = self._sealing_key(stale=key)
            if fresh.key_id == key.key_id:
                raise
            self._send(write, fresh)

    def remove(self, write: Write) -> None:
        self.client.request("DELETE", self._secret(write.key))

    def _send(self, write: Write, key: SealingKey) -> None:
        body = key.seal(write.value)
        if isinstance(self.config, OfOrganization):
            body["visibility"] = self.config.visibility
            if selected := self._selected():
                body["selected_repository_ids"] = selected
        self.client.request("PUT", self._secret(write.key), json=body)

    def _sealing_key(self, stale: SealingKey | None = None) -> SealingKey:
        """Requested once per run, and once more if it is `stale`."""
        with self._key_lock:
            if self._key is None or self._key is stale:
                self._key = self.client.get(f"{self.config.path()}/public-key", SealingKey)
            return self._key

    def _selected(self) -> list[int]:
        return sorted(getattr(self.config, "selectedRepositoryIds", None) or ())

    def _secret(self, key: str) -> str:
        return f"{self.config.path()}/{quote(self.normalize_key(key))}"
