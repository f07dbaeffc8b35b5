"""What all endpoints share: the actor, rate limits, retries after a serialization failure, bodies, queries and ETags.

Source: the modelled API's conventions, https://infisical.com/docs/api-reference/overview/introduction
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, ClassVar, TypeVar, overload
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from pydantic_core import PydanticCustomError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from config.access.addresses import client_ip
from config.access.roles import Actor
from config.api import throttling
from config.api.authentication import actor_of
from config.api.errors import is_serialization_failure
from config.encryption import fingerprint
from config.errors import Invalid, Issue
from config.schemas import unions
from config.schemas.issues import finished
from config.schemas.json_schema import JsonSchema
from config.schemas.model import Model
from config.schemas.types import Id

M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=Response)

MAX_RETRIES = 3
"""How often a request is retried after the database ended its transaction in favour of another one."""


class View(APIView):
    """An endpoint. `self.actor` is the caller.

    For OpenAPI: `tag` groups its operations, `terms` fill in the names in their ids and summaries, `parameters` are the
    schemas of names in the path that do not describe themselves.
    """

    tag: ClassVar[str] = ""
    terms: ClassVar[Mapping[str, str]] = {}
    parameters: ClassVar[Mapping[str, JsonSchema]] = {}
    address_limit = "ADDRESS_RATE_LIMIT"
    budget: throttling.Budget | None = None
    retries = 0

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the request against the limit of the client address, then against that of the caller."""
        self.spend(f"{self.address_limit}:{client_ip(request)}", getattr(settings, self.address_limit))
        super().initial(request, *args, **kwargs)
        if request.user and request.user.is_authenticated:
            self.spend(f"actor:{self.actor.id}", settings.RATE_LIMIT)

    def spend(self, who: str, limit: int) -> None:
        budget = throttling.spend(who, limit)
        if budget and (self.budget is None or budget.remaining < self.budget.remaining):
            self.budget = budget

    def handle_exception(self, exc: Exception) -> Response:
        """Retry a request whose transaction the database ended in favour of another one; nothing was written yet."""
        while is_serialization_failure(exc) and self.retries < MAX_RETRIES:
            self.retries += 1
            time.sleep(0.05 * self.retries)
            handler = getattr(self, str(self.request.method).lower())
            try:
                found: Response = handler(self.request, *self.args, **self.kwargs)
                return found
            except Exception as error:  # noqa: BLE001 - handled below like any other
                exc = error
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        if self.budget:
            for name, value in self.budget.headers.items():
                response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")  # most responses hold secrets or their locations
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        found: Actor | None = getattr(self, "_actor", None)
        if found is None:
            found = self._actor = actor_of(self.request)
        return found

    @overload
    def body(self, shape: type[M]) -> M: ...
    @overload
    def body(self, shape: unions.AllOf) -> tuple[Any, ...]: ...
    def body(self, shape: Any) -> Any:
        """The request's body, validated. Raises Invalid."""
        data = self.request.data
        if isinstance(data, dict):
            data.pop("csrfmiddlewaretoken", None)  # of a form; see config.api.browsable_api
        return shape.parse(data)

    def query(self, model: type[M]) -> M:
        """The request's query, validated. Raises Invalid."""
        return model.parse(self.request.query_params.dict())

    def ids(self, *names: str) -> list[str]:
        """The UUIDs in the path by these names. Raises Invalid with the issues of all of them."""
        found: list[str] = []
        issues: list[Issue] = []
        for name in names:
            try:
                found.append(str(Id(label=name).check(self.kwargs[name])))
            except PydanticCustomError as error:
                issues += [{**issue, "path": [name]} for issue in finished(error)]
        if issues:
            raise Invalid(issues)
        return found

    def id(self, name: str) -> str:
        """The UUID in the path by this name. Raises Invalid."""
        return self.ids(name)[0]

    def specialized(self, schema: JsonSchema) -> JsonSchema:
        """The schema of a response as this view returns it."""
        return schema


class ViewSet(ViewSetMixin, View):
    """The usual verbs of a resource, for a router made by `router`."""

    lookup_value_converter = "str"


def router() -> SimpleRouter:
    """Paths as the modelled API has them: without a slash at the end, with any name up to the next slash."""
    return SimpleRouter(trailing_slash=False, use_regex_path=False)


def or_named(
    view: Callable[..., Any], other: Callable[..., Any], methods: Collection[str], **path_names: str
) -> Callable[..., Any]:
    """One path, two endpoints: those of `methods` that `view` does not have are handled by `other`, with `path_names`.

    A browser is shown the page of `view`, with its forms.
    """

    @wraps(view)
    def chosen(request: HttpRequest) -> Any:
        method = (request.method or "get").lower()
        method = "get" if method == "head" else method
        page = method == "get" and "text/html" in request.headers.get("accept", "")
        own = getattr(view, "actions", None) or dir(view.cls)  # type: ignore[attr-defined]
        if page or method not in methods or method in own:
            return view(request)
        return other(request, **path_names)

    return chosen


def with_etag(request: Request, response: R, project_id: UUID) -> R:
    """The response with an ETag of its body (a keyed MAC, since the body holds values), or 304 if the client has it."""

    def add_etag(rendered: HttpResponse) -> HttpResponse | None:
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
    response.add_post_render_callback(add_etag)
    return response
