"""Projects, their members, and machines that sign in with universal auth (client id and secret -> access token)."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.text import slugify

from config.encryption import fingerprint, fingerprint_matches
from config.errors import BadRequest, Invalid, NotFound, TokenError, Unauthenticated, problem
from config.schema import slug_issues as slug_issues

from . import audit
from .models import AccessToken, ClientSecret, Identity, Instance, Membership, Project, Role, User
from .roles import Actor, Right

KIND = "identityAccessToken"
ALGORITHM = "HS256"
MALFORMED = "The provided access token is malformed. Please use a valid token or generate a new one and try again."


def instance() -> Instance:
    return Instance.objects.first() or Instance.objects.create()


@transaction.atomic
def create_project(actor: Actor, name: str, *, slug: str = "", description: str | None = None) -> Project:
    """A project; its creator becomes its admin. A slug that is not given is made from the name."""
    actor.require_instance_admin("make projects")
    name = name.strip()
    issues = [] if 1 <= len(name) <= 64 else [problem(["projectName"], "Name must be 1 to 64 characters long")]
    issues += slug_issues("slug", slug, least=5, most=36) if slug else []
    if issues:
        raise Invalid(issues)
    slug = slug or f"{slugify(name)[:30] or 'project'}-{secrets.token_hex(2)}"
    if Project.objects.filter(slug=slug).exists():
        raise BadRequest(f"Project with the slug '{slug}' already exists")
    project = Project.objects.create(name=name, slug=slug, description=description)
    if actor.id:
        Membership.objects.create(project=project, role=Role.ADMIN, **{f"{actor.kind}_id": actor.id})
    audit.record(actor, "create-project", project.pk, name=name, slug=slug)
    return project


@transaction.atomic
def set_role(actor: Actor, project: Project, member: User | Identity, role: Role | None) -> Membership | None:
    """Give a person or a machine a role in a project; None takes it away."""
    actor.require(Right.MANAGE_MEMBERS, project.pk)
    who: dict[str, Any] = {"user": member} if isinstance(member, User) else {"identity": member}
    membership = None
    if role is None:
        Membership.objects.filter(project=project, **who).delete()
    else:
        membership, _ = Membership.objects.update_or_create(project=project, **who, defaults={"role": role})
    audit.record(actor, "set-role", project.pk, member=str(member), memberId=member.pk, role=role)
    return membership


@dataclass(frozen=True)
class NewIdentity:
    """What is shown once."""

    identity: Identity
    client_secret: str

    def __repr__(self) -> str:
        return f"NewIdentity({self.identity})"


@transaction.atomic
def create_identity(actor: Actor, name: str, *, role: str, project: Project | None = None) -> NewIdentity:
    """A machine with its first client secret, of one project or of the instance (there, role admin makes projects)."""
    name = name.strip()
    if not name or len(name) > 255:
        raise Invalid([problem(["name"], "The name must be 1 to 255 characters long")])
    if role not in Role.values:
        raise Invalid([problem(["role"], f"The role must be one of {', '.join(Role.values)}")])
    if project:
        actor.require(Right.MANAGE_MEMBERS, project.pk)
    else:
        actor.require_instance_admin("make instance identities")
    identity = Identity.objects.create(name=name, role="" if project else role)
    if project:
        Membership.objects.create(project=project, identity=identity, role=role)
    _, client_secret = _new_client_secret(identity)
    audit.record(actor, "create-identity", project.pk if project else None, identity=identity.pk, name=name, role=role)
    return NewIdentity(identity, client_secret)


@transaction.atomic
def create_client_secret(actor: Actor, identity: Identity, description: str = "") -> tuple[ClientSecret, str]:
    """Another client secret; its text is returned here and never again."""
    actor.require_instance_admin("make client secrets")
    made = _new_client_secret(identity, description)
    audit.record(actor, "create-client-secret", identity=identity.pk, clientSecret=made[0].pk)
    return made


def _new_client_secret(identity: Identity, description: str = "") -> tuple[ClientSecret, str]:
    text = secrets.token_hex(32)
    mac = fingerprint(None, f"client-secret:{identity.pk}", text)
    row = ClientSecret.objects.create(identity=identity, prefix=text[:4], secret_mac=mac, description=description)
    return row, text


@transaction.atomic
def revoke_client_secret(actor: Actor, row: ClientSecret) -> None:
    """The secret, and every token that was given for it, stop working."""
    actor.require_instance_admin("revoke client secrets")
    ClientSecret.objects.filter(pk=row.pk).update(is_revoked=True)
    AccessToken.objects.filter(client_secret=row).update(is_revoked=True)
    audit.record(actor, "revoke-client-secret", identity=row.identity_id, clientSecret=row.pk)


def login(client_id: str, client_secret: str) -> dict[str, Any]:
    """The four keys of a universal-auth login. Raises Unauthenticated."""
    identity = None
    with contextlib.suppress(ValueError):
        identity = Identity.objects.filter(client_id=UUID(client_id)).first()
    if identity is None:
        raise Unauthenticated("Invalid credentials")
    rows = [row for row in identity.client_secrets.filter(is_revoked=False) if row.prefix == client_secret[:4]]
    context = f"client-secret:{identity.pk}"
    row = next((row for row in rows if fingerprint_matches(None, context, client_secret, row.secret_mac)), None)
    if row is None:
        raise Unauthenticated("Invalid credentials")
    if row.ttl and row.created_at + timedelta(seconds=row.ttl) <= timezone.now():
        raise Unauthenticated("Access denied due to expired client secret")
    unused = ClientSecret.objects.filter(pk=row.pk)
    if row.num_uses_limit:
        unused = unused.filter(num_uses__lt=F("num_uses_limit"))
    if not unused.update(num_uses=F("num_uses") + 1):
        raise Unauthenticated("Access denied due to client secret usage limit reached")
    token = AccessToken.objects.create(
        identity=identity,
        client_secret=row,
        ttl=identity.access_token_ttl,
        max_ttl=identity.access_token_max_ttl,
        num_uses_limit=identity.access_token_num_uses_limit,
    )
    return _given(token)


def _given(token: AccessToken) -> dict[str, Any]:
    now = timezone.now()
    claims: dict[str, Any] = {
        "identityId": str(token.identity_id),
        "clientSecretId": str(token.client_secret_id or ""),
        "identityAccessTokenId": str(token.pk),
        "authTokenType": KIND,
        "iat": int(now.timestamp()),
    }
    if ends := _ends_at(token, now):
        claims["exp"] = int(ends.timestamp())
    return {
        "accessToken": jwt.encode(claims, _signing_key(), ALGORITHM),
        "expiresIn": token.ttl,
        "accessTokenMaxTTL": token.max_ttl,
        "tokenType": "Bearer",
    }


def _ends_at(token: AccessToken, now: datetime) -> datetime | None:
    ends = [now + timedelta(seconds=token.ttl)] if token.ttl else []
    if token.max_ttl:
        ends.append(token.created_at + timedelta(seconds=token.max_ttl))
    return min(ends) if ends else None


def renew(text: str) -> dict[str, Any]:
    """A fresh token in place of one that is still valid, within its maximum life."""
    token = _token(text)
    AccessToken.objects.filter(pk=token.pk).update(last_renewed_at=timezone.now())
    return _given(token)


def revoke(text: str) -> None:
    AccessToken.objects.filter(pk=_token(text).pk).update(is_revoked=True)


def identity_of(text: str) -> Identity:
    """Whose token it is; counts one use. Raises TokenError (does not verify) or Unauthenticated (no longer good)."""
    token = _token(text)
    if token.num_uses_limit:
        left = AccessToken.objects.filter(pk=token.pk, num_uses__lt=F("num_uses_limit"))
        if not left.update(num_uses=F("num_uses") + 1):
            raise Unauthenticated("The access token has been used as often as it may be. Please log in again.")
    return token.identity


def _token(text: str) -> AccessToken:
    try:
        claims = jwt.decode(text, _signing_key(), algorithms=[ALGORITHM])
    except jwt.ExpiredSignatureError:
        raise TokenError("Your token has expired. Please re-authenticate.") from None
    except jwt.InvalidTokenError:
        raise TokenError(MALFORMED) from None
    if claims.get("authTokenType") != KIND:
        raise TokenError(MALFORMED)
    token = AccessToken.objects.select_related("identity").filter(pk=claims["identityAccessTokenId"]).first()
    if token is None or token.is_revoked:
        raise Unauthenticated("The access token was revoked. Please log in again.")
    if token.max_ttl and token.created_at + timedelta(seconds=token.max_ttl) <= timezone.now():
        raise Unauthenticated("The access token is past its maximum life. Please log in again.")
    return token


def _signing_key() -> str:
    # Apart from Django's own uses of the key, so that neither signature can stand for the other.
    return f"keyferry.access-token.{settings.SECRET_KEY}"


def find_project(slug: str) -> Project:
    """By slug. Raises NotFound."""
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise NotFound(f"Project with slug '{slug}' not found")
    return project


@transaction.atomic
def rename_identity(actor: Actor, identity: Identity, name: str) -> None:
    actor.require_instance_admin("rename identities")
    if not 1 <= len(name.strip()) <= 255:
        raise Invalid([problem(["name"], "The name must be 1 to 255 characters long")])
    Identity.objects.filter(pk=identity.pk).update(name=name.strip())
    audit.record(actor, "update-identity", identity=identity.pk, name=name.strip())


@transaction.atomic
def delete_identity(actor: Actor, identity: Identity) -> None:
    """The identity with its secrets and tokens; what it owns stays without an owner."""
    actor.require_instance_admin("delete identities")
    audit.record(actor, "delete-identity", identity=identity.pk, name=identity.name)
    identity.delete()


@transaction.atomic
def update_project(actor: Actor, project: Project, *, name: str, description: str | None, protected: bool) -> None:
    actor.require(Right.MANAGE_PROJECT, project.pk)
    if not 1 <= len(name.strip()) <= 64:
        raise Invalid([problem(["name"], "Name must be 64 or fewer characters")])
    project.name, project.description, project.has_delete_protection = name.strip(), description, protected
    project.save(update_fields=["name", "description", "has_delete_protection", "updated_at"])
    audit.record(actor, "update-project", project.pk, name=project.name)


@transaction.atomic
def delete_project(actor: Actor, project: Project) -> None:
    """The project with all that is in it; destinations keep what they hold."""
    actor.require(Right.MANAGE_PROJECT, project.pk)
    if project.has_delete_protection:
        raise BadRequest("Project delete protection is enabled")
    audit.record(actor, "delete-project", project.pk, name=project.name, slug=project.slug)
    project.delete()


@transaction.atomic
def pause_everything(actor: Actor, *, paused: bool) -> None:
    """No run starts, and those that go stop after the key they are at; or all go on."""
    actor.require_instance_admin("pause or resume everything")
    Instance.objects.filter(pk=instance().pk).update(
        paused_at=timezone.now() if paused else None, paused_by=actor.name if paused else ""
    )
    audit.record(actor, "pause-everything" if paused else "resume-everything")
