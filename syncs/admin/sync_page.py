"""The page of one sync: how it stands, what it is, what it has done. Facts for the template, nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.access.roles import Actor, Right
from syncs.destination.base import describe_target, destinations
from syncs.history.status import STATES, history_charts, next_check
from syncs.models import ManagedSecret, SecretSync, SyncRun
from syncs.planning.undo import undoable

from .labels import DRIFT, OPERATIONS, RUNS, TRIGGERS

LATEST = 10


def destination_label(sync: SecretSync | ManagedSecret) -> str:
    found = destinations.get(sync.destination)
    return found.label if found else sync.destination


def spot(sync: SecretSync | ManagedSecret) -> str:
    """Where it writes, in the vendor's own names for its parts."""
    return describe_target(sync.destination, sync.destination_config)


def sync_page(actor: Actor, sync: Any) -> dict[str, Any]:
    """`sync` with its state and its relations. A fixed number of queries."""
    words, tone = STATES[sync.state]
    found = destinations.get(sync.destination)
    may_run = actor.may(Right.RUN_SYNCS, sync.project_id)
    runs = list(sync.runs.defer("unchanged", "unmanaged", "options")[:LATEST])
    newest = undoable(sync).first() if may_run else None
    drift = getattr(sync, "drift", None)
    return {
        "sync": sync,
        "state_words": words,
        "state_tone": tone,
        "destination_label": destination_label(sync),
        "spot": spot(sync),
        "secrets": sync.folder.secrets.count() if sync.folder else 0,
        "owned": sync.managed.count(),
        "note": found.capabilities.note if found else "",
        "may_run": may_run,
        "may_remove": actor.may(Right.REMOVE_SECRETS, sync.project_id),
        "may_import": may_run and bool(found and found.capabilities.can_import),
        "undo_run": newest,
        "runs": [(run, *RUNS[run.status], OPERATIONS[run.operation], TRIGGERS[run.trigger], did(run)) for run in runs],
        "last_run": runs[0] if runs else None,
        "next_check": next_check(sync),
        "drift": drift,
        "drift_shown": DRIFT.get(drift.status) if drift else None,
        "drift_keys": [one for one in drift.changes if one["state"] != "unmanaged"][:20] if drift else [],
        "policy_facts": policy_facts(sync),
        "charts": history_charts(sync) if len(runs) > 1 else (),
    }


def did(run: SyncRun) -> str:
    """What a run planned to change, in words."""
    words = {
        "create": ngettext("%d create", "%d creates", run.counts.get("create", 0)),
        "update": ngettext("%d update", "%d updates", run.counts.get("update", 0)),
        "adopt": ngettext("%d adopt", "%d adopts", run.counts.get("adopt", 0)),
        "delete": ngettext("%d delete", "%d deletes", run.counts.get("delete", 0)),
        "blocked": ngettext("%d blocked", "%d blocked", run.counts.get("blocked", 0)),
    }
    said = [text % run.counts[name] for name, text in words.items() if run.counts.get(name)]
    return ", ".join(said) or (_("no change") if run.ended_at else "")


def policy_facts(sync: SecretSync) -> list[str]:
    """The policy in sentences, what is dangerous first."""
    policy = sync.policy
    facts = {
        "overwrite-initially": _(
            "Takes over at its first run what stands there; afterwards it deletes only its own keys."
        ),
        "leave": _("Never overwrites or deletes what it did not write."),
        "mirror": _("Deletes every key that its folder does not have, in every run."),
    }
    said = [facts.get(policy.unmanaged, policy.unmanaged)]
    if sync.sync_options.get("disableSecretDeletion"):
        said.append(_("Deletes nothing."))
    elif policy.max_deletions is None:
        said.append(_("No guard: any number of deletes goes ahead."))
    else:
        said.append(
            ngettext(
                "More than %d delete in a run waits for approval.",
                "More than %d deletes in a run wait for approval.",
                policy.max_deletions,
            )
            % policy.max_deletions
        )
    if policy.recursive:
        said.append(_("Takes the folders below its folder too."))
    if policy.include or policy.exclude or policy.tags:
        said.append(_("Takes only some of the keys: see the settings."))
    if policy.drift_check_minutes:
        looks = _("Looks for changes by other hands every %d minutes, and puts them right.")
        only = _("Looks for changes by other hands every %d minutes.")
        said.append((looks if policy.heal else only) % policy.drift_check_minutes)
    return said


def told(found: dict[str, Any]) -> dict[str, Any]:
    """The `why` object with its moments as moments."""

    def moments(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {
            name: datetime.fromisoformat(value) if name.lower().endswith("at") and value else moments(value)
            for name, value in part.items()
        }

    shown: dict[str, Any] = moments(found)
    return shown
