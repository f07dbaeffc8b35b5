"""Every change of the source: environments, folders, secrets, imports; each one transaction with what it reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from config.access import audit
from config.access import services as access
from config.access.models import Project
from config.access.roles import Actor, Right
from config.access.services import slug_issues
from config.encryption import seal
from config.errors import BadRequest, Invalid, Issue, NotFound, problem
from syncs.engine.references import MAX_VALUE, references_in
from syncs.models import Environment, Folder, Secret, SecretImport, SecretReference, SecretSync, SecretVersion, Tag
from syncs.selectors import comment_of, value_or_none

from .reach import address_of, changed

FOLDER_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
MAX_KEY = 512
DEFAULT_ENVIRONMENTS = (("Development", "dev"), ("Staging", "staging"), ("Production", "prod"))


@transaction.atomic
def create_project(
    actor: Actor,
    name: str,
    *,
    slug: str = "",
    description: str | None = None,
    environments: Sequence[tuple[str, str]] = DEFAULT_ENVIRONMENTS,
) -> Project:
    """A project with its environments (name, slug)."""
    project = access.create_project(actor, name, slug=slug, description=description)
    for position, (env_name, env_slug) in enumerate(environments, start=1):
        _make_environment(project, env_name, env_slug, position)
    return project


def _make_environment(project: Project, name: str, slug: str, position: int) -> Environment:
    environment = Environment.objects.create(project=project, name=name, slug=slug, position=position)
    Folder.objects.create(environment=environment, name="root", path="/")
    return environment


@transaction.atomic
def create_environment(
    actor: Actor, project: Project, name: str, slug: str, position: int | None = None
) -> Environment:
    """An environment with its root folder. A position that is taken shifts the others."""
    actor.require(Right.MANAGE_ENVIRONMENTS, project.pk)
    name = name.strip()
    issues = slug_issues("slug", slug)
    if not 1 <= len(name) <= 255:
        issues.append(problem(["name"], "The name must be 1 to 255 characters long"))
    if issues:
        raise Invalid(issues)
    if Environment.objects.filter(project=project, slug=slug).exists():
        raise BadRequest("Environment with slug already exist")
    last = Environment.objects.filter(project=project).aggregate(last=Max("position"))["last"] or 0
    place = min(position or last + 1, last + 1)
    Environment.objects.filter(project=project, position__gte=place).update(position=F("position") + 1)
    environment = _make_environment(project, name, slug, place)
    audit.record(actor, "create-environment", project.pk, environment=environment.pk, slug=slug)
    # An import or a reference may have been waiting for it.
    changed(actor, project.pk, environment.folders.select_related("environment"))
    return environment


@transaction.atomic
def update_environment(
    actor: Actor, environment: Environment, *, name: str | None = None, slug: str | None = None
) -> Environment:
    """Rename. A new slug reaches whatever names the environment, by the old slug and by the new one."""
    project = environment.project
    actor.require(Right.MANAGE_ENVIRONMENTS, project.pk)
    if slug is not None and slug != environment.slug:
        if issues := slug_issues("slug", slug):
            raise Invalid(issues)
        if Environment.objects.filter(project=project, slug=slug).exists():
            raise BadRequest("Environment with slug already exist")
    before = environment.slug
    environment.name = (name or environment.name).strip()
    environment.slug = slug or before
    environment.save(update_fields=["name", "slug", "updated_at"])
    audit.record(actor, "update-environment", project.pk, environment=environment.pk, slug=environment.slug)
    if environment.slug != before:
        folders = list(environment.folders.select_related("environment"))
        changed(actor, project.pk, folders, also=[(before, folder.path) for folder in folders])
    return environment


@transaction.atomic
def delete_environment(actor: Actor, environment: Environment) -> None:
    """The environment with all that is in it. Syncs it feeds stay, without a source."""
    actor.require(Right.MANAGE_ENVIRONMENTS, environment.project_id)
    _delete_folders(actor, environment.project, list(environment.folders.select_related("environment")))
    audit.record(actor, "delete-environment", environment.project_id, environment=environment.pk, slug=environment.slug)
    environment.delete()


def _delete_folders(actor: Actor, project: Project, folders: list[Folder]) -> None:
    """Syncs lose their source and stop; what referred to the folders is reached."""
    gone = [address_of(folder) for folder in folders]
    fed = SecretSync.objects.filter(folder__in=folders)
    fed.update(generation=F("generation") + 1, folder=None)
    changed(actor, project.pk, [], also=gone)


def normal_path(path: str) -> str:
    """`/a/b`: a slash in front, none at the end. Raises Invalid for a name that no folder may have."""
    parts = [part for part in path.strip().split("/") if part]
    for part in parts:
        _check_folder_name(part)
    return "/" + "/".join(parts)


def _check_folder_name(name: str) -> None:
    if not FOLDER_NAME.fullmatch(name) or len(name) > 255:
        message = "Invalid folder name. Only alphanumeric characters, dashes, and underscores are allowed."
        raise Invalid([problem(["name"], message)])


@transaction.atomic
def ensure_folder(actor: Actor, environment: Environment, path: str) -> Folder:
    """The folder at `path`, made with its ancestors where it is missing."""
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    path = normal_path(path)
    folder = Folder.objects.select_related("environment").filter(environment=environment, path=path).first()
    if folder is None:
        parent_path, _, name = path.rpartition("/")
        parent = ensure_folder(actor, environment, parent_path or "/")
        folder = Folder.objects.create(environment=environment, parent=parent, name=name, path=path)
        audit.record(actor, "create-folder", environment.project_id, folder=folder.pk, path=path)
        changed(actor, environment.project_id, [folder])
    return folder


@transaction.atomic
def move_folder(actor: Actor, folder: Folder, *, name: str | None = None, parent: Folder | None = None) -> Folder:
    """Rename a folder or put it under another parent of its environment. Its syncs follow it."""
    environment = folder.environment
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    if folder.parent is None:
        raise BadRequest("The root folder cannot be renamed or moved")
    name, parent = name or folder.name, parent or folder.parent
    _check_folder_name(name)
    before = folder.path
    if parent.environment_id != folder.environment_id or f"{parent.path}/".startswith(f"{before}/"):
        raise BadRequest("A folder can be moved to another folder of its environment, not into itself")
    after = f"{parent.path.rstrip('/')}/{name}"
    if after == before:
        return folder
    if Folder.objects.filter(environment=environment, path=after).exists():
        raise BadRequest("Folder with specified name already exists")
    subtree = _subtree(folder)
    old = [address_of(each) for each in subtree]
    for each in subtree:
        each.path = after + each.path[len(before) :]
        each.version += 1
        if each.pk == folder.pk:
            each.name, each.parent = name, parent
    Folder.objects.bulk_update(subtree, ["path", "name", "parent", "version"])
    audit.record(actor, "move-folder", environment.project_id, folder=folder.pk, path=after, before=before)
    changed(actor, environment.project_id, subtree, also=old)
    return next(each for each in subtree if each.pk == folder.pk)


@transaction.atomic
def delete_folder(actor: Actor, folder: Folder) -> None:
    """The folder and all below it. Syncs it feeds stay, without a source."""
    environment = folder.environment
    actor.require(Right.WRITE_SECRETS, environment.project_id)
    if folder.parent_id is None:
        raise BadRequest("The root folder goes with its environment only")
    _delete_folders(actor, environment.project, _subtree(folder))
    audit.record(actor, "delete-folder", environment.project_id, folder=folder.pk, path=folder.path)
    folder.delete()


def _subtree(folder: Folder) -> list[Folder]:
    found = Folder.objects.select_related("environment").filter(environment=folder.environment)
    return [each for each in found if each.path == folder.path or each.path.startswith(f"{folder.path.rstrip('/')}/")]


@dataclass(frozen=True)
class SecretInput:
    """What a secret shall be; a member that is None stays as it is. `new_key` renames."""

    key: str
    value: str | None = field(default=None, repr=False)
    comment: str | None = field(default=None, repr=False)
    tags: Sequence[str] | None = None  # slugs of the project's tags; made where they are missing
    metadata: Sequence[Mapping[str, Any]] | None = None
    skip_multiline_encoding: bool | None = None
    new_key: str | None = None


def trimmed(value: str) -> str:
    """Blanks around a value go; a newline at its end stays, as one."""
    return value.strip() + ("\n" if value.endswith("\n") and value.strip() else "")


def key_issues(key: str, path: Sequence[str | int]) -> list[Issue]:
    """What is wrong with a secret's name."""
    if not key:
        return [problem(path, "Secret name cannot be empty")]
    if len(key) > MAX_KEY:
        return [problem(path, f"Secret name must be at most {MAX_KEY} characters long")]
    if ":" in key or "/" in key:
        return [problem(path, "Secret name cannot contain colon or forward slash.")]
    if re.search(r"[\x00-\x1f\x7f]", key):
        return [problem(path, f"Secret name {key!r} has a control character")]
    return []


