"""GitHub's secrets of Actions, Dependabot or Codespaces; write-only, sealed for GitHub.

Surprising facts: names are stored in upper case. Create and update are one request, and its response does not have the
new times: a read goes before and after each. A list does not have the repositories that an organization's secrets are
for. 500 secrets with one changed take 5 requests for the list, one for the public key, the write and two reads; with
the visibility `selected` one more for each secret that is synced.
Sources: https://docs.github.com/en/rest/actions/secrets, https://docs.github.com/en/rest/dependabot/secrets,
https://docs.github.com/en/rest/codespaces/secrets, https://docs.github.com/en/rest/codespaces/organization-secrets
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Annotated, Any, Self

from nacl import public
from pydantic import AfterValidator, Base64Bytes, Field, model_validator

from config.errors import BadRequest
from config.schemas import About, Items, OneOf, Text
from config.schemas.types import Whole
from connections.errors import NotFound, Rejected
from connections.http.client import quote
from connections.http.responses import Number, Response
from connections.http.responses import Text as Filled
from connections.providers.github import RIGHTS, Numbered, paged
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.location import Target
from syncs.destination.reading import Shared, read_each
from syncs.destination.upsert import UpsertDestination
from syncs.engine.types import Remote, Write


def _name(label: str, help: str, max_length: int = 100, **more: Any) -> Text:
    return Text(label, help, location=True, ignores_case=True, max_length=max_length, **more)


class Scoped(Target):
    scope: Annotated[str, About(help="The GitHub scope that secrets should be synced to.", location=True)]


class Organization(Scoped):
    """Repositories are listed with the visibility `selected`, and only then."""

    parts = {"/orgs/{org}": "the organization {org}"}
    org: Annotated[str, _name("Organization", "The name of the organization.", example="acme")]
    visibility: Annotated[
        str,
        Text("Visibility", "Which of its repositories see the secrets.", choices=("all", "private", "selected")),
    ]
    selectedRepositoryIds: Annotated[
        list[Annotated[int, Whole(minimum=1, maximum=2**53 - 1)]] | None,
        Items("The numbers of the repositories that see them, with the visibility selected.", max_items=1000),
        AfterValidator(lambda ids: ids or None),
    ] = None

    @model_validator(mode="after")
    def _selected(self) -> Self:
        if self.visibility == "selected" and not self.selectedRepositoryIds:
            raise BadRequest('selectedRepositoryIds: with the visibility "selected", name at least one repository')
        if self.visibility != "selected" and self.selectedRepositoryIds:
            raise BadRequest('selectedRepositoryIds: leave it out unless the visibility is "selected"')
        return self


class Repository(Scoped):
    parts = {"/users/{owner}": "the owner {owner}", "/repos/{owner}/{repo}": "the repository {owner}/{repo}"}
    owner: Annotated[
        str, _name("Owner", "The account that the repository belongs to.", empty_message="Repository owner required")
    ]
    repo: Annotated[str, _name("Repository", "The name of the repository.", empty_message="Repository name required")]


class Environment(Repository):
    parts = {**Repository.parts, "/repos/{owner}/{repo}/environments/{env}": "its environment {env}"}
    env: Annotated[
        str, _name("Environment", "The name of the repository's environment, which exists.", 255, example="development")
    ]


# The target of each scope, the path below it, and the most secrets, which GitHub does not state for Dependabot. The
# modelled API has the first three. Sources: https://docs.github.com/en/actions/reference/security/secrets,
# https://docs.github.com/en/codespaces/managing-codespaces-for-your-organization/managing-development-environment-secrets-for-your-repository-or-organization
SCOPES: dict[str, tuple[type[Scoped], str, int | None]] = {
    "organization": (Organization, "/actions/secrets", 1000),
    "repository": (Repository, "/actions/secrets", 100),
    "repository-environment": (Environment, "/secrets", 100),
    "organization-dependabot": (Organization, "/dependabot/secrets", None),
    "repository-dependabot": (Repository, "/dependabot/secrets", None),
    "organization-codespaces": (Organization, "/codespaces/secrets", 100),
    "repository-codespaces": (Repository, "/codespaces/secrets", 100),
}


class Secret(Response):
    name: Filled
    created_at: Filled
    updated_at: Filled
    visibility: str = ""


class PublicKey(Response):
    key_id: Number
    key: Annotated[Base64Bytes, Field(min_length=32, max_length=32)]


class GitHub(UpsertDestination):
    slug = "github"
    label = "GitHub"
    Config = OneOf.of("scope", {scope: target for scope, (target, _, _) in SCOPES.items()})
    Item = Secret
    config: Scoped
    capabilities = Capabilities(
        holds_comments=False,
        key_pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        key_rule="letters, digits and underscores, but no digit first,",
        reserved=("GITHUB_*",),
        max_value_bytes=48 * 1024,
        pace=1.0,
        concurrency=4,
        concurrency_limit=100,
        note="Names are stored in upper case. GitHub has one request for create and update: a read goes before each,"
        " and a key that others create or delete between the two is overwritten or created. Times have seconds only: a"
        " change by others within the second of a write is not detected as drift. With the visibility selected, the"
        " repositories of each synced secret are read in every run, one request each. A workflow sees the first 100"
        " secrets of an organization, by name. GitHub documents neither number nor size of Dependabot secrets; a value"
        " of more than 48 KB is refused here as for the other stores. GitHub Enterprise Server has no Codespaces.",
        rights=RIGHTS,
        verified=(
            Verified(date(2026, 11, 25), "the vendor's OpenAPI description (@octokit/openapi 23.0.2)"),
            Verified(date(2026, 11, 25), "a stand-in that decrypts the values", "not GitHub itself"),
        ),
        docs_url="https://docs.github.com/en/rest/actions/secrets",
    )

    once = 1  # for the public key

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._visibility: str = getattr(self.config, "visibility", "")
        self._selected: list[int] = sorted(getattr(self.config, "selectedRepositoryIds", None) or ())
        self._key = Shared(lambda: self.client.get(f"{self.list_path}/public-key", PublicKey))

    @property
    def list_path(self) -> str:
        return self.config.target_path + SCOPES[self.config.scope][1]

    @classmethod
    def limits(cls, config: Scoped) -> Capabilities:
        return replace(cls.capabilities, max_keys=SCOPES[config.scope][2])

    def write_fingerprint(self) -> str:
        """Each write of an organization's secret sends its visibility."""
        return " ".join([self._visibility, *map(str, self._selected)])

    @classmethod
    def normalize_key(cls, key: str) -> str:
        return key.upper()

    def path(self, key: str) -> str:
        return f"{self.list_path}/{quote(self.normalize_key(key))}"

    def items(self) -> Iterable[Secret]:
        return paged(self.client, self.list_path, Secret, "secrets")

    def remote(self, item: Secret) -> Remote:
        return Remote(item.name, object_id=item.created_at, etag=f"{item.updated_at}|{item.visibility}")

    def read_values(self, remotes: Sequence[Remote], *, values: bool) -> Sequence[Remote]:
        """With the repositories that see them, which the list leaves out, in the etag if others have changed them.

        One after another, as GitHub asks for: in parallel they would reach its limit of 900 a minute.
        """
        return read_each(self._with_selection, remotes, concurrency=1) if self._selected else remotes

    def _with_selection(self, remote: Remote) -> Remote | None:
        """None if it was deleted since the list. One that has another visibility has changed anyway."""
        if not str(remote.etag).endswith("|selected"):
            return remote
        try:
            found = paged(self.client, f"{self.path(remote.key)}/repositories", Numbered, "repositories")
        except NotFound:
            return None
        reached = sorted({each.id for each in found})
        changed = "" if reached == self._selected else f"|{','.join(map(str, reached))}"
        return replace(remote, etag=f"{remote.etag}{changed}")

    def put(self, write: Write) -> None:
        """GitHub rejects a value that is sealed for a public key that it has replaced."""
        self._key.use(partial(self._send, write), stale=Rejected)

    def _send(self, write: Write, key: PublicKey) -> None:
        sealed = base64.b64encode(public.SealedBox(public.PublicKey(key.key)).encrypt(write.value.encode()))
        body: dict[str, Any] = {"encrypted_value": sealed.decode(), "key_id": key.key_id}
        if self._visibility:
            body["visibility"] = self._visibility
        if self._selected:
            body["selected_repository_ids"] = self._selected
        self.client.request("PUT", self.path(write.key), json=body)
