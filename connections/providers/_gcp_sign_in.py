"""How each login at Google Cloud gets its access token, which is valid for an hour.

Sources: https://developers.google.com/identity/protocols/oauth2/service-account#httprest (keys),
https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path as FilePath

from pydantic import AwareDatetime, PositiveInt

from connections.errors import Unauthorized
from connections.gcp import IMPERSONATION, TOKENS, classify, host_of
from connections.http.client import ApiClient, quote
from connections.http.responses import Response, Text, validate
from connections.provider import Provider, Session

from ._gcp_files import LIFE, SCOPE, Key, read_key

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

OWN_KEY_FILE = "KEYFERRY_GCP_SERVICE_ACCOUNT_FILE"
IMPERSONATED = "KEYFERRY_GCP_IMPERSONATED"

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
            answer = client.request(
                "POST", "/token", form=form, visible=[GRANT], read=True, base_url=host_of(client, TOKENS)
            )
        return validate(_Token, answer, "GCP: POST /token").session()

    def impersonated(self, source: Session, email: str) -> Session:
        """As another account, with the token of one that may impersonate it."""
        path = f"/v1/projects/-/serviceAccounts/{quote(email)}:generateAccessToken"
        body = {"scope": [SCOPE], "lifetime": f"{LIFE}s"}
        with self.with_token(source.token) as client:
            answer = client.request(
                "POST", path, json=body, visible=[SCOPE], read=True, base_url=host_of(client, IMPERSONATION)
            )
        token = validate(_ImpersonatedToken, answer, f"GCP: POST {path}")
        return Session(token.accessToken, token.expireTime)

    def as_operator(self, email: str) -> Session:
        """The operator's own login, for an account that the operator has listed: not everyone may use their trust."""
        file = self.operator.get("GCP_SERVICE_ACCOUNT_FILE")
        if not file or email not in self.operator["GCP_IMPERSONATED"]:
            raise Unauthorized(f"GCP: {NOT_ALLOWED}")
        try:
            return self.by_key(read_key(FilePath(file).read_text()))
        except OSError as error:
            raise Unauthorized(f"GCP: the file of {OWN_KEY_FILE} cannot be read ({type(error).__name__})") from None
        except ValueError as error:
            raise Unauthorized(f"GCP: the file of {OWN_KEY_FILE} {error}") from None
