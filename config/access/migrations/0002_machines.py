import config.access.models
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """How identities may sign in, their lockout, and the counts of rate limits."""

    dependencies = [("access", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="RequestWindow",
            fields=[
                ("who", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("minute", models.BigIntegerField()),
                ("count", models.PositiveIntegerField()),
            ],
        ),
        migrations.AddField("project", "kept_settings", models.JSONField(blank=True, default=dict)),
        migrations.AddField("identity", "access_token_period", models.PositiveIntegerField(default=0)),
        migrations.AddField(
            "identity", "access_token_trusted_ips", models.JSONField(default=config.access.models.anywhere)
        ),
        migrations.AddField(
            "identity", "client_secret_trusted_ips", models.JSONField(default=config.access.models.anywhere)
        ),
        migrations.AddField("identity", "has_universal_auth", models.BooleanField(default=True)),
        migrations.AddField("identity", "lockout_enabled", models.BooleanField(default=True)),
        migrations.AddField("identity", "lockout_threshold", models.PositiveIntegerField(default=3)),
        migrations.AddField("identity", "lockout_duration", models.PositiveIntegerField(default=300)),
        migrations.AddField("identity", "lockout_counter_reset", models.PositiveIntegerField(default=30)),
        migrations.AddField("identity", "failed_logins", models.PositiveIntegerField(default=0)),
        migrations.AddField("identity", "last_failed_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("identity", "locked_until", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "membership",
            "created_at",
            models.DateTimeField(auto_now_add=True, default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(
            "membership",
            "updated_at",
            models.DateTimeField(auto_now=True),
        ),
        migrations.AddField("accesstoken", "ends_at", models.DateTimeField(blank=True, db_index=True, null=True)),
        migrations.AddField(
            "clientsecret",
            "updated_at",
            models.DateTimeField(auto_now=True),
        ),
    ]
