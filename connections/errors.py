"""The errors of integrations. The class is the policy: it alone decides what happens next.

    IntegrationError
    |-- retryable
    |   |-- Unreachable      no connection, or no response to a read in time
    |   |-- Unavailable      the vendor is temporarily down and did nothing
    |   `-- RateLimited      too many requests; `retry_after` seconds if the vendor says so
    |-- not retryable
    |   |-- Unauthorized     the credentials are bad or expired
    |   |   `-- Forbidden    the vendor says that they lack a right, though some say so of bad credentials too
    |   |-- NotFound
    |   |-- Conflict         it exists already, or has changed: list and plan again
    |   |-- Rejected         the vendor rejects this request, now and later
    |   |-- AddressRefused   a user's own address that must not be called; nothing was sent
    |   `-- BadResponse      an unexpected response: HTML, a redirect, a truncated list
    `-- OutcomeUnknown       a write was sent and its response lost: settled by the next list, never by sending again

A message names the service, the method and path, the status, at most 200 characters of the vendor's own message, and
the vendor's id of the request. It contains nothing else, so that it may be stored, logged and shown.
"""

from __future__ import annotations

from typing import ClassVar


class IntegrationError(Exception):
    """A request to a vendor failed."""

    code: ClassVar[str] = "integration-error"
    retryable: ClassVar[bool] = False


class Unreachable(IntegrationError):
    code = "unreachable"
    retryable = True


class Unavailable(IntegrationError):
    code = "unavailable"
    retryable = True


class RateLimited(IntegrationError):
    """`retry_after` is in seconds, more than 0; None if the vendor does not say."""

    code = "rate-limited"
    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unauthorized(IntegrationError):
    code = "unauthorized"


class Forbidden(Unauthorized):
    code = "forbidden"


class NotFound(IntegrationError):
    code = "not-found"


class Conflict(IntegrationError):
    code = "conflict"


class Rejected(IntegrationError):
    code = "rejected"


class AddressRefused(IntegrationError):
    code = "address-refused"


class BadResponse(IntegrationError):
    code = "bad-response"


class OutcomeUnknown(IntegrationError):
    code = "outcome-unknown"
