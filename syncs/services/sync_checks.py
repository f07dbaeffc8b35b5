"""Checks of a sync before it is stored: its config and options, its source, its connection and its location."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from config.access.models import Project
from config.access.roles import Actor, Right
from config.conventions import slug_issues
from config.errors import BadRequest, Invalid, Issue, PermissionDenied, problem
from config.schemas.issues import Path
from config.schemas.model import Model
from config.schemas.unions import OneOf
from connections.credentials import open_client
from connections.errors import IntegrationError
from connections.models import AppConnection
from connections.selectors import connection_by_id, label_of
from connections.services import require_use
from syncs.destination.base import Destination
from syncs.models import Folder, SecretSync, SyncPolicy
from syncs.planning.opening import destination_class
from syncs.source.paths import normal_path

from .policy_options import policy_of_options, requested_options, without_policy

if TYPE_CHECKING:
    from .syncs import SyncInput

LONGEST_LOCATION = 512
"""Characters of the columns that hold a location; a database that does not check them would store more."""


def checked(
    found: type[Destination], data: SyncInput, *, new: bool
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Config and options as they will be stored ({}: not given), and what the options change in the policy.

    Raises Invalid with every problem, and BadRequest for options that do not go together.
    """
    issues: list[Issue] = []
    if new or data.name is not None:
        issues += slug_issues("name", (data.name or "").strip(), most=256)
    if data.description is not None and len(data.description.strip()) > 256:
        issues.append(problem(["description"], "Description cannot exceed 256 characters"))
    config: dict[str, Any] = {}
    options: dict[str, Any] = {}
    if new or data.destination_config is not None:
        config = _stored(found.Config, data.destination_config, ("destinationConfig",), issues)
    if new or data.sync_options is not None:
        options = _stored(requested_options(found), data.sync_options, ("syncOptions",), issues)
    if issues:
        raise Invalid(issues)
    return config, without_policy(options), policy_of_options(found, options)


def check_together(sync: SecretSync, policy: SyncPolicy) -> None:
    """The destination's rules that join config, options, policy and action after writes. Raises BadRequest."""
    found = destination_class(sync.destination)
    found.check_together(
        found.Config.restored(sync.destination_config),
        found.Options.restored(sync.sync_options),
        found.Policy.restored(policy.destination),
        policy.after_writes,
    )


def _stored(shape: type[Model] | OneOf, data: object, path: Path, issues: list[Issue]) -> dict[str, Any]:
    """The data as they will be stored; problems are added to `issues`."""
    try:
        found: dict[str, Any] = shape.parse(data, path).stored()
    except Invalid as error:
        issues += error.issues
        return {}
    return found


def source_folder(actor: Actor, project: Project, environment: str, path: str) -> Folder:
    """The folder that the actor may read. Raises BadRequest, PermissionDenied."""
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


def usable_connection(
    actor: Actor, project: Project, found: type[Destination], connection_id: UUID | str | None
) -> AppConnection:
    """The connection, if the actor may use it for this destination in this project. Raises BadRequest, NotFound."""
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
    """The location of a target. Nothing is sent, unless only the vendor knows the account of a login.

    Raises BadRequest if the location is unknown, and Invalid if it is too long to be stored.
    """
    try:
        with open_client(connection) as client:
            location = found(client, config).location()
    except IntegrationError as error:
        raise BadRequest(f"The location of the target is unknown: {error}") from error
    except ValueError as error:  # a part of an address that would change the host or the path
        raise BadRequest(f"The location of the target is unknown: {error}") from None
    if len(location) > LONGEST_LOCATION:
        too_long = f"The target is too long: with the service's address it may have {LONGEST_LOCATION} characters"
        raise Invalid([problem(["destinationConfig"], f"{too_long}, and has {len(location)}")])
    return location


def require_free_name(project: Project, name: str) -> None:
    """Raises Invalid or BadRequest for a name that a new sync of the project cannot have."""
    name = name.strip()
    if issues := slug_issues("name", name, most=256):
        raise Invalid(issues)
    if SecretSync.objects.filter(project=project, name=name).exists():
        raise BadRequest(f"The project has a sync named {name} already")
