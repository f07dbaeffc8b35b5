"""Logins at AWS against moto's server, and signatures against those of the vendor's own client."""

from __future__ import annotations

import datetime
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.auth
import botocore.loaders
import botocore.regions
import botocore.session
import pytest
from django.conf import settings

from config.errors import Invalid
from connections import aws_signing as line
from connections.aws import AwsClient, region_of
from connections.aws_regions import partition_of, regions
from connections.aws_signing import Keys
from connections.errors import AddressRefused, BadResponse, Unauthorized
from connections.http.responses import Response
from connections.providers.aws import Aws
from tests.connections.logins import login
from tests.destinations.aws_fake import REGION, AwsFake
from tests.destinations.aws_secrets_manager import AwsSecretsManager as Fake

KEY = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "canary/secret"}
ROLE = {"roleArn": "arn:aws:iam::210987654321:role/path/keyferry"}


@pytest.fixture
def vendor() -> Iterator[AwsFake]:
    fake = Fake()
    with fake.running():
        yield fake


@pytest.fixture
def provider(vendor: AwsFake, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name, value in {"ACCESS_KEY_ID": "AKIDSERVER", "SECRET_ACCESS_KEY": "server-secret"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    roles = ["arn:aws:iam::123456789012:role/other", "arn:aws:iam::210987654321:role/path/*"]
    return Aws(vendor.url, deadline=2, operator={"AWS_ROLES": roles})


def test_an_access_key_is_checked_by_asking_who_it_is(vendor: AwsFake, provider: Aws) -> None:
    with provider.client("access-key", login(provider, "access-key", KEY)) as client:
        provider.check(client)
    assert vendor.asked() == [("GET", "GetCallerIdentity")]
    assert vendor.keys == {"AKIDEXAMPLE"}


def test_the_keys_of_the_root_user_have_rights_in_excess(vendor: AwsFake, provider: Aws) -> None:
    identity = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>
        <Arn>arn:aws:iam::123456789012:%s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>"""
    for name, excess in ((b"root", 1), (b"user/root", 0)):
        vendor.answer_with(200, identity % name)
        with provider.client("access-key", login(provider, "access-key", KEY)) as client:
            assert len(provider.check(client).excess) == excess


def test_a_bad_key_is_unauthorized_and_never_shown(vendor: AwsFake, provider: Aws) -> None:
    message = "The security token included in the request is invalid, canary/secret"
    error = (
        f"<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    vendor.answer_with(403, error.encode())
    with (
        provider.client("access-key", login(provider, "access-key", KEY)) as client,
        pytest.raises(Unauthorized) as caught,
    ):
        provider.check(client)
    assert str(caught.value).startswith(
        "AWS: GetCallerIdentity answered 403: InvalidClientTokenId: The security token included"
    )
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>hello</html>", b"<Account></Account>", b"{}", b"[]", b"<<<", b"\xff", b"[" * 100_000),
        *(
            b"<GetCallerIdentityResponse/>",
            b"<GetCallerIdentityResponse><a>",
            b"<UnknownResponse/>",
            b"<ErrorResponse/>",
        ),
    ],
)
def test_a_response_of_another_shape_is_unexpected(vendor: AwsFake, provider: Aws, body: bytes) -> None:
    vendor.answer_with(200, body)
    with provider.client("access-key", login(provider, "access-key", KEY)) as client, pytest.raises(BadResponse):
        provider.check(client)


@pytest.mark.parametrize(
    "credentials",
    [
        "",
        "<Credentials><AccessKeyId>a</AccessKeyId></Credentials>",
        "<Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>"
        "<SessionToken>c</SessionToken><Expiration>soon</Expiration></Credentials>",
    ],
)
def test_a_role_without_complete_keys_is_an_unexpected_response(
    vendor: AwsFake, provider: Aws, credentials: str
) -> None:
    result = f"<AssumeRoleResult>{credentials}</AssumeRoleResult>"
    vendor.answer_with(200, f"<?xml version='1.0'?><AssumeRoleResponse>{result}</AssumeRoleResponse>".encode())
    with pytest.raises(BadResponse):
        provider.renew("assume-role", login(provider, "assume-role", ROLE))


def test_the_account_of_a_key_is_requested_once_and_stored_with_the_session(vendor: AwsFake, provider: Aws) -> None:
    session = provider.renew("access-key", login(provider, "access-key", KEY))
    assert session
    vendor.asked()
    with provider.client("access-key", login(provider, "access-key", KEY), session) as client:
        assert client.account == "123456789012"
    assert vendor.asked() == []
    assert "canary" not in repr(session)


def test_a_role_is_assumed_with_the_servers_own_identity(vendor: AwsFake, provider: Aws) -> None:
    before = datetime.datetime.now(datetime.UTC)
    session = provider.renew("assume-role", login(provider, "assume-role", ROLE))
    assert session
    assert vendor.keys == {"AKIDSERVER"}
    assert session.expires_at > before
    ask, _ = vendor.exchanges[-1]
    assert (ask.body["RoleArn"], ask.body["DurationSeconds"]) == (ROLE["roleArn"], "3600")
    with provider.client("assume-role", login(provider, "assume-role", ROLE), session) as client:
        assert client.account == "210987654321"
        client.call("secretsmanager", REGION, "ListSecrets", {}, Response, read=True)
    ask, _ = vendor.exchanges[-1]
    keys = json.loads(session.token)
    assert ask.headers["x-amz-security-token"] == keys["token"]
    assert vendor.keys == {"AKIDSERVER", keys["access_key_id"]}


@pytest.mark.parametrize("named", [[], ["arn:aws:iam::210987654321:role/path/other"], ["arn:aws:iam::210987654322:*"]])
def test_a_role_that_is_not_allowed_is_not_assumed(vendor: AwsFake, named: list[str]) -> None:
    with pytest.raises(Unauthorized, match="KEYFERRY_AWS_ROLES"):
        Aws(vendor.url, operator={"AWS_ROLES": named}).renew("assume-role", login(Aws, "assume-role", ROLE))
    assert vendor.asked() == []


def test_the_account_of_a_role_is_known_before_it_is_assumed(vendor: AwsFake, provider: Aws) -> None:
    with provider.client("assume-role", login(provider, "assume-role", ROLE)) as client:
        assert client.account == "210987654321"
    assert vendor.asked() == []


def test_a_server_without_an_identity_reports_how_to_configure_one(
    provider: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(Unauthorized, match="AWS_ACCESS_KEY_ID"):
        provider.renew("assume-role", login(provider, "assume-role", ROLE))


def test_a_users_own_endpoint_must_not_be_private(vendor: AwsFake) -> None:
    credentials = {**KEY, "stsEndpoint": vendor.url}
    with Aws().client("access-key", login(Aws, "access-key", credentials)) as client, pytest.raises(AddressRefused):
        Aws().check(client)
    assert vendor.asked() == []


def test_the_operators_address_takes_precedence(vendor: AwsFake, provider: Aws) -> None:
    with provider.client(
        "access-key", login(provider, "access-key", {**KEY, "stsEndpoint": "https://sts.eu-west-1.amazonaws.com"})
    ) as client:
        provider.check(client)
    assert vendor.asked() == [("GET", "GetCallerIdentity")]


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        (KEY, "https://sts.us-east-1.amazonaws.com"),
        ({**KEY, "stsEndpoint": "https://sts.eu-west-1.amazonaws.com/"}, "https://sts.eu-west-1.amazonaws.com"),
        ({"roleArn": "arn:aws-us-gov:iam::210987654321:role/x"}, "https://sts.us-gov-west-1.amazonaws.com"),
        ({"roleArn": "arn:aws-cn:iam::210987654321:role/x"}, "https://sts.cn-northwest-1.amazonaws.com.cn"),
    ],
)
def test_the_address_of_sts_is_that_of_its_part_of_aws(credentials: dict[str, str], expected: str) -> None:
    method = "assume-role" if "roleArn" in credentials else "access-key"
    with Aws().client(method, login(Aws, method, credentials)) as client:
        assert client.base_url == expected
        assert client.address("ssm", "eu-west-1") == "https://ssm.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("region", "address"),
    [
        ("eu-west-1", "https://ssm.eu-west-1.amazonaws.com"),
        ("us-gov-east-1", "https://ssm.us-gov-east-1.amazonaws.com"),
        ("cn-north-1", "https://ssm.cn-north-1.amazonaws.com.cn"),
        ("eusc-de-east-1", "https://ssm.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_a_service_is_called_at_the_address_of_its_partition(region: str, address: str) -> None:
    with Aws().client("access-key", login(Aws, "access-key", KEY)) as client:
        assert client.address("ssm", region) == client.place("ssm", region) == address


def test_each_service_is_known_in_each_region_by_the_data_of_aws() -> None:
    """Addresses as AWS's own SDK makes them."""
    resolver = botocore.regions.EndpointResolver(botocore.loaders.Loader().load_data("endpoints"))
    for region in regions():
        for service in ("ssm", "secretsmanager", "kms"):
            endpoint = resolver.construct_endpoint(service, region)
            expected = endpoint["hostname"] if endpoint else f"{service}.{region}.{partition_of(region).suffix}"
            with AwsClient(Keys("A", "b"), "https://sts.us-east-1.amazonaws.com") as client:
                assert client.address(service, region) == f"https://{expected}"


MODELLED = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-east-1", "us-gov-west-1", "af-south-1"),
    *("ap-east-1", "ap-south-1", "ap-south-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3"),
    *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "eu-central-1"),
    *("eu-central-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-south-1", "eu-south-2", "eu-north-1"),
    *("me-south-1", "me-central-1", "sa-east-1"),
)


