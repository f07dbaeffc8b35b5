"""Every change of a sync: made, changed, pointed elsewhere; and of its policy. Each is one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from pydantic import create_model

from config.access import audit
from config.access.models import Identity, Project, User
from config.access.roles import Actor, Right
from config.conventions import slug_issues
from config.errors import BadRequest, Invalid, Issue, PermissionDenied, problem
from config.schemas.issues import Path
from config.schemas.json_schema import EXAMPLE_ID
from config.schemas.model import Body, Model
from config.schemas.types import Flag, Id, Slug, Text
from config.schemas.unions import OneOf
from connections.errors import IntegrationError
from connections.models import AppConnection
from connections.selectors import connection_by_id, label_of
from connections.services import open_client, require_use
from syncs.destination.base import Destination
from syncs.models import UNMANAGED, Folder, SecretSync, SyncPolicy
from syncs.planning.opening import destination_class
from syncs.planning.overlaps import refuse_overlaps
from syncs.source.paths import PathText, normal_path
from syncs.source.selectors import defaults_of, syncs

from .deletion import leave_elsewhere
from .folders import lock_folders
from .propagation import schedule, want
from .triggers import audited, stop_waiting

LONGEST_LOCATION = 512
"""Characters of the columns that hold a location; a database that does not check them would store more."""


@dataclass(frozen=True)
class SyncInput:
    """What a sync shall be; in an update, a member that is None stays as it is."""

    name: str | None = None
    description: str | None = None
    connection_id: UUID | str | None = None
    environment: str | None = None
    secret_path: str | None = None
    is_auto_sync_enabled: bool | None = None
    sync_options: object = None
    destination_config: object = None


_NAME = Slug("name", "Unique in the project.", most=256, example="shop-dev")
_ENVIRONMENT = Text("Environment", "The slug of the source's environment.", max_length=64, example="dev")
_SECRET_PATH = PathText(
    "secretPath", "The source's folder.", empty_message="Secret path required", example="/services/api"
)


class SyncChanges(Body):
    """The body that changes a sync; one for each destination, made by `sync_changes`."""

    name: Annotated[str | None, _NAME] = None
    description: Annotated[
        str | None,
        Text("Description", min_length=0, max_length=256, multiline=True, example="What the shop needs"),
    ] = None
    connectionId: str | None = None
    environment: Annotated[str | None, _ENVIRONMENT] = None
    secretPath: Annotated[str | None, _SECRET_PATH] = None
    isAutoSyncEnabled: Annotated[bool | None, Flag("Auto-sync", "Run on every change of the source.")] = None
    syncOptions: Any = None
    destinationConfig: Any = None


class NewSync(SyncChanges):
    """The body that creates a sync; one for each destination, made by `new_sync`."""

    name: Annotated[str, _NAME]
    connectionId: str
    environment: Annotated[str, _ENVIRONMENT]
    secretPath: Annotated[str, _SECRET_PATH]
    projectId: Annotated[
        str, Text("Project", "The project's id.", empty_message="Project ID required", example=EXAMPLE_ID)
    ]


def new_sync(found: type[Destination]) -> type[NewSync]:
    return create_model("NewSync", __base__=NewSync, **_members(found, ...))


def sync_changes(found: type[Destination]) -> type[SyncChanges]:
    return create_model("SyncChanges", __base__=SyncChanges, **_members(found, None))


def _members(found: type[Destination], default: Any) -> dict[str, Any]:
    """The members that differ by destination; `default` is ... where they are required."""
    config = found.described_config()
    connection = Id(f"A connection of {found.label}.", label="connectionId")
    return {
        "connectionId": (Annotated[str if default is ... else str | None, connection], default),
        "syncOptions": (found.Options, default),
        "destinationConfig": (config if isinstance(config, type) else Annotated[Any, config], default),
    }


def sync_input(body: SyncChanges) -> SyncInput:
    """A body as the services take it."""
    return SyncInput(
        name=body.name,
        description=body.description,
        connection_id=body.connectionId,
        environment=body.environment,
        secret_path=body.secretPath,
        is_auto_sync_enabled=body.isAutoSyncEnabled,
        sync_options=body.syncOptions,
        destination_config=body.destinationConfig,
    )


def draft_sync(
    actor: Actor, project: Project, destination: str, given: SyncInput, policy: Mapping[str, Any] | None = None
) -> SecretSync:
    """A sync as `create_sync` would store it, checked but not stored: what a preview plans."""
    actor.require(Right.EDIT_SYNCS, project.pk)
    found = destination_class(destination)
    sync = SecretSync(project=project, destination=destination, is_auto_sync_enabled=True)
    _owned_by(sync, actor)
    config, options = _checked(found, given, new=True)
    sync.folder = _folder(actor, project, given.environment or "", given.secret_path or "/")
    sync.connection = _connection(actor, project, found, given.connection_id)
    sync.name = (given.name or "").strip()
    sync.description = given.description and given.description.strip()
    sync.destination_config, sync.sync_options = config, options
    if given.is_auto_sync_enabled is not None:
        sync.is_auto_sync_enabled = given.is_auto_sync_enabled
    sync.location = location_of(found, sync.connection, config)
    sync.policy = _first_policy(actor, sync, policy or {})
    return sync


def _first_policy(actor: Actor, sync: SecretSync, given: Mapping[str, Any]) -> SyncPolicy:
    """The project's defaults, with what is given (model field names) in their place."""
    policy = defaults_of(sync.project).new_policy(sync=sync)
    changed = {name: value for name, value in given.items() if value != getattr(policy, name)}
    if changed:
        actor.require(Right.EDIT_POLICY, sync.project_id)
    if changed.get("unmanaged", UNMANAGED[0]) not in UNMANAGED:
        raise Invalid([problem(["unmanaged"], f"It must be one of {', '.join(UNMANAGED)}")])
    for name, value in changed.items():
        setattr(policy, name, value)
    return policy