def _value_issues(one: SecretInput, path: list[str | int]) -> list[Issue]:
    issues = []
    for name, text in (("secretValue", one.value), ("secretComment", one.comment)):
        if text is None:
            continue
        if "\x00" in text:
            issues.append(problem([*path, name], f"{one.key}: a NUL character is not allowed"))
        if len(text.encode(errors="replace")) > MAX_VALUE:
            issues.append(problem([*path, name], f"{one.key}: it is larger than {MAX_VALUE // 1024**2} MiB"))
        try:
            text.encode()
        except UnicodeEncodeError:
            issues.append(problem([*path, name], f"{one.key}: it is not valid Unicode"))
    return issues


@transaction.atomic
def set_secrets(actor: Actor, folder: Folder, inputs: Iterable[SecretInput], *, mode: str = "upsert") -> list[Secret]:
    """Create and update secrets of one folder, all or none, as one change.

    `mode`: "upsert", "create" (refused where one exists) or "update" (refused where one is missing). Setting what
    is set already changes nothing and reaches nobody.
    """
    project = folder.environment.project
    actor.require(Right.WRITE_SECRETS, project.pk)
    given = [_cleaned(one) for one in inputs]
    _check(given, mode)
    Folder.objects.select_for_update().get(pk=folder.pk)
    stored = {secret.key: secret for secret in folder.secrets.filter(key__in=[one.key for one in given])}
    _check_presence(given, stored, mode)
    _check_new_keys(folder, given)
    tags = _tags(project, given)
    done, touched = [], []
    for one in given:
        secret = stored.get(one.key)
        before = secret and _state(secret)
        secret = _apply(project, folder, one, secret)
        if before is None or before != _state(secret) or _retag(secret, one, tags):
            touched.append((secret, one, before is None))
        done.append(secret)
    _store(actor, project, folder, touched, tags)
    if touched:
        keys = sorted(secret.key for secret, _, _ in touched)
        audit.record(actor, "set-secrets", project.pk, folder=folder.pk, keys=keys[:100], count=len(keys))
        changed(actor, project.pk, [folder])
    return done