def test_every_region_of_the_modelled_api_and_of_every_partition_is_known() -> None:
    assert set(MODELLED) | {"cn-north-1", "ap-southeast-7", "mx-central-1", "eusc-de-east-1"} <= set(regions())
    assert not any("global" in region for region in regions())
    assert partition_of("cn-central-7").name == "aws-cn", "one that botocore does not know yet"


@pytest.mark.parametrize(
    ("endpoint", "address", "place"),
    [
        ("https://vpce-1.ssm.eu-west-1.vpce.amazonaws.com", None, "https://ssm.eu-west-1.amazonaws.com"),
        (
            "https://{service}-fips.{region}.amazonaws.com/",
            "https://ssm-fips.eu-west-1.amazonaws.com",
            "https://ssm.eu-west-1.amazonaws.com",
        ),
        ("https://aws.example.com", None, "https://aws.example.com"),
        ("https://ssm.amazonaws.com.example.com", None, "https://ssm.amazonaws.com.example.com"),
    ],
)
def test_an_endpoint_of_aws_is_the_same_place(endpoint: str, address: str | None, place: str) -> None:
    """Else two syncs to the same parameters would not be known to overlap."""
    credentials = login(Aws, "access-key", {**KEY, "endpoint": endpoint})
    with Aws().client("access-key", credentials) as client:
        assert client.address("ssm", "eu-west-1") == (address or endpoint)
        assert client.place("ssm", "eu-west-1") == place
        at_aws = place.endswith("amazonaws.com")
        assert client.base_url == ("https://sts.us-east-1.amazonaws.com" if at_aws else endpoint)