def create_sync(
    actor: Actor, project: Project, destination: str, given: SyncInput, policy: Mapping[str, Any] | None = None
) -> SecretSync:
    """Store a sync; with auto-sync on its first run is queued. Raises in the order of the modelled API."""
    sync = draft_sync(actor, project, destination, given, policy)
    refuse_overlaps(actor, sync)
    if SecretSync.objects.filter(project=project, name=sync.name).exists():
        raise _taken(sync)
    made = sync.policy
    try:
        with transaction.atomic():
            sync.save(force_insert=True)
            made.save(force_insert=True)
            audit.record(actor, "create-secret-sync", project.pk, **audited(sync))
            if sync.is_auto_sync_enabled:
                want(actor, [sync])
    except IntegrityError:
        raise _taken(sync) from None
    return syncs().get(pk=sync.pk)


def update_sync(actor: Actor, sync: SecretSync, given: SyncInput) -> SecretSync:
    """Change a sync; whoever saves it becomes its owner. With auto-sync on, any change runs it."""
    project = sync.project
    actor.require(Right.EDIT_SYNCS, project.pk)
    actor.require(Right.READ_VALUES, project.pk)
    found = destination_class(sync.destination)
    config, options = _checked(found, given, new=False)
    if given.environment is not None or given.secret_path is not None:
        if sync.folder is None and (given.environment is None or given.secret_path is None):
            raise BadRequest("Must specify both source environment and secret path")
        environment = given.environment or (sync.folder.environment.slug if sync.folder else "")
        path = given.secret_path or (sync.folder.path if sync.folder else "/")
        sync.folder = _folder(actor, project, environment, path)
    if given.connection_id is not None:
        sync.connection = _connection(actor, project, found, given.connection_id)
    else:
        require_use(actor, sync.connection)
    if given.name is not None:
        sync.name = given.name.strip()
    if given.description is not None:
        sync.description = given.description.strip()
    if given.is_auto_sync_enabled is not None:
        sync.is_auto_sync_enabled = given.is_auto_sync_enabled
    sync.destination_config = config or sync.destination_config
    sync.sync_options = options or sync.sync_options
    sync.location = location_of(found, sync.connection, sync.destination_config)
    refuse_overlaps(actor, sync, stored=syncs().get(pk=sync.pk))
    if SecretSync.objects.filter(project=project, name=sync.name).exclude(pk=sync.pk).exists():
        raise _taken(sync)
    _owned_by(sync, actor)
    try:
        with transaction.atomic():
            lock_folders([sync.folder] if sync.folder else [])
            audit.record(actor, "update-secret-sync", project.pk, **audited(sync))
            sync.save(update_fields=_EDITABLE)
            SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
            leave_elsewhere(sync, actor)
            want(actor, [sync])
    except IntegrityError:
        raise _taken(sync) from None
    return syncs().get(pk=sync.pk)


_EDITABLE = (
    "name",
    "description",
    "folder",
    "connection",
    "is_auto_sync_enabled",
    "destination_config",
    "sync_options",
    "location",
    "owner_user",
    "owner_identity",
    "updated_at",
)