def _cleaned(one: SecretInput) -> SecretInput:
    return SecretInput(
        one.key.strip(),
        None if one.value is None else trimmed(one.value),
        None if one.comment is None else one.comment.strip(),
        one.tags,
        one.metadata,
        one.skip_multiline_encoding,
        one.new_key.strip() if one.new_key else None,
    )


def _check(given: Sequence[SecretInput], mode: str) -> None:
    issues: list[Issue] = []
    seen: set[str] = set()
    many = len(given) > 1
    for index, one in enumerate(given):
        path: list[str | int] = ["secrets", index] if many else []
        issues += key_issues(one.key, [*path, "secretKey"]) if mode != "update" else []
        issues += key_issues(one.new_key, [*path, "newSecretName"]) if one.new_key else []
        issues += _value_issues(one, path)
        if one.key in seen:
            issues.append(problem([*path, "secretKey"], f"{one.key} is given twice"))
        seen.add(one.key)
    if issues:
        raise Invalid(issues)


def _check_presence(given: Sequence[SecretInput], stored: Mapping[str, Secret], mode: str) -> None:
    if mode == "create" and (there := [one.key for one in given if one.key in stored]):
        raise BadRequest(f"Secret already exist: {', '.join(there)}")
    if mode == "update" and (missing := [one.key for one in given if one.key not in stored]):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")


