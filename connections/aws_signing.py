"""Signs requests to AWS (Signature Version 4), with botocore.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import httpx

SCOPE = "X-Signed-For"


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


class Unsigned(httpx.Auth):
    """Sends a request without a signature, as the sign-in with a token needs it."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        del request.headers[SCOPE]
        yield request


def botocore() -> Any:
    """The package with the parts that are used here.

    Imported on first use because only AWS needs it, and it takes longer to import than most of Keyferry.
    """
    for part in ("auth", "awsrequest", "credentials", "loaders", "model", "parsers", "session"):
        importlib.import_module(f"botocore.{part}")
    logging.getLogger("botocore").setLevel(logging.INFO)  # at DEBUG it logs what it signs and parses, keys included
    return importlib.import_module("botocore")