def _checked(found: type[Destination], given: SyncInput, *, new: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Config and options as they will be stored ({}: not given). Raises Invalid with every problem."""
    issues: list[Issue] = []
    if new or given.name is not None:
        issues += slug_issues("name", (given.name or "").strip(), most=256)
    if given.description is not None and len(given.description.strip()) > 256:
        issues.append(problem(["description"], "Description cannot exceed 256 characters"))
    config: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if new or given.destination_config is not None:
        config = _stored(found.Config, given.destination_config, ("destinationConfig",), issues)
    if new or given.sync_options is not None:
        options = _stored(found.Options, given.sync_options, ("syncOptions",), issues)
    if issues:
        raise Invalid(issues)
    return config, options


def _stored(shape: type[Model] | OneOf, data: object, path: Path, issues: list[Issue]) -> dict[str, Any]:
    """The data as they will be stored; problems are added to `issues`."""
    try:
        found: dict[str, Any] = shape.parse(data, path).stored()
    except Invalid as error:
        issues += error.issues
        return {}
    return found


def _folder(actor: Actor, project: Project, environment: str, path: str) -> Folder:
    path = normal_path(path)
    folder = (
        Folder.objects.select_related("environment__project")
        .filter(environment__project=project, environment__slug=environment, path=path)
        .first()
    )
    if folder is None:
        raise BadRequest(
            f'Could not find folder with path "{path}" in environment "{environment}" '
            f'for project with ID "{project.pk}"'
        )
    if not actor.may(Right.READ_VALUES, project.pk):
        raise PermissionDenied(
            f'You do not have permission to read secrets at path "{path}" in environment "{environment}".'
        )
    return folder


def _connection(
    actor: Actor, project: Project, found: type[Destination], connection_id: UUID | str | None
) -> AppConnection:
    connection = connection_by_id(actor, connection_id or "")
    if connection.app != found.provider:
        raise BadRequest(
            f"{label_of(connection.app)} Connection with ID {connection.pk} "
            f"cannot be used to connect to {label_of(found.provider)}"
        )
    if connection.project_id and connection.project_id != project.pk:
        raise BadRequest(
            f"You cannot connect project App Connection with ID {connection.pk} from project with ID "
            f"{connection.project_id} to project with ID {project.pk}"
        )
    require_use(actor, connection)
    return connection


def location_of(found: type[Destination], connection: AppConnection, config: Mapping[str, Any]) -> str:
    """Where the keys live. Nothing is sent, unless only the vendor can tell whose account a login opens.

    Raises BadRequest if the vendor does not tell, and Invalid if the location is too long to be stored.
    """
    try:
        with open_client(connection) as client:
            location = found(client, config).location()
    except IntegrationError as error:
        raise BadRequest(f"Where the secrets would go is not known: {error}") from error
    except ValueError as error:  # a part of an address that would lead elsewhere
        raise BadRequest(f"Where the secrets would go is not known: {error}") from None
    if len(location) > LONGEST_LOCATION:
        said = f"The target is too long: with the service's address it may have {LONGEST_LOCATION} characters"
        raise Invalid([problem(["destinationConfig"], f"{said}, and has {len(location)}")])
    return location


def _owned_by(sync: SecretSync, actor: Actor) -> None:
    who = str(actor.id)
    sync.owner_user = User.objects.filter(pk=who).first() if actor.kind == "user" else None
    sync.owner_identity = Identity.objects.filter(pk=who).first() if actor.kind == "identity" else None


def require_free_name(project: Project, name: str) -> None:
    """Raises Invalid or BadRequest for a name that a new sync of the project cannot have."""
    name = name.strip()
    if issues := slug_issues("name", name, most=256):
        raise Invalid(issues)
    if SecretSync.objects.filter(project=project, name=name).exists():
        raise BadRequest(f"The project has a sync named {name} already")


def _taken(sync: SecretSync) -> BadRequest:
    return BadRequest(
        f'A Secret Sync with the name "{sync.name}" already exists for the project with ID "{sync.project_id}"'
    )


def update_policy(actor: Actor, sync: SecretSync, given: Mapping[str, Any]) -> SyncPolicy:
    """Change members of the policy (model field names). A run that is going stops; the next one heeds it."""
    needed = Right.RUN_SYNCS if set(given) <= {"paused"} else Right.EDIT_POLICY
    actor.require(needed, sync.project_id)
    policy = sync.policy
    if "unmanaged" in given and given["unmanaged"] not in UNMANAGED:
        raise Invalid([problem(["unmanaged"], f"It must be one of {', '.join(UNMANAGED)}")])
    for name, value in given.items():
        setattr(policy, name, value)
    if set(given) & {"include", "exclude", "tags", "recursive"}:
        refuse_overlaps(actor, sync, stored=syncs().get(pk=sync.pk))
    with transaction.atomic():
        audit.record(actor, "update-sync-policy", sync.project_id, changed=sorted(given), **audited(sync))
        policy.save(update_fields=list(given))
        SecretSync.objects.filter(pk=sync.pk).update(generation=F("generation") + 1)
        if policy.paused:
            stop_waiting(sync)
        else:
            schedule(actor, [sync], "change")
    return policy


def find_duplicate(destination: str, config: object, exclude: UUID | str | None) -> SecretSync | None:
    """Another sync of this destination with the same config, anywhere in the organisation."""
    if not isinstance(config, dict):
        return None
    found = SecretSync.objects.filter(destination=destination)
    if exclude:
        found = found.exclude(pk=exclude)
    return next((sync for sync in found if sync.destination_config == config), None)


def require_destination(sync: SecretSync, destination: str) -> None:
    """Raises BadRequest where the id is another destination's."""
    if sync.destination != destination:
        label = destination_class(destination).label
        raise BadRequest(f'Secret sync with ID "{sync.pk}" is not configured for {label}')
