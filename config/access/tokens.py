"""Universal auth of machine identities: client ID and secret are exchanged for an access token; limits and lockout.

Source: https://infisical.com/docs/documentation/platform/identities/universal-auth
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from typing_extensions import TypedDict

from config.encryption import fingerprint_matches
from config.errors import BadRequest, Forbidden, ServiceError, TokenError, Unauthenticated
from config.responses import text as text_type
from config.responses import whole

from . import audit
from .models import AccessToken, ClientSecret, Identity
from .roles import Actor, actor_of_identity

KIND = "identityAccessToken"
ALGORITHM = "HS256"
WITHOUT_END = 1_000_000_000
"""The reported maximum lifetime in seconds of a token with a period, which can be renewed without limit."""

MALFORMED = "The provided access token is malformed. Please use a valid token or generate a new one and try again."
LOCKED = "This identity auth method is temporarily locked, please try again later"


class AccessTokenGrant(TypedDict):
    accessToken: Annotated[str, text_type(example="eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...")]
    expiresIn: Annotated[int, whole(example=2592000)]
    accessTokenMaxTTL: Annotated[int, whole(example=2592000)]
    tokenType: Annotated[str, text_type(example="Bearer")]


def login(client_id: str, client_secret: str, ip: str | None = None) -> AccessTokenGrant:
    """An access token for a client id and secret. Raises Unauthenticated, Forbidden (untrusted address)."""
    refusal: ServiceError | None = None
    granted: AccessTokenGrant | None = None
    with transaction.atomic():  # the refusal is raised after the transaction, which stores the count of failures
        identity = _identity(client_id)
        if identity is None:
            refusal = Unauthenticated("Invalid credentials")
        elif not trusted(identity.client_secret_trusted_ips, ip):
            refusal = Forbidden(f"{identity.name} may not log in from the address {ip or 'unknown'}")
        elif identity.locked_until and identity.locked_until > timezone.now():
            refusal = Unauthenticated(LOCKED)
        elif (row := _matching(identity, client_secret)) is None:
            refusal = Unauthenticated("Invalid credentials")
            _count_failure(identity)
        elif row.ttl and row.created_at + timedelta(seconds=row.ttl) <= timezone.now():
            refusal = Unauthenticated("Access denied due to expired client secret")
        elif row.num_uses_limit and row.num_uses >= row.num_uses_limit:
            refusal = Unauthenticated("Access denied due to client secret usage limit reached")
        else:
            granted = _signed_in(identity, row, ip)
    if refusal:
        raise refusal
    assert granted
    return granted


def _identity(client_id: str) -> Identity | None:
    """Locked until the transaction ends, so that concurrent logins are counted one after the other."""
    with contextlib.suppress(ValueError):
        found = Identity.objects.select_for_update().filter(client_id=UUID(client_id), has_universal_auth=True)
        return found.first()
    return None


def _matching(identity: Identity, client_secret: str) -> ClientSecret | None:
    context = f"client-secret:{identity.pk}"
    for row in identity.client_secrets.filter(is_revoked=False, prefix=client_secret[:4]):
        if fingerprint_matches(None, context, client_secret, row.secret_mac):
            return row
    return None


def _count_failure(identity: Identity) -> None:
    if not identity.lockout_enabled:
        return
    now = timezone.now()
    fresh = identity.last_failed_at and now - identity.last_failed_at < timedelta(
        seconds=identity.lockout_counter_reset
    )
    identity.failed_logins = identity.failed_logins + 1 if fresh else 1
    identity.last_failed_at = now
    if identity.failed_logins >= identity.lockout_threshold:
        identity.locked_until = now + timedelta(seconds=identity.lockout_duration)
        identity.failed_logins = 0
        audit.record(actor_of_identity(identity), "lock-identity-universal-auth", identityId=identity.pk)
    identity.save(update_fields=["failed_logins", "last_failed_at", "locked_until"])


def _signed_in(identity: Identity, row: ClientSecret, ip: str | None) -> AccessTokenGrant:
    ClientSecret.objects.filter(pk=row.pk).update(num_uses=F("num_uses") + 1)
    Identity.objects.filter(pk=identity.pk).update(failed_logins=0, locked_until=None)
    period = identity.access_token_period
    token = AccessToken.objects.create(
        identity=identity,
        client_secret=row,
        ttl=period or identity.access_token_ttl,
        max_ttl=0 if period else identity.access_token_max_ttl,
        num_uses_limit=identity.access_token_num_uses_limit,
    )
    audit.record(
        actor_of_identity(identity, ip),
        "login-identity-universal-auth",
        identityId=identity.pk,
        identityUniversalAuthId=identity.pk,
        clientSecretId=row.pk,
        identityAccessTokenId=token.pk,
    )
    return _granted(token)


def _granted(token: AccessToken) -> AccessTokenGrant:
    now = timezone.now()
    claims: dict[str, Any] = {
        "identityId": str(token.identity_id),
        "clientSecretId": str(token.client_secret_id or ""),
        "identityAccessTokenId": str(token.pk),
        "authTokenType": KIND,
        "jti": secrets.token_hex(8),  # a token renewed within the same second differs, too
        "iat": int(now.timestamp()),
    }
    left = token.ttl
    if token.ttl:
        if token.max_ttl:
            ends = token.created_at + timedelta(seconds=token.max_ttl)
            left = max(0, min(token.ttl, int((ends - now).total_seconds() + 0.5)))
        claims["exp"] = claims["iat"] + left
    AccessToken.objects.filter(pk=token.pk).update(ends_at=now + timedelta(seconds=left) if token.ttl else None)
    return {
        "accessToken": jwt.encode(claims, _signing_key(), ALGORITHM),
        "expiresIn": left,
        "accessTokenMaxTTL": token.max_ttl if token.max_ttl or not token.identity.access_token_period else WITHOUT_END,
        "tokenType": "Bearer",
    }


def renew(text: str) -> AccessTokenGrant:
    """A new token for one that is still valid, within its maximum lifetime."""
    token, _ = _token(text)
    if token.num_uses_limit and token.num_uses >= token.num_uses_limit:
        raise BadRequest("The access token has reached its usage limit")
    AccessToken.objects.filter(pk=token.pk).update(last_renewed_at=timezone.now())
    return _granted(token)


def revoke(text: str) -> None:
    """From now on the token is refused. Raises TokenError or Unauthenticated for one that is not valid."""
    token, _ = _token(text)
    AccessToken.objects.filter(pk=token.pk).update(is_revoked=True)
    audit.record(actor_of_identity(token.identity), "revoke-access-token", identityAccessTokenId=token.pk)


def actor_of_token(text: str, ip: str | None = None) -> tuple[Identity, Actor]:
    """The identity of a token and its actor with roles, read in one query; counts one use.

    Raises TokenError (does not verify), Unauthenticated (no longer good) or Forbidden (untrusted address).
    """
    token, roles = _token(text)
    if not trusted(token.identity.access_token_trusted_ips, ip):
        raise Forbidden(f"{token.identity.name} may not use its token from the address {ip or 'unknown'}")
    if token.num_uses_limit:
        left = AccessToken.objects.filter(pk=token.pk, num_uses__lt=F("num_uses_limit"))
        if not left.update(num_uses=F("num_uses") + 1):
            raise Unauthenticated("The access token has reached its usage limit. Please log in again.")
    return token.identity, actor_of_identity(token.identity, ip, roles)


def issued_here(text: str) -> bool:
    """Whether this server signed the token, even if it is no longer valid; the database is not queried."""
    try:
        jwt.decode(text, _signing_key(), algorithms=[ALGORITHM], options={"verify_exp": False})
    except (jwt.InvalidTokenError, UnicodeError):
        return False
    return True


def _token(text: str) -> tuple[AccessToken, dict[UUID, str]]:
    try:
        claims = jwt.decode(text, _signing_key(), algorithms=[ALGORITHM])
    except jwt.ExpiredSignatureError:
        raise TokenError("Your token has expired. Please re-authenticate.") from None
    except jwt.InvalidAlgorithmError:
        raise TokenError("The access token has an unsupported signature. Please log in again.") from None
    except (jwt.InvalidTokenError, UnicodeError):
        raise TokenError(MALFORMED) from None
    if claims.get("authTokenType") != KIND:
        raise TokenError(MALFORMED)
    try:
        token_id = UUID(str(claims.get("identityAccessTokenId")))
    except ValueError:
        raise TokenError(MALFORMED) from None
    found = _found(token_id)
    if found is None or found[0].is_revoked:
        raise Unauthenticated("The access token was revoked. Please log in again.")
    token, _ = found
    if token.max_ttl and token.created_at + timedelta(seconds=token.max_ttl) <= timezone.now():
        raise Unauthenticated("The access token has exceeded its maximum lifetime. Please log in again.")
    return found


def _found(token_id: UUID) -> tuple[AccessToken, dict[UUID, str]] | None:
    """The token, and the roles of its identity by project: one row per membership, or one without any."""
    rows = AccessToken.objects.select_related("identity").annotate(
        project_of_role=F("identity__memberships__project_id"), role_of_identity=F("identity__memberships__role")
    )
    found = list(rows.filter(pk=token_id))
    if not found:
        return None
    return found[0], {row.project_of_role: row.role_of_identity for row in found if row.project_of_role}


def forget_ended() -> None:
    """Delete the rows of tokens that ended more than a day ago; until then a request gets the reason."""
    AccessToken.objects.filter(ends_at__lt=timezone.now() - timedelta(days=1)).delete()


def trusted(ranges: Iterable[Mapping[str, str]], ip: str | None) -> bool:
    """Whether the address is in one of the ranges. An unknown address is only in those that contain all addresses."""
    networks = [ipaddress.ip_network(each["ipAddress"], strict=False) for each in ranges]
    if ip is None:
        return any(network.prefixlen == 0 for network in networks)
    address = ipaddress.ip_address(ip)
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in network for network in networks)


def _signing_key() -> str:
    # Derived, so that signatures of Django and of tokens cannot be used for each other.
    return f"keyferry.access-token.{settings.SECRET_KEY}"
