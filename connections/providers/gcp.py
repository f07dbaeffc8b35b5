"""A login at Google Cloud: the key of a service account, or a service account that is impersonated.

A key signs a short JWT and gets an access token for it; the token of an impersonated account is obtained
with that of the account that may impersonate it. Tokens are valid for an hour.
Sources: https://developers.google.com/identity/protocols/oauth2/service-account#httprest,
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath
from typing import Annotated, Any, ClassVar, Self

import httpx
import jwt
from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Secret, Text
from connections.errors import BadResponse, Conflict, Unauthorized
from connections.http.client import ApiClient, Classified, quote
from connections.provider import Choice, Provider, Session

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKENS = "https://oauth2.googleapis.com"
AUDIENCE = f"{TOKENS}/token"
IMPERSONATION = "https://iamcredentials.googleapis.com"
PROJECTS = "https://cloudresourcemanager.googleapis.com"
LIFE = 3600  # seconds of a token, the maximum without an organisation policy
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

OWN_KEY_FILE = "KEYFERRY_GCP_SERVICE_ACCOUNT_FILE"
IMPERSONATED = "KEYFERRY_GCP_IMPERSONATED"

NO_ACCOUNT = "Must be the email of a service account, ending in gserviceaccount.com"
NO_STAND_IN = (
    f"No account of this server may impersonate this one: give serviceAccountKey, or have the operator set"
    f" {OWN_KEY_FILE} and list the account in {IMPERSONATED}"
)

RIGHTS = (
    "Secret Manager Secret Accessor, Secret Manager Secret Version Manager, and a custom role with"
    " secretmanager.secrets.create, .delete, .get and .list (or Secret Manager Admin for all), on only the projects"
    " that are synced, best with a condition on the names of secrets."
)


@dataclass(frozen=True, slots=True)
class Key:
    """The used members of a key file. Its addresses are ignored: a pasted file must not choose where tokens go."""

    email: str
    id: str
    pem: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Key:
        """Raises ValueError, with a message that contains nothing of the text."""
        try:
            held = json.loads(text)
            kind, email, pem = held["type"], held["client_email"], held["private_key"]
        except (ValueError, KeyError, TypeError):
            raise ValueError("must be the complete JSON file of a service account key") from None
        if kind != "service_account" or not isinstance(email, str) or not isinstance(pem, str):
            raise ValueError("must be the key of a service account (type service_account)")
        if held.get("universe_domain", "googleapis.com") != "googleapis.com":
            raise ValueError("must be of googleapis.com; other universes are not supported")
        try:
            jwt.get_algorithm_by_name("RS256").prepare_key(pem)
        except Exception:  # noqa: BLE001 - whatever the library says may quote the key
            raise ValueError("has a private key that cannot be read") from None
        return cls(email, str(held.get("private_key_id") or ""), pem)

    def assertion(self, now: float) -> str:
        claims = {"iss": self.email, "scope": SCOPE, "aud": AUDIENCE, "iat": int(now), "exp": int(now) + LIFE}
        return jwt.encode(claims, self.pem, algorithm="RS256", headers={"kid": self.id} if self.id else None)


def _key_file(help: str) -> Secret:
    return Secret("Service account key", help, multiline=True, empty_message="Service account key required")


def _require_readable(key: SecretStr | None) -> None:
    """Raises BadRequest for a text that is not a key file."""
    if key is None:
        return
    try:
        Key.parse(key.get_secret_value())
    except ValueError as error:
        raise BadRequest(f"serviceAccountKey: it {error}") from None


class Impersonation(Model):
    """Without a key of its own it uses the operator's, and only for accounts that the operator has listed."""

    serviceAccountEmail: Annotated[
        str,
        Text(
            "Service account email",
            f"The account that secrets are synced as. It needs {RIGHTS} The account that impersonates it needs"
            " Service Account Token Creator on it.",
            pattern=r"[a-z0-9-]+@[a-z0-9.-]+",
            pattern_message=NO_ACCOUNT,
        ),
    ]
    serviceAccountKey: Annotated[
        SecretStr | None,
        _key_file(
            "Of the impersonating account; blank for the operator's. Its only right should be Service Account Token"
            " Creator on the account above."
        ),
    ] = None

    @model_validator(mode="after")
    def _of_service_accounts(self) -> Self:
        _require_readable(self.serviceAccountKey)
        if not self.serviceAccountEmail.endswith(".gserviceaccount.com"):
            raise BadRequest(f"serviceAccountEmail: {NO_ACCOUNT}")
        return self


