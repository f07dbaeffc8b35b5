"""Access: projects, people, machine identities, their tokens, the audit log and the keysets."""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q

from config.installation import DataKeyset, Instance

__all__ = [
    "AccessToken",
    "AuditEvent",
    "ClientSecret",
    "DataKeyset",
    "Identity",
    "Instance",
    "Membership",
    "Project",
    "RequestWindow",
    "Role",
    "User",
    "anywhere",
]


class Role(models.TextChoices):
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class User(AbstractUser):
    """A person who signs in to the admin. A superuser is an instance admin."""

    AUDITED = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)


class Project(models.Model):
    """The owner of environments, secrets, connections and syncs. `AUDITED`: see `audit.state_of`."""

    AUDITED = ("name", "slug", "description", "auto_capitalization", "has_delete_protection")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    slug = models.SlugField(max_length=64, unique=True)
    description = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001 - null on the wire
    auto_capitalization = models.BooleanField(default=True)
    has_delete_protection = models.BooleanField(default=False)
    # Settings of the modelled API without effect; stored because clients read back what they wrote.
    kept_settings = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


def anywhere() -> list[dict[str, str]]:
    """The trusted addresses of an identity that may be used from any address."""
    return [{"ipAddress": "0.0.0.0/0"}, {"ipAddress": "::/0"}]


class Identity(models.Model):
    """A machine that signs in with universal auth. `role` is its instance role. Times in seconds; 0 is no limit."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=255)
    role = models.CharField(max_length=16, choices=Role.choices, blank=True)
    # The project that it was created for, whose admins manage it; null: managed by instance admins.
    home = models.ForeignKey(Project, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    client_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    access_token_ttl = models.PositiveIntegerField(default=2592000)
    access_token_max_ttl = models.PositiveIntegerField(default=2592000)
    access_token_num_uses_limit = models.PositiveIntegerField(default=0)
    access_token_period = models.PositiveIntegerField(
        default=0
    )  # above 0: lifetime of a token that can be renewed without limit
    access_token_trusted_ips = models.JSONField(default=anywhere)
    client_secret_trusted_ips = models.JSONField(default=anywhere)
    has_universal_auth = models.BooleanField(default=True)
    lockout_enabled = models.BooleanField(default=True)
    lockout_threshold = models.PositiveIntegerField(default=3)
    lockout_duration = models.PositiveIntegerField(default=300)
    lockout_counter_reset = models.PositiveIntegerField(default=30)
    failed_logins = models.PositiveIntegerField(default=0)
    last_failed_at = models.DateTimeField(null=True, blank=True)
    locked_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "identities"

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """The role of one person or one machine in one project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="memberships")
    identity = models.ForeignKey(Identity, null=True, blank=True, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(identity__isnull=True), name="membership_of_one_actor"
            ),
            models.UniqueConstraint(fields=("project", "user"), name="user_once_a_project"),
            models.UniqueConstraint(fields=("project", "identity"), name="identity_once_a_project"),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.identity}: {self.role}"


class ClientSecret(models.Model):
    """A secret of an identity, stored as a keyed MAC; shown only when it is created."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="client_secrets")
    prefix = models.CharField(max_length=4)
    secret_mac = models.CharField(max_length=128)
    description = models.CharField(max_length=255, blank=True)
    ttl = models.PositiveIntegerField(default=0)
    num_uses = models.PositiveIntegerField(default=0)
    num_uses_limit = models.PositiveIntegerField(default=0)
    is_revoked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.prefix}..."


class AccessToken(models.Model):
    """A token that was issued to an identity; the signed token itself is not stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="access_tokens")
    client_secret = models.ForeignKey(ClientSecret, null=True, on_delete=models.SET_NULL, related_name="+")
    ttl = models.PositiveIntegerField()
    max_ttl = models.PositiveIntegerField()
    num_uses = models.PositiveIntegerField(default=0)
    num_uses_limit = models.PositiveIntegerField(default=0)
    is_revoked = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_renewed_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True, db_index=True)  # null: no end by time

    def __str__(self) -> str:
        return str(self.id)


class RequestWindow(models.Model):
    """The number of requests of a caller in the current minute, shared by all web processes."""

    who = models.CharField(primary_key=True, max_length=128)
    minute = models.BigIntegerField()
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.who


class AuditEvent(models.Model):
    """An event of the audit log. Append-only; `hash` covers the row and `previous_hash`."""

    sequence = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=36, blank=True)
    actor_name = models.CharField(max_length=255, blank=True)
    event = models.CharField(max_length=64)
    project = models.ForeignKey(Project, null=True, on_delete=models.SET_NULL, related_name="+")
    metadata = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True, blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("-sequence",)

    def __str__(self) -> str:
        return f"{self.sequence} {self.event}"
