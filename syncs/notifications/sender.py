"""Sends one message to one target. What goes wrong is told in words of ours: an address holds tokens."""

from __future__ import annotations

import re
import smtplib
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from django.core.mail import EmailMessage, get_connection
from django.db.models import Q

from config import mail
from config.access.models import Role, User
from config.encryption import Undecryptable, unseal
from syncs.models import NoticeState, NotificationTarget
from syncs.notifications.isolation import confined

if TYPE_CHECKING:
    from apprise import AppriseAsset, NotifyBase

DEADLINE = 20.0  # seconds that a target has to take a message
EMAIL = "email"
LOCAL = frozenset(("syslog", "dbus", "glib", "gnome", "kde", "qt", "macosx", "windows", "blink1"))
_KINDS = {
    NoticeState.FAILED: "failure",
    NoticeState.HELD: "warning",
    NoticeState.DRIFTED: "warning",
    NoticeState.RECOVERED: "success",
}


def send(target: NotificationTarget, title: str, text: str, state: str = "") -> str:
    """ "" where the target took the message; else why not, for the people of the project."""
    if target.url_sealed is None:
        return _mail(target, title, text)
    try:
        url = unseal(target.project_id, url_context(target), target.url_sealed)
    except Undecryptable:
        return "its address cannot be decrypted; enter it again"
    kind = _KINDS.get(NoticeState(state), "info") if state else "info"
    return _within(DEADLINE, lambda: _push(url, title, text, kind))


def url_context(target: NotificationTarget) -> str:
    return f"notification-target:{target.pk}:url"


def scheme_of(url: str) -> str:
    """The scheme of an address that a message can be sent to; "" where none can."""
    return _within(DEADLINE, lambda: _scheme_of(url), late="")


def _scheme_of(url: str) -> str:
    with confined():
        made = _opened(url)
    return "" if made is None else url.strip().partition("://")[0].lower()


def _opened(url: str) -> NotifyBase | None:
    # Here, not above: it loads a hundred and fifty modules, which no command and no page needs.
    from apprise import Apprise

    if url.strip().partition("://")[0].lower() in LOCAL:
        return None
    made = Apprise.instantiate(url.strip(), asset=_asset())
    if made is not None:
        made.redirects = False  # whatever the address says: another host is not to have what this one was sent
    return made


def _asset() -> AppriseAsset:
    from apprise import AppriseAsset

    return AppriseAsset(
        app_id="Keyferry",
        app_desc="Keyferry",
        app_url="",
        allow_templates=False,
        async_mode=False,
        http_redirects=False,
    )


def _push(url: str, title: str, text: str, kind: str) -> str:
    from apprise import Apprise

    with confined() as refused:
        made = _opened(url)
        if made is None:
            return "its address is not understood; enter it again"
        line = Apprise(asset=_asset())
        line.add(made)
        sent: Any = line.notify(body=text, title=title, notify_type=kind, body_format="text")
    if sent:
        return ""
    if refused:
        return refused[0]
    statuses = re.findall(r"\berror=(\d{3})\b", " ".join(entry.message for entry in sent.logs()))
    return f"it answered {statuses[-1]}" if statuses else "it did not answer, or did not take the message"


def _within(seconds: float, do: Callable[[], str], late: str | None = None) -> str:
    """What `do` returns. One that does not end is left behind: no worker is held by a host that drips."""
    found: list[str] = []

    def work() -> None:
        try:
            found.append(do())
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold the address
            found.append(f"it failed ({type(error).__name__})" if late is None else late)

    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else (f"it did not take the message within {seconds:g} s" if late is None else late)


def _mail(target: NotificationTarget, title: str, text: str) -> str:
    if not mail.is_configured():
        return "no mail server is set (EMAIL_URL)"
    people = addresses(target)
    if not people:
        return f"none of the project's {target.recipients} has an e-mail address"
    try:
        with get_connection() as connection:  # closed also where the login is refused
            EmailMessage(title, text, to=people, connection=connection).send()
    except smtplib.SMTPResponseException as error:
        return f"the mail server answered {error.smtp_code}"
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return f"the mail server did not take it ({type(error).__name__})"
    return ""


def addresses(target: NotificationTarget) -> list[str]:
    """Of the people whom an e-mail target means: all members of the project, or its admins."""
    meant = Q(memberships__project=target.project_id)
    if target.recipients == "admins":
        meant &= Q(memberships__role=Role.ADMIN)
    found = User.objects.filter(meant, is_active=True).exclude(email="").order_by("email")
    return list(found.values_list("email", flat=True).distinct())
