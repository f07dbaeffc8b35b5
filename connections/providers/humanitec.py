"""A login at Humanitec: the API token of a service user.

Source: https://developer.humanitec.com/platform-orchestrator/security/service-users/
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import SecretStr

from config.schemas import Model, Secret
from connections.http.client import ApiClient
from connections.tokens import Picker, TokenProvider


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


class Humanitec(TokenProvider):
    slug = "humanitec"
    label = "Humanitec"
    base_url = "https://api.humanitec.io"
    docs_url = "https://developer.humanitec.com/platform-orchestrator/security/service-users/"
    methods = {"api-token": ApiToken}
    check_path = "/orgs"
    check_kind = list[dict[str, Any]]
    choices_from = {
        "org": Picker("/orgs"),
        "app": Picker("/orgs/{org}/apps"),
        "env": Picker("/orgs/{org}/apps/{app}/envs"),
    }
    pickers = ("organizations",)

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
