"""What can go wrong with a vendor. The class is the policy: it alone decides what happens next.

    IntegrationError
    |-- may be tried again
    |   |-- Unreachable      no connection, or no answer to a read in time
    |   |-- Unavailable      the vendor is down for now and did nothing
    |   `-- RateLimited      too many requests; `retry_after` seconds where the vendor says
    |-- may not
    |   |-- Unauthorized     the credentials are bad, expired or lack a right
    |   |-- NotFound
    |   |-- Conflict         it exists already, or changed under us: list again and plan anew
    |   |-- Rejected         the vendor refuses this request for good
    |   |-- AddressRefused   a user's own address that must not be called; nothing was sent
    |   `-- BadResponse      an answer that cannot be believed: HTML, a redirect, a cut list
    `-- OutcomeUnknown       a write was sent and its answer lost: settled by looking, never by sending again

A message names the service, the method and path, the status, and at most 200 characters of the vendor's own words.
Nothing else is ever put in, so that whatever is stored, logged or shown is safe.
"""

from __future__ import annotations

from typing import ClassVar


class IntegrationError(Exception):
    """A vendor did not do what was asked."""

    code: ClassVar[str] = "integration-error"
    retryable: ClassVar[bool] = False


class Unreachable(IntegrationError):
    code = "unreachable"
    retryable = True


class Unavailable(IntegrationError):
    code = "unavailable"
    retryable = True


class RateLimited(IntegrationError):
    """`retry_after` is in seconds, or None where the vendor does not say."""

    code = "rate-limited"
    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unauthorized(IntegrationError):
    code = "unauthorized"


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
