"""What decides about a key at a destination: what stops it, as a sentence, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from syncs.destination.limits import remedy_for
from syncs.engine.addresses import folder_text
from syncs.engine.error_codes import Code
from syncs.models import ManagedSecret, RunChange, SecretSync, Status, SyncRun
from syncs.planning.kept import OFFERED, KeptKey
from syncs.planning.opening import destination_class

from .outcomes import outcome_of
from .texts import without_link

STOPPED_BY = ("held", "dismissed", "offered", "blocked", "failed", "excluded", "kept", "waiting", "unmanaged")


@dataclass(frozen=True)
class Wanted:
    """A secret that the source has for a key."""

    key: str
    environment: str
    path: str
    version: int


@dataclass(frozen=True)
class Facts:
    """Of one key. `wanted`: its secrets in the source now, `chosen` whether the policy takes them.

    `last`: its row in the newest run that has one; None if a newer run only listed it.
    """

    sync: SecretSync
    row: ManagedSecret | None
    wanted: tuple[Wanted, ...]
    chosen: bool
    held: RunChange | None
    kept: KeptKey | None
    last: RunChange | None


@dataclass(frozen=True)
class Verdict:
    """`stopped_by`: one of STOPPED_BY, "" if nothing does."""

    stopped_by: str
    text: str
    remedy: str = ""


def verdict_of(facts: Facts) -> Verdict:
    """The first that applies, from what waits for a person to what is in order."""
    source, mine = _source(facts), facts.row is not None and facts.row.sync_id == facts.sync.pk
    if facts.held:
        return _held(facts.held)
    if facts.kept:
        return _kept(facts.kept)
    if facts.last and outcome_of(facts.last.run, facts.last) in ("blocked", "failed"):
        return _stopped(facts.sync, facts.last, source)
    if facts.wanted and not facts.chosen:
        return Verdict("excluded", f"The policy leaves out {source}.", "Change include, exclude or tags of the policy.")
    if not facts.wanted:
        return _surplus(facts, mine)
    if not mine:
        return Verdict("waiting", f"It comes from {source}; no run has written it yet.", "Run the sync.")
    newest = max(each.version for each in facts.wanted)
    if facts.row and facts.row.secret_version < newest:
        text = f"Version {newest} of {source} waits; version {facts.row.secret_version} was written."
        return Verdict("waiting", text, "See the status of the sync: the next run writes it.")
    return Verdict("", f"It is up to date: written from {source}.")


def _source(facts: Facts) -> str:
    names = [f"{each.key} in {folder_text((each.environment, each.path))}" for each in facts.wanted]
    return " and ".join(names) or "no secret"


def _held(change: RunChange) -> Verdict:
    what = "its delete" if change.action in ("delete", "keep") else f"the {change.action}"
    return Verdict(
        "held",
        f"A run is held, so {what} waits for approval ({change.reason}). {without_link(change.run.message)}",
        "Approve or dismiss the held run.",
    )


def _kept(kept: KeptKey) -> Verdict:
    since = f" on {kept.since:%Y-%m-%d}" if kept.since else ""
    again = "Delete it after all, or forget it, on the page of the sync's kept keys."
    if kept.why == OFFERED:
        return Verdict("offered", f"It existed before the first run, which left it{since}: it is on offer.", again)
    return Verdict("dismissed", f"It is kept on request: its delete was dismissed{since}.", again)


def _stopped(sync: SecretSync, change: RunChange, source: str) -> Verdict:
    outcome, why = outcome_of(change.run, change), change.error_message or change.reason
    limits = destination_class(sync.destination).limits_of(sync.destination_config)
    known = change.error_code in set(Code)
    remedy = remedy_for(Code(change.error_code), change.key, limits) if known else ""
    return Verdict(outcome, f"The key of {source} {'is blocked' if outcome == 'blocked' else 'failed'}: {why}.", remedy)


def _surplus(facts: Facts, mine: bool) -> Verdict:
    """Of a key that no secret of the source has now."""
    sync, last = facts.sync, facts.last
    if facts.row and facts.row.sync and not mine:
        return Verdict("kept", "Another sync owns it, and this one leaves it alone.", "Nothing.")
    if not mine:
        done = (
            last and last.run.operation in ("sync", "remove") and last.action == "delete" and last.outcome == "applied"
        )
        if done:
            return Verdict("", "It was deleted, because no secret of the source has it.")
        text = "No secret of the source has it, and this sync did not write it, so it is left alone."
        return Verdict("unmanaged", text, "Nothing; or add a secret of this name, or import it.")
    if sync.folder_id is None:
        return Verdict(
            "kept", "The source folder was deleted, so nothing is.", "Choose another folder in the settings."
        )
    if sync.sync_options.get("disableSecretDeletion"):
        text = "No secret of the source has it any more, and deletion is disabled for this sync, so it is kept."
        return Verdict("kept", text, "Enable deletion in the options of the sync, or delete it at the destination.")
    if last and outcome_of(last.run, last) == "kept":
        text = f"No secret of the source has it any more. The last run kept it: {last.reason}."
        return Verdict("kept", text, "Resolve what the last run reports; the next complete run deletes it.")
    return Verdict("waiting", "No secret of the source has it any more: the next run deletes it.", "Look at the plan.")


def newest_run(sync: SecretSync) -> SyncRun | None:
    """The newest that has listed the present location and ended."""
    ended = SyncRun.objects.filter(
        sync=sync, location=sync.location, operation="sync", status__in=(Status.SUCCEEDED, Status.FAILED)
    )
    return ended.order_by("-created_at").first()
