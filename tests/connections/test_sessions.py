"""Expiring logins: one sign-in serves all runs and is renewed before it expires; tokens are stored encrypted only."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import pytest
from django.db import connection as database
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import SecretStr
from pytest_django import Settings

from config import encryption
from config.access.models import User
from config.access.roles import Actor, actor_of_user
from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Secret
from connections.credentials import open_client
from connections.errors import Unauthorized
from connections.http.client import ApiClient
from connections.models import AppConnection
from connections.provider import Provider, Rights, Session, providers
from connections.services import check_connection, create_connection, update_connection
from connections.sessions import EARLY
from tests.destinations.serving import Answer, Ask, LoginOnly
from tests.running import PATIENCE


class Vendor(LoginOnly):
    """Gives a new token at each sign-in; takes those that were not revoked."""

    method = "password"
    credentials = {"password": "canary-password"}

    def __init__(self) -> None:
        super().__init__()
        self.given: list[str] = []
        self.good: set[str] = set()
        self.seconds = 3600
        self.slow = 0.0

    @property
    def asked_at(self) -> list[str]:
        return [ask.path for ask, _ in self.exchanges]

    def answer(self, ask: Ask) -> Answer:
        if ask.path == "/login":
            time.sleep(self.slow)
            if ask.body["password"] != "canary-password":
                return Answer(401, {"message": "wrong canary-password"})
            self.given.append(f"canary-token-{len(self.given) + 1}")
            self.good.add(self.given[-1])
            return Answer(200, {"token": self.given[-1], "seconds": self.seconds})
        if ask.headers.get("authorization") not in self.good:
            return Answer(403, {"message": "no such token"})
        return Answer(200, {"with": ask.headers["authorization"]})


class Password(Model):
    password: Annotated[SecretStr, Secret("Password")]


class Token(Model):
    token: Annotated[SecretStr, Secret("Token")]


class Signing(Provider):
    slug: ClassVar[str] = "signing"
    label: ClassVar[str] = "Signing"
    base_url: ClassVar[str] = "https://signing.invalid"
    methods: ClassVar[Mapping[str, type[Model]]] = {"password": Password, "token": Token}

    def client(self, method: str, credentials: Password | Token, session: Session | None = None) -> ApiClient:
        token = session.token if session else credentials.stored().get("token", "")
        return self.open(headers={"Authorization": token}, secrets=[token])

    def renew(self, method: str, credentials: Password | Token) -> Session | None:
        if isinstance(credentials, Token):
            return None
        with self.open(secrets=[credentials.password.get_secret_value()]) as client:
            answer = client.request("POST", "/login", json=credentials.stored(), read=True)
        return Session(answer["token"], timezone.now() + timedelta(seconds=answer["seconds"]))

    def check(self, client: ApiClient) -> Rights:
        client.request("GET", "/me")
        return Rights()


@contextmanager
def serving(settings: Settings) -> Iterator[Vendor]:
    encryption.forget()
    vendor = Vendor()
    with providers.override(Signing), vendor.running() as url:
        settings.BASE_URLS = {"signing": url}
        yield vendor


@pytest.fixture
def vendor(db: None, settings: Settings) -> Iterator[Vendor]:
    with serving(settings) as found:
        yield found


@pytest.fixture
def actor(db: None) -> Actor:
    return actor_of_user(User.objects.create_superuser("ada"))


def make(actor: Actor) -> AppConnection:
    return create_connection(actor, "signing", name="one", method="password", credentials=dict(Vendor.credentials))


def ask(held: AppConnection) -> Any:
    with open_client(AppConnection.objects.get(pk=held.pk)) as client:
        return client.request("GET", "/me")["with"]


def end(held: AppConnection) -> None:
    AppConnection.objects.filter(pk=held.pk).update(session_renew_at=timezone.now())


def test_the_sign_in_that_proved_the_credentials_is_the_one_that_is_used(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    assert [ask(held), ask(held)] == ["canary-token-1"] * 2
    assert vendor.given == ["canary-token-1"]


def test_opening_sends_nothing(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    end(held)
    vendor.exchanges.clear()
    with open_client(AppConnection.objects.get(pk=held.pk)) as client:
        assert client.base_url
    assert vendor.exchanges == []


@pytest.mark.parametrize(("seconds", "after"), [(3600, 3600 - EARLY.total_seconds()), (60, 30)])
def test_a_token_is_renewed_before_it_ends(vendor: Vendor, actor: Actor, seconds: int, after: float) -> None:
    vendor.seconds = seconds
    held = make(actor)
    renew_at = AppConnection.objects.get(pk=held.pk).session_renew_at
    assert renew_at
    assert abs((renew_at - timezone.now()).total_seconds() - after) < 5
    end(held)
    assert ask(held) == "canary-token-2"
    assert ask(held) == "canary-token-2"


def test_a_token_that_was_revoked_early_is_renewed_and_the_request_sent_again(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    vendor.good.clear()
    assert ask(held) == "canary-token-2"
    assert ask(held) == "canary-token-2"


def test_a_missing_right_causes_one_sign_in(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    vendor.fault = lambda asked: Answer(403, {"message": "no right"}) if asked.path != "/login" else None
    with open_client(held) as client:
        for _ in range(5):
            with pytest.raises(Unauthorized, match="no right"):
                client.request("POST", "/write")
    assert len(vendor.given) == 2
    assert vendor.asked_at.count("/write") == 6


def test_threads_of_one_client_sign_in_once(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    vendor.good.clear()
    vendor.slow = 0.1
    answers: list[str] = []
    with open_client(held) as client:
        client.request("GET", "/me")
        vendor.good.clear()
        vendor.given.clear()
        # It was signed in again once already; a second time is refused, in every thread.
        threads = [threading.Thread(target=lambda: answers.append(_with(client))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == ["refused"] * 8
    assert vendor.given == []


def test_threads_of_one_client_share_a_new_session(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    vendor.slow = 0.1
    answers: list[str] = []
    with open_client(held) as client:
        client.request("GET", "/me")
        vendor.good.clear()
        threads = [threading.Thread(target=lambda: answers.append(_with(client))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == ["canary-token-2"] * 8
    assert vendor.given == ["canary-token-1", "canary-token-2"]


def _with(client: ApiClient) -> str:
    try:
        return str(client.request("POST", "/write")["with"])
    except Unauthorized:
        return "refused"


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_sign_in_once(settings: Settings) -> None:
    with serving(settings) as vendor:
        held = make(actor_of_user(User.objects.create_superuser("ada")))
        end(held)
        vendor.slow = 0.3
        answers: list[Any] = []
        ready = threading.Barrier(6)

        def run() -> None:
            try:
                ready.wait(timeout=PATIENCE)
                answers.append(ask(held))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=PATIENCE)
        assert answers == ["canary-token-2"] * 6
        assert vendor.given == ["canary-token-1", "canary-token-2"]
        assert AppConnection.objects.get(pk=held.pk).session_claimed_until is None


def test_a_sign_in_that_fails_is_the_outcome_of_the_request_and_blocks_nobody(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    end(held)
    vendor.fault = lambda asked: Answer(503) if asked.path == "/login" else None
    with open_client(held) as client, pytest.raises(Exception, match="POST /login answered 503"):
        client.request("POST", "/write")
    assert "/write" not in vendor.asked_at
    vendor.fault = None
    assert ask(held) == "canary-token-2"


def test_a_worker_that_died_during_sign_in_blocks_only_briefly(
    vendor: Vendor, actor: Actor, settings: Settings
) -> None:
    held = make(actor)
    end(held)
    soon = timezone.now() + timedelta(seconds=0.3)
    AppConnection.objects.filter(pk=held.pk).update(session_claimed_until=soon)
    assert ask(held) == "canary-token-2"


def test_new_credentials_end_the_old_login(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    update_connection(actor, held, credentials=dict(Vendor.credentials))
    assert ask(held) == "canary-token-2"
    with pytest.raises(BadRequest, match=r"wrong \[redacted\]|wrong"):
        update_connection(actor, held, credentials={"password": "another"})


def test_a_login_opened_with_old_credentials_stores_nothing(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    with open_client(AppConnection.objects.get(pk=held.pk)) as client:
        AppConnection.objects.filter(pk=held.pk).update(credentials_hash="changed", session_sealed=None)
        with pytest.raises(Unauthorized, match="were replaced meanwhile"):
            client.request("GET", "/me")
    assert AppConnection.objects.get(pk=held.pk).session_sealed is None


def test_checking_a_connection_proves_the_credentials_themselves(vendor: Vendor, actor: Actor) -> None:
    held = make(actor)
    check_connection(actor, held)
    assert ask(held) == "canary-token-2"


def test_a_method_without_a_session_is_used_as_it_is(vendor: Vendor, actor: Actor) -> None:
    vendor.good.add("canary-fixed")
    held = create_connection(actor, "signing", name="fixed", method="token", credentials={"token": "canary-fixed"})
    assert [ask(held), ask(held)] == ["canary-fixed"] * 2
    with CaptureQueriesContext(database) as queries:
        ask(held)
    assert len(queries) == 2, "the connection, and that its credentials are used as they are"
    AppConnection.objects.update(session_renew_at=None)  # as it was before anyone had asked
    assert ask(held) == "canary-fixed"
    with CaptureQueriesContext(database) as queries:
        ask(held)
    assert len(queries) == 2
    vendor.good.clear()
    with pytest.raises(Unauthorized):
        ask(held)
    assert vendor.given == []


def test_a_token_is_sealed_and_shown_nowhere(vendor: Vendor, actor: Actor, caplog: pytest.LogCaptureFixture) -> None:
    held = make(actor)
    ask(held)
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM connections_appconnection")
        text = " ".join(
            bytes(cell).decode("latin-1") if isinstance(cell, memoryview | bytes) else str(cell)
            for row in cursor.fetchall()
            for cell in row
        )
    assert "canary" not in text + caplog.text
    assert "canary" not in repr(Session("canary", timezone.now()))
