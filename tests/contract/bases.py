"""Destinations without a vendor: the base classes of real ones, held to the same laws.

`Batches` takes ten keys per request, has neither object ids nor etags, folds names and reserves some.
`Checked` and `Unchecked` are documents, with and without check-and-set.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import SecretStr

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Flag, Items, Secret, Text
from connections.errors import BadResponse
from connections.http.client import ApiClient
from connections.provider import Provider, Rights, Session
from syncs.destination.capabilities import Capabilities
from syncs.destination.document import DocumentDestination
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import SyncOptions
from syncs.destination.write import Document
from syncs.engine.types import Action, Outcome, Remote, Write, Written
from tests.destinations.serving import Answer, Ask, Served

Texts = list[Annotated[str, Text()]] | None


class Target(Model):
    location: Annotated[str, Text("Location", location=True)]
    more: Annotated[Texts, Items()] = None


class BatchOptions(SyncOptions):
    tags: Annotated[Texts, Items()] = None


class BatchPolicy(Model):
    label: Annotated[str, Text("Label", "Sent with each write.", min_length=0, max_length=10)] = ""
    strict: Annotated[bool | None, Flag("Strict", "Refuses more.")] = None


class Token(Model):
    account: Annotated[str, Text("Account")]
    token: Annotated[SecretStr, Secret("Token")]


class Bases(Provider):
    slug = "bases"
    label = "Bases"
    base_url = "https://bases.invalid"
    methods = {"token": Token}

    def client(self, method: str, credentials: Token, session: Session | None = None) -> ApiClient:
        token = credentials.token.get_secret_value()
        return self.open(headers={"Authorization": token}, secrets=[token])

    def check(self, client: ApiClient) -> Rights:
        client.request("GET", "/here")
        return Rights()


class Batches(KeyValueDestination):
    slug = "batches"
    label = "Batches"
    provider = "bases"
    Config = Target
    Options = BatchOptions
    Policy = BatchPolicy
    after_writes = ("deploy",)
    config: Target
    policy: BatchPolicy
    capabilities = Capabilities(
        has_etag=False,
        has_object_ids=False,
        takes_empty=False,
        holds_comments=False,
        key_pattern="[A-Za-z0-9_]+",
        key_rule="letters, digits and underscores",
        reserved=("OWN_*",),
        max_key_length=100,
        max_keys=600,
    )
    batch = {Action.CREATE: 10, Action.UPDATE: 10}

    @classmethod
    def normalize_key(cls, key: str) -> str:
        return key.upper()

    def fetch(self) -> Iterable[Remote]:
        listed = self.client.request("GET", "/keys")
        if not isinstance(listed, list):
            raise BadResponse("Batches: no list")
        return [Remote(key) for key in listed]

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        self.client.request("POST", "/keys", json={write.key: write.value for write in writes})
        return [Outcome(write) for write in writes]

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        self.client.request("PATCH", "/keys", json={write.key: write.value for write in writes})
        return [Outcome(write) for write in writes]

    def write_fingerprint(self) -> str:
        return self.policy.label

    @classmethod
    def check_together(cls, config: Target, options: BatchOptions, policy: BatchPolicy, after_writes: str) -> None:
        if policy.strict and options.tags == ["loose"]:
            raise BadRequest("policy.destination.strict: it does not go with the tag loose")
        if after_writes == "deploy" and config.location == "undeployed":
            raise BadRequest("nothing is deployed at undeployed: switch the action off")

    def after(self, changed: Collection[str]) -> None:
        self.client.request("POST", "/deploys", json={"keys": sorted(changed)})

    def delete(self, write: Write) -> None:
        self.client.request("DELETE", f"/keys/{write.normalized_key}")

    def update(self, write: Write) -> Written:
        raise AssertionError("updates go in batches")


class FakeBatches(Served):
    method = "token"
    credentials = {"account": "someone", "token": "contract-token-1"}
    configs = {"any": {"location": "here", "more": ["a", "b"]}}
    options = {"tags": ["x"]}
    unsent_options = {"tags": "only checked: the vendor is made up"}
    bad_key = "OWN_KEY"

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.deployed: list[list[str]] = []

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        if ask.path == "/deploys":
            self.deployed.append(ask.body["keys"])
            return Answer(201)
        match ask.method:
            case "GET":
                return Answer(200, list(self.values))
            case "DELETE":
                gone = self.values.pop(ask.path.rpartition("/")[2], None)
                return Answer(204 if gone is not None else 404)
        given = {key.upper(): value for key, value in ask.body.items()}
        if ask.method == "POST" and given.keys() & self.values.keys():
            return Answer(409)
        if ask.method == "PATCH" and given.keys() - self.values.keys():
            return Answer(404)
        if len(given) > 10 or any(not value or "refused" in value for value in given.values()):
            return Answer(422, {"message": "one of them is bad"})
        self.values |= given
        return Answer(204)

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return dict(self.values)

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self.values[key] = value

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        del self.values[key]


class _Documents(DocumentDestination):
    provider = "bases"
    Config = Target
    config: Target
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        has_etag=False,
        has_object_ids=False,
        holds_comments=False,
        max_total_bytes=1_000_000,
    )

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document | None:
        body = {"entries": dict(entries), "version": before.version}
        answer = self.client.request("POST", "/document", json=body)
        return Document(entries, version=answer["version"]) if before.version is not None else None


class Checked(_Documents):
    slug = "checked"
    label = "Checked"

    def read(self) -> Document:
        answer = self.client.request("GET", "/document")
        if not isinstance(answer, dict) or not isinstance(answer.get("entries"), dict):
            raise BadResponse("Checked: no document")
        return Document(answer["entries"], version=str(answer["version"]))


class Unchecked(_Documents):
    slug = "unchecked"
    label = "Unchecked"

    def read(self) -> Document:
        answer = self.client.request("GET", "/document")
        if not isinstance(answer, dict) or not isinstance(answer.get("entries"), dict):
            raise BadResponse("Unchecked: no document")
        return Document(answer["entries"])


class FakeDocument(Served):
    method = "token"
    credentials = {"account": "someone", "token": "contract-token-2"}
    configs = {"any": {"location": "here"}}
    bad_key = ""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, Any] = {}
        self.version = itertools.count(1)
        self.now = "0"

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "POST")

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        if ask.method == "POST":
            if ask.body["version"] not in (None, self.now):
                return Answer(409)
            self.entries = ask.body["entries"]
            self.now = str(next(self.version))
        return Answer(200, {"entries": self.entries, "version": self.now})

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        return dict(self.entries)

    def put(self, config: Mapping[str, Any], key: str, value: Any) -> None:
        self.entries = {**self.entries, key: value}
        self.now = str(next(self.version))

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        self.entries = {name: value for name, value in self.entries.items() if name != key}
        self.now = str(next(self.version))


class FakeUnchecked(FakeDocument):
    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 2


FAKES: dict[str, type[Served]] = {"batches": FakeBatches, "checked": FakeDocument, "unchecked": FakeUnchecked}
DESTINATIONS = {"batches": Batches, "checked": Checked, "unchecked": Unchecked}
