"""What a connection waits for: the vendor's limit, or a login that was refused and must be changed.

A refused login is not sent again and again: of all runs of the connection one may try it at a time, at growing
intervals, until a check or new credentials succeed or the vendor accepts it. People may try at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from .credentials import open_client, provider_of
from .errors import Forbidden, Unauthorized
from .http.client import ApiClient
from .models import AppConnection

log = logging.getLogger(__name__)

FIRST_TRY, LONGEST = timedelta(minutes=1), timedelta(hours=1)
"""The interval in which a refused login is tried again: as long as it has been refused for, within these."""


@contextmanager
def watched(connection: AppConnection) -> Iterator[ApiClient]:
    """An open client. If a request is refused that is raised here, the connection is marked if its login is the reason.

    Raises Undecryptable.
    """
    with open_client(connection) as client:
        try:
            yield client
        except Unauthorized as error:
            mark_if_refused(connection, client, error)
            raise


def mark_if_refused(connection: AppConnection, client: ApiClient, error: Unauthorized) -> bool:
    """Mark the connection if its login was refused, rather than one request for lack of a right. Whether it was."""
    if isinstance(error, Forbidden) and _accepts_login(connection, client):
        return False
    now = timezone.now()
    # Only with the credentials that were refused: they may have been replaced meanwhile.
    AppConnection.objects.filter(pk=connection.pk, credentials_hash=connection.credentials_hash).update(
        checked_at=now,
        check_problem=f"The login was refused: {error}"[:1024],
        login_refused_at=Coalesce("login_refused_at", now),
        retry_at=now + FIRST_TRY,
    )
    return True


def _accepts_login(connection: AppConnection, client: ApiClient) -> bool:
    """A second look, whose own failure must not hide the first error."""
    try:
        return provider_of(connection.app).accepts_login(client)
    except Exception as failure:  # noqa: BLE001 - of any kind, such as a response that `check` does not expect
        log.warning("connection %s: could not be checked: %s", connection.pk, type(failure).__name__)
        return True


def mark_accepted(connection: AppConnection) -> None:
    """The vendor has answered a request of this login: what was marked is over."""
    if connection.login_refused_at is not None:
        marked = AppConnection.objects.filter(pk=connection.pk, login_refused_at__isnull=False)
        marked.update(checked_at=timezone.now(), check_problem="", login_refused_at=None, retry_at=None)


def may_try(connection: AppConnection) -> bool:
    """Whether an automatic run may use the login now; of a refused one, only one run in each interval."""
    if connection.login_refused_at is None:
        return True
    now = timezone.now()
    interval = min(max(now - connection.login_refused_at, FIRST_TRY), LONGEST)
    due = AppConnection.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), pk=connection.pk)
    return bool(due.update(retry_at=now + interval))


def postpone(connection_id: UUID, until: datetime) -> None:
    """All runs of the connection wait until then: its vendor asked to wait. An earlier moment changes nothing."""
    rows = AppConnection.objects.filter(pk=connection_id)
    rows.filter(Q(retry_at=None) | Q(retry_at__lt=until)).update(retry_at=until)


def lift_wait(connection_id: UUID) -> None:
    """A person wants a request now, whatever the connection waits for."""
    AppConnection.objects.filter(pk=connection_id).update(retry_at=None)
