"""GraphQL and JSON-RPC: an error inside a response of 200 is as any other."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from connections import errors
from connections.http.client import ApiClient
from connections.http.queries import GraphQLErrors, RpcErrors, graphql, rpc
from connections.http.responses import Response
from tests.connections.answering import TOKEN, Vendor, reply

READ = "query Variables($id: ID!) { variables(id: $id) { name } }"
WRITE = "mutation SetVariable($input: Input!) { set(input: $input) { name } }"
FAILED = {"errors": [{"message": "no", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}], "data": None}


class Variables(Response):
    variables: list[str]


def said(*bodies: Any) -> Callable[[BaseHTTPRequestHandler, int], None]:
    """The bodies in turn, the last one again and again."""

    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        reply(200, json.dumps(bodies[min(count, len(bodies)) - 1]).encode())(handler, count)

    return answer


def opened(vendor: Vendor, **arguments: Any) -> ApiClient:
    return ApiClient("Vendor", vendor.url, headers={"Authorization": TOKEN}, secrets=[TOKEN], **arguments)


def error(message: str, code: str = "") -> dict[str, Any]:
    return {"errors": [{"message": message, **({"extensions": {"code": code}} if code else {})}], "data": None}


def test_a_query_is_posted_with_its_variables_and_its_data_validated(vendor: Vendor) -> None:
    vendor.answer = said({"data": {"variables": ["A"]}})
    with opened(vendor, inspect=GraphQLErrors()) as client:
        assert graphql(client, READ, {"id": "1"}, Variables).variables == ["A"]
        assert json.loads(vendor.body) == {"query": READ, "variables": {"id": "1"}}
        assert vendor.asked == [("POST", "/graphql")]
        vendor.answer = said({"data": {"variables": [1]}})
        with pytest.raises(errors.BadResponse, match=r"^Vendor: query Variables: unexpected response: variables\.0"):
            graphql(client, READ, {}, Variables)
        vendor.answer = said({"data": None})
        with pytest.raises(errors.BadResponse):
            graphql(client, READ, {}, Variables)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (error("no", "UNAUTHENTICATED"), errors.Unauthorized),
        (error("no", "FORBIDDEN"), errors.Forbidden),
        (error("no", "NOT_FOUND"), errors.NotFound),
        (error("no", "RATE_LIMITED"), errors.RateLimited),
        (error("no", "TAKEN"), errors.Conflict),
        (error("Not Authorized to see it"), errors.Unauthorized),
        (error("no", "BAD_USER_INPUT"), errors.Rejected),
        (error("no"), errors.Rejected),
        (FAILED, errors.OutcomeUnknown),
        ({"errors": "odd"}, errors.Rejected),
        ({"errors": ["odd"]}, errors.Rejected),
        ({"errors": [{"message": "part"}], "data": {"variables": []}}, errors.Rejected),
    ],
)
def test_an_error_in_an_answer_of_200_has_its_class(vendor: Vendor, body: Any, expected: type[Exception]) -> None:
    found = GraphQLErrors(codes={"TAKEN": errors.Conflict}, texts={"^Not Authorized": errors.Unauthorized})
    vendor.answer = said(body)
    with opened(vendor, inspect=found) as client, pytest.raises(errors.IntegrationError) as caught:
        graphql(client, WRITE, {"input": {}}, Variables)
    assert type(caught.value) is expected
    assert len(vendor.asked) == 1


def test_a_read_is_tried_again_and_a_write_is_not(vendor: Vendor) -> None:
    vendor.answer = said(FAILED, {"data": {"variables": []}})
    with opened(vendor, inspect=GraphQLErrors()) as client:
        assert graphql(client, READ, {}, Variables).variables == []
        assert len(vendor.asked) == 2
        vendor.asked.clear()
        with pytest.raises(errors.OutcomeUnknown):
            graphql(client, WRITE, {}, Variables)
    assert len(vendor.asked) == 1


def test_a_token_that_an_answer_of_200_refuses_is_renewed(vendor: Vendor) -> None:
    def answer(handler: BaseHTTPRequestHandler, count: int) -> None:
        good = {"data": {"variables": ["A"]}}
        said(good if handler.headers["authorization"] == "new" else error("no", "UNAUTHENTICATED"))(handler, count)

    vendor.answer = answer
    with (
        opened(vendor, inspect=GraphQLErrors()) as client,
        ApiClient("Vendor", vendor.url, headers={"Authorization": "new"}) as other,
    ):
        client.signs_in(lambda refused: other if refused else None)
        assert graphql(client, READ, {}, Variables).variables == ["A"]


def test_messages_name_the_operation_and_hide_the_variables(vendor: Vendor) -> None:
    vendor.answer = said(error("KEY_A: canary-value is bad for SetVariable", "BAD_USER_INPUT"))
    variables = {"input": {"name": "KEY_A", "value": "canary-value"}}
    with opened(vendor, inspect=GraphQLErrors()) as client, pytest.raises(errors.Rejected) as caught:
        graphql(client, WRITE, variables, Variables, visible=["KEY_A"])
    expected = "Vendor: mutation SetVariable answered 200 with an error: KEY_A: [redacted] is bad for SetVariable"
    assert str(caught.value) == expected


def test_a_value_that_is_a_word_of_the_query_is_hidden_all_the_same(vendor: Vendor) -> None:
    vendor.answer = said(error("bad SetVariable"))
    with opened(vendor, inspect=GraphQLErrors()) as client, pytest.raises(errors.Rejected, match=r"bad \[redacted\]"):
        graphql(client, "mutation X { SetVariable }", {"value": "SetVariable"}, Variables)


def test_a_call_returns_its_result(vendor: Vendor) -> None:
    vendor.answer = said({"jsonrpc": "2.0", "result": ["1"], "id": 1})
    with opened(vendor, inspect=RpcErrors()) as client:
        assert rpc(client, "usermacro.create", [{"macro": "A"}], list[str], path="/api") == ["1"]
        assert json.loads(vendor.body)["params"] == [{"macro": "A"}]
        for other in ({"result": ["1"], "id": 2}, {"id": 1}):
            vendor.answer = said(other)
            with pytest.raises(errors.BadResponse, match=r"usermacro\.get: unexpected response: not the result"):
                rpc(client, "usermacro.get", {}, list[str], path="/api", read=True)
        vendor.answer = said({"result": 5, "id": 1})
        with pytest.raises(errors.BadResponse):
            rpc(client, "usermacro.get", {}, list[str], path="/api", read=True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"code": -32602, "message": "Invalid params.", "data": "Session terminated, re-login."}, errors.Unauthorized),
        ({"code": -32602, "message": "Invalid params.", "data": "canary-value is bad"}, errors.Rejected),
        ({"code": -32603, "message": "no"}, errors.OutcomeUnknown),
        ("odd", errors.Rejected),
    ],
)
def test_an_error_of_a_call_has_its_class(vendor: Vendor, found: Any, expected: type[Exception]) -> None:
    vendor.answer = said({"jsonrpc": "2.0", "error": found, "id": 1})
    inspect = RpcErrors({-32603: 500}, {"re-login": errors.Unauthorized})
    with opened(vendor, inspect=inspect) as client, pytest.raises(errors.IntegrationError) as caught:
        rpc(client, "usermacro.create", {"value": "canary-value"}, list[str], path="/api")
    assert type(caught.value) is expected
    assert str(caught.value).startswith("Vendor: usermacro.create answered 200 with an error")
    assert "canary" not in str(caught.value)
