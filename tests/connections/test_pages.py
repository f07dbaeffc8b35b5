"""Lists in pages and responses as models, over HTTP on loopback: the complete list, or an error naming the fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connections.errors import BadResponse
from connections.http.client import ApiClient
from connections.http.pages import NextLink, Numbered, Offset, Pages, Single, Token
from connections.http.responses import Number, Response, Text

VALUES = [{"name": f"KEY_{number}", "id": number, "secret": "canary-value"} for number in range(7)]

Answer = tuple[Any, dict[str, str]]


class Value(Response):
    name: Text
    id: Number
    note: str = ""


class Vendor:
    """Answers each request with what `answer` makes of its query; keeps the queries."""

    def __init__(self) -> None:
        self.queries: list[dict[str, str]] = []
        self.answer: Callable[[dict[str, str]], Answer] = lambda query: ([], {})
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = dict(parse_qsl(urlsplit(self.path).query))
                vendor.queries.append(query)
                data, headers = vendor.answer(query)
                body = json.dumps(data).encode()
                self.send_response(200)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    yield vendor
    vendor.stop()


@pytest.fixture
def client(vendor: Vendor) -> Iterator[ApiClient]:
    with ApiClient("Acme", vendor.url) as client:
        yield client


def numbered(query: dict[str, str]) -> Answer:
    page, size = int(query["page"]), int(query["per_page"])
    return VALUES[(page - 1) * size : page * size], {}


def counted(query: dict[str, str]) -> Answer:
    return {"values": numbered(query)[0], "meta": {"pages": 4, "total": 7}}, {}


def offset(query: dict[str, str]) -> Answer:
    start = int(query["offset"])
    return VALUES[start : start + int(query["limit"])], {}


def token(query: dict[str, str]) -> Answer:
    start = int(query.get("after", "0"))
    following = {"next": str(start + 2)} if start + 2 < len(VALUES) else {}
    return {"values": VALUES[start : start + 2], "page": following}, {}


def linked(query: dict[str, str]) -> Answer:
    start = int(query.get("after", "0"))
    link = (
        f'<https://elsewhere.example/x?after={start + 2}&show=1>; rel="next", <https://elsewhere.example/>; rel="first"'
    )
    return VALUES[start : start + 2], {"link": link} if start + 2 < len(VALUES) else {}


def next_field(query: dict[str, str]) -> Answer:
    start = int(query.get("after", "0"))
    url = f"https://elsewhere.example/x?after={start + 2}" if start + 2 < len(VALUES) else None
    return {"values": VALUES[start : start + 2], "next": url}, {}


STYLES: dict[str, tuple[Callable[[dict[str, str]], Answer], Pages, dict[str, Any], int]] = {
    "single": (lambda query: (VALUES, {}), Single(), {}, 1),
    "numbered": (numbered, Numbered(limit=2), {}, 4),
    "numbered, with their number": (
        counted,
        Numbered(limit=2, last="meta.pages"),
        {"member": "values", "total": "meta.total"},
        4,
    ),
    "offset": (offset, Offset(limit=2), {}, 4),
    "token": (token, Token("after", "page.next"), {"member": "values"}, 4),
    "link header": (linked, NextLink(), {}, 4),
    "next field": (next_field, NextLink("next"), {"member": "values"}, 4),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_reads_the_whole_list(vendor: Vendor, client: ApiClient, style: str) -> None:
    vendor.answer, pages, more, requests = STYLES[style]
    values = client.read_list("/values", Value, pages, params={"show": "1"}, **more)
    assert [(value.name, value.id) for value in values] == [(value["name"], str(value["id"])) for value in VALUES]
    assert len(vendor.queries) == requests
    assert all(query["show"] == "1" for query in vendor.queries)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("body", [{}, {"values": None}, {"values": {}}, "text", None, [1], [{"id": 5}], 5])
def test_every_style_refuses_another_shape(vendor: Vendor, client: ApiClient, style: str, body: Any) -> None:
    _, pages, more, _ = STYLES[style]
    vendor.answer = lambda query: (body, {})
    with pytest.raises(BadResponse, match=r"^Acme: GET /values: "):
        client.read_list("/values", Value, pages, **more)


@pytest.mark.parametrize("style", ["numbered", "offset", "token", "link header", "next field"])
def test_a_page_that_comes_again_is_refused(vendor: Vendor, client: ApiClient, style: str) -> None:
    answer, pages, more, _ = STYLES[style]
    vendor.answer = lambda query: answer({**query, "page": "2", "offset": "2", "after": "2"})
    with pytest.raises(BadResponse, match="the same page"):
        client.read_list("/values", Value, pages, **more)
    assert len(vendor.queries) <= 3


@pytest.mark.parametrize("style", ["token", "link header", "next field"])
def test_an_empty_page_before_the_last_is_refused(vendor: Vendor, client: ApiClient, style: str) -> None:
    answer, pages, more, _ = STYLES[style]

    def emptied(query: dict[str, str]) -> Answer:
        data, headers = answer(query)
        if query.get("after") == "2":
            data = {**data, "values": []} if isinstance(data, dict) else []
        return data, headers

    vendor.answer = emptied
    with pytest.raises(BadResponse, match="page 2 is empty"):
        client.read_list("/values", Value, pages, **more)


def test_a_vendor_that_documents_empty_pages_is_read_on(vendor: Vendor, client: ApiClient) -> None:
    def emptied(query: dict[str, str]) -> Answer:
        data, headers = token(query)
        return {**data, "values": [] if query.get("after") == "2" else data["values"]}, headers

    vendor.answer = emptied
    found = client.read_list("/values", Value, Token("after", "page.next", empty_pages=True), member="values")
    assert len(found) == 5


def test_a_total_that_differs_is_refused(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = lambda query: ({"values": VALUES, "total": 8}, {})
    with pytest.raises(BadResponse, match="7 items came, and its total is 8"):
        client.read_list("/values", Value, Single(), member="values", total="total")


def test_a_list_that_is_left_out_may_be_empty(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = lambda query: ({}, {})
    assert client.read_list("/values", Value, Single(), member="values", optional=True) == []
    vendor.answer = lambda query: ({"total": 0}, {})
    assert client.read_list("/values", Value, Single(), member="values", optional=True) == []


@pytest.mark.parametrize("body", [{"values": "no list"}, {"items": []}, {"value": {}}, None, [], {"values": {}}])
def test_a_response_of_another_kind_is_no_empty_list(vendor: Vendor, client: ApiClient, body: Any) -> None:
    vendor.answer = lambda query: (body, {})
    with pytest.raises(BadResponse):
        client.read_list("/values", Value, Single(), member="values", optional=True)


def test_a_response_names_the_request_and_the_field_and_no_value(vendor: Vendor, client: ApiClient) -> None:
    vendor.answer = lambda query: ({"values": [VALUES[0], {"name": ["canary-value"], "id": "1"}]}, {})
    with pytest.raises(BadResponse) as caught:
        client.get("/v1", dict[str, list[Value]], label="GET /v1/{id}")
    assert str(caught.value) == (
        "Acme: GET /v1/{id}: unexpected response: values.1.name: input should be a valid string"
    )
    vendor.answer = lambda query: ({"canary value": 1}, {})
    with pytest.raises(BadResponse, match="unexpected response: name is missing"):
        client.get("/v1", Value)
    with pytest.raises(BadResponse, match=r"unexpected response: \?: input should be a valid list"):
        client.get("/v1", dict[str, list[Value]])
    vendor.answer = lambda query: (VALUES[0], {})
    value = client.get("/v1", Value)
    assert "KEY" not in f"{value} {value!r}"
