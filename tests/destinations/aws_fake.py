"""AWS on loopback: moto's server, with AWS's own rules where moto is laxer, and with faults.

Both AWS destinations are tested against it. Every request of AWS is `POST /`, so it is named by its operation and
counted by its effect: reading is GET, creating POST, changing PUT, adding tags PATCH, deleting DELETE.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import EnvironBuilder, run_wsgi_app

from .serving import Answer, Ask, Served

REGION = "eu-west-1"
TARGETS = {"secretsmanager": "secretsmanager", "ssm": "AmazonSSM", "kms": "TrentService"}
KINDS = {
    "CreateSecret": "POST",
    "UpdateSecret": "PUT",
    "RestoreSecret": "PUT",
    "UpdateSecretVersionStage": "PUT",
    "PutSecretValue": "PUT",
    "TagResource": "PATCH",
    "AddTagsToResource": "PATCH",
    "DeleteSecret": "DELETE",
    "DeleteParameters": "DELETE",
}
_moto = DomainDispatcherApplication(create_backend_app)  # it holds its state for the whole process

Change = Callable[[str, Mapping[str, Any], dict[str, Any]], None]

SECRETS = "secretsmanager"
ON_LIVE = ("PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "TagResource", "UntagResource")
"""What AWS refuses on a secret that is scheduled for deletion."""
PAGED = ("ListSecrets", "DescribeParameters", "GetParametersByPath")


class AwsFake(Served):
    """`keys` are the access keys that requests came with. `change` may change what AWS answers to an operation."""

    method = "access-key"
    credentials = {"accessKeyId": "AKIAFAKEFAKEFAKEFAKE", "secretAccessKey": "contract/secret+key"}
    other_options = {
        "keyId": "alias/other",
        "tags": [{"key": "team", "value": "boats"}],
        "syncSecretMetadataAsTags": True,
    }
    metadata_options = ("syncSecretMetadataAsTags",)
    bad_key = "BAD KEY"

    def __init__(self) -> None:
        super().__init__()
        self.keys: set[str] = set()
        self.change: Change | None = None
        self._page: int | None = None

    def limit_pages(self, size: int) -> None:
        self._page = size

    @contextmanager
    def running(self) -> Iterator[str]:
        for service in ("secretsmanager", "ssm", "sts", "kms"):
            get_backend(service).reset()  # type: ignore[call-overload]
        with super().running() as url:
            yield url

    def serve(self, ask: Ask) -> Answer:
        target = ask.headers.get("x-amz-target", "")
        operation = target.rpartition(".")[2] or str((ask.body or {}).get("Action"))
        kind = KINDS.get(operation, "GET")
        if operation == "PutParameter":
            kind = "PUT" if ask.body.get("Overwrite") else "POST"
        return super().serve(replace(ask, method=kind, path=operation))

    def answer(self, ask: Ask) -> Answer:
        if ask.path == "AssumeRoleWithWebIdentity":
            sent = urlencode(ask.body).encode()
            return Answer(*_ask_moto("sts", REGION, sent, "application/x-www-form-urlencoded"))
        key, _, region, service, _ = ask.headers["authorization"].partition("Credential=")[2].split(",")[0].split("/")
        self.keys.add(key)
        if service == "sts":
            status, data = _ask_moto(service, region, urlencode(ask.body).encode(), "application/x-www-form-urlencoded")
            return Answer(status, data)
        assert ask.headers["content-type"] == "application/x-amz-json-1.1"
        paged = {"MaxResults": self._page} if self._page and ask.path in PAGED else {}
        answer = _told(service, region, ask.path, {**ask.body, **paged})
        if self.change and answer.status == 200:
            self.change(ask.path, ask.body, answer.body)
        return answer

    def refuse(self, operation: str, code: str, message: str = "no", times: int = 10**6) -> None:
        """An error as AWS words it: 400 with its name in the body."""
        left = iter(range(times))

        def fault(ask: Ask) -> Answer | None:
            return _error(code, message) if ask.path == operation and next(left, None) is not None else None

        self.fault = fault

    def answer_with(self, status: int, body: Any) -> None:
        self.fault = lambda ask: Answer(status, body)

    def by_hand(self, service: str, operation: str, *, region: str = REGION, **sent: Any) -> Any:
        """As somebody else would, straight to AWS; not among what was asked."""
        answer = _told(service, region, operation, sent)
        assert answer.status == 200, answer.body
        return answer.body


def _told(service: str, region: str, operation: str, sent: Mapping[str, Any]) -> Answer:
    if service == "secretsmanager" and (refused := _of_secrets(region, operation, sent)):
        return refused
    if service == "ssm" and (refused := _of_parameters(operation, sent)):
        return refused
    answer = _asked(service, region, operation, sent)
    if operation == "UpdateSecretVersionStage" and answer.status == 200:
        _make_current(region, sent)
    return answer


def _make_current(region: str, sent: Mapping[str, Any]) -> None:
    """Moto keeps the version before as the current one."""
    backend = get_backend("secretsmanager")["123456789012"][region]
    secret = backend.secrets[sent["SecretId"]]
    secret.default_version_id = sent["MoveToVersionId"]


def _asked(service: str, region: str, operation: str, sent: Mapping[str, Any]) -> Answer:
    target = f"{TARGETS[service]}.{operation}"
    status, data = _ask_moto(service, region, json.dumps(sent).encode(), "application/x-amz-json-1.1", target)
    # AWS refuses with 400 whatever is wrong, moto at times with 404.
    return Answer(400 if 400 <= status < 500 else status, json.loads(data) if data.strip() else {})


def _ask_moto(service: str, region: str, data: bytes, content_type: str, target: str = "") -> tuple[int, bytes]:
    scope = f"AKIDEXAMPLE/20260101/{region}/{service}/aws4_request"
    headers = {
        "content-type": content_type,
        "host": f"{service}.{region}.amazonaws.com",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        **({"x-amz-target": target} if target else {}),
    }
    environ = EnvironBuilder(method="POST", path="/", headers=headers, data=data).get_environ()
    parts, status, _ = run_wsgi_app(_moto, environ)
    return int(status.split()[0]), b"".join(parts)


def _of_secrets(region: str, operation: str, sent: Mapping[str, Any]) -> Answer | None:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
    if "SecretString" in sent and not 1 <= len(sent["SecretString"].encode()) <= 65536:
        return _error("ValidationException", "'secretString' failed to satisfy constraint: 1 to 65536 long")
    if operation in ON_LIVE and _is_scheduled(region, sent["SecretId"]):
        message = "You can't perform this operation on the secret because it was marked for deletion."
        return _error("InvalidRequestException", message)
    if operation != "CreateSecret":
        return None
    if not re.fullmatch(r"[A-Za-z0-9/_+=.@-]{1,512}", sent["Name"]):
        return _error("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters")
    if _is_scheduled(region, sent["Name"]):
        message = "You can't create this secret because a secret with this name is already scheduled for deletion."
        return _error("InvalidRequestException", message)
    return None


def _is_scheduled(region: str, secret: str) -> bool:
    """For deletion. From moto's state: a request to moto takes as long as all that a request of ours does besides."""
    held = get_backend("secretsmanager")["123456789012"][region].secrets.get(secret)
    return held is not None and held.is_deleted()


def _of_parameters(operation: str, sent: Mapping[str, Any]) -> Answer | None:
    """https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html"""
    if operation != "PutParameter":
        return None
    name = sent["Name"]
    if not re.fullmatch(r"[A-Za-z0-9_./-]+", name) or ("/" in name and name[0] != "/"):
        return _error("ValidationException", "Parameter name: can be formed as a mix of letters, numbers and .-_")
    if name.count("/") > 15:
        return _error("HierarchyLevelLimitExceededException", "A parameter hierarchy has at most 15 levels")
    if re.search(r"\{\{.*\}\}", sent["Value"]):
        return _error("ValidationException", 'Parameter value can\'t nest another parameter. Do not use "{{}}".')
    most = 8192 if sent.get("Tier") in ("Advanced", "Intelligent-Tiering") else 4096
    if len(sent["Value"].encode()) > most:
        return _error("ValidationException", f"Parameters of this tier support a maximum of {most} characters.")
    return None


def _error(code: str, message: str) -> Answer:
    return Answer(400, {"__type": code, "Message": message})
