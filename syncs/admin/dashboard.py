"""The first page: what is broken, what waits, what has been going on; the first steps while there is nothing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from config.access.models import Instance, Project
from config.access.roles import Actor, Right
from config.health import live_workers
from config.ui.base import actor_of, any_project
from connections.models import AppConnection
from syncs.history.status import STATES, counted, drifted, has_synced, queue, runs_by_day, runs_by_hour, urgent, visible
from syncs.models import Secret, SecretSync
from syncs.services.sync_drafts import may_connect

MOST = 8


def context(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """What `syncs/dashboard.html` shows. As many queries with a thousand syncs as with one."""
    actor = actor_of(request)
    states = counted(actor)
    total = sum(states.values())
    drift_count, drift_rows = drifted(actor, MOST)
    now = timezone.now()
    return {
        **given,
        "title": _("Overview"),
        "states": [(state, *STATES[state], count) for state, count in states.items() if count],
        "sync_total": total,
        "urgent": [
            (sync, *STATES[sync.state], actor.may(Right.RUN_SYNCS, sync.project_id)) for sync in urgent(actor, MOST)
        ],
        "urgent_more": max(states["held"] + states["failed"] - MOST, 0),
        "drift_count": drift_count,
        "drift_rows": drift_rows,
        "queue": queue(actor),
        "workers": live_workers(),
        "may_stop": actor.is_instance_admin,
        "paused": Instance.objects.filter(paused_at__isnull=False).first(),
        "charts": [runs_by_hour(actor, now), runs_by_day(actor, now)],
        "steps": [] if has_synced(actor) else _first_steps(actor, total),
    }


def _first_steps(actor: Actor, total: int) -> list[dict[str, Any]]:
    """What leads from an empty installation to a first sync: words, whether it is done, and where, if he may."""
    projects = Project.objects.filter(visible(actor, "pk"))
    connections = AppConnection.objects.filter(visible(actor)) | AppConnection.objects.filter(project=None)
    secrets = Secret.objects.filter(visible(actor, "folder__environment__project_id"))
    sync = SecretSync.objects.filter(visible(actor)).values_list("pk", flat=True).first() if total else None
    edits = any_project(actor, Right.EDIT_SYNCS)
    return [
        {
            "title": _("Make a project"),
            "text": _("It holds environments, folders and the people who may see them."),
            "done": projects.exists(),
            "url": reverse("admin:access_project_add") if actor.is_instance_admin else "",
        },
        {
            "title": _("Put secrets in"),
            "text": _("By hand, from a file, or over the API."),
            "done": secrets.exists(),
            "url": reverse("admin:syncs_secret_add") if edits else "",
        },
        {
            "title": _("Connect a destination"),
            "text": _("Credentials are checked with the vendor before they are stored, and never shown again."),
            "done": connections.exists(),
            "url": reverse("admin:connections_appconnection_add")
            if actor.is_instance_admin or any_project(actor, Right.MANAGE_CONNECTIONS)
            else "",
        },
        {
            "title": _("Make a sync"),
            "text": _("One folder, one place that it goes to. You see the plan before anything is written."),
            "done": total > 0,
            "url": reverse("admin:syncs_syncdraft_changelist") if may_connect(actor) else "",
        },
        {
            "title": _("Run it"),
            "text": _("Every key gets an outcome. From then on it follows each change by itself."),
            "done": False,
            "url": reverse("admin:syncs_secretsync_change", args=[sync]) if sync else "",
        },
    ]
