"""How long a vendor asks to wait, by the headers of its response. The one reader of them, whatever the vendor.

A time of day is compared with the response's own `Date`, where it has one: this server's clock may be wrong. What asks
for no wait (0, a negative number, a moment that is over) counts as not stated, so that the caller's own wait applies.
"""

from __future__ import annotations

import email.utils
import math
import re
import time

import httpx

LONGEST = 366 * 24 * 3600.0  # seconds; more is an error of the vendor's, and would end past the calendar
RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
EARLIEST_MOMENT = 1_000_000_000  # what is more is a moment since 1970, what is less a number of seconds
EARLIEST_MILLISECONDS = 100_000_000_000


def wait_of(headers: httpx.Headers) -> float | None:
    """Seconds to wait from now, more than 0; None if the response does not say.

    `Retry-After` is a number or a date (RFC 9110, 10.2.3). Vendors without it state when the limit is reset, as a
    moment or as seconds from now; that counts only if nothing of the limit remains, since other limits have no header.
    """
    now = _moment(headers.get("date")) or time.time()
    stated = headers.get("retry-after", "").strip()
    if stated:
        seconds = _number(stated)
        if seconds is None:
            moment = _moment(stated)
            seconds = moment - now if moment is not None else None
        if (wait := _sane(seconds)) is not None:
            return wait
    if any((_number(headers.get(name, "")) or 0) > 0 for name in REMAINING):
        return None
    resets = (_number(headers.get(name, "")) for name in RESETS)
    return _sane(next((_until(reset, now) for reset in resets if reset is not None), None))


def _until(reset: float, now: float) -> float:
    if reset >= EARLIEST_MILLISECONDS:
        reset /= 1000
    return reset - now if reset >= EARLIEST_MOMENT else reset


def _sane(seconds: float | None) -> float | None:
    return min(seconds, LONGEST) if seconds is not None and seconds > 0 and math.isfinite(seconds) else None


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[ \t]*-?[0-9]{1,15}(\.[0-9]{1,15})?[ \t]*", text) else None


def _moment(text: str | None) -> float | None:
    """Seconds since 1970 of an HTTP date."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
