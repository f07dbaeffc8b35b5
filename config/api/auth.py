"""Universal auth logins of machine identities, and the status of the server.

Source: https://infisical.com/docs/api-reference/endpoints/universal-auth/login
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from django.conf import settings
from django.urls import path
from pydantic import SecretStr
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from typing_extensions import TypedDict

from config import mail
from config.access import tokens
from config.access.addresses import client_ip
from config.access.tokens import AccessTokenGrant
from config.api.base import View
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import EXAMPLE_ID, Message
from config.schemas.model import Body
from config.schemas.types import Secret, Text


class Login(Body):
    clientId: Annotated[str, Text("Client ID", "The client ID of the identity.", example=EXAMPLE_ID)]
    clientSecret: Annotated[SecretStr, Secret("Client secret", "A client secret of the identity.", example="5d0c...")]


class Token(Body):
    accessToken: Annotated[
        SecretStr, Secret("Access token", "The token to use.", example="eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...")
    ]


class Revoked(TypedDict):
    message: Message


class Status(TypedDict):
    date: str
    message: Message
    emailConfigured: bool
    redisConfigured: bool


class _Public(View):
    authentication_classes: Any = ()
    permission_classes: Any = (AllowAny,)
    tag = "Universal Auth"


class LoginView(_Public):
    address_limit = "LOGIN_RATE_LIMIT"

    @operation("loginUniversalAuth", "Exchange a client ID and client secret for an access token.", body=Login)
    def post(self, request: Request) -> TypedResponse[AccessTokenGrant]:
        body = self.body(Login)
        return TypedResponse(tokens.login(body.clientId, body.clientSecret.get_secret_value(), client_ip(request)))


class RenewView(_Public):
    @operation("renewAccessToken", "Exchange a valid access token for a new one.", body=Token)
    def post(self, request: Request) -> TypedResponse[AccessTokenGrant]:
        return TypedResponse(tokens.renew(self.body(Token).accessToken.get_secret_value()))


class RevokeView(_Public):
    @operation("revokeAccessToken", "Revoke an access token.", body=Token)
    def post(self, request: Request) -> TypedResponse[Revoked]:
        tokens.revoke(self.body(Token).accessToken.get_secret_value())
        return TypedResponse({"message": "Successfully revoked access token"})


class StatusView(_Public):
    tag = "Status"

    @operation("getStatus", "Check that the server is running.")
    def get(self, request: Request) -> TypedResponse[Status]:
        return TypedResponse(
            {
                "date": timestamp(datetime.now(UTC)),
                "message": "Ok",
                "emailConfigured": mail.is_configured(),
                "redisConfigured": bool(settings.BROKER_URL),
            }
        )


urlpatterns = [
    path("status", StatusView.as_view()),
    path("v1/auth/universal-auth/login", LoginView.as_view()),
    path("v1/auth/token/renew", RenewView.as_view()),
    path("v1/auth/token/revoke", RevokeView.as_view()),
]
