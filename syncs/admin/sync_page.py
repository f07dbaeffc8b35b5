"""The overview of a sync: status, route, policy, drift and latest runs, as context for the template."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.access.roles import Actor, Right
from syncs.destination.base import describe_target, destinations
from syncs.engine.plan import State
from syncs.history.outcomes import in_words, numbers_of
from syncs.history.statistics import history_charts, next_check
from syncs.history.status import status_of
from syncs.history.texts import active, next_try
from syncs.models import NO_ACTION, DriftCheck, ManagedSecret, SecretSync
from syncs.planning.undo import undoable

from .labels import DRIFT, DRIFT_STATES, OPERATIONS, RUNS, TRIGGERS

LATEST = 10
MAX_DRIFTED = 50  # keys of a drift check on the page


def destination_label(sync: SecretSync | ManagedSecret) -> str:
    found = destinations.get(sync.destination)
    return found.label if found else sync.destination


def target_label(sync: SecretSync | ManagedSecret) -> str:
    """The target, in the vendor's own names for its parts."""
    return describe_target(sync.destination, sync.destination_config)


def sync_page(actor: Actor, sync: Any) -> dict[str, Any]:
    """`sync` with its relations. A fixed number of queries."""
    destination = destinations.get(sync.destination)
    may_run = actor.may(Right.RUN_SYNCS, sync.project_id)
    runs = list(sync.runs.defer("unchanged", "unmanaged", "options")[:LATEST])
    numbers = numbers_of(runs)
    newest = undoable(sync).first() if may_run else None
    drift = getattr(sync, "drift", None)
    return {
        "sync": sync,
        "status": status_of(sync),
        "destination_label": destination_label(sync),
        "target": target_label(sync),
        "secrets": sync.folder.secrets.count() if sync.folder else 0,
        "owned": sync.managed.filter(location=sync.location).count(),
        "former": _former(sync),
        "note": destination.capabilities.note if destination else "",
        "may_run": may_run,
        "may_remove": actor.may(Right.REMOVE_SECRETS, sync.project_id),
        "may_take": actor.may(Right.WRITE_SECRETS, sync.project_id)
        and bool(destination and destination.capabilities.can_import),
        "may_leave": actor.may(Right.EDIT_POLICY, sync.project_id),
        "may_import": may_run and bool(destination and destination.capabilities.can_import),
        "undo_run": newest,
        "runs": [
            (
                run,
                *RUNS[run.status],
                OPERATIONS[run.operation],
                TRIGGERS[run.trigger],
                in_words(run, numbers[run.pk]) or (_("no change") if run.ended_at else ""),
                next_try(run),
                active(run),
            )
            for run in runs
        ],
        "last_run": runs[0] if runs else None,
        "next_check": next_check(sync),
        "drift": drift,
        "drift_label": DRIFT.get(drift.status) if drift else None,
        **_drift(sync, drift),
        "policy_facts": policy_facts(sync),
        "charts": history_charts(sync) if len(runs) > 1 else (),
    }


def _former(sync: SecretSync) -> list[tuple[str, int]]:
    """Targets that the sync has left and where its keys are still to be removed, with their number."""
    rows = sync.managed.exclude(location=sync.location).exclude(state=State.MISSING).order_by("location")
    counted = rows.values_list("destination", "destination_config").annotate(keys=Count("pk"))
    return [(describe_target(destination, config), keys) for destination, config, keys in counted]


def _drift(sync: SecretSync, drift: DriftCheck | None) -> dict[str, Any]:
    """The keys of the last check: what drifted, and unmanaged keys that no run has listed yet."""
    changes = drift.changes if drift else []
    if not changes:
        return {"drift_keys": [], "drift_more": 0, "has_drifted": False}
    listed = sync.runs.filter(operation="sync", location=sync.location, ended_at__isnull=False)
    known = set(listed.values_list("unmanaged", flat=True).first() or ())
    shown = [one for one in changes if one["state"] != "unmanaged" or one["key"] not in known]
    shown.sort(key=lambda one: list(DRIFT_STATES).index(one["state"]))
    return {
        "drift_keys": [(one, DRIFT_STATES[one["state"]]) for one in shown[:MAX_DRIFTED]],
        "drift_more": max(len(shown) - MAX_DRIFTED, 0),
        "has_drifted": any(one["state"] in ("changed", "missing") for one in shown),
    }


def policy_facts(sync: SecretSync) -> list[str]:
    """The policy in sentences, most dangerous first."""
    policy = sync.policy
    unmanaged = {
        "overwrite-initially": _(
            "The first run takes over existing keys and deletes all others; later runs only delete own keys."
        ),
        "leave": _("Never overwrites or deletes keys that it did not write."),
        "mirror": _("Every run deletes all keys that the folder does not have."),
    }
    facts = [unmanaged.get(policy.unmanaged, policy.unmanaged)]
    if sync.sync_options.get("disableSecretDeletion"):
        facts.append(_("Never deletes keys."))
    elif policy.max_deletions is None:
        facts.append(_("No limit on deletes."))
    else:
        facts.append(
            ngettext(
                "A run with more than %d delete waits for approval.",
                "A run with more than %d deletes waits for approval.",
                policy.max_deletions,
            )
            % policy.max_deletions
        )
    if policy.recursive:
        facts.append(_("Includes the folders below."))
    if policy.include or policy.exclude or policy.tags:
        facts.append(_("Takes only some keys: see the settings."))
    if policy.drift_check_minutes:
        healing = _("Checks for drift every %d minutes and heals it.")
        checking = _("Checks for drift every %d minutes.")
        facts.append((healing if policy.heal else checking) % policy.drift_check_minutes)
    if policy.after_writes != NO_ACTION:
        owed = _("Deploys after a run that changed a key; a deployment is owed.")
        facts.append(owed if sync.owed.exists() else _("Deploys after a run that changed a key."))
    return facts


def with_moments(explanation: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `why` with its times as datetimes."""

    def moments(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {
            name: datetime.fromisoformat(value) if name.lower().endswith("at") and value else moments(value)
            for name, value in part.items()
        }

    found: dict[str, Any] = moments(explanation)
    return found
