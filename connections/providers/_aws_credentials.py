"""The credentials of each way to sign in at AWS."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import SecretStr

from config.responses import EXAMPLE_ID
from config.schemas import Model, Secret, Text
from connections.aws_regions import host_suffixes
from connections.aws_signing import Keys

ROLES = "KEYFERRY_AWS_ROLES"
"""The setting with the roles that may be assumed: not everyone may use those that trust this server."""
RIGHTS = (
    "Grant only the actions that the page of the destination lists, on only the secrets or parameters that are synced"
)


class Endpoints(Model):
    stsEndpoint: Annotated[
        str | None,
        Text(
            "STS endpoint",
            "Leave empty for the usual one. For access keys of GovCloud or China, FIPS or a VPC endpoint, such as"
            " https://sts.eu-west-1.amazonaws.com.",
            # A server at another address could claim any account, and would receive this server's own token.
            pattern=r"https://(vpce-[a-z0-9-]+\.)?sts(-fips)?(\.[a-z]+(-[a-z]+)+-[0-9]+)?(\.vpce)?"
            rf"\.({host_suffixes()})/?",
            pattern_message="Must be the https:// address of an STS of AWS, without a path",
            last=True,
            example="https://sts.eu-west-1.amazonaws.com",
        ),
    ] = None
    endpoint: Annotated[
        str | None,
        Text(
            "Endpoint",
            "Leave empty for the usual ones. The address of the services otherwise, such as that of a VPC endpoint;"
            " {service} and {region} are filled in.",
            max_length=512,
            pattern=r"https?://[^\s/?#@\\]+/?",
            pattern_message="Must be an address without a path, such as https://{service}-fips.{region}.amazonaws.com",
            last=True,
            example="https://{service}-fips.{region}.amazonaws.com",
        ),
    ] = None


class WebIdentity(Endpoints):
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

    @property
    def partition(self) -> str:
        return self.roleArn.split(":")[1]

    @property
    def keys(self) -> Keys:
        """None yet, but those of the role will be of its account."""
        return Keys("", "", account=self.roleArn.split(":")[4])


class AssumeRole(WebIdentity):
    externalId: Annotated[
        str | None,
        Text(
            "External ID",
            "Put it into the trust policy of the role, so that nobody else can use the role through this server. A role"
            " that was made for another product has that product's: for Infisical it is the ID of the organisation.",
            min_length=2,
            max_length=1224,
            pattern=r"[A-Za-z0-9_+=,.@:/-]+",
            pattern_message="External ID can only contain letters, digits and _+=,.@:/-",
            example=EXAMPLE_ID,
        ),
    ] = None


class AccessKey(Endpoints):
    partition: ClassVar[str] = "aws"
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

    @property
    def keys(self) -> Keys:
        return Keys(self.accessKeyId, self.secretAccessKey.get_secret_value())
