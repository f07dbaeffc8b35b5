"""The HTTP client against a real server on loopback: each response has its error class, and messages are redacted."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import httpcore
import httpx
import pytest

from connections import errors
from connections.http import transport
from connections.http.client import ApiClient, Classified, quote
from connections.http.pages import Single
from tests.connections.answering import TOKEN, Vendor, reply


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("POST", 400, errors.Rejected),
        ("POST", 401, errors.Unauthorized),
        ("POST", 403, errors.Forbidden),
        ("POST", 404, errors.NotFound),
        ("POST", 409, errors.Conflict),
        ("POST", 422, errors.Rejected),
        ("POST", 429, errors.RateLimited),
        ("POST", 500, errors.OutcomeUnknown),
        ("POST", 501, errors.Rejected),
        ("GET", 501, errors.Rejected),
        ("POST", 503, errors.Unavailable),
        ("GET", 500, errors.Unavailable),
    ],
)
def test_the_status_decides_the_class(
    vendor: Vendor, client: ApiClient, method: str, status: int, expected: type[Exception]
) -> None:
    vendor.answer = reply(status, b'{"message": "no"}')
    with pytest.raises(expected, match=rf"^Vendor: {method} /x answered {status}: no$") as caught:
        client.request(method, "/x")  # type: ignore[arg-type]
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("status", "location", "found"),
    [
        (
            301,
            "https://api.example.com/repositories/7/secrets",
            "moved or renamed, and is now at api.example.com/repos",
        ),
        (308, "/repositories/7", "moved or renamed, and is now at 127.0.0.1/repositories/7: use its present name"),
        (302, "https://user:canary-1@sso.example.com/login?token=canary-2#canary-3", "to sso.example.com/login, which"),
        (307, "/x/canary-token", r"redirects to 127.0.0.1/x/\[redacted\], which is not followed"),
        (303, "", "redirects to 127.0.0.1/x"),
    ],
)
def test_a_redirect_is_not_followed_and_names_where_to_look(
    vendor: Vendor, client: ApiClient, status: int, location: str, found: str
) -> None:
    vendor.answer = reply(status, location=location)
    with pytest.raises(errors.BadResponse, match=found) as caught:
        client.request("GET", "/x")
    assert vendor.asked == [("GET", "/x")]
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("header", ["x-github-request-id", "x-amzn-requestid", "x-vercel-id", "x-request-id", "cf-ray"])
def test_a_message_has_the_vendors_id_of_the_request(vendor: Vendor, client: ApiClient, header: str) -> None:
    vendor.answer = reply(404, b'{"message": "no"}', **{header.replace("-", "_"): "C0FF:1e/a=="})
    with pytest.raises(errors.NotFound, match=r"^Vendor: GET /x answered 404: no \(request id C0FF:1e/a==\)$"):
        client.request("GET", "/x")


@pytest.mark.parametrize("value", ["", "a b", "x" * 129, "é", f"a-{TOKEN}", "<script>"])
def test_an_id_of_another_form_is_left_out(vendor: Vendor, client: ApiClient, value: str) -> None:
    vendor.answer = reply(404, x_request_id=value)
    with pytest.raises(errors.NotFound, match=r"^Vendor: GET /x answered 404$"):
        client.request("GET", "/x")


def test_a_response_that_is_unexpected_has_its_id_too(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(200, b"<html>", x_request_id="one")
    with pytest.raises(errors.BadResponse, match=r"that is not JSON \(request id one\)$"):
        client.request("GET", "/x")
    vendor.answer = reply(200, b'{"a": 1}', x_request_id="two")
    with pytest.raises(errors.BadResponse, match=r"list \(request id two\)$"):
        client.get("/x", list[str])
    with pytest.raises(errors.BadResponse, match=r"items is missing \(request id two\)$"):
        client.read_list("/x", str, Single(), member="items")
    vendor.answer = reply(200, b"<html>", x_request_id="three")
    with pytest.raises(errors.BadResponse, match=r"that is not JSON \(request id three\)$"):
        client.read_list("/x", str, Single(), member="items")


def test_html_is_an_unexpected_response(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(200, b"<html>canary-body</html>")
    with pytest.raises(errors.BadResponse, match="not JSON") as caught:
        client.request("GET", "/x")
    assert "canary" not in str(caught.value)


def test_reads_are_retried_and_writes_are_not(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = lambda handler, count: reply(503 if count % 2 else 200, b"{}")(handler, count)
    assert client.request("GET", "/x") == {}
    vendor.asked.clear()
    with pytest.raises(errors.Unavailable):
        client.request("PATCH", "/x", json={})
    assert len(vendor.asked) == 1


def drip(handler: BaseHTTPRequestHandler, _: int) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    try:
        for _byte in range(60):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def hang(handler: BaseHTTPRequestHandler, _: int) -> None:
    time.sleep(1)


def cut(handler: BaseHTTPRequestHandler, _: int) -> None:
    handler.close_connection = True


@pytest.mark.parametrize("fault", [drip, hang])
@pytest.mark.parametrize(("method", "expected"), [("GET", errors.Unreachable), ("POST", errors.OutcomeUnknown)])
def test_a_request_ends_within_its_deadline(
    vendor: Vendor, client: ApiClient, fault: object, method: str, expected: type[Exception]
) -> None:
    vendor.answer = fault  # type: ignore[assignment]
    with pytest.raises(expected, match=r"within 0\.5 s"):
        client.request(method, "/x")  # type: ignore[arg-type]


def test_slow_headers_end_at_the_deadline(vendor: Vendor, client: ApiClient) -> None:
    """Each byte comes in time; all of them together do not. The server finds the line closed before its last."""
    ended, sent = threading.Event(), []

    def drip_headers(handler: BaseHTTPRequestHandler, _: int) -> None:
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for byte in range(60):
                handler.wfile.write(b"x")
                sent.append(byte)
                time.sleep(0.05)
            handler.wfile.write(b"\r\nContent-Length: 2\r\n\r\n{}")
        except OSError:
            pass
        ended.set()

    vendor.answer = drip_headers
    with pytest.raises(errors.OutcomeUnknown, match=r"within 0\.5 s"):
        client.request("POST", "/x")
    assert ended.wait(30)
    assert len(sent) < 60


@pytest.mark.parametrize(("method", "expected"), [("GET", errors.Unreachable), ("DELETE", errors.OutcomeUnknown)])
def test_a_lost_response_to_a_write_is_an_unknown_outcome(
    vendor: Vendor, client: ApiClient, method: str, expected: type[Exception]
) -> None:
    vendor.answer = cut
    with pytest.raises(expected, match="got no response"):
        client.request(method, "/x")  # type: ignore[arg-type]


def test_a_write_that_could_not_connect_was_surely_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ApiClient("Vendor", f"http://127.0.0.1:{port}") as client, pytest.raises(errors.Unreachable):
        client.request("POST", "/x", json={})


def test_vendor_messages_are_truncated_and_redacted(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(422, b'{"message": "bad ' + TOKEN.encode() + b"\\n" + b"x" * 500 + b'"}')
    with pytest.raises(errors.Rejected) as caught:
        client.request("POST", "/x", json={"value": "canary-value"})
    text = str(caught.value)
    assert "canary" not in text
    assert "bad [redacted] xxx" in text
    assert "\n" not in text
    assert len(text) < 260


def test_the_client_shows_no_credential(client: ApiClient) -> None:
    assert TOKEN not in repr(client)


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_path_part_that_names_something_else_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="part of an address"):
        quote(part)


@pytest.mark.parametrize(
    "spelling", ["https://Vault.EXAMPLE.com", "https://vault.example.com:443/", "https://vault.example.com"]
)
def test_an_address_is_the_same_however_it_is_spelt(spelling: str) -> None:
    with ApiClient("Vendor", spelling) as client:
        assert client.base_url == "https://vault.example.com"


def test_an_address_that_cannot_be_read_is_a_refusal() -> None:
    with ApiClient("Vendor", "https://vendor.example:none") as client, pytest.raises(errors.AddressRefused):
        client.request("GET", "/")


def test_a_path_part_is_quoted_completely() -> None:
    assert quote("a/b?c#d%é") == "a%2Fb%3Fc%23d%25%C3%A9"


def test_sent_values_are_redacted_from_vendor_messages(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(422, b'{"message": "KEY_A: hunter2 is weak, so is correct-horse of it"}')
    body = {"key": "KEY_A", "value": "hunter2", "more": [{"text": "a correct-horse here"}]}
    with pytest.raises(errors.Rejected) as refused:
        client.request("POST", "/x", json=body, visible=["KEY_A"])
    assert str(refused.value) == "Vendor: POST /x answered 422: KEY_A: [redacted] is weak, so is [redacted] of it"


def test_a_reading_post_is_retried_and_never_an_unknown_write(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = lambda handler, count: reply(503 if count % 2 else 200, b"[1]")(handler, count)
    assert client.request("POST", "/search", json={}, read=True) == [1]
    assert len(vendor.asked) == 2
    vendor.answer = cut
    with pytest.raises(errors.Unreachable):
        client.request("POST", "/search", read=True)
    vendor.answer = reply(500)
    with pytest.raises(errors.Unavailable):
        client.request("POST", "/search", read=True)


def test_a_form_is_sent_and_its_data_not_shown(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(400, b'{"error": "bad secret-assertion"}')
    with pytest.raises(errors.Rejected, match=r"bad \[redacted\]$"):
        client.request("POST", "/token", form={"assertion": "secret-assertion", "scope": "a b"})
    assert vendor.headers["content-type"] == "application/x-www-form-urlencoded"
    assert vendor.body == b"assertion=secret-assertion&scope=a+b"


def test_content_is_sent_unchanged_with_its_headers(vendor: Vendor, client: ApiClient) -> None:
    headers = {"Content-Type": "application/merge-patch+json", "X-One": "1"}
    client.request("PATCH", "/x", content='{"A": null}', headers=headers)
    assert (vendor.headers["content-type"], vendor.headers["x-one"]) == ("application/merge-patch+json", "1")
    assert vendor.body == b'{"A": null}'
    client.request("PATCH", "/x", json={"A": None}, headers=headers)
    assert vendor.headers["content-type"] == "application/merge-patch+json"
    assert vendor.headers["authorization"] == f"Bearer {TOKEN}"
    vendor.answer = reply(400, b'{"message": "no canary-content here"}')
    with pytest.raises(errors.Rejected) as caught:
        client.request("PATCH", "/x", content=b"canary-content")
    assert "canary" not in str(caught.value)


def test_an_accepted_status_is_a_response(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(404, b'{"version": 3}')
    answer = client.send("GET", "/x", accept=[404])
    assert (answer.status, answer.data) == (404, {"version": 3})
    with pytest.raises(errors.NotFound):
        client.send("GET", "/x")
    vendor.answer = reply(404, b"<html>")
    with pytest.raises(errors.BadResponse):
        client.send("GET", "/x", accept=[404])


def test_a_response_has_its_headers(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = reply(201, b"[]", link='</x?page=2>; rel="next"', etag="abc")
    answer = client.send("GET", "/x")
    assert (answer.status, answer.headers["Link"], answer.headers["etag"], answer.data) == (
        201,
        '</x?page=2>; rel="next"',
        "abc",
        [],
    )
    assert "abc" not in repr(answer)


def test_a_vendor_with_ambiguous_status_is_classified_by_message(vendor: Vendor) -> None:
    def classify(status: int, headers: httpx.Headers, data: object) -> Classified:
        assert "x-region" in headers
        if status == 400 and isinstance(data, dict) and data.get("__type") == "ThrottlingException":
            return errors.RateLimited
        return errors.NotFound if status == 400 else None

    with ApiClient("Vendor", vendor.url, classify=classify) as client:
        vendor.answer = reply(400, b'{"__type": "ThrottlingException", "Message": "slowly"}', x_region="7")
        with pytest.raises(errors.RateLimited, match="answered 400: slowly"):
            client.request("POST", "/x")
        vendor.answer = reply(400, b"{}", x_region="7")
        with pytest.raises(errors.NotFound):
            client.request("POST", "/x")
        vendor.answer = reply(409, b"{}", x_region="7")
        with pytest.raises(errors.Conflict):
            client.request("POST", "/x")


def test_a_request_can_be_signed(vendor: Vendor) -> None:
    class Signing(httpx.Auth):
        requires_request_body = True

        def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
            request.headers["X-Signature"] = f"{request.method} {len(request.content)}"
            yield request

    with ApiClient("Vendor", vendor.url, auth=Signing()) as client:
        client.request("POST", "/x", json={"a": 1})
    assert vendor.headers["x-signature"] == "POST 7"


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"code": 7, "message": "no room"}}',
        b'{"errors": ["no room"]}',
        b'{"errors": [{"message": "no room"}]}',
        b'{"Message": "no room"}',
        b'{"detail": "no room"}',
        b'{"message": null, "error": "no room"}',
    ],
)
def test_vendor_messages_are_found_in_known_members(vendor: Vendor, client: ApiClient, body: bytes) -> None:
    vendor.answer = reply(422, body)
    with pytest.raises(errors.Rejected, match=r"answered 422: no room$"):
        client.request("POST", "/x")


def test_bodies_of_other_formats_are_parsed_including_errors(vendor: Vendor) -> None:
    def parse(body: bytes) -> dict[str, str]:
        if not body.startswith(b"<message>"):
            raise ValueError
        return {"message": body.decode().removeprefix("<message>")}

    with ApiClient("Vendor", vendor.url, parse=parse) as client:
        vendor.answer = reply(200, b"<message>hello")
        assert client.request("GET", "/a") == {"message": "hello"}
        vendor.answer = reply(400, b"<message>no")
        with pytest.raises(errors.Rejected, match="answered 400: no"):
            client.request("GET", "/a")
        vendor.answer = reply(200, b"{}")
        with pytest.raises(errors.BadResponse, match="of an unknown format"):
            client.request("GET", "/a")


def test_a_message_names_the_request_and_hides_secrets(vendor: Vendor, client: ApiClient) -> None:
    document = '{"A":"canary-1","B":"canary-2"}'
    vendor.answer = reply(422, b'{"message": "canary-2 is bad, canary-1 too"}')
    with pytest.raises(errors.Rejected) as caught:
        client.request(
            "POST", "/", json={"text": document}, hidden=["canary-1", "canary-2"], label="PutSecret team/all"
        )
    assert str(caught.value) == "Vendor: PutSecret team/all answered 422: [redacted] is bad, [redacted] too"


def test_another_host_of_the_vendor_uses_the_same_login(vendor: Vendor) -> None:
    with ApiClient("Vendor", "http://127.0.0.1:9", headers={"Authorization": TOKEN}) as client:
        client.request("GET", "/a", base_url=vendor.url)
    assert (vendor.asked, vendor.headers["authorization"]) == ([("GET", "/a")], TOKEN)


def test_every_exception_of_the_pool_has_its_counterpart() -> None:
    """One without would reach the caller as it is."""
    raised = {found for name in httpcore.__all__ if isinstance(found := getattr(httpcore, name), type)}
    raised = {found for found in raised if issubclass(found, Exception)}
    bases = {base for found in raised for base in found.__mro__[1:]}
    unused = {httpcore.ProxyError, httpcore.ConnectionNotAvailable}  # no proxy is used; the other never leaves the pool
    assert transport.ERRORS.keys() == raised - bases - unused
    assert all(theirs.__name__ == ours.__name__ for theirs, ours in transport.ERRORS.items())