def _check_new_keys(folder: Folder, given: Sequence[SecretInput]) -> None:
    wanted = [one.new_key for one in given if one.new_key and one.new_key != one.key]
    if taken := list(folder.secrets.filter(key__in=wanted).values_list("key", flat=True)):
        raise BadRequest(f"Secret already exist: {', '.join(taken)}")


def _state(secret: Secret) -> tuple[Any, ...]:
    return (
        secret.key,
        value_or_none(secret),
        comment_of(secret),
        secret.metadata,
        secret.skip_multiline_encoding,
    )


def _apply(project: Project, folder: Folder, one: SecretInput, secret: Secret | None) -> Secret:
    new = secret is None
    secret = secret or Secret(folder=folder, key=one.key, version=0)
    secret.folder = folder
    secret.key = one.new_key or one.key
    if one.value is not None or new:
        secret.value_sealed = seal(project.pk, f"secret:{secret.pk}:value", one.value or "")
    if one.comment is not None:
        sealed = seal(project.pk, f"secret:{secret.pk}:comment", one.comment)
        secret.comment_sealed = sealed if one.comment else None
    if one.metadata is not None:
        secret.metadata = [dict(each) for each in one.metadata]
    if one.skip_multiline_encoding is not None:
        secret.skip_multiline_encoding = one.skip_multiline_encoding
    return secret


def _tags(project: Project, given: Sequence[SecretInput]) -> dict[str, Tag]:
    slugs = {slug for one in given for slug in one.tags or ()}
    if not slugs:
        return {}
    issues = [issue for slug in sorted(slugs) for issue in slug_issues("slug", slug)]
    if issues:
        raise Invalid(issues)
    Tag.objects.bulk_create([Tag(project=project, slug=slug) for slug in slugs], ignore_conflicts=True)
    return {tag.slug: tag for tag in Tag.objects.filter(project=project, slug__in=slugs)}


def _retag(secret: Secret, one: SecretInput, tags: Mapping[str, Tag]) -> bool:
    if one.tags is None:
        return False
    return {tag.slug for tag in secret.tags.all()} != {slug for slug in one.tags if slug in tags}


def _store(
    actor: Actor,
    project: Project,
    folder: Folder,
    touched: Sequence[tuple[Secret, SecretInput, bool]],
    tags: Mapping[str, Tag],
) -> None:
    for secret, _, _ in touched:
        secret.version += 1
    Secret.objects.bulk_create([secret for secret, _, new in touched if new], batch_size=500)
    for secret, _, new in touched:
        if not new:
            secret.save()
    SecretVersion.objects.bulk_create(
        [
            SecretVersion(
                secret=secret,
                version=secret.version,
                key=secret.key,
                value_sealed=secret.value_sealed,
                comment_sealed=secret.comment_sealed,
                actor_kind=actor.kind,
                actor_id=str(actor.id or ""),
                actor_name=actor.name,
            )
            for secret, _, _ in touched
        ],
        batch_size=500,
    )
    for secret, one, _ in touched:
        if one.tags is not None:
            secret.tags.set([tags[slug] for slug in one.tags])
    here = address_of(folder)
    valued = [(secret, one) for secret, one, new in touched if new or one.value is not None]
    SecretReference.objects.filter(secret__in=[secret for secret, _ in valued]).delete()
    SecretReference.objects.bulk_create(
        [
            SecretReference(secret=secret, environment=slug, path=path, key=key)
            for secret, one in valued
            for slug, path, key in references_in(one.value or "", here)
            if (slug, path) != here  # its own folder is reached anyway, and keeps its name for itself
        ],
        batch_size=500,
    )


