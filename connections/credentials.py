"""The credentials of connections: their shape, how they are sealed, and the only code that decrypts them."""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from pydantic import create_model

from config.encryption import fingerprint, fingerprint_matches, seal, unseal
from config.errors import NotFound
from config.schemas.json_schema import described
from config.schemas.member import About
from config.schemas.model import Body, Model
from config.schemas.unions import OneOf

from .http.client import ApiClient
from .models import AppConnection
from .provider import Provider, providers
from .sessions import Login


def provider_of(app: str) -> Provider:
    """The provider, at the operator's address if one is set. Raises NotFound."""
    found = providers.get(app)
    if found is None:
        raise NotFound(f"There is no app '{app}'")
    operator = {name: getattr(settings, name) for name in found.operator_settings}
    return found(settings.BASE_URLS.get(app), deadline=settings.REQUEST_DEADLINE, operator=operator)


def open_client(connection: AppConnection) -> ApiClient:
    """An open client with the connection's credentials; nothing is sent yet. Raises Undecryptable."""
    provider = provider_of(connection.app)
    credentials = credentials_of(provider, connection)
    client = provider.client(connection.method, credentials)
    if type(provider).renew is not Provider.renew:
        client.signs_in(Login(connection, provider, credentials))
    return client


def _context(connection_id: UUID) -> str:
    return f"connection:{connection_id}:credentials"


def credentials_of(provider: Provider | type[Provider], connection: AppConnection) -> Model:
    """The decrypted credentials. Raises Undecryptable."""
    opened = unseal(connection.project_id, _context(connection.pk), connection.credentials_sealed)
    return provider.methods[connection.method].restored(json.loads(opened))


def shown_credentials(connection: AppConnection) -> dict[str, str]:
    """The members that are not secret, such as an address or the name of an account."""
    provider = providers.get(connection.app)
    model = provider.methods.get(connection.method) if provider else None
    if provider is None or model is None or not (names := shown_members(model)):
        return {}
    credentials = credentials_of(provider, connection).stored()
    return {name: credentials[name] for name in names if name in credentials}


def shown_members(model: type[Model]) -> list[str]:
    """The names of the members of credentials that are not secret."""
    return [name for name, each in described(model)["properties"].items() if not each.get("writeOnly")]


def store_credentials(connection: AppConnection, credentials: Model) -> None:
    """Encrypt the credentials; the hash changes exactly when they do."""
    text = json.dumps(credentials.stored(), sort_keys=True, separators=(",", ":"))
    context = _context(connection.pk)
    known = connection.credentials_hash
    if known and fingerprint_matches(connection.project_id, context, text, known):
        return
    connection.credentials_sealed = seal(connection.project_id, context, text)
    connection.credentials_hash = fingerprint(connection.project_id, context, text)
    connection.checked_at, connection.check_problem = timezone.now(), ""
    connection.retry_at = connection.login_refused_at = None


class SignIn(Body):
    """The part of a request that signs in; one for each method of a provider, made by `login_shape`."""

    method: str
    credentials: Any


@cache
def login_shape(provider: type[Provider]) -> OneOf:
    """The ways to sign in at a provider."""
    variants = []
    for method, model in provider.methods.items():
        members: dict[str, Any] = {"method": (Annotated[Literal[method], About()], ...), "credentials": (model, ...)}
        variants.append(create_model("SignIn", __base__=SignIn, **members))
    return OneOf("method", *variants, title="".join(part.title() for part in provider.slug.split("-")) + "Login")
