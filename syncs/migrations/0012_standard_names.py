"""The field's standard terms as names of the columns."""

from django.db import migrations, models

RENAMED = (
    ("secretsync", "place", "location"),
    ("secretsync", "told_run", "reported_run"),
    ("secretsync", "told_drift", "reported_drift"),
    ("syncrun", "place", "location"),
    ("runchange", "canonical", "normalized_key"),
    ("managedsecret", "place", "location"),
    ("managedsecret", "canonical", "normalized_key"),
    ("managedsecret", "incarnation", "object_id"),
    ("managedsecret", "stamp", "etag"),
    ("initialset", "place", "location"),
    ("lease", "place", "location"),
)
CONSTRAINTS = (
    ("runchange", "run_change_once_a_key", "run_change_once_a_key", ("run", "normalized_key")),
    ("managedsecret", "one_owner_a_key", "one_owner_a_key", ("location", "normalized_key")),
    ("initialset", "one_initial_set_a_place", "one_initial_set_a_location", ("sync", "location")),
)


class Migration(migrations.Migration):
    dependencies = [("syncs", "0011_deleted_syncs")]
    operations = [
        *(migrations.RemoveConstraint(model_name=model, name=old) for model, old, _, _ in CONSTRAINTS),
        *(migrations.RenameField(model_name=model, old_name=old, new_name=new) for model, old, new in RENAMED),
        *(
            migrations.AddConstraint(
                model_name=model, constraint=models.UniqueConstraint(fields=fields, name=new)
            )
            for model, _, new, fields in CONSTRAINTS
        ),
    ]
