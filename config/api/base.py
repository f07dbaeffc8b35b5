"""What every endpoint shares: the envelope of errors with its request id, who is asking, paths with and without slash.

Source: the modelled API's conventions, https://infisical.com/docs/api-reference/overview/introduction
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.access.addresses import client_ip
from config.access.roles import Actor
from config.api import throttling
from config.api.authentication import TooLarge, actor_of
from config.encryption import fingerprint
from config.errors import Invalid, ServiceError, TooMany, where
from config.schemas.schema import AllOf, Schema

log = logging.getLogger(__name__)

GIVES_WAY = 3
"""How often a request is done again because the database ended it in favour of another one."""

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
    """DRF's hook: whatever was raised, in the envelope. What nobody expected is logged by its kind and place alone."""
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
    if isinstance(error, IntegrityError) or _gave_way(error):
        # Two at once, each allowed by itself; what was first stays.
        log.warning("%s at %s", type(error).__name__, where(error))
        message = "Somebody else made or changed the same in this moment. Look again, and try again."
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


def _gave_way(error: Exception) -> bool:
    """PostgreSQL found two transactions waiting for each other, or one that cannot follow another."""
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


class SlashMiddleware:
    """Every path of the API is known with and without a slash at its end; nothing is ever redirected."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/api/"):
            if "\x00" in request.path_info:
                return not_found(request, Http404())
            request.path_info = request.path_info.rstrip("/")
        return self.get_response(request)


class View(APIView):
    """An endpoint. `self.actor` is who asks."""

    address_limit = "ADDRESS_RATE_LIMIT"
    budget: throttling.Budget | None = None
    gave_way = 0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """An address may ask so often, whoever it says it is; then a caller may, whatever his address."""
        self.spend(f"{self.address_limit}:{client_ip(request)}", getattr(settings, self.address_limit))
        super().initial(request, *args, **kwargs)
        if request.user and request.user.is_authenticated:
            self.spend(f"actor:{self.actor.id}", settings.RATE_LIMIT)

    def spend(self, who: str, limit: int) -> None:
        budget = throttling.spend(who, limit)
        if budget and (self.budget is None or budget.remaining < self.budget.remaining):
            self.budget = budget

    def handle_exception(self, exc: Exception) -> Response:
        """A request that the database chose to give way to another one is done again; nothing was written yet."""
        while _gave_way(exc) and self.gave_way < GIVES_WAY:
            self.gave_way += 1
            time.sleep(0.05 * self.gave_way)
            handler = getattr(self, str(self.request.method).lower())
            try:
                found: Response = handler(self.request, *self.args, **self.kwargs)
                return found
            except Exception as error:  # noqa: BLE001 - whatever it is, it is answered as any other
                exc = error
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if self.budget:
            for name, value in self.budget.headers.items():
                response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")  # most answers hold secrets or say where they are
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        found: Actor | None = getattr(self, "_actor", None)
        if found is None:
            found = self._actor = actor_of(self.request)
        return found

    def body(self, schema: Schema | AllOf) -> dict[str, Any]:
        """The request's body, validated. Raises Invalid."""
        data = self.request.data
        if isinstance(data, dict):
            data.pop("csrfmiddlewaretoken", None)  # of a form; see config.browsable
        return schema.validate(data)

    def query(self, schema: Schema) -> dict[str, Any]:
        """The request's query, validated. Raises Invalid."""
        return schema.validate(self.request.query_params.dict())


def or_named(
    view: Callable[..., Any], other: Callable[..., Any], methods: Collection[str], **named: str
) -> Callable[..., Any]:
    """One path, two endpoints: of `methods`, what `view` does not do is done by `other`, by that name.

    A person who opens it in a browser sees the first, with its forms.
    """

    @wraps(view)
    def chosen(request: HttpRequest) -> Any:
        method = (request.method or "get").lower()
        method = "get" if method == "head" else method
        page = method == "get" and "text/html" in request.headers.get("accept", "")
        if page or method not in methods or hasattr(view.cls, method):  # type: ignore[attr-defined]
            return view(request)
        return other(request, **named)

    return chosen


def with_etag(request: Request, response: Response, project_id: UUID) -> Response:
    """The answer with an ETag over its body (keyed: the body holds values), or 304 where the client has it already."""

    def stamped(rendered: HttpResponse) -> HttpResponse | None:
        if not rendered["Content-Type"].startswith("application/json"):
            return None
        tag = f'"{fingerprint(project_id, "etag", rendered.content.decode())}"'
        rendered["ETag"] = tag
        if tag not in [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]:
            return None
        known = HttpResponseNotModified()
        for name in ("ETag", "Cache-Control"):
            known[name] = rendered[name]
        return known

    response["Cache-Control"] = "private, no-cache"
    response.add_post_render_callback(stamped)
    return response


def timestamp(moment: datetime | None) -> str | None:
    """ISO 8601, UTC, milliseconds, Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
