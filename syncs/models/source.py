"""The source: environments, folders, secrets, and the relations between them."""

from __future__ import annotations

import uuid

from django.db import models

from config.access.models import Project


class Environment(models.Model):
    """A stage of a project. Its root folder is created with it."""

    AUDITED = ("name", "slug", "position")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="environments")
    name = models.CharField(max_length=255)
    slug = models.SlugField(max_length=64)
    position = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("project", "position")
        constraints = [
            models.UniqueConstraint(fields=("project", "slug"), name="environment_slug_once_a_project"),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug}/{self.slug}"


class Folder(models.Model):
    """A folder of an environment. `path` is stored completely, so that it is found and shown without its ancestors."""

    AUDITED = ("path", "description")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="folders")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    name = models.CharField(max_length=255)
    path = models.CharField(max_length=2048)
    description = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001 - null on the wire
    version = models.PositiveIntegerField(default=1)
    last_secret_modified = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("environment", "path")
        constraints = [models.UniqueConstraint(fields=("environment", "path"), name="folder_path_once")]

    def __str__(self) -> str:
        return self.path

    @property
    def address(self) -> tuple[str, str]:
        """The environment\'s slug and the path, as references and imports name them."""
        return self.environment.slug, self.path

    @property
    def audited_name(self) -> str:
        return f"{self.environment.slug}:{self.path}"


class Tag(models.Model):
    """A label of a project's secrets."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tags")
    slug = models.SlugField(max_length=64)
    color = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("slug",)
        constraints = [models.UniqueConstraint(fields=("project", "slug"), name="tag_slug_once_a_project")]

    def __str__(self) -> str:
        return self.slug


class Secret(models.Model):
    """A secret of a folder. Value and comment are sealed, bound to this row by its id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    folder = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="secrets")
    key = models.CharField(max_length=512)
    value_sealed = models.BinaryField()
    comment_sealed = models.BinaryField(null=True)
    # [{"key", "value"}]; of an encrypted entry {"key", "sealed": base64}
    metadata = models.JSONField(default=list, blank=True)
    tags = models.ManyToManyField(Tag, blank=True, related_name="secrets")
    skip_multiline_encoding = models.BooleanField(default=False)
    reminder_note = models.CharField(max_length=1024, null=True, blank=True)  # noqa: DJ001 - null on the wire
    reminder_repeat_days = models.PositiveIntegerField(null=True, blank=True)
    # The last author.
    actor_kind = models.CharField(max_length=16, blank=True)
    actor_id = models.CharField(max_length=36, blank=True)
    actor_name = models.CharField(max_length=255, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("key",)
        constraints = [models.UniqueConstraint(fields=("folder", "key"), name="secret_key_once_a_folder")]

    def __str__(self) -> str:
        return self.key


class SecretVersion(models.Model):
    """A former state of a secret, its author and time."""

    id = models.BigAutoField(primary_key=True)
    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    key = models.CharField(max_length=512)
    value_sealed = models.BinaryField()
    comment_sealed = models.BinaryField(null=True)
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=36, blank=True)
    actor_name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-version",)
        constraints = [models.UniqueConstraint(fields=("secret", "version"), name="secret_version_once")]

    def __str__(self) -> str:
        return f"{self.key} v{self.version}"


class SecretReference(models.Model):
    """An index of `${...}`: which folder a secret's value refers to, so that a change finds the syncs it reaches."""

    id = models.BigAutoField(primary_key=True)
    secret = models.ForeignKey(Secret, on_delete=models.CASCADE, related_name="references")
    environment = models.CharField(max_length=64)
    path = models.CharField(max_length=2048)
    key = models.CharField(max_length=512)

    class Meta:
        indexes = [models.Index(fields=("environment", "path"), name="reference_target")]

    def __str__(self) -> str:
        return f"{self.environment}{self.path} {self.key}"


class SecretImport(models.Model):
    """A folder has another's secrets too. Among imports the last position wins. The target need not exist."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    folder = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="imports")
    import_environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="imported_by")
    import_path = models.CharField(max_length=2048)
    position = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("folder", "position", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=("folder", "import_environment", "import_path"), name="secret_import_once_a_folder"
            )
        ]
        indexes = [models.Index(fields=("import_environment", "import_path"), name="import_target")]

    def __str__(self) -> str:
        return f"{self.import_environment.slug}{self.import_path}"
