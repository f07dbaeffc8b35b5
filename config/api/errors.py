"""The envelope of every error, and the responses to unknown routes and unexpected exceptions."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from config.api import throttling
from config.api.authentication import TooLarge
from config.errors import Invalid, ServiceError, TooMany, where

log = logging.getLogger(__name__)


_NAMES = {
    400: "BadRequest",
    401: "UnauthorizedError",
    403: "PermissionDenied",
    404: "NotFound",
    405: "MethodNotAllowed",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    429: "RateLimitExceeded",
}


def envelope(status: int, message: Any, error: str = "", details: Any = None) -> dict[str, Any]:
    """The body of every error."""
    body = {
        "reqId": f"req-{secrets.token_urlsafe(9)}",
        "statusCode": status,
        "message": message,
        "error": error or _NAMES.get(status, "InternalServerError"),
    }
    return body if details is None else {**body, "details": details}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: any exception, in the envelope. An unexpected one is logged with its type and source line only."""
    if isinstance(error, ServiceError):
        message = error.issues if isinstance(error, Invalid) else str(error)
        response = Response(envelope(error.status, message, error.error, error.details), status=error.status)
        if error.status == 401:
            response["WWW-Authenticate"] = "Bearer"
        if isinstance(error, TooMany):
            response["Retry-After"] = str(error.wait)
            for name, value in throttling.Budget(error.limit, 0, error.wait).headers.items():
                response[name] = value
        return response
    if isinstance(error, IntegrityError) or is_serialization_failure(error):
        # Two concurrent requests, each valid by itself; the first one wins.
        log.warning("%s at %s", type(error).__name__, where(error))
        message = "Another request created or changed the same object at the same time. Reload it and try again."
        return Response(envelope(400, message), status=400)
    if isinstance(error, RequestDataTooBig | TooLarge):
        return Response(envelope(413, "The request's body is larger than 16 MiB."), status=413)
    if isinstance(error, Http404):
        return Response(envelope(404, "Not found"), status=404)
    if isinstance(error, DjangoPermissionDenied):
        return Response(envelope(403, "You are not allowed to do this"), status=403)
    if isinstance(error, exceptions.APIException):
        response = Response(envelope(error.status_code, _text(error)), status=error.status_code)
        if isinstance(error, exceptions.MethodNotAllowed):
            response["Allow"] = ", ".join(context["view"].allowed_methods)
        if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            response["WWW-Authenticate"] = "Bearer"
        return response
    return _unexpected(error)


def is_serialization_failure(error: Exception) -> bool:
    """Whether PostgreSQL ended a transaction because of a deadlock or a serialization conflict."""
    return isinstance(error, OperationalError) and getattr(error.__cause__, "sqlstate", "") in ("40P01", "40001")


def _text(error: exceptions.APIException) -> str:
    if isinstance(error, exceptions.NotAuthenticated):
        return "Token missing. Send it as 'Authorization: Bearer <token>', or sign in to the admin."
    return error.detail if isinstance(error.detail, str) else "Bad request"


def _unexpected(error: Exception) -> Response:
    body = envelope(500, "Something went wrong", "InternalServerError")
    log.error("%s %s at %s", body["reqId"], type(error).__name__, where(error))
    return Response(body, status=500)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404 page, or the envelope for programs."""
    if request.path.startswith("/api/"):
        return JsonResponse(envelope(404, f"Route {request.method} {request.path} not found"), status=404)
    from django.views.defaults import page_not_found

    return page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse(envelope(500, "Something went wrong"), status=500)
    from django.views.defaults import server_error as page

    return page(request)
