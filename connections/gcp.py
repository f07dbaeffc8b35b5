"""What all of Google's services share: hosts, error classes, lists in pages.

Sources: https://cloud.google.com/apis/design/errors (errors and what each code asks of a client),
https://developers.google.com/identity/protocols/oauth2 (errors of token requests), https://google.aip.dev/158 (pages).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx

from connections.errors import (
    Conflict,
    Forbidden,
    IntegrationError,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from connections.http.client import ApiClient, Classified
from connections.http.pages import Token
from connections.http.responses import Response, Text

T = TypeVar("T")

SECRETS = "https://secretmanager.googleapis.com"
TOKENS = "https://oauth2.googleapis.com"
EXCHANGE = "https://sts.googleapis.com"
IMPERSONATION = "https://iamcredentials.googleapis.com"
PROJECTS = "https://cloudresourcemanager.googleapis.com"
METADATA = "http://metadata.google.internal"

RIGHTS = (
    "Secret Manager Secret Accessor, Secret Manager Secret Version Manager, and a custom role with"
    " secretmanager.secrets.create, .delete, .get and .list (or Secret Manager Admin for all), on only the projects"
    " that are synced, best with a condition on the names of secrets."
)


class WrongState(Rejected):
    """The thing is in a state that does not allow this, as a version that is disabled; a stale etag is one, too."""


_CLASSES: Mapping[str, type[IntegrationError]] = {
    "ABORTED": Unavailable,  # because of another request at the same moment: nothing was done
    "ALREADY_EXISTS": Conflict,
    "CANCELLED": Unavailable,
    "FAILED_PRECONDITION": WrongState,
    "INVALID_ARGUMENT": Rejected,
    "NOT_FOUND": NotFound,
    "OUT_OF_RANGE": Rejected,
    "PERMISSION_DENIED": Forbidden,
    "RESOURCE_EXHAUSTED": RateLimited,
    "UNAUTHENTICATED": Unauthorized,
    "UNIMPLEMENTED": Rejected,
    **dict.fromkeys(("invalid_client", "invalid_grant", "unauthorized_client"), Unauthorized),
}


def classify(status: int, headers: httpx.Headers, data: Any) -> Classified:
    """By Google's own code, which says more than the status: a stale etag is a 400, a bad signature too.

    Codes that are not listed say no more than their status. A limit may say in its details how long to wait.
    """
    error = data.get("error") if isinstance(data, dict) else None
    code = error.get("status") if isinstance(error, dict) else error
    found = _CLASSES.get(code) if isinstance(code, str) else None
    if found is RateLimited and (delay := _retry_delay(error)):
        return RateLimited, delay
    return found


def _retry_delay(error: Any) -> float:
    """Seconds; 0 if the error does not say. Source: https://cloud.google.com/apis/design/errors (RetryInfo)."""
    details = error.get("details") if isinstance(error, dict) else None
    texts = (each.get("retryDelay") for each in details or () if isinstance(each, dict)) if details else ()
    found = next((re.fullmatch(r"([0-9]{1,6}(\.[0-9]{1,9})?)s", str(text)) for text in texts if text), None)
    return float(found[1]) if found else 0


def host_of(client: ApiClient, host: str) -> str:
    """Another of Google's hosts; the operator's address replaces all of them."""
    return host if client.base_url == SECRETS else ""


class Project(Response):
    projectId: Text
    name: str = ""


def projects_of(client: ApiClient) -> list[Project]:
    """The active projects that the login sees. Raises IntegrationError."""
    params = {"filter": "lifecycleState:ACTIVE"}
    return read_list(client, "/v1/projects", Project, "projects", params, host_of(client, PROJECTS))


def project_id(client: ApiClient, project: str) -> str:
    """The ID of a project that may be given by its number: only Google knows whose number it is.

    Nothing is sent for an ID. Raises IntegrationError.
    """
    if not project.isdecimal():
        return project
    try:
        return client.get(f"/v1/projects/{project}", Project, base_url=host_of(client, PROJECTS)).projectId
    except (Forbidden, NotFound) as error:
        raise type(error)(f"{error}. Give the project's ID instead of its number") from None


def read_list(
    client: ApiClient, path: str, kind: type[T], member: str, params: Mapping[str, str] | None = None, host: str = ""
) -> list[T]:
    """Every item of a list. Google leaves an empty list out. Raises IntegrationError."""
    style = Token("pageToken", "nextPageToken", empty_pages=True)
    return client.read_list(path, kind, style, member=member, optional=True, params=params, base_url=host)
