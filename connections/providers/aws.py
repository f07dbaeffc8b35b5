"""A login at AWS: an access key, or a role that this server's own identity assumes, or its web identity.

Surprising fact: none contains its account. The account number, which is part of each location, is requested once and
stored with the session.
Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from config.schemas.model import Model
from connections.aws import AwsClient, aws_of
from connections.aws_regions import is_of_aws, partition_named
from connections.aws_signing import Keys, botocore
from connections.errors import Forbidden, Unauthorized
from connections.http import responses
from connections.http.client import ApiClient
from connections.http.pages import Token
from connections.http.responses import Response
from connections.provider import Choice, Provider, Rights, Session

from ._aws_credentials import ROLES, AccessKey, AssumeRole, Endpoints, WebIdentity

LASTS = timedelta(hours=1)
"""Life of a role's keys: what every role allows, also one that another role assumes."""
KNOWN_FOR = timedelta(hours=12)
"""How long the account of an access key is remembered. It never changes."""
MARKERS = Token("Marker", at="NextMarker", empty_pages=True)


class TemporaryKeys(Response):
    AccessKeyId: responses.Text
    SecretAccessKey: responses.Text
    SessionToken: responses.Text
    Expiration: datetime


class Assumed(Response):
    Credentials: TemporaryKeys


class Aws(Provider):
    slug: ClassVar[str] = "aws"
    label: ClassVar[str] = "AWS"
    base_url: ClassVar[str] = "https://sts.us-east-1.amazonaws.com"
    docs_url: ClassVar[str] = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html"
    operator_settings: ClassVar[tuple[str, ...]] = ("AWS_ROLES", "AWS_WEB_IDENTITY_TOKEN_FILE")
    methods: ClassVar[Mapping[str, type[Model]]] = {
        "assume-role": AssumeRole,
        "access-key": AccessKey,
        "web-identity": WebIdentity,
    }

    def generated(self, method: str) -> Mapping[str, str]:
        return {"externalId": str(uuid.uuid4())} if method == "assume-role" else {}

    def client(self, method: str, credentials: Endpoints, session: Session | None = None) -> AwsClient:
        if session:
            return self._line(Keys(**json.loads(session.token)), credentials)
        if isinstance(credentials, AccessKey):
            return self._line(credentials.keys, credentials)
        assert isinstance(credentials, WebIdentity)
        return self._line(Keys("", "", account=_account_of(credentials.roleArn)), credentials)

    def _line(self, keys: Keys, credentials: Endpoints) -> AwsClient:
        """The operator's address is that of all services; a user's must be a public one."""
        if operators := self._given_by_operator:
            return AwsClient(keys, operators, one_address=True, deadline=self._deadline)
        role = credentials.roleArn if isinstance(credentials, WebIdentity) else ""
        other = credentials.endpoint or ""
        sts = credentials.stsEndpoint or _sts_for(role)
        if isinstance(credentials, AccessKey) and "{" not in other and not is_of_aws(other):
            sts = credentials.stsEndpoint or other or sts  # another server of the same API has a STS of its own
        guarded = bool(other or credentials.stsEndpoint)
        return AwsClient(keys, sts.rstrip("/"), endpoint=other, deadline=self._deadline, guarded=guarded)

    def renew(self, method: str, credentials: Endpoints) -> Session | None:
        """The temporary keys of a role; of an access key the account that it belongs to."""
        if isinstance(credentials, AccessKey):
            with self._line(credentials.keys, credentials) as client:
                keys = replace(credentials.keys, account=client.identity().Account)
            return Session(json.dumps(asdict(keys)), datetime.now(UTC) + KNOWN_FOR)
        assert isinstance(credentials, WebIdentity)
        role = credentials.roleArn
        if not any(fnmatchcase(role, each) for each in self.operator.get("AWS_ROLES", ())):
            raise Unauthorized(f"AWS: the operator has not listed {role} in {ROLES}, so this server does not assume it")
        made = self._assumed(credentials) if isinstance(credentials, AssumeRole) else self._with_token(credentials)
        keys = Keys(made.AccessKeyId, made.SecretAccessKey, made.SessionToken, _account_of(role))
        return Session(json.dumps(asdict(keys)), made.Expiration.astimezone(UTC))

    def _assumed(self, credentials: AssumeRole) -> TemporaryKeys:
        given = _role(credentials)
        if external := credentials.externalId:
            given["ExternalId"] = external
        try:
            with self._line(_own_keys(), credentials) as client:
                return client.call_sts("AssumeRole", Assumed, **given).Credentials
        except Forbidden as error:
            raise Forbidden(f"{error} (external ID: {external})" if external else str(error)) from None

    def _with_token(self, credentials: WebIdentity) -> TemporaryKeys:
        given = {**_role(credentials), "WebIdentityToken": self._token()}
        with self._line(Keys("", ""), credentials) as client:
            return client.call_sts("AssumeRoleWithWebIdentity", Assumed, **given).Credentials

    def _token(self) -> str:
        """The token that the platform keeps in a file for this server, and replaces from time to time."""
        file = self.operator.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if not file:
            raise Unauthorized("AWS: this server has no web identity. Set KEYFERRY_AWS_WEB_IDENTITY_TOKEN_FILE")
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise Unauthorized(
                f"AWS: the web identity token in {file} cannot be read: {type(error).__name__}"
            ) from None

    def check(self, client: ApiClient) -> Rights:
        """The identity of the keys, which needs no right. That the role can be assumed was checked by `renew`."""
        root = aws_of(client).identity().Arn.endswith(":root")
        return Rights(excess=("all: the keys are those of the account's root user",) if root else ())

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, str]) -> list[Choice]:
        """KMS keys by alias, and secrets by name. If the login may not list them they are typed."""
        lists: dict[str, Callable[[AwsClient, str], list[Choice]]] = {"keyId": _kms_keys, "secretName": _secret_names}
        return lists[field](aws_of(client), chosen["region"]) if field in lists else []