class ServiceAccountKey(Model):
    serviceAccountKey: Annotated[
        SecretStr,
        _key_file(f"The JSON file of a key. It does not end by itself: impersonation is safer. It needs {RIGHTS}"),
    ]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        _require_readable(self.serviceAccountKey)
        return self


def _key_of(credentials: Impersonation | ServiceAccountKey) -> str:
    key = credentials.serviceAccountKey
    return key.get_secret_value() if key else ""


class Gcp(Provider):
    slug: ClassVar[str] = "gcp"
    label: ClassVar[str] = "GCP"
    base_url: ClassVar[str] = "https://secretmanager.googleapis.com"
    docs_url: ClassVar[str] = "https://cloud.google.com/iam/docs/service-account-overview"
    methods: ClassVar[Mapping[str, type[Model]]] = {
        "service-account-impersonation": Impersonation,
        "service-account-key": ServiceAccountKey,
    }
    pickers: ClassVar[tuple[str, ...]] = ("secret-manager-projects",)
    operator_settings: ClassVar[tuple[str, ...]] = ("GCP_SERVICE_ACCOUNT_FILE", "GCP_IMPERSONATED")

    def renew(self, method: str, credentials: Impersonation | ServiceAccountKey) -> Session:
        session = self._signed_in(self._key(credentials))
        if isinstance(credentials, Impersonation):
            return self._impersonated(session, credentials.serviceAccountEmail)
        return session

    def _key(self, credentials: Impersonation | ServiceAccountKey) -> Key:
        """The key that signs: the connection's own, else the operator's. Raises Unauthorized if there is none."""
        text = _key_of(credentials)
        if (
            isinstance(credentials, Impersonation)
            and not text
            and not self._operator_allows(credentials.serviceAccountEmail)
        ):
            raise Unauthorized(f"GCP: {NO_STAND_IN}")
        try:
            return Key.parse(text or FilePath(self.operator["GCP_SERVICE_ACCOUNT_FILE"]).read_text())
        except OSError as error:
            raise Unauthorized(f"GCP: the file of {OWN_KEY_FILE} cannot be read ({type(error).__name__})") from None
        except ValueError as error:
            raise Unauthorized(f"GCP: the service account key {error}") from None

    def _operator_allows(self, email: str) -> bool:
        """The operator's account impersonates only listed ones: not everyone may use their trust in it."""
        return bool(self.operator.get("GCP_SERVICE_ACCOUNT_FILE")) and email in self.operator["GCP_IMPERSONATED"]

    def _signed_in(self, key: Key) -> Session:
        assertion = key.assertion(time.time())
        form = {"grant_type": GRANT, "assertion": assertion}
        with self.open(secrets=[key.pem, assertion], classify=_class_of) as client:
            answer = client.request(
                "POST", "/token", form=form, visible=[GRANT], read=True, base_url=host_of(client, TOKENS)
            )
        try:
            return Session(str(answer["access_token"]), _from_now(int(answer["expires_in"])))
        except (KeyError, TypeError, ValueError):
            raise BadResponse("GCP: POST /token: unexpected response: no token") from None

    def _impersonated(self, source: Session, email: str) -> Session:
        path = f"/v1/projects/-/serviceAccounts/{quote(email)}:generateAccessToken"
        body = {"scope": [SCOPE], "lifetime": f"{LIFE}s"}
        with self._with(source.token) as client:
            answer = client.request(
                "POST", path, json=body, visible=[SCOPE], read=True, base_url=host_of(client, IMPERSONATION)
            )
        try:
            return Session(str(answer["accessToken"]), datetime.fromisoformat(answer["expireTime"]))
        except (KeyError, TypeError, ValueError):
            raise BadResponse(f"GCP: POST {path}: unexpected response: no token") from None

    def client(
        self, method: str, credentials: Impersonation | ServiceAccountKey, session: Session | None = None
    ) -> ApiClient:
        return self._with(session.token if session else "", _key_of(credentials))

    def _with(self, token: str, key: str = "") -> ApiClient:
        return self.open(headers={"Authorization": f"Bearer {token}"}, secrets=[token, key], classify=_class_of)

    def check(self, client: ApiClient) -> None:
        """Checked by signing in: a token is issued only to an existing account, for its own key.

        An account with the least rights may read nothing else.
        """

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "projectId":
            return [Choice(one["projectId"], one.get("name") or one["projectId"]) for one in _projects(client)]
        if field in ("locationId", "userReplicaLocationIds"):
            return _locations(client, chosen["projectId"])
        return []

    def pick(self, client: ApiClient, picker: str) -> list[dict[str, str]]:
        """Projects, each `{id, name}`."""
        return [{"id": one.value, "name": one.label} for one in self.choices(client, "projectId", {})]


