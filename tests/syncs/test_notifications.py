"""Notifications about changes of a sync's state: once, with names only, to every target."""

from __future__ import annotations

import email
import email.policy
import logging
import socket
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from config.access.models import AuditEvent, Membership, Role, User
from config.errors import BadRequest
from syncs import tasks
from syncs.models import Notice, NoticeState, NotificationTarget, SecretSync, SyncRun
from syncs.notifications import outbox, sender
from syncs.notifications import targets as services
from syncs.notifications.isolation import Refused, confined
from syncs.notifications.targets import TargetInput
from syncs.running import dispatcher, drift
from syncs.running.runner import execute
from syncs.running.writer import Writer
from syncs.services import approvals
from syncs.services.syncs import update_policy
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from tests.fixtures.notifications import WEBHOOK_TOKEN, Listener
from tests.fixtures.world import World
from tests.running import wait_until

APP = ("acme", "shop", "")
pytestmark = pytest.mark.usefixtures("no_queue")


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def test_one_message_per_change_of_state(world: World, listener: Listener, target: NotificationTarget) -> None:
    world.set(A="1", B="${NOPE}")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    assert listener.states_sent() == ["failed"]
    world.run(sync)
    world.run(sync)
    assert listener.states_sent() == ["failed"]
    world.set(B="2")
    world.run(sync)
    world.run(sync)
    assert listener.states_sent() == ["failed", "recovered"]
    message = listener.got[0]
    assert message["title"] == "Keyferry: shop-project/shop-dev failed"
    assert "B (" in message["message"]
    assert "/admin/syncs/syncrun/" in message["message"]
    assert message["type"] == "failure"


def test_the_first_success_is_no_news(world: World, listener: Listener, target: NotificationTarget) -> None:
    world.set(A="1")
    world.run(world.sync(is_auto_sync_enabled=False))
    assert listener.states_sent() == []


