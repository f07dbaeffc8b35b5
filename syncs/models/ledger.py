"""Which sync owns which key at a destination, which keys stood there first, and who may write there."""

from __future__ import annotations

from django.db import models

from .records import Claim, RecordField
from .sync import SecretSync, SyncRun


class ManagedSecret(models.Model):
    """The ledger: the owner of a key. One row for each location and normalized key, across all syncs.

    `connection` and `destination_config` are needed to remove the key. `prior` is what a claim keeps. `left_by`: the
    sync that left the key there when it got another target; null once anything writes it.
    """

    id = models.BigAutoField(primary_key=True)
    location = models.CharField(max_length=512)
    normalized_key = models.CharField(max_length=1024)
    key = models.CharField(max_length=1024)
    sync = models.ForeignKey(SecretSync, null=True, on_delete=models.SET_NULL, related_name="managed")
    left_by = models.ForeignKey(SecretSync, null=True, on_delete=models.SET_NULL, related_name="+")
    connection = models.ForeignKey("connections.AppConnection", null=True, on_delete=models.SET_NULL, related_name="+")
    destination = models.CharField(max_length=64)
    destination_config = models.JSONField()
    state = models.CharField(max_length=16)
    object_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - null: unknown
    etag = models.CharField(max_length=255, null=True)  # noqa: DJ001
    value_mac = models.CharField(max_length=128, blank=True)
    rest_mac = models.CharField(max_length=128, blank=True)
    value_sealed = models.BinaryField(null=True)
    secret_id = models.CharField(max_length=36, blank=True)
    secret_version = models.PositiveIntegerField(default=0)
    source_key = models.CharField(max_length=512, blank=True)
    rewrites = models.PositiveSmallIntegerField(default=0)
    prior: models.Field[Claim | None, Claim | None] = RecordField(Claim, null=True)
    run = models.ForeignKey(SyncRun, null=True, on_delete=models.SET_NULL, related_name="+")
    written_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("location", "normalized_key"), name="one_owner_a_key")]

    def __str__(self) -> str:
        return self.key


class InitialSet(models.Model):
    """The unmanaged keys in the first list of a location, with their object ids, as far as they are still there.

    `run`, the first run, may delete them. Whatever it left is on offer once it has ended: a person may have it deleted,
    or forgotten. Null: the first run was one of a version that did not record it.
    """

    id = models.BigAutoField(primary_key=True)
    sync = models.ForeignKey(SecretSync, on_delete=models.CASCADE, related_name="initial_sets")
    location = models.CharField(max_length=512)
    run = models.ForeignKey(SyncRun, null=True, on_delete=models.SET_NULL, related_name="+")
    keys = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("sync", "location"), name="one_initial_set_a_location")]

    def __str__(self) -> str:
        return self.location


class Lease(models.Model):
    """Who may write to a location, until when, on the database's clock. `fence`, the token, grows with every holder."""

    location = models.CharField(max_length=512, primary_key=True)
    holder = models.CharField(max_length=36, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.location
