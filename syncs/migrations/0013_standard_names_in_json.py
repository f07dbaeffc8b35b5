"""The same terms as names inside stored JSON: open claims, what stood there before a change, unfinished drafts."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

BATCH = 500
NAMES = {"incarnation": "object_id", "stamp": "etag", "place": "target"}


def renamed(found: dict[str, Any]) -> dict[str, Any]:
    return {NAMES.get(name, name): value for name, value in found.items()}


def convert(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    claims = apps.get_model("syncs", "ManagedSecret").objects.filter(prior__isnull=False)
    for claim in claims.iterator(BATCH):
        if (claim.prior or {}).get("row"):
            claim.prior = {**claim.prior, "row": renamed(claim.prior["row"])}
            claim.save(update_fields=["prior"])
    changes = apps.get_model("syncs", "RunChange").objects
    batch = []
    for change in changes.filter(before__has_key="stamp").only("pk", "before").iterator(BATCH):
        change.before = renamed(change.before)
        batch.append(change)
        if len(batch) == BATCH:
            changes.bulk_update(batch, ["before"])
            batch.clear()
    changes.bulk_update(batch, ["before"])
    for draft in apps.get_model("syncs", "SyncDraft").objects.all():
        draft.steps = renamed(draft.steps)
        draft.done = [NAMES.get(step, step) for step in draft.done]
        draft.save(update_fields=["steps", "done"])


class Migration(migrations.Migration):
    dependencies = [("syncs", "0012_standard_names")]
    operations = [migrations.RunPython(convert, migrations.RunPython.noop)]
