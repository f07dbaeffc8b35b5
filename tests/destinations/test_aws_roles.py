"""A sync through an assumed role: signed in for once, anew when refused, told nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection as database
from pytest_django import Settings

from config import encryption
from config.access.models import User
from config.access.roles import actor_of_user
from connections.services import create_connection
from syncs.services.folders import create_project
from tests.contract.test_laws import Place

from .aws_parameter_store import AwsParameterStore as Fake
from .serving import Answer, Ask

ROLE = "arn:aws:iam::210987654321:role/keyferry"
SERVER = "canary-server-secret"


@pytest.fixture
def location(db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr("syncs.running.runner.reserve_slot", lambda *_, **__: 0.0)
    settings.AWS_ROLES = [ROLE]
    own = {"AWS_ACCESS_KEY_ID": "AKIDSERVER", "AWS_SECRET_ACCESS_KEY": SERVER}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    encryption.forget()
    fake = Fake()
    with fake.running() as url:
        settings.BASE_URLS = {"aws": url}
        actor = actor_of_user(User.objects.create_superuser("ada"))
        project = create_project(actor, "Contract", slug="contract-project")
        login = create_connection(actor, "aws", name="aws", method="assume-role", credentials={"roleArn": ROLE})
        yield Place(fake, "aws-parameter-store", "path", actor, login, project)


def asked(location: Place) -> list[str]:
    return [operation for _, operation in location.fake.asked()]


def test_a_role_is_assumed_once_for_all_runs(location: Place) -> None:
    assert asked(location) == ["AssumeRole", "GetCallerIdentity"], "when the connection was made"
    location.set(A="1")
    sync = location.sync()
    for _ in range(3):
        assert location.run(sync).status == "succeeded"
    assert asked(location) == ["GetParametersByPath", "PutParameter", "GetParametersByPath", "GetParametersByPath"]
    assert sync.location.endswith("|210987654321|eu-west-1|/shop/production/")
    assert location.held == {"A": "1"}


def test_a_session_that_ended_early_is_renewed_once_and_the_request_sent_again(location: Place) -> None:
    location.set(A="1")
    sync = location.sync()
    asked(location)
    assert isinstance(location.fake, Fake)
    location.fake.refuse("GetParametersByPath", "ExpiredTokenException", times=1)
    assert location.run(sync).status == "succeeded"
    assert asked(location) == ["GetParametersByPath", "AssumeRole", "GetParametersByPath", "PutParameter"]


def test_a_role_that_may_no_more_be_assumed_fails_the_run_in_words(location: Place) -> None:
    location.set(A="1")
    sync = location.sync()
    denied = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>"

    def fault(ask: Ask) -> Answer | None:
        if ask.path == "AssumeRole":
            return Answer(403, denied)
        return Answer(400, {"__type": "ExpiredTokenException", "message": "over"})

    assert isinstance(location.fake, Fake)
    location.fake.fault = fault
    run = location.run(sync)
    assert run.status == "failed"
    assert "AWS: AssumeRole answered 403: not yours" in (run.message or "")


def test_nothing_that_signs_is_anywhere_but_sealed(location: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    location.set(A="1")
    sync = location.sync()
    location.run(sync)
    assert isinstance(location.fake, Fake)
    location.fake.refuse("GetParametersByPath", "ExpiredTokenException", times=1)
    location.run(sync)
    tokens = {ask.headers.get("x-amz-security-token", "") for ask, _ in location.fake.exchanges} - {""}
    assert len(tokens) == 2
    given = [answer.body.decode() for ask, answer in location.fake.exchanges if ask.path == "AssumeRole"]
    keys = [text.partition("<SecretAccessKey>")[2].partition("<")[0] for text in given]
    canaries = [SERVER, *tokens, *keys]
    with database.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            told = json.dumps([[str(bytes(c) if isinstance(c, memoryview) else c) for c in row] for row in cursor])
            assert not any(canary in told for canary in canaries), model
    assert not any(canary in caplog.text for canary in canaries)
