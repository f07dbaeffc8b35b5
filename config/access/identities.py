"""Machine identities: names, universal auth settings and client secrets."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from config.encryption import fingerprint
from config.errors import BadRequest, Invalid, NotFound, problem

from . import audit
from .models import AccessToken, ClientSecret, Identity, Membership, Project, Role
from .roles import Actor, Right, denied

SETTINGS = {
    "accessTokenTTL": "access_token_ttl",
    "accessTokenMaxTTL": "access_token_max_ttl",
    "accessTokenNumUsesLimit": "access_token_num_uses_limit",
    "accessTokenPeriod": "access_token_period",
    "accessTokenTrustedIps": "access_token_trusted_ips",
    "clientSecretTrustedIps": "client_secret_trusted_ips",
    "lockoutEnabled": "lockout_enabled",
    "lockoutThreshold": "lockout_threshold",
    "lockoutDurationSeconds": "lockout_duration",
    "lockoutCounterResetSeconds": "lockout_counter_reset",
}
"""Wire name -> field of Identity: the settings of universal auth."""


@dataclass(frozen=True)
class NewIdentity:
    """A new identity with its client secret, which is shown only once."""

    identity: Identity
    client_secret: str

    def __repr__(self) -> str:
        return f"NewIdentity({self.identity})"


def identities_of(actor: Actor) -> QuerySet[Identity]:
    """The identities that the actor may manage, and itself."""
    found = Identity.objects.all()
    if actor.kind == "platform" or actor.is_instance_admin:
        return found
    managed = [project_id for project_id in actor.roles if actor.may(Right.MANAGE_MEMBERS, project_id)]
    inside = found.filter(role="", home_id__in=managed)
    outside = Membership.objects.exclude(project_id__in=managed).filter(identity__isnull=False)
    return (inside.exclude(pk__in=outside.values("identity_id")) | found.filter(pk=actor.id or UUID(int=0))).distinct()


def find_identity(actor: Actor, identity_id: str | UUID) -> Identity:
    """Raises NotFound, also for an identity that the actor may not manage."""
    found = identities_of(actor).filter(pk=identity_id).first()
    if found is None:
        raise NotFound(f"Identity with ID {identity_id} not found")
    return found


def require_manager(actor: Actor, identity: Identity) -> None:
    """Allow instance admins, and admins of the project that the identity was created for while it has no other role.

    Adding another project's identity to a project gives no control over it: its secrets give access elsewhere, too.
    """
    if identity.pk == actor.id or not identities_of(actor).filter(pk=identity.pk).exists():
        actor.require_instance_admin("manage this identity")


def _managed(actor: Actor, identity: Identity) -> Identity:
    """The identity as it is now, locked until the transaction ends. Raises NotFound, PermissionDenied."""
    require_manager(actor, identity)
    found = Identity.objects.select_for_update().filter(pk=identity.pk).first()
    if found is None:
        raise NotFound(f"Identity with ID {identity.pk} not found")
    return found


@transaction.atomic
def create_identity(actor: Actor, name: str, *, role: str, project: Project | None = None) -> NewIdentity:
    """An identity with its first client secret, of a project or of the instance (whose admins can create projects)."""
    if role not in Role.values:
        raise Invalid([problem(["role"], f"The role must be one of {', '.join(Role.values)}")])
    identity = _created(actor, name, "" if project else role, project)
    if project:
        Membership.objects.create(project=project, identity=identity, role=role)
    _, client_secret = _new_client_secret(identity)
    audit.record(actor, "create-identity", project.pk if project else None, identity=identity.pk, name=name, role=role)
    return NewIdentity(identity, client_secret)


@transaction.atomic
def register_identity(actor: Actor, name: str, role: str) -> Identity:
    """An identity without universal auth. `role`: its instance role, or "no-access"."""
    identity = _created(actor, name, "" if role == "no-access" else role, None, has_universal_auth=False)
    audit.record(actor, "create-identity", identity=identity.pk, name=identity.name, role=role)
    return identity


def _created(actor: Actor, name: str, role: str, project: Project | None, **more: Any) -> Identity:
    if project:
        actor.require(Right.MANAGE_MEMBERS, project.pk)
    else:
        actor.require_instance_admin("create instance identities")
    return Identity.objects.create(name=_checked_name(name), role=role, home=project, **more)


def _checked_name(name: str) -> str:
    if not 1 <= len(name.strip()) <= 255:
        raise Invalid([problem(["name"], "The name must be 1 to 255 characters long")])
    return name.strip()


@transaction.atomic
def update_identity(actor: Actor, identity: Identity, *, name: str | None = None, role: str | None = None) -> Identity:
    """Rename an identity, or change its instance role ("no-access": none)."""
    identity = _managed(actor, identity)
    if name is not None:
        identity.name = _checked_name(name)
    if role is not None:
        actor.require_instance_admin("change instance roles")
        identity.role = "" if role == "no-access" else role
    identity.save(update_fields=["name", "role", "updated_at"])
    audit.record(actor, "update-identity", identity=identity.pk, name=identity.name, role=identity.role)
    return identity


@transaction.atomic
def delete_identity(actor: Actor, identity: Identity) -> None:
    """Delete the identity with its secrets and tokens; syncs that it owns remain, without an owner."""
    identity = _managed(actor, identity)
    audit.record(actor, "delete-identity", identity=identity.pk, name=identity.name)
    identity.delete()


# -- universal auth --------------------------------------------------------------------------------------------


@transaction.atomic
def add_universal_auth(actor: Actor, identity: Identity, changes: Mapping[str, Any]) -> Identity:
    """Add universal auth. `changes`: settings by their wire names, with defaults for the rest."""
    identity = _managed(actor, identity)
    if identity.has_universal_auth:
        raise BadRequest("Failed to add universal auth to already configured identity")
    fresh = Identity()
    defaults = {name: getattr(fresh, field) for name, field in SETTINGS.items()}
    identity.has_universal_auth = True
    return _configure(actor, identity, {**defaults, **changes}, "add-identity-universal-auth")


@transaction.atomic
def update_universal_auth(actor: Actor, identity: Identity, changes: Mapping[str, Any]) -> Identity:
    """Change the settings in `changes`, by wire names. Issued tokens keep their lifetime; addresses apply at once."""
    identity = with_universal_auth(_managed(actor, identity))
    return _configure(actor, identity, changes, "update-identity-universal-auth")


def _configure(actor: Actor, identity: Identity, changes: Mapping[str, Any], event: str) -> Identity:
    for name in changes:
        if name.endswith("TrustedIps"):
            _check_ranges(name, changes[name] or ())
    for name, value in changes.items():
        setattr(identity, SETTINGS[name], value)
    if identity.access_token_max_ttl and identity.access_token_ttl > identity.access_token_max_ttl:
        raise BadRequest("Access token TTL cannot be greater than max TTL")
    identity.save(update_fields=["has_universal_auth", *(SETTINGS[name] for name in changes), "updated_at"])
    audit.record(actor, event, identityId=identity.pk, settings=sorted(changes))
    return identity


def _check_ranges(name: str, ranges: Any) -> None:
    """Raises BadRequest with the first entry that is not an address or range."""
    if not ranges:
        raise BadRequest(f"{name}: specify at least one address range; 0.0.0.0/0 and ::/0 allow all addresses")
    for each in ranges:
        try:
            ipaddress.ip_network(each["ipAddress"], strict=False)
        except ValueError:
            message = f"{name}: '{each['ipAddress']}' is neither an address nor a range such as 10.0.0.0/8"
            raise BadRequest(message) from None


@transaction.atomic
def remove_universal_auth(actor: Actor, identity: Identity) -> Identity:
    """Remove universal auth; the identity's client secrets and tokens become invalid."""
    identity = with_universal_auth(_managed(actor, identity))
    Identity.objects.filter(pk=identity.pk).update(has_universal_auth=False)
    identity.client_secrets.update(is_revoked=True)
    AccessToken.objects.filter(identity=identity).update(is_revoked=True)
    audit.record(actor, "revoke-identity-universal-auth", identityId=identity.pk)
    return identity


