"""How each login at Google Cloud gets its access token, which is valid for an hour.

Sources: https://developers.google.com/identity/protocols/oauth2/service-account#httprest (keys),
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken,
https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token (exchanged tokens),
https://cloud.google.com/compute/docs/access/authenticate-workloads#applications (the metadata server).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from pydantic import AwareDatetime, PositiveInt

from connections.errors import BadResponse, Unauthorized
from connections.gcp import EXCHANGE, IMPERSONATION, METADATA, TOKENS, classify, host_of
from connections.http.client import ApiClient, quote
from connections.http.responses import Response, Text, validate
from connections.provider import Provider, Session

from ._gcp_files import LIFE, SCOPE, Federation, Key, TokenSource, read_either

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind of token
FLAVOR = {"Metadata-Flavor": "Google"}

OWN_KEY_FILE = "KEYFERRY_GCP_SERVICE_ACCOUNT_FILE"
IMPERSONATED = "KEYFERRY_GCP_IMPERSONATED"
TOKEN_FILES = "KEYFERRY_GCP_TOKEN_FILES"  # noqa: S105 - the name of a setting
MACHINE = "KEYFERRY_GCP_METADATA_SERVER"

NOT_ALLOWED = (
    f"No account of this server may impersonate this one: give serviceAccountKey, or have the operator set"
    f" {OWN_KEY_FILE} and list the account in {IMPERSONATED}"
)


class _Token(Response):
    access_token: Text
    expires_in: PositiveInt

    def session(self) -> Session:
        return Session(self.access_token, datetime.now(UTC) + timedelta(seconds=self.expires_in))


class _ImpersonatedToken(Response):
    accessToken: Text
    expireTime: AwareDatetime


class GcpSignIn(Provider):
    """Each method raises IntegrationError."""

    def with_token(self, token: str, *secrets: str) -> ApiClient:
        headers = {"Authorization": f"Bearer {token}"}
        return self.open(headers=headers, secrets=[token, *secrets], classify=classify)

    def by_key(self, key: Key) -> Session:
        """The key signs a short JWT, for which a token is issued."""
        assertion = key.assertion(f"{TOKENS}/token", time.time())
        form = {"grant_type": GRANT, "assertion": assertion}
        with self.open(secrets=[key.private_key.get_secret_value(), assertion], classify=classify) as client:
            host = host_of(client, TOKENS)
            return client.post("/token", _Token, form=form, visible=[GRANT], read=True, base_url=host).session()

    def impersonated(self, source: Session, email: str) -> Session:
        """As another account, with the token of one that may impersonate it."""
        path = f"/v1/projects/-/serviceAccounts/{quote(email)}:generateAccessToken"
        body = {"scope": [SCOPE], "lifetime": f"{LIFE}s"}
        with self.with_token(source.token) as client:
            host = host_of(client, IMPERSONATION)
            token = client.post(path, _ImpersonatedToken, json=body, visible=[SCOPE], read=True, base_url=host)
        return Session(token.accessToken, token.expireTime)

    def federated(self, federation: Federation, *, from_operator: bool = False) -> Session:
        """The token of a workload is exchanged for one of Google's, and that for one of a service account, if named.

        `from_operator`: the configuration is the operator's own, so it may name any file and address.
        """
        subject_token = self._subject_token(federation.credential_source, from_operator)
        fixed = {
            "grantType": EXCHANGE_GRANT,
            "audience": federation.audience,
            "scope": SCOPE,
            "requestedTokenType": ACCESS_TOKEN,
            "subjectTokenType": federation.subject_token_type,
        }
        body = {**fixed, "subjectToken": subject_token}
        with self.open(secrets=[subject_token], classify=classify) as client:
            host = host_of(client, EXCHANGE)
            token = client.post("/v1/token", _Token, json=body, visible=fixed.values(), read=True, base_url=host)
        session = token.session()
        return self.impersonated(session, federation.account) if federation.account else session

    def _subject_token(self, source: TokenSource, from_operator: bool) -> str:
        where = f"the file {source.file}" if source.file else "the address of credential_source"
        if not source.file:
            text = self._requested(source, guarded=not from_operator)
        elif from_operator or source.file in self.operator.get("GCP_TOKEN_FILES", ()):
            text = _text_of(source.file, where)
        else:
            raise Unauthorized(f"GCP: {where} may not be read: have the operator list it in {TOKEN_FILES}")
        try:
            return source.format.token(text)
        except ValueError as error:
            raise BadResponse(f"GCP: {where} {error}") from None

    def _requested(self, source: TokenSource, *, guarded: bool) -> str:
        url = urlsplit(source.url)
        with ApiClient(
            "GCP",
            f"{url.scheme}://{url.netloc}",
            headers=source.headers,
            secrets=source.headers.values(),
            deadline=self._deadline,
            guarded=guarded,
            parse=bytes.decode,
        ) as client:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            return str(client.request("GET", path, label=f"GET {url.path or '/'} of {url.netloc}") or "")

    def of_machine(self) -> Session:
        """As the service account of the machine that this server runs on."""
        if not self.operator.get("GCP_METADATA_SERVER"):
            raise Unauthorized(f"GCP: the operator of this server has not switched this login on with {MACHINE}")
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        with self.open(headers=FLAVOR) as client:
            answer = client.send("GET", path, base_url=host_of(client, METADATA))
        if answer.headers.get("metadata-flavor") != FLAVOR["Metadata-Flavor"]:
            raise BadResponse(f"GCP: GET {path}: unexpected response: it is not from Google's metadata server")
        return validate(_Token, answer.data, f"GCP: GET {path}").session()

    def as_operator(self, email: str) -> Session:
        """The operator's own login, for an account that the operator has listed: not everyone may use their trust."""
        file = self.operator.get("GCP_SERVICE_ACCOUNT_FILE")
        listed = email in self.operator.get("GCP_IMPERSONATED", ())
        if not listed or not (file or self.operator.get("GCP_METADATA_SERVER")):
            raise Unauthorized(f"GCP: {NOT_ALLOWED}")
        if not file:
            return self.of_machine()
        where = f"the file of {OWN_KEY_FILE}"
        try:
            found = read_either(_text_of(file, where))
        except ValueError as error:
            raise Unauthorized(f"GCP: {where} {error}") from None
        return self.by_key(found) if isinstance(found, Key) else self.federated(found, from_operator=True)


def _text_of(file: str, where: str) -> str:
    """Raises Unauthorized."""
    try:
        return FilePath(file).read_text()
    except (OSError, ValueError) as error:
        raise Unauthorized(f"GCP: {where} cannot be read ({type(error).__name__})") from None