@transaction.atomic
def delete_secrets(actor: Actor, folder: Folder, keys: Sequence[str]) -> list[Secret]:
    """Take secrets out of a folder, all or none. Raises NotFound naming those that are missing."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    found = list(folder.secrets.filter(key__in=keys).prefetch_related("tags"))
    if missing := sorted(set(keys) - {secret.key for secret in found}):
        raise NotFound(f"Secret with name '{', '.join(missing)}' not found")
    Secret.objects.filter(pk__in=[secret.pk for secret in found]).delete()
    audit.record(actor, "delete-secrets", project_id, folder=folder.pk, keys=sorted(keys)[:100], count=len(keys))
    changed(actor, project_id, [folder])
    return found


@transaction.atomic
def add_import(actor: Actor, folder: Folder, environment: Environment, path: str) -> SecretImport:
    """The folder takes another's secrets too, after the imports it has; among imports the last wins."""
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    actor.require(Right.READ_VALUES, project_id)
    path = normal_path(path)
    if environment.project_id != project_id:
        raise NotFound(f"Environment with slug '{environment.slug}' not found")
    if (environment.pk, path) == (folder.environment_id, folder.path):
        raise BadRequest("A folder cannot import itself")
    if folder.imports.filter(import_environment=environment, import_path=path).exists():
        raise BadRequest("Secret import already exist")
    last = folder.imports.aggregate(last=Max("position"))["last"] or 0
    made = SecretImport.objects.create(
        folder=folder, import_environment=environment, import_path=path, position=last + 1
    )
    audit.record(actor, "create-secret-import", project_id, folder=folder.pk, importPath=path)
    changed(actor, project_id, [folder])
    return made


@transaction.atomic
def update_import(
    actor: Actor,
    row: SecretImport,
    *,
    environment: Environment | None = None,
    path: str | None = None,
    position: int | None = None,
) -> SecretImport:
    """Point an import elsewhere, or give it another position; the others close up."""
    folder = row.folder
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    row.import_environment = environment or row.import_environment
    row.import_path = normal_path(path) if path is not None else row.import_path
    twins = folder.imports.filter(import_environment=row.import_environment, import_path=row.import_path)
    if twins.exclude(pk=row.pk).exists():
        raise BadRequest("Secret import already exist")
    row.save()
    if position is not None:
        others = list(folder.imports.exclude(pk=row.pk).order_by("position"))
        others.insert(max(0, min(position - 1, len(others))), row)
        for index, each in enumerate(others, start=1):
            each.position = index
        SecretImport.objects.bulk_update(others, ["position"])
    audit.record(actor, "update-secret-import", project_id, secretImport=row.pk)
    changed(actor, project_id, [folder])
    return row


@transaction.atomic
def delete_import(actor: Actor, row: SecretImport) -> None:
    folder = row.folder
    project_id = folder.environment.project_id
    actor.require(Right.WRITE_SECRETS, project_id)
    row.delete()
    audit.record(actor, "delete-secret-import", project_id, folder=folder.pk)
    changed(actor, project_id, [folder])


@transaction.atomic
def color_tag(actor: Actor, tag: Tag, color: str) -> None:
    actor.require(Right.WRITE_SECRETS, tag.project_id)
    Tag.objects.filter(pk=tag.pk).update(color=color)
    audit.record(actor, "update-tag", tag.project_id, tag=tag.pk, slug=tag.slug)


@transaction.atomic
def delete_tag(actor: Actor, tag: Tag) -> None:
    """The tag goes from every secret; syncs that choose by tags are reached."""
    actor.require(Right.WRITE_SECRETS, tag.project_id)
    folders = list(Folder.objects.select_related("environment").filter(secrets__tags=tag).distinct())
    tag.delete()
    audit.record(actor, "delete-tag", tag.project_id, slug=tag.slug)
    changed(actor, tag.project_id, folders)