def pages(
    client: ApiClient, path: str, member: str, params: Mapping[str, str], base_url: str = ""
) -> Iterator[dict[str, Any]]:
    """Every item of a list. Raises BadResponse if a response is not a list, or a page is repeated."""
    token, seen = "", set[str]()
    while True:
        after = {"pageToken": token} if token else {}
        answer = client.request("GET", path, params={**params, **after}, base_url=base_url)
        items = answer.get(member, []) if isinstance(answer, dict) else None
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise BadResponse(f"GCP: GET {path}: unexpected response: no list of {member}")
        # A body of another shape has no such member either: only an empty object is an empty list.
        if not items and answer.keys() - {member, "nextPageToken", "totalSize", "unreachable"}:
            raise BadResponse(f"GCP: GET {path}: unexpected response: no list of {member}")
        yield from items
        token = str(answer.get("nextPageToken") or "")
        if not token:
            return
        if token in seen:
            raise BadResponse(f"GCP: GET {path}: the list is not complete: the same page came twice")
        seen.add(token)


def host_of(client: ApiClient, host: str) -> str:
    """Another of Google's hosts; the operator's address replaces all of them."""
    return host if client.base_url == Gcp.base_url else ""


def _projects(client: ApiClient) -> list[dict[str, Any]]:
    params = {"filter": "lifecycleState:ACTIVE"}
    found = list(pages(client, "/v1/projects", "projects", params, host_of(client, PROJECTS)))
    if not all(isinstance(one.get("projectId"), str) for one in found):
        raise BadResponse("GCP: GET /v1/projects: unexpected response: a project has no ID")
    return found


def _locations(client: ApiClient, project: str) -> list[Choice]:
    path = f"/v1/projects/{quote(project)}/locations"
    try:
        found = [(one["locationId"], one.get("displayName")) for one in pages(client, path, "locations", {})]
        return [Choice(id, f"{id} ({name})" if name else id) for id, name in found]
    except KeyError:
        raise BadResponse(f"GCP: GET {path}: unexpected response: a location has no ID") from None


def _from_now(seconds: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def _class_of(status: int, headers: httpx.Headers, said: Any) -> Classified:
    """By Google's own status if the number is ambiguous: a stale etag is a 400, a bad signature too."""
    error = said.get("error") if isinstance(said, dict) else None
    if error in ("invalid_grant", "invalid_client", "unauthorized_client"):
        return Unauthorized
    known = error.get("status") if isinstance(error, dict) else None
    if known in ("FAILED_PRECONDITION", "ABORTED", "ALREADY_EXISTS"):
        return Conflict
    return None