def test_this_servers_own_identity_is_never_sent_to_an_endpoint_of_a_user() -> None:
    for method in ("assume-role", "web-identity"):
        credentials = login(Aws, method, {**ROLE, "endpoint": "https://aws.example.com"})
        with Aws().client(method, credentials) as client:
            assert client.base_url == "https://sts.us-east-1.amazonaws.com"


def test_an_endpoint_in_a_private_network_is_refused(vendor: AwsFake) -> None:
    credentials = login(Aws, "access-key", {**KEY, "endpoint": vendor.url})
    with Aws().client("access-key", credentials) as client, pytest.raises(AddressRefused):
        client.call("ssm", REGION, "GetParametersByPath", {"Path": "/"}, Response, read=True)
    assert vendor.asked() == []


@pytest.mark.parametrize("endpoint", ["ftp://x", "https://a/path", "https://a@b", "https://a?b", "a.example.com"])
def test_an_endpoint_is_an_address_without_a_path(endpoint: str) -> None:
    with pytest.raises(Invalid):
        Aws.methods["access-key"].parse({**KEY, "endpoint": endpoint})


def test_the_external_id_is_sent_and_named_where_a_role_refuses(vendor: AwsFake, provider: Aws) -> None:
    credentials = login(provider, "assume-role", {**ROLE, "externalId": "8c7d0f1e/org"})
    assert provider.renew("assume-role", credentials)
    assert vendor.exchanges[-1][0].body["ExternalId"] == "8c7d0f1e/org"
    error = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>"
    vendor.answer_with(403, error)
    with pytest.raises(Unauthorized, match=r"AccessDenied: not you \(external ID: 8c7d0f1e/org\)"):
        provider.renew("assume-role", credentials)