def with_universal_auth(identity: Identity) -> Identity:
    """The same identity. Raises BadRequest if it has no universal auth."""
    if not identity.has_universal_auth:
        raise BadRequest("The identity does not have universal auth")
    return identity


@transaction.atomic
def unlock(actor: Actor, identity: Identity) -> None:
    """End the lockout after failed logins."""
    identity = _managed(actor, identity)
    Identity.objects.filter(pk=identity.pk).update(failed_logins=0, locked_until=None)
    audit.record(actor, "unlock-identity-universal-auth", identityId=identity.pk)


# -- client secrets --------------------------------------------------------------------------------------------


@transaction.atomic
def create_client_secret(
    actor: Actor, identity: Identity, description: str = "", *, ttl: int = 0, num_uses_limit: int = 0
) -> tuple[ClientSecret, str]:
    """A new client secret, with its text, which is not stored. `ttl` in seconds; 0 is no limit."""
    identity = with_universal_auth(_managed(actor, identity))
    row, text = _new_client_secret(identity, description, ttl=ttl, num_uses_limit=num_uses_limit)
    audit.record(actor, "create-client-secret", identity=identity.pk, clientSecret=row.pk)
    return row, text


def _new_client_secret(identity: Identity, description: str = "", **limits: int) -> tuple[ClientSecret, str]:
    text = secrets.token_hex(32)
    mac = fingerprint(None, f"client-secret:{identity.pk}", text)
    row = ClientSecret.objects.create(
        identity=identity, prefix=text[:4], secret_mac=mac, description=description, **limits
    )
    return row, text