class _Alias(Response):
    AliasName: responses.Text
    TargetKeyId: str = ""


class _Named(Response):
    Name: responses.Text


def _kms_keys(client: AwsClient, region: str) -> list[Choice]:
    """The newest alias of each key that AWS does not manage. Source: KMS, "ListAliases"."""
    aliases = client.pages("kms", region, "ListAliases", {"Limit": 100}, "Aliases", _Alias, MARKERS)
    named = {alias.TargetKeyId: alias.AliasName for alias in aliases if alias.TargetKeyId}
    return [Choice(key, alias) for key, alias in sorted(named.items(), key=lambda one: one[1])]


def _secret_names(client: AwsClient, region: str) -> list[Choice]:
    listed = client.pages("secretsmanager", region, "ListSecrets", {"MaxResults": 100}, "SecretList", _Named)
    return [Choice(each.Name, each.Name) for each in listed]


def _account_of(role: str) -> str:
    return role.split(":")[4]


def _sts_for(role: str) -> str:
    """The address for the partition of the role."""
    partition = partition_named(role.split(":")[1] if role else "")
    return f"https://sts.{partition.main}.{partition.suffix}"


def _role(credentials: WebIdentity) -> dict[str, str]:
    name, lasts = f"keyferry-{uuid.uuid4()}", str(int(LASTS.total_seconds()))
    return {"RoleArn": credentials.roleArn, "RoleSessionName": name, "DurationSeconds": lasts}


def _own_keys() -> Keys:
    """This server's identity, as every AWS SDK finds it: environment, profile, or the machine's role."""
    found = botocore().session.get_session().get_credentials()
    if found is None:
        raise Unauthorized(
            "AWS: this server has no identity of its own that could assume a role. Give it one: "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment, or the role of its machine"
        )
    keys = found.get_frozen_credentials()
    return Keys(keys.access_key, keys.secret_key, keys.token or "")
