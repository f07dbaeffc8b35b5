"""A login at Humanitec: the API token of a service user.

Source: https://developer.humanitec.com/platform-orchestrator/security/service-users/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import SecretStr

from config.schemas.model import Model
from config.schemas.types import Secret
from connections.errors import BadResponse
from connections.http.client import ApiClient, quote
from connections.provider import Choice, Provider, Session


class ApiToken(Model):
    apiToken: Annotated[
        SecretStr,
        Secret(
            "API token",
            "Of a service user with the Developer role on only the applications that are synced.",
            empty_message="API Token required",
            example="a token of a service user",
        ),
    ]


class Humanitec(Provider):
    slug: ClassVar[str] = "humanitec"
    label: ClassVar[str] = "Humanitec"
    base_url: ClassVar[str] = "https://api.humanitec.io"
    docs_url: ClassVar[str] = "https://developer.humanitec.com/platform-orchestrator/security/service-users/"
    methods: ClassVar[Mapping[str, type[Model]]] = {"api-token": ApiToken}
    pickers: ClassVar[tuple[str, ...]] = ("organizations",)

    def client(self, method: str, credentials: ApiToken, session: Session | None = None) -> ApiClient:
        token = credentials.apiToken.get_secret_value()
        return self.open(headers={"Authorization": f"Bearer {token}"}, secrets=[token])

    def check(self, client: ApiClient) -> None:
        _listed(client, "/orgs")

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "org":
            return _choices(client, "/orgs")
        org = quote(chosen["org"])
        if field == "app":
            return _choices(client, f"/orgs/{org}/apps")
        return _choices(client, f"/orgs/{org}/apps/{quote(chosen['app'])}/envs")

    def pick(self, client: ApiClient, picker: str) -> list[dict[str, Any]]:
        """Organisations with their applications and environments, each `{id, name}`."""

        def named(field: str, **chosen: str) -> list[dict[str, Any]]:
            return [{"id": one.value, "name": one.label} for one in self.choices(client, field, chosen)]

        organisations = named("org")
        for org in organisations:
            org["apps"] = named("app", org=org["id"])
            for app in org["apps"]:
                app["envs"] = named("env", org=org["id"], app=app["id"])
        return organisations


def _choices(client: ApiClient, path: str) -> list[Choice]:
    try:
        return [Choice(str(item["id"]), str(item.get("name") or item["id"])) for item in _listed(client, path)]
    except (KeyError, TypeError, AttributeError):
        raise BadResponse(f"Humanitec: GET {path}: unexpected response: an item has no id") from None


def _listed(client: ApiClient, path: str) -> list[Any]:
    answer = client.request("GET", path)
    if not isinstance(answer, list):
        raise BadResponse(f"Humanitec: GET {path}: unexpected response: not a list")
    return answer
