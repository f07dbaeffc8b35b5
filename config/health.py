"""Health checks for load balancers: whether the process serves, and whether everything it needs is available."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django_q.brokers import get_broker
from django_q.status import Stat


def healthz(request: HttpRequest) -> JsonResponse:
    """200 once the web process serves."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 if database, migrations, broker and a task worker are available, else 503 with the reasons."""
    reasons = {}
    for name, check in _CHECKS.items():
        try:
            reason = check()
        except DatabaseError as error:
            reason = f"the database does not respond ({type(error).__name__})"
        except Exception as error:  # noqa: BLE001 - a health check must respond whatever is broken
            reason = f"the check failed ({type(error).__name__})"
        if reason:
            reasons[name] = reason
    body = {"status": "unavailable", "reasons": reasons} if reasons else {"status": "ok", "reasons": {}}
    return JsonResponse(body, status=503 if reasons else 200)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} migrations are not applied; `manage.py up` applies them" if missing else ""


def _broker() -> str:
    return "" if get_broker().ping() else "the broker does not respond"


def _workers() -> str:
    return "" if live_workers() else "no task worker is running; start one with `manage.py up`"


def live_workers() -> int:
    """The number of running groups of task workers."""
    return sum(stat.status in ("Idle", "Working", "Starting") for stat in Stat.get_all())


_CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "workers": _workers,
}
