"""Sends one message to one target. Errors are described in texts of this module: an address contains tokens."""

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

DEADLINE = 20.0  # seconds within which a target must accept a message
EMAIL = "email"
LOCAL = frozenset(("syslog", "dbus", "glib", "gnome", "kde", "qt", "macosx", "windows", "blink1"))
_KINDS = {
    NoticeState.FAILED: "failure",
    NoticeState.HELD: "warning",
    NoticeState.DRIFTED: "warning",
    NoticeState.RECOVERED: "success",
}


def send(target: NotificationTarget, title: str, text: str, state: str = "") -> str:
    """ "" if the target accepted the message; else why not, for the members of the project."""
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
    """The scheme of an address; "" if no message can be sent to it."""
    return _within(DEADLINE, lambda: _scheme_of(url), late="")


def _scheme_of(url: str) -> str:
    with confined():
        sender = _opened(url)
    return "" if sender is None else url.strip().partition("://")[0].lower()


def _opened(url: str) -> NotifyBase | None:
    # Imported here: it loads a hundred and fifty modules, which no command and no page needs.
    from apprise import Apprise

    if url.strip().partition("://")[0].lower() in LOCAL:
        return None
    sender = Apprise.instantiate(url.strip(), asset=_asset())
    if sender is not None:
        sender.redirects = False  # whatever the address says: another host must not receive the message
    return sender


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
        sender = _opened(url)
        if sender is None:
            return "its address is invalid; enter it again"
        channel = Apprise(asset=_asset())
        channel.add(sender)
        sent: Any = channel.notify(body=text, title=title, notify_type=kind, body_format="text")
    if sent:
        return ""
    if refused:
        return refused[0]
    statuses = re.findall(r"\berror=(\d{3})\b", " ".join(entry.message for entry in sent.logs()))
    return f"it responded with {statuses[-1]}" if statuses else "it did not respond, or did not accept the message"


def _within(seconds: float, do: Callable[[], str], late: str | None = None) -> str:
    """The result of `do`. One that does not end is abandoned, so that no slow host occupies a worker."""
    results: list[str] = []

    def work() -> None:
        try:
            results.append(do())
        except Exception as error:  # noqa: BLE001 - its text may contain the address
            results.append(f"it failed ({type(error).__name__})" if late is None else late)

    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else (f"it did not accept the message within {seconds:g} s" if late is None else late)


def _mail(target: NotificationTarget, title: str, text: str) -> str:
    if not mail.is_configured():
        return "no mail server is configured (EMAIL_URL)"
    people = addresses(target)
    if not people:
        return f"none of the project's {target.recipients} has an e-mail address"
    try:
        with get_connection() as connection:  # closed even if the login is refused
            EmailMessage(title, text, to=people, connection=connection).send()
    except smtplib.SMTPResponseException as error:
        return f"the mail server responded with {error.smtp_code}"
    except (smtplib.SMTPException, OSError, ValueError) as error:
        return f"the mail server did not accept it ({type(error).__name__})"
    return ""


def addresses(target: NotificationTarget) -> list[str]:
    """Addresses of an e-mail target: all members of the project, or its admins."""
    recipients = Q(memberships__project=target.project_id)
    if target.recipients == "admins":
        recipients &= Q(memberships__role=Role.ADMIN)
    found = User.objects.filter(recipients, is_active=True).exclude(email="").order_by("email")
    return list(found.values_list("email", flat=True).distinct())
