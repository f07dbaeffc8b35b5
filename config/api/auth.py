"""Signing in as a machine: universal auth."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from config import mail
from config.access import tokens
from config.access.addresses import client_ip
from config.api.base import View
from config.api.openapi import FLAG, TEXT, WHOLE, closed, described
from config.conventions import timestamp
from config.schemas.schema import Schema, Text

LOGIN = Schema(
    (
        Text("clientId", "Client ID", "Of the identity."),
        Text("clientSecret", "Client secret", "One of the identity's.", secret=True),
    ),
    strict=False,
)
TOKEN = Schema((Text("accessToken", "Access token", "As it was given.", secret=True),), strict=False)
GIVEN = closed({"accessToken": TEXT, "expiresIn": WHOLE, "accessTokenMaxTTL": WHOLE, "tokenType": TEXT})
TAG = "Universal Auth"


class _Public(View):
    authentication_classes: Any = ()
    permission_classes: Any = (AllowAny,)


class LoginView(_Public):
    address_limit = "LOGIN_RATE_LIMIT"

    @described(
        "loginUniversalAuth", TAG, "Exchange a client id and secret for a token.", GIVEN, body=LOGIN, public=True
    )
    def post(self, request: Request) -> Response:
        given = self.body(LOGIN)
        return Response(tokens.login(given["clientId"], given["clientSecret"], client_ip(request)))


class RenewView(_Public):
    @described("renewAccessToken", TAG, "A fresh token for one that is still valid.", GIVEN, body=TOKEN, public=True)
    def post(self, request: Request) -> Response:
        return Response(tokens.renew(self.body(TOKEN)["accessToken"]))


class RevokeView(_Public):
    @described("revokeAccessToken", TAG, "End a token.", closed({"message": TEXT}), body=TOKEN, public=True)
    def post(self, request: Request) -> Response:
        tokens.revoke(self.body(TOKEN)["accessToken"])
        return Response({"message": "Successfully revoked access token"})


class StatusView(_Public):
    @described(
        "getStatus",
        "Status",
        "Whether the server answers.",
        closed({"date": TEXT, "message": TEXT, "emailConfigured": FLAG, "redisConfigured": FLAG}),
        public=True,
    )
    def get(self, request: Request) -> Response:
        return Response(
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
