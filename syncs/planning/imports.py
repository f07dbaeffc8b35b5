"""Bringing what stands at a destination into the sync's folder: planned, looked at, and done as one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from syncs.destination.base import Destination
from syncs.engine.error_codes import Code
from syncs.engine.import_plan import plan_import
from syncs.engine.key_schema import KeySchema
from syncs.engine.plan import Plan
from syncs.engine.references import references_in
from syncs.engine.types import Remote
from syncs.models import InitialSet, Secret, SecretSync
from syncs.planning.builder import import_behavior, ledger_rows
from syncs.source.selectors import value_or_none
from syncs.source.validation import SecretInput, issues_of, trimmed


def imports_first(sync: SecretSync) -> str:
    """As `import_behavior`, for a sync that has never run at its place; "" for others."""
    if sync.last_synced_at is not None or InitialSet.objects.filter(sync=sync, location=sync.location).exists():
        return ""
    return import_behavior(sync)


def listed(destination: Destination) -> tuple[Remote, ...]:
    """Every key there with its value, as far as it can be read. Raises IntegrationError."""
    listing = destination.listing()
    return destination.resolve_listing(listing, {destination.normalize_key(each.key) for each in listing}, values=True)


def import_for(sync: SecretSync, destination: Destination, listing: Sequence[Remote], behavior: str) -> Plan:
    """What an import of what is `listed` would do now. `behavior` is one of IMPORT_PRIORITIES."""
    assert sync.folder is not None
    slug = sync.folder.environment.slug
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    rows, _ = ledger_rows(sync, destination.location())
    own = Secret.objects.select_related("folder__environment").filter(folder=sync.folder)
    held = {secret.key: value_or_none(secret) for secret in own}
    here = (slug, sync.folder.path)
    return plan_import(
        [_as_kept(remote) for remote in listing],
        held,
        rows,
        overwrite=behavior == "prioritize-destination",
        normalize_key=destination.normalize_key,
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
