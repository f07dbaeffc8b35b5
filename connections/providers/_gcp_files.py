"""The files with which programs sign in at Google Cloud: a service account key, or a configuration of federation.

Google's own addresses in them are ignored: a pasted file must not choose where tokens go.
Sources: https://cloud.google.com/iam/docs/keys-create-delete, https://google.aip.dev/auth/4117 (external accounts).
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, Literal, Self, TypeVar

import jwt
from pydantic import Field, SecretStr, ValidationError, model_validator

from connections.http.responses import Response, Text, reason

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFE = 3600  # seconds of a token, the maximum without an organisation policy
ACCOUNT = r"[a-z0-9-]+@[a-z0-9.-]+"
"""The e-mail address of a service account, which ends in gserviceaccount.com."""

F = TypeVar("F", bound="_File")


class _File(Response):
    universe_domain: Literal["googleapis.com"] = "googleapis.com"


class Key(_File):
    """The key of a service account."""

    type: Literal["service_account"]
    client_email: Text
    private_key: SecretStr
    private_key_id: str = ""

    @cached_property
    def signing_key(self) -> Any:
        """Read once: the library checks each time that the key is good, which takes a tenth of a second."""
        return jwt.get_algorithm_by_name("RS256").prepare_key(self.private_key.get_secret_value())

    @model_validator(mode="after")
    def _readable(self) -> Self:
        try:
            self.signing_key  # noqa: B018 - read for its errors
        except Exception:  # noqa: BLE001 - whatever the library says may quote the key
            raise ValueError("its private_key cannot be read") from None
        return self

    def assertion(self, audience: str, now: float) -> str:
        """A signed JWT, for which a token is issued."""
        claims = {"iss": self.client_email, "scope": SCOPE, "aud": audience, "iat": int(now), "exp": int(now) + LIFE}
        headers = {"kid": self.private_key_id} if self.private_key_id else None
        return jwt.encode(claims, self.signing_key, algorithm="RS256", headers=headers)


class TokenFormat(Response):
    type: Literal["text", "json"] = "text"
    subject_token_field_name: str = ""

    def token(self, text: str) -> str:
        """The token in a file or response. Raises ValueError, without its text."""
        found: Any = text
        if self.type == "json":
            try:
                found = json.loads(text)[self.subject_token_field_name]
            except (ValueError, KeyError, TypeError):
                found = None
        if not isinstance(found, str) or not found.strip():
            raise ValueError(f"has no {self.subject_token_field_name or 'token'}")
        return found.strip()


class TokenSource(Response):
    """Where the workload's own token is. Those of AWS, of programs and of certificates are not supported."""

    file: str = ""
    url: Annotated[str, Field(pattern=r"^(https?://[^\s/?#@\\]+(/[^\s#\\]*)?)?$")] = ""
    headers: dict[str, str] = Field(default_factory=dict)
    format: TokenFormat = TokenFormat()

    @model_validator(mode="after")
    def _supported(self) -> Self:
        if bool(self.file) == bool(self.url):
            raise ValueError("must have a file or a url; other sources are not supported")
        return self


class Federation(_File):
    """A configuration of workload identity federation: the token of a workload is exchanged for one of Google's."""

    type: Literal["external_account"]
    audience: Annotated[str, Field(pattern=r"^//iam\.googleapis\.com/")]
    subject_token_type: Text
    credential_source: TokenSource
    service_account_impersonation_url: Annotated[
        str,
        Field(
            pattern=r"^(https://iamcredentials\.googleapis\.com/v1/projects/-/serviceAccounts/"
            + ACCOUNT
            + r"\.gserviceaccount\.com:generateAccessToken)?$"
        ),
    ] = ""

    @property
    def account(self) -> str:
        """The service account to impersonate with the token, or ""."""
        return self.service_account_impersonation_url.rpartition("/")[2].partition(":")[0]


def read_key(text: str) -> Key:
    """Raises ValueError, with a message that contains nothing of the text."""
    return _parsed(Key, text, "the complete JSON file of a service account key")


def read_federation(text: str) -> Federation:
    """Raises ValueError, with a message that contains nothing of the text."""
    return _parsed(Federation, text, "a configuration file of workload identity federation (external_account)")


def read_either(text: str) -> Key | Federation:
    """Raises ValueError, with a message that contains nothing of the text."""
    return read_federation(text) if '"external_account"' in text else read_key(text)


def _parsed(kind: type[F], text: str, what: str) -> F:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        is_json = error.errors(include_input=False)[0]["type"] != "json_invalid"
        raise ValueError(f"must be {what} ({reason(error) if is_json else 'it is not JSON'})") from None