def find_client_secret(identity: Identity, secret_id: str | UUID) -> ClientSecret:
    """Raises NotFound."""
    found = identity.client_secrets.filter(pk=secret_id).first()
    if found is None:
        raise NotFound(f"Client secret with ID {secret_id} not found")
    return found


@transaction.atomic
def revoke_client_secret(actor: Actor, row: ClientSecret) -> ClientSecret:
    """Revoke the secret and every token that was issued for it."""
    _managed(actor, row.identity)  # a login with this secret ends before it, or finds it revoked
    row.is_revoked = True
    row.save(update_fields=["is_revoked", "updated_at"])
    AccessToken.objects.filter(client_secret=row).update(is_revoked=True)
    audit.record(actor, "revoke-client-secret", identity=row.identity_id, clientSecret=row.pk)
    return row


# -- roles in projects -----------------------------------------------------------------------------------------


def membership_of(project: Project, identity_id: str | UUID) -> Membership:
    """Raises NotFound."""
    found = project.memberships.select_related("identity").filter(identity_id=identity_id).first()
    if found is None:
        raise NotFound(f"Identity with ID {identity_id} is not a member of the project")
    return found


def identity_to_add(actor: Actor, project: Project, identity_id: str | UUID) -> Identity:
    """An identity that a project's admin may add: of the instance, manageable, or already a member. Raises NotFound.

    An identity of another project is excluded, because an identity with roles in two projects is managed by instance
    admins only: the other project's admin would lose control of it.
    """
    if not actor.may(Right.MANAGE_MEMBERS, project.pk):
        raise denied(Right.MANAGE_MEMBERS)
    known = Q(home=None) | Q(pk__in=identities_of(actor).values("pk")) | Q(memberships__project=project)
    found = Identity.objects.filter(known, pk=identity_id).distinct().first()
    if found is None:
        raise NotFound(f"Identity with ID {identity_id} not found")
    return found
