"""Errors of services, with the messages and status codes of the modelled API.

Services raise them; the API returns them in its error envelope, admin and commands show their messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Issue = dict[str, Any]


class ServiceError(Exception):
    """A refused request; `str()` is the message for the person."""

    status: ClassVar[int] = 500
    error: ClassVar[str] = "InternalServerError"

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.details = details


class BadRequest(ServiceError):
    """A well-formed request that a rule forbids in the current state."""

    status = 400
    error = "BadRequest"


class Unauthenticated(ServiceError):
    """Missing, revoked, expired or wrong credentials."""

    status = 401
    error = "UnauthorizedError"


class TokenError(ServiceError):
    """An invalid token: the modelled API returns 403, not 401."""

    status = 403
    error = "TokenError"


class PermissionDenied(ServiceError):
    """The actor's role does not allow the action."""

    status = 403
    error = "PermissionDenied"


class Forbidden(ServiceError):
    """Refused for a reason other than a role: an address, a protection."""

    status = 403
    error = "ForbiddenError"


class TooMany(ServiceError):
    """Too many requests; `wait` is the seconds until the next one is allowed."""

    status = 429
    error = "RateLimitExceeded"

    def __init__(self, limit: int, wait: int) -> None:
        super().__init__(f"Rate limit exceeded. Please try again in {wait} seconds")
        self.limit = limit
        self.wait = wait


class Unreadable(ServiceError):
    """Stored data that cannot be decrypted."""

    status = 400
    error = "CryptographyError"


class NotFound(ServiceError):
    """It does not exist, or the actor may not know that it does."""

    status = 404
    error = "NotFound"


class Invalid(ServiceError, ValueError):
    """Invalid data; `issues` lists all problems as issues of the modelled API (zod 3)."""

    status = 422
    error = "ValidationFailure"

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__("; ".join(_issue_text(issue) for issue in issues))
        self.issues = issues


def problem(path: Sequence[str | int], message: str) -> Issue:
    """An issue for which there is no other code."""
    return {"code": "custom", "path": list(path), "message": message}


def where(error: BaseException) -> str:
    """File and line of an error, without its message and arguments, because those may contain values."""
    trace, location = error.__traceback__, ""
    while trace is not None:
        location = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return location


def _issue_text(issue: Issue) -> str:
    path = ".".join(map(str, issue["path"]))
    return f"{path}: {issue['message']}" if path else str(issue["message"])
