"""The client of AWS that all its services share: signed requests, error classes, pages.

Surprising facts: every call is a signed `POST /` to the service's address in a region, and a header names the
operation. An error has a name in the body or in a header; its status says little: throttling is a 400. Only STS answers
in XML.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import httpx

from config import json_text

from .aws_regions import is_of_aws, partition_of
from .aws_signing import SCOPE, Keys, SigV4, Unsigned, botocore
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

PAGES = Token("NextToken", at="NextToken", empty_pages=True)
TARGETS = {"secretsmanager": "secretsmanager", "ssm": "AmazonSSM", "kms": "TrentService"}


class WrongState(Rejected):
    """The thing is in a state that does not allow this, as a secret that is scheduled for deletion."""


class WrongParameter(Rejected):
    """A parameter is wrong now, as a version that is not the current one."""


class WrongKey(Rejected):
    """The KMS key of this one thing does not exist, is disabled, or is scheduled for deletion."""


_NAMES: dict[type[IntegrationError], str] = {
    RateLimited: "ThrottlingException Throttling ThrottledException TooManyRequestsException RequestLimitExceeded"
    " RequestThrottled RequestThrottledException",
    Unavailable: "TooManyUpdates PriorRequestNotComplete TransactionInProgressException RequestTimeoutException"
    " RequestTimeout IDPCommunicationError",
    NotFound: "ResourceNotFoundException ParameterNotFound InvalidResourceId",
    Conflict: "ResourceExistsException ParameterAlreadyExists",
    Forbidden: "AccessDeniedException AccessDenied NotAuthorized OptInRequired RegionDisabledException",
    Unauthorized: "UnrecognizedClientException InvalidClientTokenId InvalidSignatureException SignatureDoesNotMatch"
    " IncompleteSignature IncompleteSignatureException MissingAuthenticationToken MissingAuthenticationTokenException"
    " ExpiredTokenException ExpiredToken RequestExpired InvalidIdentityToken IDPRejectedClaim",
    WrongState: "InvalidRequestException",
    WrongKey: "InvalidKeyId DecryptionFailure EncryptionFailure",
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


class Identity(Response):
    """Source: STS, "GetCallerIdentity"."""

    Account: Text
    Arn: str = ""


class AwsClient(ApiClient):
    """A client of all services of one account."""

    def __init__(
        self, keys: Keys, sts: str, *, one_address: bool = False, endpoint: str = "", **arguments: Any
    ) -> None:
        """`sts` is the address of STS, with `one_address` of all services; `arguments` are those of `ApiClient`.

        `endpoint` is that of the other services, where they are not called at AWS's usual addresses.
        """
        self._one_address, self._endpoint = one_address, endpoint.rstrip("/")
        self._account = keys.account
        self._sts_scope = f"sts/{region_of(sts)}"
        secrets = (keys.secret_access_key, keys.token)
        super().__init__(
            "AWS",
            sts,
            auth=SigV4(keys) if keys.access_key_id else Unsigned(),
            secrets=secrets,
            classify=classify,
            parse=_parsed,
            **arguments,
        )

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
        """Where requests to a service are sent."""
        if self._one_address:
            return self.base_url
        given = self._endpoint.replace("{service}", service).replace("{region}", region)
        return given or f"https://{service}.{region}.{partition_of(region).suffix}"

    def place(self, service: str, region: str) -> str:
        """The address of a service as locations have it: the usual one, by whichever endpoint of AWS it is called."""
        address = self.address(service, region)
        own = is_of_aws(address) and not self._one_address
        return f"https://{service}.{region}.{partition_of(region).suffix}" if own else address

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
        about: str = "",
    ) -> list[T]:
        """The items of all pages of a list as `kind`; an empty page need not be the last one."""

        def send(more: Mapping[str, str]) -> tuple[Any, httpx.Headers]:
            sent = {**body, **more}
            return self._call(service, region, operation, sent, about=about, read=True)[0], httpx.Headers()

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
    found = re.search(r"[/.]sts(?:-fips)?\.([a-z]+(?:-[a-z]+)+-[0-9]+)\.", sts)
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
