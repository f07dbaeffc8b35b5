"""How long a vendor asks to wait: in every form, and never shorter than the caller's own wait by a wrong value."""

from __future__ import annotations

from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.errors import IntegrationError, RateLimited, Unavailable
from connections.http.client import ApiClient, Classified
from connections.http.waits import LONGEST, RESETS, wait_of
from tests.connections.answering import Vendor, reply

NOW = 1_800_000_000
FUTURE = "Fri, 01 Jan 2100 00:00:00 GMT"


def date(seconds: float) -> str:
    return formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": FUTURE}, LONGEST),
        ({"retry-after": date(90), "date": date(60)}, 30),
        ({"retry-after": date(-30), "date": date(-90)}, 60),
        ({"x-ratelimit-reset": "9999999999"}, LONGEST),
        ({"x-ratelimit-reset": str(NOW + 600), "date": date(500)}, 100),
        ({"x-ratelimit-reset": f"{NOW + 600}000", "date": date(500)}, 100),
        ({"ratelimit-reset": "30", "ratelimit-remaining": "0"}, 30),
        ({"x-rate-limit-reset": "30"}, 30),
        ({"retry-after": "7", "x-ratelimit-reset": "600"}, 7),
        ({"retry-after": "0", "x-ratelimit-reset": "600"}, 600),
        ({"retry-after": "999999999999"}, LONGEST),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], seconds: float) -> None:
    assert wait_of(httpx.Headers(headers)) == seconds


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": ""},
        {"retry-after": "0"},
        {"retry-after": "0.0"},
        {"retry-after": "-5"},
        {"retry-after": "soon"},
        {"retry-after": "inf"},
        {"retry-after": "nan"},
        {"retry-after": "Fri, 01 Jan 2010 00:00:00 GMT"},
        {"retry-after": "Thu, 01 Jan 0001 00:00:00 +2359"},
        {"retry-after": date(30), "date": date(60)},
        {"x-ratelimit-reset": "0"},
        {"x-ratelimit-reset": "-1"},
        {"x-ratelimit-reset": "1300000000"},
        {"x-ratelimit-reset": str(NOW + 600), "date": date(700)},
        {"x-ratelimit-reset": "9999999999", "x-ratelimit-remaining": "12"},
        {"x-ratelimit-reset": "tomorrow"},
        {"x-ratelimit-reset": "7\x1c"},  # a blank for regular expressions, though not for numbers
    ],
)
def test_what_asks_for_no_wait_counts_as_not_stated(headers: dict[str, str]) -> None:
    assert wait_of(httpx.Headers(headers)) is None


@given(st.dictionaries(st.sampled_from(["retry-after", "date", *RESETS]), st.text(st.characters(codec="ascii"))))
def test_no_header_gives_a_wait_that_is_no_wait(headers: dict[str, str]) -> None:
    wait = wait_of(httpx.Headers(headers))
    assert wait is None or 0 < wait <= LONGEST


@pytest.mark.parametrize(
    ("status", "headers", "kind", "seconds"),
    [
        (429, {"retry_after": "7"}, RateLimited, 7),
        (429, {"retry_after": "0"}, RateLimited, None),
        (429, {}, RateLimited, None),
        (429, {"x_ratelimit_reset": "30"}, RateLimited, 30),
        (503, {"retry_after": "7"}, RateLimited, 7),
        (503, {"retry_after": "0"}, Unavailable, None),
        (503, {"retry_after": "Fri, 01 Jan 2010 00:00:00 GMT"}, Unavailable, None),
    ],
)
def test_a_limit_has_its_wait(
    vendor: Vendor,
    client: ApiClient,
    status: int,
    headers: dict[str, str],
    kind: type[Exception],
    seconds: float | None,
) -> None:
    vendor.answer = reply(status, **headers)
    with pytest.raises(IntegrationError) as caught:
        client.request("POST", "/x")
    assert type(caught.value) is kind
    assert getattr(caught.value, "retry_after", None) == seconds


def test_a_limited_read_is_not_repeated(vendor: Vendor, client: ApiClient) -> None:
    """The whole connection waits, not the one request."""
    vendor.answer = reply(429)
    with pytest.raises(RateLimited):
        client.request("GET", "/x")
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("classified", [RateLimited, (RateLimited, 60.0)])
@pytest.mark.parametrize(("header", "seconds"), [("7", 7), (FUTURE, LONGEST), ("0", None), ("", None)])
def test_an_adapter_that_classifies_a_limit_reads_no_header(
    vendor: Vendor, classified: Classified, header: str, seconds: float | None
) -> None:
    vendor.answer = reply(400, b"{}", **({"retry_after": header} if header else {}))
    with (
        ApiClient("Vendor", vendor.url, classify=lambda *_: classified) as client,
        pytest.raises(RateLimited) as caught,
    ):
        client.request("POST", "/x")
    assert caught.value.retry_after == (seconds or (60 if isinstance(classified, tuple) else None))
