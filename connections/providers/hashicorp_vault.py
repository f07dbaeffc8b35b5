"""A login at HashiCorp Vault or OpenBao, wherever it runs: a token, or an AppRole that is exchanged for one.

A namespace is a part of the path, which both servers accept instead of the header: so it is part of the address, and
two namespaces are never one location. Bad tokens and missing rights are both 403; a bad AppRole pair is 400.
Sources: https://developer.hashicorp.com/vault/api-docs, https://openbao.org/api-docs/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

import httpx
from pydantic import SecretStr

from config.responses import EXAMPLE_ID
from config.schemas.model import Model
from config.schemas.types import Secret, Text
from connections.certificates import Certificates
from connections.errors import BadResponse, Conflict, IntegrationError, Unauthorized, Unavailable
from connections.http.client import ApiClient, Classified, quote
from connections.provider import Choice, Provider, Rights, Session, address

FOR_EVER = timedelta(days=365)  # after which a token without an end is renewed

RIGHTS = (
    "A policy with read, create, update and patch on MOUNT/data/PATH; on a KV version 1 mount read, create, update and"
    " delete on MOUNT/PATH."
)


class _Server(Certificates):
    instanceUrl: Annotated[
        str, address("Instance URL", "Where the server runs, such as https://vault.example.com:8200.")
    ]
    namespace: Annotated[
        str | None,
        Text(
            "Namespace",
            "Such as team/shop; blank for the root namespace, or if the server has none.",
            max_length=256,
            pattern=r"(?!(.*/)?\.{1,2}(/|$))[^\x00-\x1f\x7f]+",
            pattern_message="Invalid namespace: no part that is only dots",
        ),
    ] = None


class AccessToken(_Server):
    accessToken: Annotated[
        SecretStr,
        Secret(
            "Access token",
            f"It is not renewed: use a long-lived one, or an AppRole. {RIGHTS}",
            empty_message="Access Token required",
            example="eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
        ),
    ]


class AppRole(_Server):
    roleId: Annotated[str, Text("Role ID", f"Of an AppRole at the mount approle. {RIGHTS}", example=EXAMPLE_ID)]
    secretId: Annotated[
        SecretStr,
        Secret(
            "Secret ID",
            "One that may be used more than once.",
            empty_message="Secret ID required",
            example=EXAMPLE_ID,
        ),
    ]


class HashicorpVault(Provider):
    slug: ClassVar[str] = "hashicorp-vault"
    label: ClassVar[str] = "Hashicorp Vault"
    docs_url: ClassVar[str] = "https://developer.hashicorp.com/vault/docs/concepts/policies"
    methods: ClassVar[Mapping[str, type[Model]]] = {"access-token": AccessToken, "app-role": AppRole}

    def client(self, method: str, credentials: AccessToken | AppRole, session: Session | None = None) -> ApiClient:
        if isinstance(credentials, AccessToken):
            token = credentials.accessToken.get_secret_value()
            return self._open(credentials, [token], {"X-Vault-Token": token})
        token = session.token if session else ""
        return self._open(credentials, [token, credentials.secretId.get_secret_value()], {"X-Vault-Token": token})

    def renew(self, method: str, credentials: AccessToken | AppRole) -> Session | None:
        """Source: AppRole API, "Login With AppRole"."""
        if isinstance(credentials, AccessToken):
            return None
        secret = credentials.secretId.get_secret_value()
        body = {"role_id": credentials.roleId, "secret_id": secret}
        with self._open(credentials, [secret]) as client:
            answer = client.request("POST", "/auth/approle/login", json=body, read=True)
        try:
            token, seconds = answer["auth"]["client_token"], answer["auth"]["lease_duration"]
            life = timedelta(seconds=int(seconds)) if seconds else FOR_EVER
            return Session(str(token), datetime.now(UTC) + life)
        except (KeyError, TypeError, ValueError):
            raise BadResponse(f"{self.label}: POST /auth/approle/login: unexpected response: no token") from None

    def _open(self, credentials: _Server, secrets: list[str], headers: Mapping[str, str] | None = None) -> ApiClient:
        names = [quote(part) for part in (credentials.namespace or "").split("/") if part]
        below = "/".join(["/v1", *names])
        return self.open(
            credentials.instanceUrl,
            below=below,
            headers=headers,
            secrets=secrets,
            classify=_classify,
            tls=credentials.tls(),
        )

    def check(self, client: ApiClient) -> Rights:
        """Any token may look itself up."""
        client.request("GET", "/auth/token/lookup-self")
        return Rights()

    def accepts_login(self, client: ApiClient) -> bool:
        """A bad token is a 403, too."""
        try:
            self.check(client)
        except Unauthorized:
            return False
        except IntegrationError:
            return True
        return True

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        """The KV mounts that the token can see; of the chosen one, the secrets at its top."""
        if field == "mount":
            mounts = client.request("GET", "/sys/internal/ui/mounts")["data"]["secret"]
            names = sorted(name.strip("/") for name, mount in mounts.items() if mount["type"] == "kv")
        elif field == "path":
            mount = path_of(chosen["mount"])
            kind = "/metadata" if version_of(client, chosen["mount"]) == 2 else ""
            found = client.send("GET", f"/{mount}{kind}/", params={"list": "true"}, accept=[404])
            names = [] if found.status == 404 else [str(name) for name in found.data["data"]["keys"]]
        else:
            names = []
        return [Choice(name, name) for name in names if not name.endswith("/")]


def path_of(text: str) -> str:
    """A mount or a path as a part of an address."""
    return "/".join(quote(part) for part in text.strip("/").split("/"))


def version_of(client: ApiClient, mount: str) -> int:
    """The version of the mount's key-value engine, 1 or 2. Any policy for the mount allows this request.

    Source: "/sys/internal/ui/mounts", which `vault kv` uses too; /sys/mounts needs a right of its own.
    """
    path = f"/sys/internal/ui/mounts/{path_of(mount)}"
    answer = client.request("GET", path)
    try:
        if answer["data"]["type"] != "kv":
            raise BadResponse(f"{client.service}: {mount} is no key-value mount but of type {answer['data']['type']}")
        return 2 if (answer["data"]["options"] or {}).get("version") == "2" else 1
    except (KeyError, TypeError, AttributeError):
        raise BadResponse(f"{client.service}: GET {path}: unexpected response: no mount") from None


def _classify(status: int, headers: httpx.Headers, data: Any) -> Classified:
    """Errors that only the message distinguishes, and the statuses that are Vault's own."""
    said = " ".join(map(str, data["errors"])) if isinstance(data, dict) and isinstance(data.get("errors"), list) else ""
    if status == 400 and "check-and-set parameter did not match" in said:
        return Conflict
    if status == 400 and "invalid role or secret ID" in said:
        return Unauthorized
    # An eventually consistent node that is behind; standby and replicating nodes. Nothing was done.
    return Unavailable if status in (412, 472, 473) else None
