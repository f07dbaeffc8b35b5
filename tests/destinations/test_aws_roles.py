"""A sync through an assumed role: one sign-in, renewed when refused, never exposed."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection as database
from pytest_django import Settings

from connections.credentials import shown_credentials
from connections.providers.aws import Aws
from connections.services import create_connection, update_connection
from tests.fixtures.contract import Case, opened

from .aws_parameter_store import AwsParameterStore as Fake
from .serving import Answer, Ask

ROLE = "arn:aws:iam::210987654321:role/keyferry"
SERVER = "canary-server-secret"


@pytest.fixture
def case(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_pace: None) -> Iterator[Case]:
    settings.AWS_ROLES = [ROLE]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSERVER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SERVER)
    login = {"roleArn": ROLE}
    with opened(Fake(), "aws-parameter-store", "path", settings, method="assume-role", credentials=login) as case:
        yield case


def asked(case: Case) -> list[str]:
    return [operation for _, operation in case.fake.asked()]


def test_a_role_is_assumed_once_for_all_runs(case: Case) -> None:
    assert asked(case) == ["AssumeRole", "GetCallerIdentity"], "when the connection was made"
    case.set(A="1")
    sync = case.sync()
    for _ in range(3):
        assert case.run(sync).status == "succeeded"
    assert asked(case) == ["GetParametersByPath", "PutParameter", "GetParametersByPath", "GetParametersByPath"]
    assert sync.location.endswith("|210987654321|eu-west-1|/shop/production/")
    assert case.held == {"A": "1"}


def test_a_session_that_ended_early_is_renewed_once_and_the_request_sent_again(case: Case) -> None:
    case.set(A="1")
    sync = case.sync()
    asked(case)
    assert isinstance(case.fake, Fake)
    case.fake.refuse("GetParametersByPath", "ExpiredTokenException", times=1)
    assert case.run(sync).status == "succeeded"
    assert asked(case) == ["GetParametersByPath", "AssumeRole", "GetParametersByPath", "PutParameter"]


def test_a_role_that_can_no_longer_be_assumed_fails_the_run_with_a_message(case: Case) -> None:
    case.set(A="1")
    sync = case.sync()
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>"

    def fault(ask: Ask) -> Answer | None:
        if ask.path == "AssumeRole":
            return Answer(403, denied)
        return Answer(400, {"__type": "ExpiredTokenException", "message": "over"})

    assert isinstance(case.fake, Fake)
    case.fake.fault = fault
    run = case.run(sync)
    assert run.status == "failed"
    assert "AWS: AssumeRole answered 403: AccessDenied: not yours" in (run.message or "")


def test_signing_credentials_are_stored_encrypted_only(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    case.set(A="1")
    sync = case.sync()
    case.run(sync)
    assert isinstance(case.fake, Fake)
    case.fake.refuse("GetParametersByPath", "ExpiredTokenException", times=1)
    case.run(sync)
    tokens = {ask.headers.get("x-amz-security-token", "") for ask, _ in case.fake.exchanges} - {""}
    assert len(tokens) == 2
    given = [answer.body.decode() for ask, answer in case.fake.exchanges if ask.path == "AssumeRole"]
    keys = [text.partition("<SecretAccessKey>")[2].partition("<")[0] for text in given]
    canaries = [SERVER, *tokens, *keys]
    with database.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            stored = json.dumps([[str(bytes(c) if isinstance(c, memoryview) else c) for c in row] for row in cursor])
            assert not any(canary in stored for canary in canaries), model
    assert not any(canary in caplog.text for canary in canaries)


def test_a_new_connection_gets_an_external_id_that_stays(case: Case, settings: Settings) -> None:
    """Who changes the role again, as Terraform does on each apply, must not have to change its trust policy."""
    sent = {ask.body["ExternalId"] for ask, _ in exchanges(case) if ask.path == "AssumeRole"}
    shown = shown_credentials(case.connection)
    assert sent == {shown["externalId"]}
    update_connection(case.actor, case.connection, credentials={"roleArn": ROLE})
    assert shown_credentials(case.connection) == shown
    given = Aws.methods["assume-role"].parse({"roleArn": ROLE})
    other = create_connection(case.actor, "aws", name="other", method="assume-role", credentials=given)
    assert shown_credentials(other)["externalId"] != shown["externalId"]
    update_connection(case.actor, other, credentials={"roleArn": ROLE, "externalId": "of-infisical"})
    update_connection(case.actor, other, name="renamed")
    assert shown_credentials(other)["externalId"] == "of-infisical"
    assert exchanges(case)[-2][0].body["ExternalId"] == "of-infisical"


def exchanges(case: Case) -> list[tuple[Ask, Answer]]:
    assert isinstance(case.fake, Fake)
    return case.fake.exchanges
