"""The audit log: every change is recorded, and edited, removed, moved or added events are detected."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models import F

from config import encryption
from config.access import audit
from config.access.models import AuditEvent, Instance
from config.access.roles import PLATFORM, Actor

pytestmark = pytest.mark.django_db

EVENTS = 5


@pytest.fixture(autouse=True)
def log() -> list[AuditEvent]:
    """An event that begins the log, and five."""
    encryption.forget()
    for number in range(EVENTS):
        audit.record(Actor("user", None, "ada", ip="192.0.2.1"), "create-tag", None, tag=number)
    return list(AuditEvent.objects.order_by("sequence"))


def broken() -> str:
    return "; ".join(audit.broken_links())


def event(number: int) -> AuditEvent:
    return AuditEvent.objects.order_by("sequence")[number]


def row(number: int) -> object:
    return AuditEvent.objects.filter(pk=event(number).pk)


def edit(**to: object) -> Callable[[], None]:
    return lambda: AuditEvent.objects.filter(pk=event(3).pk).update(**to) and None


def edit_and_hash_anew() -> None:
    changed = event(3)
    changed.actor_name = "eve"
    AuditEvent.objects.filter(pk=changed.pk).update(actor_name="eve", hash=audit._hash(changed))


def remove(*numbers: int) -> Callable[[], None]:
    return lambda: AuditEvent.objects.filter(pk__in=[event(number).pk for number in numbers]).delete() and None


def swap() -> None:
    first, second = event(2).pk, event(3).pk
    AuditEvent.objects.filter(pk=first).update(sequence=10_000)
    AuditEvent.objects.filter(pk=second).update(sequence=first)
    AuditEvent.objects.filter(pk=10_000).update(sequence=second)


def compute_anew() -> None:
    """The whole chain, as somebody can who has the database but not the keyset."""
    AuditEvent.objects.filter(pk=event(2).pk).delete()
    previous = audit.GENESIS
    for each in AuditEvent.objects.order_by("sequence"):
        each.previous_hash = previous
        each.hash = previous = audit._hash(each)
        each.save()
    Instance.objects.update(audit_head=previous, audit_count=EVENTS)


def shorten() -> None:
    """The last events go, and the head says so."""
    remove(4, 5)()
    Instance.objects.update(audit_head=event(3).hash, audit_count=F("audit_count") - 2)


def unseal() -> None:
    remove(4, 5)()
    Instance.objects.update(audit_head="", audit_count=0, audit_seal="")


def put_in() -> None:
    made = event(5)
    made.pk, made.previous_hash = None, made.hash
    made.hash = audit._hash(made)
    made.save(force_insert=True)


def test_an_untouched_log_is_intact(log: list[AuditEvent]) -> None:
    assert broken() == ""
    assert [each.event for each in log] == [audit.BEGIN, *["create-tag"] * EVENTS]
    AuditEvent.objects.all().delete()
    Instance.objects.all().delete()
    assert broken() == ""


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        (edit(actor_name="eve"), "was changed after it was written"),
        (edit(event="get-secret"), "was changed after it was written"),
        (edit(metadata={}), "was changed after it was written"),
        (edit(ip="192.0.2.2"), "was changed after it was written"),
        (edit(at="2020-01-01T00:00Z"), "was changed after it was written"),
        (edit_and_hash_anew, "does not follow the previous one"),
        (remove(0), "does not follow the previous one"),
        (remove(2), "does not follow the previous one"),
        (remove(5), "1 of 6 events are missing"),
        (remove(3, 4, 5), "3 of 6 events are missing"),
        (remove(0, 1, 2, 3, 4, 5), "6 of 6 events are missing"),
        (swap, "does not follow the previous one"),
        (put_in, "some were inserted"),
        (compute_anew, "was not made by this instance"),
        (shorten, "was not made by this instance"),
        (unseal, "was removed"),
    ],
)
def test_tampering_is_detected(harm: Callable[[], None], problem: str) -> None:
    harm()
    assert problem in broken()
    audit.record(PLATFORM, "pause-everything")
    assert broken(), "what is written later hides it"


def test_a_log_from_before_the_seal_continues() -> None:
    AuditEvent.objects.filter(event=audit.BEGIN).delete()
    previous = audit.GENESIS
    for each in AuditEvent.objects.order_by("sequence"):
        each.previous_hash = previous
        each.hash = previous = audit._hash(each)
        each.save()
    Instance.objects.update(audit_head="", audit_count=0, audit_seal="")
    audit.record(PLATFORM, "pause-everything")
    assert broken() == ""
    assert event(EVENTS).metadata == {"project": "", "events": EVENTS}
