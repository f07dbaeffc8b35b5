"""Authentication, parsing and content negotiation of API requests.

Apart from `config.api.base` because REST framework loads these classes while its own views are being imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import Http404
from rest_framework import authentication, exceptions, negotiation, parsers
from rest_framework.request import Request

from config import json_text
from config.access.addresses import client_ip
from config.access.models import Identity, User
from config.access.roles import Actor, actor_of_user
from config.access.tokens import actor_of_token
from config.errors import BadRequest, TokenError, Unauthenticated


class TooLarge(exceptions.APIException):
    """The body is larger than the limit."""


class JSONParser(parsers.JSONParser):
    """A JSON body of at most 16 MiB. An empty one is `{}`; one that is not JSON is a 400."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        assert limit is not None
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise TooLarge
        if not data.strip():
            return {}
        try:
            found = json_text.read(data.decode("utf-8-sig"))
            if b"\\u" in data:
                json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except ValueError:
            raise BadRequest("The request's body is not valid JSON") from None
        return found


class AnyAccept(negotiation.DefaultContentNegotiation):
    """Falls back to JSON if no accepted media type is supported, as the modelled API does."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except (exceptions.NotAcceptable, Http404):
            return renderers[0], renderers[0].media_type


class IdentityTokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <token>` of a machine identity. The scheme is cut off by its length, as modelled."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        header = request.headers.get("authorization", "")
        if not header:
            return None
        if not header[:7].lower() == "bearer ":
            raise Unauthenticated("Send the token as 'Authorization: Bearer <token>'.")
        text = header[7:].strip()
        if "\x00" in text or not text:
            raise TokenError("The provided access token is malformed.")
        return Machine(*actor_of_token(text, client_ip(request))), text

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Machine:
    """A signed-in identity, with the attributes that REST framework expects of a user."""

    is_authenticated = True
    is_active = True
    is_staff = False

    def __init__(self, identity: Identity, actor: Actor) -> None:
        self.identity = identity
        self.actor = actor
        self.pk = identity.pk

    def __str__(self) -> str:
        return self.identity.name


def actor_of(request: Request) -> Actor:
    """The caller of the request."""
    who: object = request.user
    if isinstance(who, Machine):
        return who.actor
    assert isinstance(who, User)
    return actor_of_user(who, client_ip(request))
