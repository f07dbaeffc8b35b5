"""Requests of APIs that have one address and report errors inside a response of 200: GraphQL and JSON-RPC.

A client of one has `inspect=GraphQLErrors(...)` or `inspect=RpcErrors(...)`: the error classes by the vendor's codes.
Such an error then is as any other: a read is tried again, a bad token renewed, and the message quotes and redacts it.
Sources: https://spec.graphql.org/October2021/#sec-Errors, https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from connections.errors import BadResponse, Forbidden, NotFound, RateLimited, Rejected, Unauthorized

from .client import ApiClient, Classified
from .failures import texts_of
from .responses import validate

T = TypeVar("T")

COMMON: Mapping[str, Classified] = {
    "UNAUTHENTICATED": Unauthorized,
    "UNAUTHORIZED": Unauthorized,
    "FORBIDDEN": Forbidden,
    "NOT_FOUND": NotFound,
    "TOO_MANY_REQUESTS": RateLimited,
    "RATE_LIMITED": RateLimited,
    "INTERNAL_SERVER_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}
"""Codes that many GraphQL servers share, in `extensions.code`; what has another code is `Rejected`."""


@dataclass(frozen=True, slots=True)
class GraphQLErrors:
    """`codes` are the vendor's own, `texts` patterns of messages for vendors without codes; both before `COMMON`.

    A response with errors is never a good one, even if it has data: a part of a list must not pass for the list.
    """

    codes: Mapping[str, Classified] = field(default_factory=dict)
    texts: Mapping[str, Classified] = field(default_factory=dict)

    def __call__(self, status: int, headers: httpx.Headers, data: Any) -> Classified:
        errors = data.get("errors") if isinstance(data, Mapping) else None
        if not errors:
            return None
        first = errors[0] if isinstance(errors, list) and isinstance(errors[0], Mapping) else {}
        more = first.get("extensions")
        code = str(more.get("code") if isinstance(more, Mapping) else "")
        by_text = (found for text, found in self.texts.items() if re.search(text, str(first.get("message"))))
        return self.codes.get(code) or next(by_text, None) or COMMON.get(code) or Rejected


@dataclass(frozen=True, slots=True)
class RpcErrors:
    """`codes` by the error's number, `texts` by patterns of its message and data; what has neither is `Rejected`."""

    codes: Mapping[int, Classified] = field(default_factory=dict)
    texts: Mapping[str, Classified] = field(default_factory=dict)

    def __call__(self, status: int, headers: httpx.Headers, data: Any) -> Classified:
        error = data.get("error") if isinstance(data, Mapping) else None
        if error is None:
            return None
        error = error if isinstance(error, Mapping) else {}
        text = f"{error.get('message')} {error.get('data')}"
        by_text = (found for pattern, found in self.texts.items() if re.search(pattern, text))
        return next(by_text, None) or self.codes.get(error.get("code", 0)) or Rejected


def graphql(
    client: ApiClient,
    query: str,
    variables: Mapping[str, Any],
    kind: type[T],
    *,
    path: str = "/graphql",
    visible: Iterable[str] = (),
) -> T:
    """The `data` of the response as `kind`. Variables are redacted in messages, except those in `visible`.

    Messages call it by the operation's name. A query is a read, a mutation is not. Raises IntegrationError.
    """
    operation, name = _operation(query)
    label = f"{operation} {name}".rstrip()
    body = {"query": query, "variables": dict(variables)}
    shown = {*texts_of(query), *visible} - {*texts_of(dict(variables))} | {*visible}
    answer = client.post(path, dict[str, Any], json=body, read=operation == "query", visible=shown, label=label)
    return validate(kind, answer.get("data"), f"{client.service}: {label}")


def _operation(query: str) -> tuple[str, str]:
    found = re.match(r"\s*(query|mutation)\b\s*(\w*)", query)
    return (found[1], found[2]) if found else ("query", "")


def rpc(
    client: ApiClient,
    method: str,
    params: object,
    kind: type[T],
    *,
    path: str,
    read: bool = False,
    visible: Iterable[str] = (),
) -> T:
    """The `result` of one call of JSON-RPC 2.0 as `kind`. Parameters are redacted in messages, except `visible` ones.

    `read`: the method changes nothing. Raises IntegrationError; BadResponse for the response to another call.
    """
    body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    answer = client.post(path, dict[str, Any], json=body, read=read, visible=[method, *visible], label=method)
    if "result" not in answer or answer.get("id") != 1:
        raise BadResponse(f"{client.service}: {method}: unexpected response: not the result of this call")
    return validate(kind, answer["result"], f"{client.service}: {method}")
