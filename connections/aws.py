"""The client of AWS that all its services share: signed requests, error classes, pages.

Surprising facts: every call is a signed `POST /` to the service's address in a region, and a header names the
operation. An error has a name in the body or in a header; its status says little: throttling is a 400. Only STS answers
in XML.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import functools
import importlib
import logging
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from config import json_text

from .errors import (
    Conflict,
    Forbidden,
    IntegrationError,
    NotFound,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
)
from .http.client import ApiClient
from .http.pages import Pages, Token
from .http.pages import read as read_pages
from .http.responses import Response, Text, validate

T = TypeVar("T")

SCOPE = "X-Signed-For"
PAGES = Token("NextToken", at="NextToken", empty_pages=True)
TARGETS = {"secretsmanager": "secretsmanager", "ssm": "AmazonSSM", "kms": "TrentService"}


class Refused(Forbidden):
    """The login is good but lacks the right to this one thing."""


class WrongState(Rejected):
    """The thing is in a state that does not allow this, as a secret that is scheduled for deletion."""


class WrongParameter(Rejected):
    """A parameter is wrong now, as a version that is not the current one."""


_NAMES: dict[type[IntegrationError], str] = {
    RateLimited: "ThrottlingException Throttling ThrottledException TooManyRequestsException RequestLimitExceeded"
    " RequestThrottled RequestThrottledException",
    Unavailable: "TooManyUpdates PriorRequestNotComplete TransactionInProgressException RequestTimeoutException"
    " RequestTimeout IDPCommunicationError",
    NotFound: "ResourceNotFoundException ParameterNotFound InvalidResourceId",
    Conflict: "ResourceExistsException ParameterAlreadyExists",
    Refused: "AccessDeniedException AccessDenied NotAuthorized",
    Unauthorized: "UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch"
    " IncompleteSignature IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException"
    " ExpiredTokenException ExpiredToken RequestExpired OptInRequired RegionDisabledException InvalidIdentityToken"
    " IDPRejectedClaim",
    WrongState: "InvalidRequestException",
    WrongParameter: "InvalidParameterException",
}
_CLASSES = {name: found for found, names in _NAMES.items() for name in names.split()}


def classify(status: int, headers: httpx.Headers, data: Any) -> type[IntegrationError] | None:
    """By the name of the error, if it says more than the status.

    Source: "Common Errors" of each service's API reference.
    """
    name = str(data.get("__type") or "") if isinstance(data, Mapping) else ""
    return _CLASSES.get(_name_of(name or headers.get("x-amzn-errortype", "")))


def _name_of(error: str) -> str:
    """The name of an error without the namespace and the address that some services add."""
    return error.rpartition("#")[2].partition(":")[0]


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys to sign requests with. Temporary keys have a `token`; `account` is "" until it is known."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    account: str = ""


class SigV4(httpx.Auth):
    """Signature Version 4, computed by botocore.

    The header `SCOPE`, which is removed before the request is sent, holds the service and region to sign for.
    """

    requires_request_body = True

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        service, _, region = request.headers.pop(SCOPE).partition("/")
        signer = botocore()
        keys = signer.credentials.Credentials(
            self._keys.access_key_id, self._keys.secret_access_key, self._keys.token or None
        )
        kept = {name: request.headers[name] for name in ("content-type", "x-amz-target") if name in request.headers}
        unsigned = signer.awsrequest.AWSRequest(request.method, str(request.url), kept, request.content)
        signer.auth.SigV4Auth(keys, service, region).add_auth(unsigned)
        request.headers.update(dict(unsigned.headers))
        yield request


def botocore() -> Any:
    """The package with the parts that are used here.

    Imported on first use because only AWS needs it, and it takes longer to import than most of Keyferry.
    """
    for part in ("auth", "awsrequest", "credentials", "loaders", "model", "parsers", "session"):
        importlib.import_module(f"botocore.{part}")
    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs what it signs and parses, keys included
    return importlib.import_module("botocore")


class Identity(Response):
    """Source: STS, "GetCallerIdentity"."""

    Account: Text
    Arn: str = ""


class AwsClient(ApiClient):
    """A client of all services of one account."""

    def __init__(self, keys: Keys, sts: str, *, one_address: bool = False, **arguments: Any) -> None:
        """`sts` is the address of STS, with `one_address` of all services; `arguments` are those of `ApiClient`."""
        self._one_address = one_address
        self._account = keys.account
        self._sts_scope = f"sts/{region_of(sts)}"
        secrets = (keys.secret_access_key, keys.token)
        super().__init__("AWS", sts, auth=SigV4(keys), secrets=secrets, classify=classify, parse=_parsed, **arguments)

    @property
    def account(self) -> str:
        """Its number, which is part of locations; requested if it is unknown. Raises IntegrationError."""
        if not self._account:
            self._signed_in()
        if not self._account:
            self._account = self.identity().Account
        return self._account

    def _use_login_of(self, other: ApiClient | None) -> None:
        super()._use_login_of(other)
        if isinstance(other, AwsClient) and other._account:
            self._account = other._account

    def identity(self) -> Identity:
        """Whom the keys belong to. Needs no permission. Raises IntegrationError."""
        return self.call_sts("GetCallerIdentity", Identity)

    def call_sts(self, action: str, kind: type[T], **parameters: str) -> T:
        """The response to one operation of STS as `kind`. All that are used change nothing."""
        form = {"Action": action, "Version": "2011-06-15", **parameters}
        headers = {SCOPE: self._sts_scope}
        data = self.request("POST", "/", form=form, headers=headers, read=True, label=action)
        return validate(kind, data, f"{self.service}: {action}")

    def address(self, service: str, region: str) -> str:
        return self.base_url if self._one_address else f"https://{service}.{region}.amazonaws.com"

    def call(
        self,
        service: str,
        region: str,
        operation: str,
        body: Mapping[str, Any],
        kind: type[T],
        *,
        about: str = "",
        read: bool = False,
        hidden: Iterable[str] = (),
    ) -> T:
        """The response to one operation of a service with a JSON API as `kind`. `about` is what messages name."""
        data, label = self._call(service, region, operation, body, about=about, read=read, hidden=hidden)
        return validate(kind, data, f"{self.service}: {label}")

    def pages(
        self,
        service: str,
        region: str,
        operation: str,
        body: Mapping[str, Any],
        member: str,
        kind: type[T],
        style: Pages = PAGES,
    ) -> list[T]:
        """The items of all pages of a list as `kind`; an empty page need not be the last one."""

        def send(more: Mapping[str, str]) -> tuple[Any, httpx.Headers]:
            return self._call(service, region, operation, {**body, **more}, read=True)[0], httpx.Headers()

        return read_pages(send, kind, style, f"{self.service}: {operation}", at=member)

    def _call(
        self,
        service: str,
        region: str,
        operation: str,
        body: Mapping[str, Any],
        *,
        about: str = "",
        read: bool = False,
        hidden: Iterable[str] = (),
    ) -> tuple[Any, str]:
        """The response, and what messages call the request."""
        headers = {
            "X-Amz-Target": f"{TARGETS[service]}.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            SCOPE: f"{service}/{region}",
        }
        label, address = f"{operation} {about}".rstrip(), self.address(service, region)
        data = self.request(
            *("POST", "/"),
            json=body,
            headers=headers,
            read=read,
            label=label,
            base_url=address,
            visible=[about],
            hidden=hidden,
        )
        return data, label


def region_of(sts: str) -> str:
    """The region to sign a request to this address for; the global address belongs to us-east-1."""
    found = re.search(r"[/.]sts(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws|api)\.", sts)
    return found[1] if found else "us-east-1"


def _parsed(body: bytes) -> Any:
    """JSON, or the XML of STS parsed by botocore, with the member names of the other services in errors."""
    if not body.lstrip().startswith(b"<"):
        return _with_name(json_text.read(body))
    sdk, (model, parser) = botocore(), _sts()
    root = re.match(rb"\s*(?:<\?xml[^>]*>\s*)?<(\w+)Response\b", body)
    operation = root[1].decode() if root else ""
    response: dict[str, Any] = {"status_code": 400 if operation == "Error" else 200, "headers": {}, "body": body}
    try:
        if operation == "Error":
            error = parser.parse(response, None)["Error"]
            return _with_name({"__type": error.get("Code"), "message": error.get("Message")})
        return parser.parse(response, model.operation_model(operation).output_shape)
    except (sdk.parsers.ResponseParserError, sdk.model.OperationNotFoundError, LookupError):
        raise ValueError("not a response of STS") from None


def _with_name(data: Any) -> Any:
    """An error with its name before the vendor's message, so that messages quote both."""
    if not isinstance(data, dict) or not isinstance(data.get("__type"), str):
        return data
    words = data.get("message") or data.get("Message") or ""
    return {**data, "message": f"{_name_of(data['__type'])}: {words}".removesuffix(": ")}


@functools.cache
def _sts() -> tuple[Any, Any]:
    """The description of STS that botocore brings, and the parser of its protocol."""
    sdk = botocore()
    model = sdk.model.ServiceModel(sdk.loaders.Loader().load_service_model("sts", "service-2"))
    return model, sdk.parsers.create_parser(model.metadata["protocol"])


def aws_of(client: ApiClient) -> AwsClient:
    """The client by its type. A destination of AWS is always opened with an `AwsClient`."""
    assert isinstance(client, AwsClient)
    return client
