"""Copying the secrets of a destination into the sync's folder: planned, shown, and done as one change."""

from __future__ import annotations

from collections.abc import Sequence

from syncs.destination.base import Destination
from syncs.engine.addresses import Address
from syncs.engine.error_codes import Code
from syncs.engine.import_plan import plan_import
from syncs.engine.key_schema import KeySchema
from syncs.engine.plan import Plan
from syncs.engine.references import references_in
from syncs.engine.types import Remote
from syncs.models import InitialSet, Secret, SecretSync
from syncs.source.selectors import value_or_none
from syncs.source.validation import SecretInput, issues_of

from .ledger_rows import ledger_rows
from .opening import import_behavior


def imports_first(sync: SecretSync) -> str:
    """As `import_behavior`, for a sync that has never run at its location; "" for others."""
    if sync.last_synced_at is not None or InitialSet.objects.filter(sync=sync, location=sync.location).exists():
        return ""
    return import_behavior(sync)


def list_with_values(destination: Destination) -> tuple[Remote, ...]:
    """Every key of the destination with its value, as far as it can be read. Raises IntegrationError."""
    listing = destination.listing()
    return destination.resolve_listing(listing, {destination.normalize_key(each.key) for each in listing}, values=True)


def import_for(sync: SecretSync, destination: Destination, listing: Sequence[Remote], behavior: str) -> Plan:
    """What an import of the listed keys would do now. `behavior` is one of IMPORT_PRIORITIES."""
    assert sync.folder is not None
    slug = sync.folder.environment.slug
    schema = KeySchema.parse(sync.sync_options.get("keySchema"))
    rows, _ = ledger_rows(sync, destination.location())
    own = Secret.objects.select_related("folder__environment").filter(folder=sync.folder)
    secrets = {secret.key: value_or_none(secret) for secret in own}
    folder = sync.folder.address
    return plan_import(
        listing,
        secrets,
        rows,
        overwrite=behavior == "prioritize-destination",
        normalize_key=destination.normalize_key,
        name_of=lambda name: schema.strip(name, slug) if schema.match(name, slug) else None,
        problem_of=lambda name, remote: problem_of(name, remote, folder),
    )


def problem_of(name: str, remote: Remote, folder: Address) -> tuple[str, Code] | None:
    """Why the source cannot store the key exactly as it is."""
    value = remote.value or ""
    if issues := issues_of(SecretInput(name, exact=True)):
        return str(issues[0]["message"]), Code.NAME_NOT_ALLOWED
    if issues := issues_of(SecretInput(name, value, remote.comment, exact=True)):
        return str(issues[0]["message"]), Code.TEXT_NOT_ALLOWED
    if references_in(value, folder):
        return "its value contains ${...}, which would be a reference in the source", Code.LOOKS_LIKE_REFERENCE
    return None
