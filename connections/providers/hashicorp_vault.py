"""A login at HashiCorp Vault or OpenBao, wherever it runs: a token, or what an auth method exchanges for one.

A namespace is a part of the path, which both servers accept instead of the header: so it is part of the address, and
two namespaces are never one location. Bad tokens and missing rights are both 403; a login that is refused is a 400.
Sources: https://developer.hashicorp.com/vault/api-docs, https://openbao.org/api-docs/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connections.errors import IntegrationError, NotFound, Unauthorized
from connections.http.client import ApiClient
from connections.provider import Choice, Provider, Rights, Session, secrets_of

from ._hashicorp_vault_api import Granted, Mount, Token, classify, classify_login, version_of
from ._hashicorp_vault_logins import METHODS, RIGHTS, AccessToken, Login, path_of

__all__ = ["RIGHTS", "HashicorpVault", "path_of", "version_of"]

FOR_EVER = timedelta(days=365)  # after which a token without an end is renewed


class HashicorpVault(Provider):
    slug = "hashicorp-vault"
    label = "Hashicorp Vault"
    docs_url = "https://developer.hashicorp.com/vault/docs/concepts/policies"
    methods = METHODS

    def client(self, method: str, credentials: Any, session: Session | None = None) -> ApiClient:
        if isinstance(credentials, AccessToken):
            return self._open(credentials, credentials.accessToken.get_secret_value(), classify)
        return self._open(credentials, session.token if session else "", classify)

    def renew(self, method: str, credentials: Any) -> Session | None:
        """Source: "Login" of each auth method."""
        if not isinstance(credentials, Login):
            return None
        with self._open(credentials, "", classify_login) as client:
            granted = client.post(credentials.path(), Granted, json=credentials.body(), read=True)
        return Session.lasting(granted.client_token, granted.lease_duration, otherwise=FOR_EVER)

    def _open(self, credentials: Any, token: str, classify: Any) -> ApiClient:
        below = "/".join(filter(None, ["/v1", path_of(credentials.namespace or "")]))
        headers = {"X-Vault-Token": token} if token else {}
        arguments = {
            "headers": headers,
            "secrets": [token, *secrets_of(credentials)],
            "classify": classify,
            "tls": credentials.tls(),
        }
        return self.open(credentials.instanceUrl, below=below, **arguments)

    def check(self, client: ApiClient) -> Rights:
        """Any token may look itself up; one of the policy `root` may do everything."""
        token = client.get_in("/auth/token/lookup-self", "data", Token)
        return Rights(excess=tuple(name for name in token.policies if name == "root"))

    def accepts_login(self, client: ApiClient) -> bool:
        """A bad token is a 403, too."""
        try:
            self.check(client)
        except IntegrationError as error:
            return not isinstance(error, Unauthorized)
        return True

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        """The KV mounts that the token can see; of the chosen one, the secrets at its top."""
        names: list[str] = []
        if field == "mount":
            mounts = client.get_in("/sys/internal/ui/mounts", "data.secret", dict[str, Mount])
            names = sorted(name.strip("/") for name, mount in mounts.items() if mount.type == "kv")
        elif field == "path":
            kind = "/metadata" if version_of(client, chosen["mount"]) == 2 else ""
            try:
                path = f"/{path_of(chosen['mount'])}{kind}/"
                names = client.get_in(path, "data.keys", list[str], params={"list": "true"})
            except NotFound:
                names = []  # an empty list is a 404
        return [Choice(name, name) for name in names if not name.endswith("/")]
