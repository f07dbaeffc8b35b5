"""A login at AWS: an access key, or a role that this server's own identity assumes.

Surprising fact: neither contains its account. The account number, which is part of each location, is requested once and
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
from typing import Annotated, ClassVar

from pydantic import SecretStr

from config.schemas.model import Model
from config.schemas.types import Secret, Text
from connections.aws import AwsClient, Keys, aws_of, botocore
from connections.errors import Unauthorized
from connections.http import responses
from connections.http.client import ApiClient
from connections.http.pages import Token
from connections.http.responses import Response
from connections.provider import Choice, Provider, Rights, Session

LASTS = timedelta(hours=1)
"""Life of a role's keys: what every role allows, also one that another role assumes."""
ROLES = "KEYFERRY_AWS_ROLES"
"""The setting with the roles that may be assumed: not everyone may use those that trust this server."""
KNOWN_FOR = timedelta(hours=12)
"""How long the account of an access key is remembered. It never changes."""
StsEndpoint = Annotated[
    str | None,
    Text(
        "STS endpoint",
        "Leave empty for the usual one. For GovCloud, FIPS or a VPC endpoint, such as"
        " https://sts.eu-west-1.amazonaws.com.",
        # A server at another address could claim any account, and would receive this server's own token.
        pattern=r"https://(vpce-[a-z0-9-]+\.)?sts(-fips)?(\.[a-z]+(-[a-z]+)+-[0-9]+)?(\.vpce)?"
        r"\.(amazonaws\.com(\.cn)?|api\.aws)/?",
        pattern_message="Must be the https:// address of an STS of AWS, without a path",
        example="https://sts.eu-west-1.amazonaws.com",
    ),
]
MARKERS = Token("Marker", at="NextMarker", empty_pages=True)
RIGHTS = (
    "Grant only the actions that the page of the destination lists, on only the secrets or parameters that are synced"
)


class AssumeRole(Model):
    roleArn: Annotated[
        str,
        Text(
            "Role ARN",
            f"A role that trusts this server, and that its operator has listed in {ROLES}. {RIGHTS}.",
            pattern=r"arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]{1,512}",
            pattern_message="Must be the ARN of a role, such as arn:aws:iam::123456789012:role/keyferry",
            empty_message="Role ARN required",
            example="arn:aws:iam::123456789012:role/keyferry",
        ),
    ]
    stsEndpoint: StsEndpoint = None


class AccessKey(Model):
    accessKeyId: Annotated[
        str,
        Text(
            "Access key ID",
            f"Of an IAM user that is used for nothing else. {RIGHTS}.",
            empty_message="Access Key ID required",
            max_length=128,
            pattern=r"[A-Za-z0-9_]+",
            pattern_message="Access Key ID can only contain letters, digits and underscores",
        ),
    ]
    secretAccessKey: Annotated[SecretStr, Secret("Secret access key", empty_message="Secret Access Key required")]
    stsEndpoint: StsEndpoint = None

    @property
    def keys(self) -> Keys:
        return Keys(self.accessKeyId, self.secretAccessKey.get_secret_value())


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
    operator_settings: ClassVar[tuple[str, ...]] = ("AWS_ROLES",)
    methods: ClassVar[Mapping[str, type[Model]]] = {"assume-role": AssumeRole, "access-key": AccessKey}

    def client(self, method: str, credentials: AssumeRole | AccessKey, session: Session | None = None) -> AwsClient:
        if session:
            return self._line(Keys(**json.loads(session.token)), credentials)
        if isinstance(credentials, AccessKey):
            return self._line(credentials.keys, credentials)
        return self._line(Keys("", "", account=_account_of(credentials.roleArn)), credentials)

    def _line(self, keys: Keys, credentials: AssumeRole | AccessKey) -> AwsClient:
        """The operator's address is that of all services; a user's is that of STS alone, and must be a public one."""
        if operators := self._given_by_operator:
            return AwsClient(keys, operators, one_address=True, deadline=self._deadline)
        given = credentials.stsEndpoint
        address = given or _sts_for(credentials.roleArn if isinstance(credentials, AssumeRole) else "")
        return AwsClient(keys, address.rstrip("/"), deadline=self._deadline, guarded=bool(given))

    def renew(self, method: str, credentials: AssumeRole | AccessKey) -> Session | None:
        """The temporary keys of a role; of an access key the account that it belongs to."""
        if isinstance(credentials, AssumeRole):
            keys, ends_at = self._assumed(credentials)
        else:
            with self._line(credentials.keys, credentials) as client:
                keys, ends_at = (
                    replace(credentials.keys, account=client.identity().Account),
                    datetime.now(UTC) + KNOWN_FOR,
                )
        return Session(json.dumps(asdict(keys)), ends_at)

    def _assumed(self, credentials: AssumeRole) -> tuple[Keys, datetime]:
        role = credentials.roleArn
        if not any(fnmatchcase(role, each) for each in self.operator.get("AWS_ROLES", ())):
            raise Unauthorized(f"AWS: the operator has not listed {role} in {ROLES}, so this server does not assume it")
        given = {
            "RoleArn": role,
            "RoleSessionName": f"keyferry-{uuid.uuid4()}",
            "DurationSeconds": str(int(LASTS.total_seconds())),
        }
        with self._line(_own_keys(), credentials) as client:
            made = client.call_sts("AssumeRole", Assumed, **given).Credentials
        keys = Keys(made.AccessKeyId, made.SecretAccessKey, made.SessionToken, _account_of(role))
        return keys, made.Expiration.astimezone(UTC)

    def check(self, client: ApiClient) -> Rights:
        """The identity of the keys, which needs no right. That the role can be assumed was checked by `renew`."""
        aws_of(client).identity()
        return Rights()

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
    """The address for the partition of the role: GovCloud has its own."""
    return "https://sts.us-gov-west-1.amazonaws.com" if role.startswith("arn:aws-us-gov:") else Aws.base_url


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
