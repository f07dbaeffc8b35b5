"""What a service may refuse, in the words and status codes of the modelled API's envelope.

Services raise these; the API turns them into the envelope, the admin and the commands into a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Issue = dict[str, Any]


class ServiceError(Exception):
    """A request that cannot be done; `str()` is for the person who asked."""

    status: ClassVar[int] = 500
    error: ClassVar[str] = "InternalServerError"

    def __init__(self, message: str, details: Sequence[Mapping[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.details = details


class BadRequest(ServiceError):
    """The request is understood and well-formed, but a rule forbids it as things stand."""

    status = 400
    error = "BadRequest"


class Unauthenticated(ServiceError):
    """No credentials, or ones that are revoked, expired or wrong."""

    status = 401
    error = "UnauthorizedError"


class TokenError(ServiceError):
    """A token that does not verify: the modelled API answers 403, not 401."""

    status = 403
    error = "TokenError"


class PermissionDenied(ServiceError):
    """The actor's role does not allow the action."""

    status = 403
    error = "PermissionDenied"


class Forbidden(ServiceError):
    """Refused for another reason than a role: an address, a protection."""

    status = 403
    error = "ForbiddenError"


class TooMany(ServiceError):
    """Asked too often; `wait` seconds until the next may be tried."""

    status = 429
    error = "RateLimitExceeded"

    def __init__(self, limit: int, wait: int) -> None:
        super().__init__(f"Rate limit exceeded. Please try again in {wait} seconds")
        self.limit = limit
        self.wait = wait


class Unreadable(ServiceError):
    """Stored, but not to be decrypted."""

    status = 400
    error = "CryptographyError"


class NotFound(ServiceError):
    """No such thing, or none that the actor may know of."""

    status = 404
    error = "NotFound"


class Invalid(ServiceError, ValueError):
    """The data does not fit; `issues` names every problem, each as an issue of the modelled API (zod 3)."""

    status = 422
    error = "ValidationFailure"

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__("; ".join(_said(issue) for issue in issues))
        self.issues = issues


def problem(path: Sequence[str | int], message: str) -> Issue:
    """An issue that no other code fits."""
    return {"code": "custom", "path": list(path), "message": message}


def where(error: BaseException) -> str:
    """File and line that an error comes from. Not its message and not its arguments: either may hold a value."""
    trace, location = error.__traceback__, ""
    while trace is not None:
        location = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return location


def _said(issue: Issue) -> str:
    where = ".".join(map(str, issue["path"]))
    return f"{where}: {issue['message']}" if where else str(issue["message"])
