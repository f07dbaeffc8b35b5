"""Logins that expire: obtained at the first request, stored encrypted on the connection, renewed before they expire.

Of several concurrent runs one signs in, and the others use its session. If a token is refused before it expires, it was
revoked: then each client signs in again once and repeats the request. Written by hand because OAuth libraries keep
tokens per process, whereas here they belong to the connection and all workers share them.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from config.encryption import Undecryptable, seal, unseal
from config.schemas.model import Model

from .errors import Forbidden, Unauthorized
from .http.client import ApiClient
from .models import AppConnection
from .provider import Provider, Session

EARLY = timedelta(minutes=10)
"""How long before its end a token is renewed, so that it outlives a run; a short-lived one after half its life."""
PLAIN = timedelta(days=1)
"""How long it is remembered that credentials are used without a session."""
LOOK = 0.1  # seconds between checks whether another run has signed in


def columns(connection: AppConnection, session: Session | None) -> dict[str, Any]:
    """The columns of a session on the connection; None: the credentials are used without one."""
    if session is None:
        return {"session_sealed": None, "session_renew_at": timezone.now() + PLAIN, "session_claimed_until": None}
    text = json.dumps([session.token, session.expires_at.isoformat()])
    left = session.expires_at - timezone.now()
    return {
        "session_sealed": seal(connection.project_id, _context(connection.pk), text),
        "session_renew_at": timezone.now() + max(left - EARLY, left / 2),
        "session_claimed_until": None,
    }


def _context(connection_id: UUID) -> str:
    return f"connection:{connection_id}:session"


class Login:
    """The login of one open client, called by `ApiClient.signs_in`. The caller allows one thread at a time."""

    def __init__(self, connection: AppConnection, provider: Provider, credentials: Model) -> None:
        self._connection, self._provider, self._credentials = connection, provider, credentials
        self._owner = threading.get_ident()
        self._plain = False
        self._again = False
        self._token = ""
        self._renew_at: datetime | None = None

    def __repr__(self) -> str:
        return f"<Login of {self._connection.pk}>"

    def __call__(self, refused: bool) -> ApiClient | None:
        """The client to continue with, or None: the same one. Raises IntegrationError if the login fails."""
        if self._plain or (refused and self._again):
            return None
        if not refused and self._renew_at and timezone.now() < self._renew_at:
            return None
        self._again = self._again or refused
        session = self._session(self._token if refused else None)
        if session is None:
            self._plain = True
            return None
        self._token = session.token
        return self._provider.client(self._connection.method, self._credentials, session)

    def _session(self, not_this: str | None) -> Session | None:
        if threading.get_ident() != self._owner:
            # A thread that sends writes does not use the database; the next run renews the rejected token.
            return self._renewed()
        while True:
            found = self._kept(not_this)
            if found or self._plain:
                return found
            if self._claim():
                break
            if not self._rows().exists():
                raise Unauthorized(f"{self._provider.label}: the credentials of the connection were replaced meanwhile")
            time.sleep(LOOK)
        try:
            found = self._kept(not_this) or self._renewed()
        except BaseException:
            self._rows().update(session_claimed_until=None)
            raise
        self._rows().update(**columns(self._connection, found))
        return found

    def _renewed(self) -> Session | None:
        try:
            found = self._provider.renew(self._connection.method, self._credentials)
        except Forbidden as error:
            raise Unauthorized(str(error)) from None  # without a session nothing is allowed
        if found:
            left = found.expires_at - timezone.now()
            self._renew_at = timezone.now() + max(left - EARLY, left / 2)
        return found

    def _kept(self, not_this: str | None) -> Session | None:
        """The stored session, if it is valid and not the rejected one."""
        row = self._rows().values_list("session_sealed", "session_renew_at").first()
        if row is None or row[1] is None or row[1] <= timezone.now():
            return None
        if row[0] is None:
            self._plain = True
            return None
        try:
            token, ends = json.loads(unseal(self._connection.project_id, _context(self._connection.pk), row[0]))
        except Undecryptable:
            return None
        if token == not_this:
            return None
        self._renew_at = row[1]
        return Session(token, datetime.fromisoformat(ends))

    def _claim(self) -> bool:
        """Whether this run may sign in now. A claim expires by itself, since its run may have died."""
        now = timezone.now()
        free = Q(session_claimed_until=None) | Q(session_claimed_until__lte=now)
        until = now + timedelta(seconds=3 * settings.REQUEST_DEADLINE)
        return bool(self._rows().filter(free).update(session_claimed_until=until))

    def _rows(self) -> Any:
        """The connection, if it still has the credentials that this login was opened with."""
        known = self._connection.credentials_hash
        return AppConnection.objects.filter(pk=self._connection.pk, credentials_hash=known)