def test_a_pause_in_the_middle_of_a_run_is_no_failure(
    world: World, listener: Listener, target: NotificationTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.set(**{f"K{number}": "x" for number in range(4)})
    sync = world.sync()
    run = SyncRun.objects.get()
    asked = iter(range(100))
    may_continue = Writer.may_continue

    def pausing(self: Writer) -> bool:
        if next(asked) == 2:
            update_policy(world.actor, fresh(sync), {"paused": True})
        return may_continue(self)

    monkeypatch.setattr(Writer, "may_continue", pausing)
    world.due()
    world.due()
    run = world.again(run)
    assert (run.status, run.message) == ("superseded", "Paused.")
    assert set(run.changes.values_list("key", "outcome")) == {
        ("K0", "applied"),
        ("K1", "applied"),
        ("K2", "skipped"),
        ("K3", "skipped"),
    }
    assert (fresh(sync).sync_status, listener.states_sent()) == (None, [])  # no run has ended yet
    update_policy(world.actor, fresh(sync), {"paused": False})
    world.due()
    assert (fresh(sync).sync_status, len(world.held()), listener.states_sent()) == ("succeeded", 4, [])


def test_a_hold_is_notified_once_and_ends(
    world: World, listener: Listener, target: NotificationTarget, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://keys.example.com"
    world.set(**{f"K{number}": "x" for number in range(4)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.unset(*(f"K{number}" for number in range(4)))
    held = world.run(sync)
    world.run(sync)
    assert listener.states_sent() == ["held"]
    assert f"https://keys.example.com/admin/syncs/syncrun/{held.pk}/change/" in listener.got[0]["message"]
    approvals.approve(world.actor, world.again(held))
    world.due()
    assert listener.states_sent() == ["held", "recovered"]


def test_drift_is_notified_once_and_healed(world: World, listener: Listener, target: NotificationTarget) -> None:
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    drift.check(fresh(sync))
    assert listener.states_sent() == []
    world.sandbox.put(APP, "A", "theirs")
    drift.check(fresh(sync))
    drift.check(fresh(sync))
    assert listener.states_sent() == ["drifted"]
    assert "1 key is not as the sync left them: A changed." in listener.got[0]["message"]
    world.run(sync)
    drift.check(fresh(sync))
    assert listener.states_sent() == ["drifted", "recovered"]


def test_drift_that_disappears(world: World, listener: Listener, target: NotificationTarget) -> None:
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    kept = world.sandbox.values[APP].pop("B")
    drift.check(fresh(sync))
    world.sandbox.fault = lambda method, path: (503, {"message": "away"})
    with pytest.raises(BadRequest):
        drift.check(fresh(sync))
    world.sandbox.fault = None
    assert listener.states_sent() == ["drifted"]
    world.sandbox.values[APP]["B"] = kept
    drift.check(fresh(sync))
    assert listener.states_sent() == ["drifted", "recovered"]


def test_a_sync_that_fails_has_not_recovered_when_its_keys_are_removed(
    world: World, listener: Listener, target: NotificationTarget
) -> None:
    world.set(A="1", B="${NOPE}")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    execute(trigger(world.actor, fresh(sync), "remove").pk)
    assert world.held() == {}
    assert listener.states_sent() == ["failed"]
    world.unset("B")
    world.run(sync)
    assert listener.states_sent() == ["failed", "recovered"]


def test_a_failing_sync_has_not_recovered_when_its_drift_ends(
    world: World, listener: Listener, target: NotificationTarget
) -> None:
    world.set(A="1", B="2")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    kept = world.sandbox.values[APP].pop("A")
    drift.check(fresh(sync))
    world.set(B="${NOPE}")
    world.sandbox.values[APP]["A"] = kept
    world.run(sync)
    drift.check(fresh(sync))
    assert listener.states_sent() == ["drifted", "failed"]


def test_a_target_gets_only_its_selected_events(world: World, listener: Listener, target: NotificationTarget) -> None:
    services.update_target(world.actor, target, TargetInput(states=["recovered"]))
    world.set(A="${NOPE}")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    assert listener.states_sent() == []
    world.set(A="1")
    world.run(sync)
    assert listener.states_sent() == ["recovered"]
    services.update_target(world.actor, target, TargetInput(is_enabled=False))
    world.set(A="${NOPE}")
    world.run(sync)
    assert Notice.objects.count() == 1


def test_an_import_sends_no_message(world: World, listener: Listener, target: NotificationTarget) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    world.sandbox.fault = lambda method, path: (401, {"message": "no"})
    from syncs.services.triggers import trigger

    trigger(world.actor, sync, "import")
    world.due()
    assert listener.states_sent() == []


def test_an_unavailable_target_is_retried_and_does_not_delay_others(
    world: World, listener: Listener, target: NotificationTarget, settings: Settings
) -> None:
    gone = services.create_target(world.actor, world.project, TargetInput("gone", "json://127.0.0.1:9/x"))
    listener.status = 503
    world.set(A="${NOPE}")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    for notice in Notice.objects.all():
        tasks.send_notice(notice.pk)
        tasks.send_notice(notice.pk)  # the same task twice: the row is not due any more
    assert len(listener.got) == 1
    target.refresh_from_db()
    assert target.last_error == "it responded with 503"
    # What comes later waits its turn.
    world.set(A="1")
    world.run(sync)
    assert len(listener.states_sent()) == 1
    listener.status = 200
    Notice.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    assert listener.states_sent() == ["failed", "failed", "recovered"]
    target.refresh_from_db()
    assert (target.last_error, target.last_sent_at is not None) == ("", True)
    for _ in range(len(outbox.WAITS) + 1):
        Notice.objects.filter(status="pending").update(due_at=timezone.now())
        listener.states_sent()
    first = Notice.objects.filter(target=gone).earliest("pk")
    assert (first.status, first.attempts) == ("failed", len(outbox.WAITS) + 1)
    gone.refresh_from_db()
    assert gone.last_error == "it did not respond, or did not accept the message"


def test_a_lost_task_is_sent_again(
    world: World, listener: Listener, target: NotificationTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("django_q.tasks.async_task", lambda *args, **_: sent.append(args))
    world.set(A="${NOPE}")
    world.run(world.sync(is_auto_sync_enabled=False))
    notice = Notice.objects.get()
    dispatcher.dispatch()
    dispatcher.dispatch()
    assert sent.count(("syncs.tasks.send_notice", notice.pk)) == 1
    Notice.objects.update(queued_at=timezone.now() - timedelta(seconds=61))
    dispatcher.dispatch()
    assert sent.count(("syncs.tasks.send_notice", notice.pk)) == 2


def test_the_queries_are_the_same_for_one_target_and_for_many(world: World) -> None:
    with CaptureQueriesContext(connection) as due:
        outbox.queue_due()
    assert len(due) == 1
    counted = []
    for number in (1, 4):
        for each in range(number):
            services.create_target(world.actor, world.project, TargetInput(f"{number}-{each}", recipients="admins"))
        sync = world.sync(f"sync-{number}", is_auto_sync_enabled=False)
        run = SyncRun.objects.create(sync=sync, operation="sync", trigger="manual")
        with CaptureQueriesContext(connection) as told:
            outbox.run_ended(run, fresh(sync), NoticeState.FAILED, "x")
        counted.append(len(told))
    assert counted[0] == counted[1]
    assert Notice.objects.count() == 1 + 5


class Mailbox:
    """A mail server that requires a login, and what it received."""

    def __init__(self, secret: str) -> None:
        self.got: list[Envelope] = []
        self._secret = secret
        self.status = "250 Message accepted for delivery"

    def authenticator(self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == self._secret.encode(), handled=False)

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if self.status.startswith("250"):
            self.got.append(envelope)
        return self.status


def test_a_mail_server_accepts_or_refuses(world: World, settings: Settings) -> None:
    secret = "pAsSwOrD-of-the-mail-server"
    User.objects.filter(username="ada").update(email="ada@example.com")
    target = services.create_target(world.actor, world.project, TargetInput("mail", recipients="admins"))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "keyferry", secret
    box = Mailbox(secret)
    server = Controller(box, hostname="127.0.0.1", port=port, authenticator=box.authenticator, auth_require_tls=False)
    server.start()
    try:
        title, text = "Keyferry: shop-project/shop-dev failed", "BAD KEY: no such name\nLook there."
        assert sender.send(target, title, text) == ""
        (sent,) = box.got
        assert sent.rcpt_tos == ["ada@example.com"]
        message = email.message_from_bytes(sent.original_content or b"", policy=email.policy.default)
        assert message["Subject"] == title
        assert message.get_content().splitlines() == text.splitlines()
        box.status = "554 mailbox of ada@example.com is full"
        assert sender.send(target, "title", "text") == "the mail server responded with 554"
        settings.EMAIL_HOST_PASSWORD = "another"
        assert sender.send(target, "title", "text") == "the mail server responded with 535"
    finally:
        server.stop()
    assert sender.send(target, "title", "text") == "the mail server did not accept it (ConnectionRefusedError)"
    assert len(box.got) == 1


def test_email_to_members_or_admins(world: World, settings: Settings) -> None:
    for name, role in (("grace", Role.MEMBER), ("alan", Role.ADMIN), ("left", Role.ADMIN)):
        user = User.objects.create_user(name, f"{name}@example.com", "x", is_active=name != "left")
        Membership.objects.create(project=world.project, user=user, role=role)
    User.objects.create_user("outside", "outside@example.com", "x")
    for recipients in ("members", "admins"):
        services.create_target(world.actor, world.project, TargetInput(recipients, recipients=recipients))
    world.set(A="${NOPE}")
    world.run(world.sync(is_auto_sync_enabled=False))
    for notice in Notice.objects.order_by("pk"):
        tasks.send_notice(notice.pk)
    assert {tuple(each.to) for each in mail.outbox} == {
        ("ada@example.com", "alan@example.com", "grace@example.com"),
        ("ada@example.com", "alan@example.com"),
    }
    assert mail.outbox[0].subject == "Keyferry: shop-project/shop-dev failed"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with pytest.raises(BadRequest, match="no mail server is configured"):
        services.test_target(world.actor, NotificationTarget.objects.get(name="admins"))
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(BadRequest, match="did not accept it \\(ConnectionRefusedError\\)"):
        services.test_target(world.actor, NotificationTarget.objects.get(name="admins"))


def test_a_test_message_is_sent(world: World, listener: Listener, target: NotificationTarget) -> None:
    services.test_target(world.actor, target)
    assert listener.paths == [f"/{WEBHOOK_TOKEN}"]
    assert listener.got[0]["title"] == "Keyferry: a test"
    listener.status = 404
    with pytest.raises(BadRequest, match="The test did not reach ops: it responded with 404"):
        services.test_target(world.actor, target)
    assert AuditEvent.objects.filter(event="test-notification-target").count() == 2


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "nonsense://token",
        "json://",
        "syslog://",
        "dbus://",
        "file:///etc/passwd",
        "json://" + "x" * 3000,
    ],
)
def test_invalid_target_urls(world: World, url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        services.create_target(world.actor, world.project, TargetInput("x", url))
    assert not url or url not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433"])
def test_hosts_inside_are_not_called(
    world: World, listener: Listener, target: NotificationTarget, settings: Settings, host: str
) -> None:
    settings.ALLOWED_PRIVATE_CIDRS = []
    url = f"json://{host}:{listener.server.server_port}/?timeout=5"  # with which apprise sends in a thread of its own
    services.update_target(world.actor, target, TargetInput(url=url))
    with pytest.raises(BadRequest, match="is not a public address"):
        services.test_target(world.actor, target)
    assert listener.got == []


def test_a_redirect_is_not_followed(world: World, listener: Listener, target: NotificationTarget) -> None:
    listener.status, listener.location = 307, f"http://{listener.address}/elsewhere"
    services.update_target(world.actor, target, TargetInput(url=f"json://{listener.address}/?redirect=yes"))
    with pytest.raises(BadRequest, match="it responded with 307"):
        services.test_target(world.actor, target)
    assert listener.paths == ["/"]


def test_an_address_reads_no_file(world: World, tmp_path: Any) -> None:

    secret = tmp_path / "keyset.json"
    secret.write_text("{}")
    with confined() as refused:
        with pytest.raises(Refused):
            secret.read_text()
        with pytest.raises(Refused):
            subprocess.run(["true"], check=False)
    assert len(refused) == 2
    assert secret.read_text() == "{}"


def test_an_unresponsive_target_does_not_delay_others(
    world: World, listener: Listener, target: NotificationTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.may_answer.clear()
    monkeypatch.setattr(sender, "DEADLINE", 0.5)
    assert sender.send(target, "t", "x") == "it did not accept the message within 0.5 s"
    listener.may_answer.set()
    wait_until(lambda: listener.answered)


def test_the_url_is_never_exposed(
    world: World,
    listener: Listener,
    target: NotificationTarget,
    logged: StringIO,
    stored: Callable[[], str],
) -> None:
    marker = "mArKeR-of-a-value"
    world.set(A=marker, B="${NOPE}")
    sync = world.sync(is_auto_sync_enabled=False)
    for status in (500, 200):
        listener.status = status
        world.run(sync)
        listener.states_sent()
        Notice.objects.filter(status="pending").update(due_at=timezone.now())
    listener.states_sent()
    bad = services.create_target(world.actor, world.project, TargetInput("bad", f"json://127.0.0.1:9/{WEBHOOK_TOKEN}"))
    with pytest.raises(BadRequest) as refused:
        services.test_target(world.actor, bad)
    with pytest.raises(BadRequest) as invalid:
        services.update_target(world.actor, bad, TargetInput(url=f"nonsense://{WEBHOOK_TOKEN}"))
    assert len(listener.got) == 2
    everything = (
        stored(), logged.getvalue(), str(refused.value), str(invalid.value), str(listener.got),
        repr(target.__dict__), repr(TargetInput("x", listener.url)),
    )  # fmt: skip
    for text in everything:
        assert WEBHOOK_TOKEN not in text
        assert marker not in text


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """All that reaches the log, however talkative it is set."""
    root, text = logging.getLogger(), StringIO()
    handler, before = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def stored(world: World) -> Callable[[], str]:
    """Every row of every table but what is sealed, as text."""

    def read() -> str:
        from django.apps import apps

        return "".join(str(list(model._default_manager.values())) for model in apps.get_models())

    return read


def test_two_workers_send_a_message_once(
    world: World, target: NotificationTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.set(A="${NOPE}")
    world.run(world.sync(is_auto_sync_enabled=False))
    notice, sent = Notice.objects.get(), []

    def send(*_: Any) -> str:
        sent.append(notice.pk)
        if len(sent) < 3:
            tasks.send_notice(notice.pk)  # the other worker, while this one is sending
        return ""

    monkeypatch.setattr(sender, "send", send)
    tasks.send_notice(notice.pk)
    assert sent == [notice.pk]
