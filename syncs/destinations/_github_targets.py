"""Where GitHub keeps secrets: in stores for Actions, Dependabot and Codespaces, of an organization or a repository.

The modelled API has the three scopes of Actions; the scopes of the other stores are ours.
Sources: https://docs.github.com/en/rest/dependabot/secrets, https://docs.github.com/en/rest/codespaces/secrets,
https://docs.github.com/en/rest/codespaces/organization-secrets
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Items, Text, Whole
from config.schemas.unions import OneOf
from connections.errors import IntegrationError, NotFound
from connections.http.client import ApiClient, quote

SCOPE = About(help="The GitHub scope that secrets should be synced to.", location=True)


class OfOrganization(Model):
    """Repositories are listed with the visibility `selected`, and only then."""

    scope: Annotated[str, SCOPE]
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

    def path(self) -> str:
        return f"/orgs/{quote(self.org)}/{store(self)}/secrets"

    def looks(self) -> dict[str, str]:
        return {f"/orgs/{quote(self.org)}": f"the organization {self.org}"}


class OfRepository(Model):
    scope: Annotated[str, SCOPE]
    owner: Annotated[
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
    repo: Annotated[
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

    def path(self) -> str:
        return f"/repos/{quote(self.owner)}/{quote(self.repo)}/{store(self)}/secrets"

    def looks(self) -> dict[str, str]:
        return {
            f"/users/{quote(self.owner)}": f"the owner {self.owner}",
            f"/repos/{quote(self.owner)}/{quote(self.repo)}": f"the repository {self.owner}/{self.repo}",
        }


class Organization(OfOrganization):
    scope: Annotated[Literal["organization"], SCOPE]


class Repository(OfRepository):
    scope: Annotated[Literal["repository"], SCOPE]


class RepositoryEnvironment(OfRepository):
    scope: Annotated[Literal["repository-environment"], SCOPE]
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

    def path(self) -> str:
        return f"/repos/{quote(self.owner)}/{quote(self.repo)}/environments/{quote(self.env)}/secrets"

    def looks(self) -> dict[str, str]:
        return {**super().looks(), self.path().removesuffix("/secrets"): f"its environment {self.env}"}


class OrganizationDependabot(OfOrganization):
    scope: Annotated[Literal["organization-dependabot"], SCOPE]


class RepositoryDependabot(OfRepository):
    scope: Annotated[Literal["repository-dependabot"], SCOPE]


class OrganizationCodespaces(OfOrganization):
    scope: Annotated[Literal["organization-codespaces"], SCOPE]


class RepositoryCodespaces(OfRepository):
    scope: Annotated[Literal["repository-codespaces"], SCOPE]


TARGETS = OneOf(
    "scope",
    Organization,
    Repository,
    RepositoryEnvironment,
    OrganizationDependabot,
    RepositoryDependabot,
    OrganizationCodespaces,
    RepositoryCodespaces,
)


def store(config: OfOrganization | OfRepository) -> str:
    """The name in addresses of the store that a scope writes to."""
    return config.scope.partition("-")[2] or "actions"


def max_keys(config: OfOrganization | OfRepository) -> int | None:
    """How many secrets there may be; None for Dependabot, whose documentation states no number.

    Sources: https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets,
    https://docs.github.com/en/codespaces/managing-codespaces-for-your-organization/managing-development-environment-secrets-for-your-repository-or-organization
    """
    if store(config) == "dependabot":
        return None
    return 1000 if isinstance(config, Organization) else 100


def unseen(client: ApiClient, config: OfOrganization | OfRepository) -> str:
    """Which part of the target cannot be seen, as the end of a message; "" if a look does not show it.

    GitHub responds 404 to whoever may not see a thing, as if it did not exist.
    """
    for path, name in config.looks().items():
        try:
            client.request("GET", path)
        except NotFound:
            return f": {name} does not exist, or the login may not see it"
        except IntegrationError:
            return ""
    return f": {name} exists, but the login may not see its secrets"
