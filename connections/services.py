"""Every change of a connection, and the requests that its login sends for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, RestrictedError
from django.utils import timezone

from config.access import audit
from config.access.models import Project
from config.access.roles import Actor, Right, denied
from config.conventions import slug_issues
from config.encryption import Undecryptable
from config.errors import BadRequest, Invalid, Issue, problem
from config.schemas.model import Model

from .credentials import SignIn, credentials_of, login_shape, open_client, provider_of, store_credentials
from .errors import IntegrationError, Unreachable
from .models import AppConnection
from .provider import Choice, Provider, Rights, Session
from .sessions import columns


class ChooseFirst(BadRequest):
    """A picker has no choices before another field is chosen."""


def create_connection(
    actor: Actor,
    app: str,
    *,
    name: str,
    method: str,
    credentials: object,
    description: str | None = None,
    project: Project | None = None,
) -> AppConnection:
    """Create a connection, after the vendor has accepted the credentials; organisation-wide without `project`."""
    require_manager(actor, project)
    provider = provider_of(app)
    credentials = _completed(credentials, provider.generated(method))
    checked = _checked(provider, name, method, credentials, description)
    _refuse_used_name(name.strip(), project)
    checked, session, rights = _accepted(provider, method, checked)
    connection = AppConnection(
        name=name.strip(), description=_described(description), app=app, method=method, project=project
    )
    store_credentials(connection, checked)
    _keep(connection, session, rights)
    try:
        with transaction.atomic():
            connection.save(force_insert=True)
            audit.record(actor, "create-app-connection", project.pk if project else None, **_audit_details(connection))
    except IntegrityError:
        raise _name_in_use(name.strip()) from None
    return connection


def _checked(provider: Provider, name: str, method: str, credentials: object, description: str | None) -> Model:
    """The credentials. Raises Invalid with every problem."""
    issues = _own_issues(name, description)
    try:
        login: SignIn = login_shape(type(provider)).parse({"method": method, "credentials": credentials})
    except Invalid as error:
        issues += error.issues
    _refuse(issues)
    checked: Model = login.credentials
    return checked


def _own_issues(name: str, description: str | None) -> list[Issue]:
    issues = slug_issues("name", name.strip())
    if description is not None and len(description.strip()) > 256:
        issues.append(problem(["description"], "Description cannot exceed 256 characters"))
    return issues


def _refuse(issues: list[Issue]) -> None:
    if issues:
        raise Invalid(issues)


def _completed(credentials: object, generated: Mapping[str, str]) -> object:
    """The credentials with the generated members that they leave out."""
    credentials = credentials.stored() if isinstance(credentials, Model) else credentials
    if not isinstance(credentials, Mapping):
        return credentials
    given = {name: value for name, value in credentials.items() if value is not None or name not in generated}
    return {**generated, **given}


def _generated_before(provider: Provider, connection: AppConnection) -> dict[str, Any]:
    """The members that were generated for this connection, as far as its credentials have them."""
    names = provider.generated(connection.method)
    try:
        kept = credentials_of(provider, connection).stored() if names else {}
    except Undecryptable:
        return {}
    return {name: kept[name] for name in names if name in kept}


def update_connection(
    actor: Actor,
    connection: AppConnection,
    *,
    name: str | None = None,
    description: str | None = None,
    credentials: object = None,
) -> AppConnection:
    """Members that are None stay. New credentials are checked with the vendor before anything is stored."""
    require_manager(actor, connection.project)
    provider, before = provider_of(connection.app), audit.state_of(connection)
    new_name = connection.name if name is None else name.strip()
    if credentials is None:
        _refuse(_own_issues(new_name, description))
    else:
        entered = _completed(credentials, _generated_before(provider, connection))
        checked = _checked(provider, new_name, connection.method, entered, description)
    if new_name != connection.name:
        _refuse_used_name(new_name, connection.project, connection.pk)
    # Only these columns: others, such as the pause, may have changed during the request to the vendor.
    written = ["name", "description", "updated_at"]
    if credentials is not None:
        checked, session, rights = _accepted(provider, connection.method, checked)
        store_credentials(connection, checked)
        written += [
            "credentials_sealed",
            "credentials_hash",
            "checked_at",
            "check_problem",
            "retry_at",
            "login_refused_at",
            *_keep(connection, session, rights),
        ]
    connection.name = new_name
    if description is not None:
        connection.description = _described(description)
    try:
        with transaction.atomic():
            connection.save(update_fields=written)
            AppConnection.objects.filter(pk=connection.pk).update(version=F("version") + 1)
            connection.refresh_from_db(fields=["version"])
            audit.record(
                actor,
                "update-app-connection",
                connection.project_id,
                credentialsChanged=credentials is not None,
                changes=audit.changes_since(before, connection),
                **_audit_details(connection),
            )
    except IntegrityError:
        raise _name_in_use(new_name) from None
    return connection


def delete_connection(actor: Actor, connection: AppConnection) -> None:
    """Delete a connection. Raises BadRequest while a sync uses it."""
    require_manager(actor, connection.project)
    try:
        with transaction.atomic():
            audit.record(actor, "delete-app-connection", connection.project_id, **_audit_details(connection))
            AppConnection.objects.get(pk=connection.pk).delete()
    except RestrictedError:
        raise BadRequest(
            "Cannot delete App Connection with existing connections. Remove all existing connections and try again."
        ) from None


@transaction.atomic
def pause_connection(actor: Actor, connection: AppConnection, *, paused: bool, reason: str = "") -> None:
    """Pause: runs through the connection stop after their current key, and no new one starts. Or resume."""
    require_manager(actor, connection.project)
    AppConnection.objects.filter(pk=connection.pk).update(
        paused_at=timezone.now() if paused else None,
        paused_by=actor.name if paused else "",
        pause_reason=reason[:255] if paused else "",
    )
    event = "pause-app-connection" if paused else "resume-app-connection"
    why: dict[str, Any] = {"reason": reason[:255]} if reason else {}
    audit.record(actor, event, connection.project_id, **_audit_details(connection), **why)


def verify(provider: Provider, method: str, credentials: Model) -> tuple[Session | None, Rights]:
    """Check the credentials with the vendor; returns the session that it issues for them, if any, and their rights.

    Raises BadRequest in the modelled words.
    """
    with _in_modelled_words():
        session = provider.renew(method, credentials)
        with provider.client(method, credentials, session) as client:
            return session, provider.check(client)


def _accepted(provider: Provider, method: str, entered: Model) -> tuple[Model, Session | None, Rights]:
    """New credentials as they are to be stored, after the vendor has accepted them. As `verify`."""
    with _in_modelled_words():
        credentials = provider.redeem(method, entered)
    return credentials, *verify(provider, method, credentials)


@contextmanager
def _in_modelled_words() -> Iterator[None]:
    """Turn what a vendor refuses into BadRequest."""
    try:
        yield
    except Unreachable as error:
        raise BadRequest(f"Unable to validate connection - verify credentials ({error})") from None
    except IntegrationError as error:
        raise BadRequest(f"Failed to validate credentials: {error}") from None


def check_connection(actor: Actor, connection: AppConnection) -> Rights:
    """Check the stored credentials with the vendor now, and store the result. Raises BadRequest."""
    require_use(actor, connection)
    same = AppConnection.objects.filter(pk=connection.pk, credentials_hash=connection.credentials_hash)
    try:
        provider = provider_of(connection.app)
        session, rights = verify(provider, connection.method, credentials_of(provider, connection))
    except BadRequest as refusal:
        same.update(checked_at=timezone.now(), check_problem=str(refusal)[:1024], **_columns(Rights()))
        raise
    kept = columns(connection, session) | _columns(rights)
    same.update(checked_at=timezone.now(), check_problem="", retry_at=None, login_refused_at=None, **kept)
    return rights


def choices(actor: Actor, connection: AppConnection, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
    """The choices for a field of a destination. Raises ChooseFirst, or BadRequest if the vendor does not respond."""
    require_use(actor, connection)
    try:
        with open_client(connection) as client:
            return provider_of(connection.app).choices(client, field, chosen)
    except IntegrationError as error:
        raise BadRequest(f"Unable to list: {error}") from None
    except (KeyError, ValueError):
        raise ChooseFirst(f"Unable to list: choose what {field} depends on first") from None


def pick(actor: Actor, connection: AppConnection, picker: str) -> object:
    """A list of the modelled API. Raises BadRequest if the vendor does not respond."""
    require_use(actor, connection)
    try:
        with open_client(connection) as client:
            return provider_of(connection.app).pick(client, picker)
    except IntegrationError as error:
        raise BadRequest(f"Unable to list {picker}: {error}") from None


def require_use(actor: Actor, connection: AppConnection) -> None:
    """Raises PermissionDenied. Whoever may use connections in any project may use organisation-wide ones."""
    if connection.project_id:
        actor.require(Right.USE_CONNECTIONS, connection.project_id)
    elif not actor.may_anywhere(Right.USE_CONNECTIONS):
        raise denied(Right.USE_CONNECTIONS)


def require_manager(actor: Actor, project: Project | None) -> None:
    """Whether the actor may change connections of the project, or of the organisation. Raises PermissionDenied."""
    if project:
        actor.require(Right.MANAGE_CONNECTIONS, project.pk)
    else:
        actor.require_instance_admin("manage organisation-wide connections")


def _columns(rights: Rights) -> dict[str, Any]:
    return {"missing_rights": list(rights.missing), "excess_rights": list(rights.excess)}


def _keep(connection: AppConnection, session: Session | None, rights: Rights) -> list[str]:
    """Set the columns of the session and of the rights; returns their names."""
    kept = columns(connection, session) | _columns(rights)
    for name, value in kept.items():
        setattr(connection, name, value)
    return list(kept)


def _refuse_used_name(name: str, project: Project | None, own: UUID | None = None) -> None:
    taken = AppConnection.objects.filter(project=project, name=name)
    if (taken.exclude(pk=own) if own else taken).exists():
        raise _name_in_use(name)


def _name_in_use(name: str) -> BadRequest:
    return BadRequest(f'An App Connection with the name "{name}" already exists')


def _described(text: str | None) -> str | None:
    return None if text is None else text.strip()


def _audit_details(connection: AppConnection) -> dict[str, Any]:
    return {"connection": connection.pk, "name": connection.name, "app": connection.app}
