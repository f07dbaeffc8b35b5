"""The overview: syncs that need attention, drift, the queue and recent runs; for a new installation the first steps."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config.access.models import Project
from config.access.roles import Actor, Right
from config.health import live_workers
from config.ui.base import actor_of, any_project
from connections.models import AppConnection
from syncs.history.states import ATTENTION, TONES, overview, urgent, visible
from syncs.history.statistics import drifted, queue, runs_by_day, runs_by_hour
from syncs.history.status import statuses
from syncs.models import Secret, SecretSync
from syncs.planning.kept import all_kept_keys
from syncs.services.sync_drafts import may_connect

MAX_ROWS = 8


def context(request: HttpRequest, base: dict[str, Any]) -> dict[str, Any]:
    """Context of `syncs/dashboard.html`. The number of queries does not depend on the number of syncs."""
    actor = actor_of(request)
    kept = all_kept_keys()
    states, has_synced = overview(actor, kept)
    total = sum(states.values())
    now = timezone.now()
    rows = urgent(actor, MAX_ROWS, kept)
    known = statuses(rows)
    return {
        **base,
        "title": _("Overview"),
        "states": [(state.value, state.label, TONES[state], count) for state, count in states.items() if count],
        "sync_total": total,
        "urgent": [
            (sync, known[sync.pk], actor.may(Right.RUN_SYNCS, sync.project_id)) for sync in rows if sync.pk in known
        ],
        "urgent_more": max(sum(states[state] for state in ATTENTION) - MAX_ROWS, 0),
        "drift_rows": drifted(actor, MAX_ROWS),
        "queue": queue(actor),
        "workers": live_workers(),
        "may_pause": actor.is_instance_admin,
        "charts": [runs_by_hour(actor, now), runs_by_day(actor, now)],
        "steps": [] if has_synced else _first_steps(actor, total),
    }


def _first_steps(actor: Actor, total: int) -> list[dict[str, Any]]:
    """The steps from an empty installation to a first sync: title, text, whether done, URL if permitted."""
    projects = Project.objects.filter(visible(actor, "pk"))
    connections = AppConnection.objects.filter(visible(actor)) | AppConnection.objects.filter(project=None)
    secrets = Secret.objects.filter(visible(actor, "folder__environment__project_id"))
    sync = SecretSync.objects.filter(visible(actor)).values_list("pk", flat=True).first() if total else None
    may_edit = any_project(actor, Right.EDIT_SYNCS)
    return [
        {
            "title": _("Create a project"),
            "text": _("It contains environments, folders, and the people with access to them."),
            "done": projects.exists(),
            "url": reverse("admin:access_project_add") if actor.is_instance_admin else "",
        },
        {
            "title": _("Add secrets"),
            "text": _("Manually, from a file, or by the API."),
            "done": secrets.exists(),
            "url": reverse("admin:syncs_secret_add") if may_edit else "",
        },
        {
            "title": _("Connect a destination"),
            "text": _("Credentials are verified with the vendor before they are stored, and never shown again."),
            "done": connections.exists(),
            "url": reverse("admin:connections_appconnection_add")
            if actor.is_instance_admin or any_project(actor, Right.MANAGE_CONNECTIONS)
            else "",
        },
        {
            "title": _("Create a sync"),
            "text": _("It takes one folder to one target. You see the plan before anything is written."),
            "done": total > 0,
            "url": reverse("admin:syncs_syncdraft_changelist") if may_connect(actor) else "",
        },
        {
            "title": _("Run the sync"),
            "text": _("Every key gets an outcome. From then on the sync follows each change automatically."),
            "done": False,
            "url": reverse("admin:syncs_secretsync_change", args=[sync]) if sync else "",
        },
    ]