def test_a_role_without_an_external_id_is_assumed_without_one(vendor: AwsFake, provider: Aws) -> None:
    provider.renew("assume-role", login(provider, "assume-role", ROLE))
    assert "ExternalId" not in vendor.exchanges[-1][0].body


def test_a_role_is_assumed_with_the_token_of_this_server(vendor: AwsFake, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("canary.web.token\n")
    operator = {"AWS_ROLES": ["*"], "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}
    provider = Aws(vendor.url, deadline=2, operator=operator)
    credentials = login(provider, "web-identity", ROLE)
    session = provider.renew("web-identity", credentials)
    assert session
    ask, _ = vendor.exchanges[-1]
    assert (ask.body["Action"], ask.body["WebIdentityToken"]) == ("AssumeRoleWithWebIdentity", "canary.web.token")
    assert "authorization" not in ask.headers
    with provider.client("web-identity", credentials, session) as client:
        assert client.account == "210987654321"
        client.call("secretsmanager", REGION, "ListSecrets", {}, Response, read=True)
    error = b"<Error><Code>InvalidIdentityToken</Code><Message>canary.web.token is over</Message></Error>"
    vendor.answer_with(400, b"<ErrorResponse>" + error + b"</ErrorResponse>")
    with pytest.raises(Unauthorized, match=r"InvalidIdentityToken: \[redacted\] is over"):
        provider.renew("web-identity", credentials)


@pytest.mark.parametrize("file", ["", "/nonexistent/token"])
def test_a_server_without_a_token_reports_what_is_missing(vendor: AwsFake, file: str) -> None:
    provider = Aws(vendor.url, operator={"AWS_ROLES": ["*"], "AWS_WEB_IDENTITY_TOKEN_FILE": file})
    with pytest.raises(Unauthorized, match="/nonexistent/token cannot be read" if file else "_TOKEN_FILE"):
        provider.renew("web-identity", login(provider, "web-identity", ROLE))
    with pytest.raises(Unauthorized, match="KEYFERRY_AWS_ROLES"):
        Aws(vendor.url).renew("web-identity", login(provider, "web-identity", ROLE))
    assert vendor.asked() == []


@pytest.mark.parametrize("role", ["", "keyferry", "arn:aws:iam::1:role/x", "arn:aws:iam::210987654321:user/x"])
def test_an_invalid_role_is_refused(role: str) -> None:
    with pytest.raises(Invalid):
        Aws.methods["assume-role"].parse({"roleArn": role})


@pytest.mark.parametrize(
    "address",
    [
        *("http://sts.amazonaws.com", "https://sts.amazonaws.com/path", "https://a@sts.amazonaws.com", "sts"),
        *("https://sts.example.com", "https://sts.amazonaws.com.example.com", "https://sts.s3.amazonaws.com"),
        *("https://example.com/sts.amazonaws.com", "https://ec2.eu-west-1.amazonaws.com"),
    ],
)
def test_an_endpoint_outside_aws_has_no_known_account(address: str) -> None:
    with pytest.raises(Invalid):
        Aws.methods["access-key"].parse({**KEY, "stsEndpoint": address})


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("https://sts.amazonaws.com", "us-east-1"),
        ("https://sts.eu-west-1.amazonaws.com/", "eu-west-1"),
        ("https://sts-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("https://sts.eu-west-1.api.aws", "eu-west-1"),
        ("https://vpce-0a1b2c-3d4e.sts.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
    ],
)
def test_an_endpoint_of_aws_is_signed_for_in_its_region(address: str, region: str) -> None:
    assert Aws.methods["access-key"].parse({**KEY, "stsEndpoint": address}).stored()["stsEndpoint"] == address
    assert region_of(address) == region


def test_kms_keys_and_secrets_are_offered(vendor: AwsFake, provider: Aws) -> None:
    made = vendor.by_hand("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    vendor.by_hand("kms", "CreateAlias", AliasName="alias/shop", TargetKeyId=made)
    vendor.by_hand("secretsmanager", "CreateSecret", Name="team/settings", SecretString="{}")
    with provider.client("access-key", login(provider, "access-key", KEY)) as client:
        offered = provider.choices(client, "keyId", {"region": REGION})
        assert (made, "alias/shop") in [(one.value, one.label) for one in offered]
        assert [one.value for one in provider.choices(client, "secretName", {"region": REGION})] == ["team/settings"]
        assert provider.choices(client, "path", {"region": REGION}) == []


def test_botocore_is_not_imported_before_it_is_needed() -> None:
    code = "import django, sys; django.setup(); import config.urls; sys.exit('botocore' in sys.modules)"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    subprocess.run([sys.executable, "-c", code], env=env, cwd=settings.BASE_DIR, check=True)


def test_signed_requests_are_not_logged(vendor: AwsFake, provider: Aws, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session = provider.renew("assume-role", login(provider, "assume-role", ROLE))
    assert session
    with provider.client("assume-role", login(provider, "assume-role", ROLE), session) as client:
        client.call("secretsmanager", REGION, "CreateSecret", {"Name": "A", "SecretString": "canary-value"}, Response)
    keys = json.loads(session.token)
    for canary in ("canary-value", "server-secret", keys["secret_access_key"], keys["token"]):
        assert canary not in caplog.text


@pytest.mark.parametrize("token", ["", "session-token"])
def test_a_request_is_signed_as_by_the_vendors_own_client(
    vendor: AwsFake, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same request, at the same moment, with the same keys: the same signature."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda **_: datetime.datetime(2026, 1, 2, 3, 4, 5))
    client = botocore.session.get_session().create_client(
        "secretsmanager",
        region_name=REGION,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="canary/secret",
        aws_session_token=token or None,
        endpoint_url=vendor.url,
    )
    client.list_secrets(MaxResults=100)
    with AwsClient(Keys("AKIDEXAMPLE", "canary/secret", token), vendor.url, one_address=True) as ours:
        headers = {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}
        content = b'{"MaxResults": 100}'  # byte for byte as theirs is
        ours.request("POST", "/", content=content, headers={**headers, line.SCOPE: f"secretsmanager/{REGION}"})
    signed = [ask for ask, _ in vendor.exchanges]
    assert signed[0].body == signed[1].body
    assert signed[0].headers["x-amz-date"] == signed[1].headers["x-amz-date"] == "20260102T030405Z"
    assert signed[0].headers["authorization"] == signed[1].headers["authorization"]
    assert line.SCOPE.lower() not in signed[1].headers


def test_reprs_do_not_contain_the_secret() -> None:
    keys = Keys("AKIDEXAMPLE", "canary/secret", "canary-token")
    with AwsClient(keys, "https://sts.us-east-1.amazonaws.com") as client:
        assert "canary" not in repr(keys) + repr(client) + str(vars(client.__class__))
