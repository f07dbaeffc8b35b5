"""A login at AWS: an access key, or a role that this server's own identity assumes, or its web identity.

Surprising fact: none contains its account. The account number, which is part of each location, is requested once and
stored with the session.
Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from connections.aws import AwsClient, aws_of
from connections.aws_regions import is_of_aws, partition_named
from connections.aws_signing import Keys, botocore
from connections.errors import Forbidden, Unauthorized
from connections.http.client import ApiClient
from connections.http.pages import Token
from connections.http.responses import Response, Text
from connections.provider import Choice, Provider, Rights, Session

from ._aws_credentials import ROLES, AccessKey, AssumeRole, WebIdentity

LASTS = timedelta(hours=1)
"""Life of a role's keys: what every role allows, also one that another role assumes."""
KNOWN_FOR = timedelta(hours=12)
"""How long the account of an access key is remembered. It never changes."""
MARKERS = Token("Marker", at="NextMarker", empty_pages=True)


class TemporaryKeys(Response):
    AccessKeyId: Text
    SecretAccessKey: Text
    SessionToken: Text
    Expiration: datetime


class Assumed(Response):
    Credentials: TemporaryKeys


class Alias(Response):
    AliasName: Text
    TargetKeyId: str = ""


class Named(Response):
    Name: Text


class Aws(Provider):
    slug = "aws"
    label = "AWS"
    base_url = "https://sts.us-east-1.amazonaws.com"
    docs_url = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html"
    operator_settings = ("AWS_ROLES", "AWS_WEB_IDENTITY_TOKEN_FILE")
    methods = {"assume-role": AssumeRole, "access-key": AccessKey, "web-identity": WebIdentity}

    def generated(self, method: str) -> Mapping[str, str]:
        return {"externalId": str(uuid.uuid4())} if method == "assume-role" else {}

    def client(self, method: str, credentials: AccessKey | WebIdentity, session: Session | None = None) -> AwsClient:
        return self._line(Keys(**json.loads(session.token)) if session else credentials.keys, credentials)

    def _line(self, keys: Keys, credentials: AccessKey | WebIdentity) -> AwsClient:
        """The operator's address is that of all services; a user's must be a public one."""
        if operators := self._given_by_operator:
            return AwsClient(keys, operators, one_address=True, deadline=self._deadline)
        other, partition = credentials.endpoint or "", partition_named(credentials.partition)
        sts = credentials.stsEndpoint or f"https://sts.{partition.main}.{partition.suffix}"
        if isinstance(credentials, AccessKey) and "{" not in other and not is_of_aws(other):
            sts = credentials.stsEndpoint or other or sts  # another server of the same API has a STS of its own
        guarded = bool(other or credentials.stsEndpoint)
        return AwsClient(keys, sts.rstrip("/"), endpoint=other, deadline=self._deadline, guarded=guarded)

    def renew(self, method: str, credentials: AccessKey | WebIdentity) -> Session | None:
        """The temporary keys of a role; of an access key the account that it belongs to."""
        if isinstance(credentials, AccessKey):
            with self._line(credentials.keys, credentials) as client:
                keys = replace(credentials.keys, account=client.identity().Account)
            return Session(json.dumps(asdict(keys)), datetime.now(UTC) + KNOWN_FOR)
        role = credentials.roleArn
        if not any(fnmatchcase(role, each) for each in self.operator.get("AWS_ROLES", ())):
            raise Unauthorized(f"AWS: the operator has not listed {role} in {ROLES}, so this server does not assume it")
        made = self._assumed(credentials)
        keys = Keys(made.AccessKeyId, made.SecretAccessKey, made.SessionToken, credentials.keys.account)
        return Session(json.dumps(asdict(keys)), made.Expiration.astimezone(UTC))

    def _assumed(self, credentials: WebIdentity) -> TemporaryKeys:
        lasts = str(int(LASTS.total_seconds()))
        sent = {"RoleArn": credentials.roleArn, "RoleSessionName": f"keyferry-{uuid.uuid4()}", "DurationSeconds": lasts}
        if not isinstance(credentials, AssumeRole):
            with self._line(Keys("", ""), credentials) as client:
                token = self._web_identity()
                return client.call_sts("AssumeRoleWithWebIdentity", Assumed, **sent, WebIdentityToken=token).Credentials
        external = {"ExternalId": credentials.externalId} if credentials.externalId else {}
        try:
            with self._line(_own_keys(), credentials) as client:
                return client.call_sts("AssumeRole", Assumed, **sent, **external).Credentials
        except Forbidden as error:
            raise Forbidden(f"{error} (external ID: {credentials.externalId})" if external else str(error)) from None

    def _web_identity(self) -> str:
        """The token that the platform keeps in a file for this server, and replaces from time to time."""
        file = self.operator.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if not file:
            raise Unauthorized("AWS: this server has no web identity. Set KEYFERRY_AWS_WEB_IDENTITY_TOKEN_FILE")
        return self.read_file(file, f"the web identity token in {file}")

    def check(self, client: ApiClient) -> Rights:
        """The identity of the keys, which needs no right. That the role can be assumed was checked by `renew`."""
        root = aws_of(client).identity().Arn.endswith(":root")
        return Rights(excess=("all: the keys are those of the account's root user",) if root else ())

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, str]) -> list[Choice]:
        """KMS keys by the newest alias of each that AWS does not manage, and secrets by name.

        If the login may not list them they are typed. Sources: KMS, "ListAliases"; Secrets Manager, "ListSecrets".
        """
        line = aws_of(client)
        if field == "keyId":
            aliases = line.pages("kms", chosen["region"], "ListAliases", {"Limit": 100}, "Aliases", Alias, MARKERS)
            named = {each.TargetKeyId: each.AliasName for each in aliases if each.TargetKeyId}
            return [Choice(key, alias) for key, alias in sorted(named.items(), key=lambda one: one[1])]
        if field == "secretName":
            sent = {"MaxResults": 100}
            listed = line.pages("secretsmanager", chosen["region"], "ListSecrets", sent, "SecretList", Named)
            return [Choice(each.Name, each.Name) for each in listed]
        return []


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
