"""A stand-in for Google Secret Manager, and for the hosts that give tokens and name projects.

Sources: Google's discovery documents secretmanager v1 (revision 20261021), iamcredentials v1, cloudresourcemanager v1;
https://developers.google.com/identity/protocols/oauth2/service-account#httprest (tokens),
https://cloud.google.com/secret-manager/docs/etags (etags), https://cloud.google.com/secret-manager/docs/access-secret-version
(what `latest` is), https://cloud.google.com/apis/design/errors (errors),
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token (exchanged tokens),
https://cloud.google.com/compute/docs/access/authenticate-workloads#applications (tokens of a machine).
"""

from __future__ import annotations

import base64
import functools
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connections.providers._gcp_rights import NEEDED

from .serving import Answer, Ask, Served

PROJECT, NUMBER = "shop-prod", "123456789"
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
EMAIL = "keyferry@shop-prod.iam.gserviceaccount.com"
TARGET = "writer@shop-prod.iam.gserviceaccount.com"
AUDIENCE = "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/ci/providers/runner"
WORKLOAD_TOKEN = "eyJ.token-of-the-workload"

Record = dict[str, Any]


@functools.cache
def key_pair() -> tuple[rsa.RSAPublicKey, str]:
    """Of the account that signs in; made once, since it takes a while."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.public_key(), pem.decode()


_loaded = functools.cache(jwt.algorithms.load_pem_private_key)


def key_file(email: str = EMAIL, **more: str) -> str:
    """As downloaded from the console, with an address that must not be trusted."""
    held = {"type": "service_account", "project_id": "shop-prod", "private_key_id": "k1", "private_key": key_pair()[1]}
    return json.dumps({**held, "client_email": email, "token_uri": "http://127.0.0.1:9/token", **more})


class GcpSecretManager(Served):
    """`secrets` are by the parent's path, then by ID, each with its `versions`, oldest first.

    `lagging`: versions that `latest` does not show yet, by ID. `unlisted`: IDs that the list does not show yet.
    `page`: how many a list has at most, whatever is asked.
    """

    description = "gcp-secret-manager.json"
    undescribed = {
        r"^GET /v1/\{\+name\}: the parameter filter is not described": (
            "https://cloud.google.com/resource-manager/reference/rest/v1/projects/list"
        ),
        r"^POST /token: is not described": "https://developers.google.com/identity/protocols/oauth2/service-account",
    }
    method = "service-account-key"
    configs = {
        "global": {"scope": "global", "projectId": "shop-prod"},
        "global-replicas": {
            "scope": "global",
            "projectId": "shop-prod",
            "userReplicaLocationIds": ["europe-west1", "us-east1"],
        },
        "region": {"scope": "region", "projectId": "shop-prod", "locationId": "europe-west1"},
    }
    alike = ("global-replicas",)  # a member of the request that creates
    other_options = {"oldVersions": "destroy"}
    conduct_options = ("oldVersions",)
    bad_key = "BAD.KEY"
    writes_a_create = 2

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "POST", "DELETE")

    def is_write(self, method: str, path: str) -> bool:
        return method != "GET" and not path.endswith(":testIamPermissions")

    def limit_pages(self, size: int) -> None:
        self.page = size

    def picked(self, config: Mapping[str, Any]) -> list[str]:
        return [name for name in ("projectId", "locationId") if name in config]

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, dict[str, Record]] = {}
        self.lagging: dict[str, int] = {}
        self.unlisted: set[str] = set()
        self.page = 25_000
        self.tokens: list[str] = []
        self.project: Record = {"projectId": PROJECT, "projectNumber": NUMBER, "name": "Shop"}
        self.rights = {*NEEDED}
        self._clock = itertools.count(1)

    @contextmanager
    def running(self) -> Iterator[str]:
        """Reading a key checks that it is good, which takes longer than all else in a test: once is enough."""
        with mock.patch.object(jwt.algorithms, "load_pem_private_key", _loaded), super().running() as url:
            yield url

    @property
    def credentials(self) -> Mapping[str, str]:  # type: ignore[override]
        return {"serviceAccountKey": key_file()}

    # -- behind the API ----------------------------------------------------------------------------------------

    def parent(self, config: Mapping[str, Any]) -> str:
        location = f"/locations/{config['locationId']}" if config["scope"] == "region" else ""
        return f"projects/{config['projectId']}{location}"

    def of(self, config: Mapping[str, Any]) -> dict[str, Record]:
        return self.secrets.setdefault(self.parent(config), {})

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return {id: one["versions"][-1]["data"].decode() for id, one in self.of(config).items() if one["versions"]}

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        held = self.of(config)
        if key not in held:
            self._make(self.parent(config), key, {"labels": {"team": "theirs"}, "replication": {"automatic": {}}})
        self._add(held[key], value.encode())

    def hide(self, config: Mapping[str, Any]) -> str:
        self.put(config, "HIDDEN", "x")
        self.unlisted.add("HIDDEN")
        return "HIDDEN"

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        del self.of(config)[key]

    def issued(self) -> Sequence[str]:
        return self.tokens

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 1 + keys  # the list, and an access of each

    def _moment(self) -> str:
        tick = next(self._clock)
        return f"2026-01-01T{tick // 3600 % 24:02}:{tick // 60 % 60:02}:{tick % 60:02}.{tick:06}Z"

    def _make(self, parent: str, id: str, body: Record) -> Record:
        name = f"{parent.replace(PROJECT, NUMBER)}/secrets/{id}"  # the vendor answers with the number
        made = {**body, "name": name, "createTime": self._moment(), "versions": []}
        made["etag"] = f'"{made["createTime"]}"'
        self.secrets.setdefault(parent, {})[id] = made
        return made

    def _add(self, secret: Record, data: bytes) -> Record:
        name = f"{secret['name']}/versions/{len(secret['versions']) + 1}"
        secret["versions"].append({"name": name, "createTime": self._moment(), "state": "ENABLED", "data": data})
        return shown(secret["versions"][-1])

    # -- the API -----------------------------------------------------------------------------------------------

    def answer(self, ask: Ask) -> Answer:
        if ask.path == "/token":
            return self._signed_in(ask.body)
        if ask.path == "/v1/token":
            return self._exchanged_token(ask.body)
        if ask.path == "/computeMetadata/v1/instance/service-accounts/default/token":
            return self._of_machine(ask.headers)
        token = ask.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        parts = [PROJECT if part == NUMBER else part for part in ask.parts]
        match parts:
            case ["v1", "projects", "-", "serviceAccounts", called] if called == f"{TARGET}:generateAccessToken":
                return Answer(200, {"accessToken": self._token("impersonated"), "expireTime": "2099-01-01T00:00:00Z"})
            case ["v1", "projects", "-", "serviceAccounts", _]:
                return error(403, "PERMISSION_DENIED", "Permission 'iam.serviceAccounts.getAccessToken' denied")
            case ["v1", "projects"]:
                return Answer(200, {"projects": [self.project] if self.project else []})
            case ["v1", "projects", project] if project == PROJECT and ask.method == "GET":
                return Answer(200, self.project)
            case ["v1", "projects", project] if project == f"{PROJECT}:testIamPermissions":
                held = [right for right in ask.body["permissions"] if right in self.rights]
                return Answer(200, {"permissions": held} if held else {})
            case ["v1", "projects", _]:
                return error(403, "PERMISSION_DENIED", "The caller does not have permission")
            case ["v1", "projects", _, "locations"]:
                locations = [{"locationId": "europe-west1", "displayName": "Belgium"}, {"locationId": "us-east1"}]
                return Answer(200, {"locations": locations})
            case ["v1", "projects", project, "secrets", *rest]:
                return self._secrets(ask, f"projects/{project}", rest)
            case ["v1", "projects", project, "locations", location, "secrets", *rest]:
                return self._secrets(ask, f"projects/{project}/locations/{location}", rest)
        return error(404, "NOT_FOUND", "no such method")

    def _signed_in(self, form: Mapping[str, str]) -> Answer:
        try:
            claims = jwt.decode(
                form["assertion"], key_pair()[0], algorithms=["RS256"], audience="https://oauth2.googleapis.com/token"
            )
            assert claims["iss"] == EMAIL
            assert claims["exp"] - claims["iat"] <= 3600
            assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        except (jwt.InvalidTokenError, KeyError, AssertionError):
            body = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return Answer(400, body)
        return Answer(200, self._granted("signed"))

    def _exchanged_token(self, body: Mapping[str, str]) -> Answer:
        expected = {
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": AUDIENCE,
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
            "subjectToken": WORKLOAD_TOKEN,
        }
        if body != expected:
            said = "The audience in ID Token does not match the expected audience."
            return Answer(400, {"error": "invalid_grant", "error_description": said})
        kind = body["requestedTokenType"]
        return Answer(200, {**self._granted("federated"), "issued_token_type": kind})

    def _of_machine(self, headers: Mapping[str, str]) -> Answer:
        if headers.get("metadata-flavor") != "Google":
            return Answer(403, b"Missing Metadata-Flavor:Google header.")
        return Answer(200, self._granted("machine"), {"Metadata-Flavor": "Google"})

    def _granted(self, kind: str) -> Record:
        return {"access_token": self._token(kind), "expires_in": 3599, "token_type": "Bearer"}

    def _token(self, kind: str) -> str:
        self.tokens.append(f"ya29.{kind}-{len(self.tokens)}")
        return self.tokens[-1]

    def _secrets(self, ask: Ask, parent: str, rest: list[str]) -> Answer:
        held = self.secrets.setdefault(parent, {})
        if not rest:
            return self._list(ask, held) if ask.method == "GET" else self._create(ask, parent, held)
        id, _, called = rest[0].partition(":")
        if id not in held:
            return error(404, "NOT_FOUND", f"Secret [{parent}/secrets/{id}] not found.")
        secret = held[id]
        if called == "addVersion":
            data = base64.b64decode(ask.body["payload"].get("data", ""), validate=True)
            if not 0 < len(data) <= 65_536:
                return error(400, "INVALID_ARGUMENT", "Secret Payload cannot be empty or larger than 64 KiB.")
            return Answer(200, self._add(secret, data))
        if len(rest) > 1:
            return self._versions(ask, secret, rest[1:])
        if ask.method == "DELETE":
            if ask.query.get("etag", secret["etag"]) != secret["etag"]:
                return error(400, "FAILED_PRECONDITION", "The etag provided does not match the etag of the secret.")
            del held[id]
            return Answer(200, {})
        return Answer(200, shown(secret))

    def _list(self, ask: Ask, held: dict[str, Record]) -> Answer:
        listed = [one for id, one in held.items() if id not in self.unlisted]
        newest = sorted(listed, key=lambda one: one["createTime"], reverse=True)
        start, size = int(ask.query.get("pageToken", 0)), min(self.page, int(ask.query.get("pageSize", 100)))
        page = newest[start : start + size]
        answer: Record = {"secrets": [shown(one) for one in page]} if page else {}
        if len(newest) > start + size:
            answer["nextPageToken"] = str(start + size)
        return Answer(200, {**answer, "totalSize": len(newest)})

    def _create(self, ask: Ask, parent: str, held: dict[str, Record]) -> Answer:
        id = ask.query.get("secretId", "")
        if not NAME.fullmatch(id):
            return error(400, "INVALID_ARGUMENT", "The provided Secret ID does not match the expected format.")
        if ("replication" in ask.body) == ("/locations/" in parent):
            return error(
                400, "INVALID_ARGUMENT", "A global secret needs a replication policy, a regional one has none."
            )
        if id in held:
            return error(409, "ALREADY_EXISTS", f"Secret [{parent}/secrets/{id}] already exists.")
        return Answer(200, shown(self._make(parent, id, ask.body)))

    def _versions(self, ask: Ask, secret: Record, rest: list[str]) -> Answer:
        if len(rest) == 1:
            newest = [shown(one) for one in reversed(secret["versions"])]
            return Answer(200, {"versions": newest, "totalSize": len(newest)} if newest else {})
        number, _, called = rest[1].partition(":")
        seen = secret["versions"][: len(secret["versions"]) - self.lagging.get(secret["name"].rsplit("/", 1)[1], 0)]
        found = seen[-1:] if number == "latest" else [one for one in seen if one["name"].endswith(f"/{number}")]
        if not found:
            return error(404, "NOT_FOUND", f"Secret Version [{secret['name']}/versions/{number}] not found.")
        version = found[0]
        if called == "access":
            if version["state"] != "ENABLED":
                return error(400, "FAILED_PRECONDITION", f"Secret Version is in {version['state']} state.")
            data = base64.b64encode(version["data"]).decode()
            return Answer(200, {"name": version["name"], "payload": {"data": data, "dataCrc32c": "1"}})
        version["state"] = {"disable": "DISABLED", "enable": "ENABLED", "destroy": "DESTROYED"}[called]
        return Answer(200, shown(version))


def shown(one: Record) -> Record:
    return {name: value for name, value in one.items() if name not in ("versions", "data")}


def error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": status, "message": message, "status": code}})
