"""Bringing what stands at a destination into the sync's folder: planned, looked at, and done as one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction
from django.utils import timezone

from config.access.models import Identity, User
from config.access.roles import PLATFORM, Actor, Right, actor_of_identity, actor_of_user
from syncs.destination.base import Destination
from syncs.engine.error_codes import Code
from syncs.engine.import_plan import plan_import
from syncs.engine.key_schema import KeySchema
from syncs.engine.plan import Plan
from syncs.engine.references import references_in
from syncs.engine.types import Action, Remote
from syncs.models import Folder, InitialSet, Secret, SecretSync, SyncRun
from syncs.planning.builder import import_behavior, ledger_rows
from syncs.running.ledger import planned_row, record_changes
from syncs.services.folders import lock_folders
from syncs.services.secrets import SecretInput, issues_of, set_secrets, trimmed
from syncs.source.selectors import value_or_none


def imports_first(sync: SecretSync) -> str:
    """As `import_behavior`, for a sync that has never run at its place; "" for others."""
    if sync.last_synced_at is not None or InitialSet.objects.filter(sync=sync, place=sync.place).exists():
        return ""
    return import_behavior(sync)


def listed(destination: Destination) -> tuple[Remote, ...]:
    """Every key there with its value, as far as it can be read. Raises IntegrationError."""
    listing = destination.listing()
    return destination.looked_at(listing, {destination.canonical(each.key) for each in listing}, values=True)


def import_for(sync: SecretSync, destination: Destination, listing: Sequence[Remote], behavior: str) -> Plan:
    """What an import of what is `listed` would do now. `behavior` is one of IMPORT_PRIORITIES."""
    assert sync.folder is not None
    slug = sync.folder.environment.slug
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    rows, _ = ledger_rows(sync, destination.place())
    own = Secret.objects.select_related("folder__environment").filter(folder=sync.folder)
    held = {secret.key: value_or_none(secret) for secret in own}
    here = (slug, sync.folder.path)
    return plan_import(
        [_as_kept(remote) for remote in listing],
        held,
        rows,
        overwrite=behavior == "prioritize-destination",
        canonical=destination.canonical,
        name_of=lambda name: schema.strip(name, slug) if schema.match(name, slug) else None,
        problem_of=lambda name, value: _problem(name, value, here),
    )


def _as_kept(remote: Remote) -> Remote:
    """With its value as the source would keep it."""
    return remote if remote.value is None else replace(remote, value=trimmed(remote.value))


def _problem(name: str, value: str, here: tuple[str, str]) -> tuple[str, Code] | None:
    if name != name.strip() or (issues := issues_of(SecretInput(name, value))):
        said = issues[0]["message"] if name == name.strip() else "Secret name begins or ends with a blank"
        return str(said), Code.NAME_NOT_ALLOWED
    if references_in(value, here):
        return "its value holds ${...}, which would be a reference here", Code.LOOKS_LIKE_REFERENCE
    return None


def import_secrets(run: SyncRun, sync: SecretSync, destination: Destination, listing: Sequence[Remote]) -> Plan:
    """Do it, for whom the run acts, and record what became of each key. Raises ServiceError where he may not."""
    folder = sync.folder
    assert folder is not None
    actor = acting(run, sync)
    with transaction.atomic():
        lock_folders([folder])
        plan = import_for(sync, destination, listing, run.options["importBehavior"])
        _store(actor, folder, plan)
        now = timezone.now()
        rows = []
        for change in plan.changes:
            if change.action is Action.UNCHANGED:
                continue
            row = planned_row(run, change)
            row.outcome = {Action.BLOCKED: "blocked", Action.KEEP: "kept"}.get(change.action, "applied")
            row.ended_at = now if change.desired else None
            rows.append(row)
        run.changes.all().delete()
        record_changes(run, rows)
        run.unchanged = [change.key for change in plan.changes if change.action is Action.UNCHANGED]
        run.counts = plan.counts
        run.save(update_fields=["unchanged", "counts"])
    return plan


def _store(actor: Actor, folder: Folder, plan: Plan) -> None:
    given = [
        SecretInput(
            change.desired.source_key,
            change.desired.value,
            change.desired.comment if change.action is Action.CREATE and change.desired.comment else None,
        )
        for change in plan.changes
        if change.desired
    ]
    actor.require(Right.WRITE_SECRETS, folder.environment.project_id)
    if given:
        set_secrets(actor, folder, given, resolved=False)


def acting(run: SyncRun, sync: SecretSync) -> Actor:
    """Who asked for the run, or the sync's owner where nobody did."""
    if run.trigger == "manual" and run.actor_kind == "platform":
        return PLATFORM
    user, identity = sync.owner_user, sync.owner_identity
    if run.trigger == "manual":
        user = User.objects.filter(pk=run.actor_id).first() if run.actor_kind == "user" else None
        identity = Identity.objects.filter(pk=run.actor_id).first() if run.actor_kind == "identity" else None
    if user is not None:
        return actor_of_user(user)
    if identity is not None:
        return actor_of_identity(identity)
    return Actor("user", None, run.actor_name)
