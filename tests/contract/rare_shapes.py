"""Destinations without a vendor for the shapes that few vendors have, held to the same laws.

`SealedDocument` does not return the values of its document, `Replaces` changes no value of a key, `DotenvFile` is a
text with lines of others, and `Unlisted` cannot say which keys it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connections.http.client import quote
from connections.http.pages import Token
from connections.http.responses import Response, Text
from syncs.destination.capabilities import Capabilities
from syncs.destination.document import DocumentDestination
from syncs.destination.dotenv_text import NAME, edit_dotenv, read_dotenv
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.write import Document, Sealed
from syncs.engine.types import Remote, Write
from tests.destinations.serving import Answer, Ask, Served

from . import bases, shapes
from .shapes import FakeShelf, Item, item_of


class Sealing(Response):
    changed: Text


class SealedVersion(Response):
    version: Text
    entries: dict[str, Sealing]


class SealedDocument(DocumentDestination):
    """What is there is written back by its time, a new value by itself."""

    slug = "sealed-document"
    label = "Sealed document"
    provider = "bases"
    Config = bases.Target
    config: bases.Target
    capabilities = Capabilities(has_object_ids=False, holds_comments=False)

    def read(self) -> Document:
        return self.document(self.client.get("/document", SealedVersion))

    def write(self, before: Document, entries: Mapping[str, Any]) -> Document:
        sent = {name: value.raw if isinstance(value, Sealed) else {"value": value} for name, value in entries.items()}
        return self.document(
            self.client.post("/document", SealedVersion, json={"entries": sent, "version": before.version})
        )

    def document(self, found: SealedVersion) -> Document:
        sealed = {name: Sealed(each.changed, {"keep": each.changed}) for name, each in found.entries.items()}
        return Document(sealed, version=found.version)


class FakeSealed(FakeShelf):
    credentials = {"account": "someone", "token": "contract-token-5"}
    version = 0

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "POST")

    def holds_document(self, config: Mapping[str, Any]) -> bool:
        return True

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        shelf = self.shelf("")
        if ask.method == "GET":
            return self.document()
        if ask.body["version"] != str(self.version):
            return Answer(409)
        self.version += 1
        entries = ask.body["entries"]
        for name in shelf.values().keys() - entries.keys():
            shelf.drop(name)
        for name, entry in entries.items():
            if "value" in entry:
                shelf.put(name, entry["value"])
            elif (kept := shelf.get(name)) is None or kept.updated != entry["keep"]:
                return Answer(500)
        return self.document()

    def document(self) -> Answer:
        entries = {kept.name: {"changed": kept.updated} for kept in self.shelf("").page(0, 0)}
        return Answer(200, {"version": str(self.version), "entries": entries})

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self.version += 1
        super().put(config, key, value)

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        self.version += 1
        super().drop(config, key)

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 1


class Replaces(KeyValueDestination):
    """A replaced key is another object, so the id is no object id: it moves with each write, as an etag does."""

    slug = "replaces"
    label = "Replaces"
    provider = "bases"
    Config = bases.Target
    Item = Item
    config: bases.Target
    capabilities = Capabilities(has_object_ids=False, holds_comments=False, updates="replace")

    def items(self) -> Iterable[Item]:
        return self.client.read_list("/keys", Item, Token("after", "next"), member="keys")

    def remote(self, item: Item) -> Remote:
        return Remote(item.name, etag=item.id, ref=item.id)

    def create(self, write: Write) -> Any:
        return self.client.request("POST", "/keys", json={"name": write.key, "value": write.value})

    def delete(self, write: Write) -> None:
        assert write.remote
        self.client.request("DELETE", f"/keys/{quote(write.remote.ref)}")


class FakeReplaces(FakeShelf):
    writes_an_update = 2

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "POST", "DELETE")

    def changed(self, ask: Ask) -> Answer:
        shelf = self.shelf("")
        if ask.method == "POST":
            made = shelf.make(ask.body["name"], ask.body["value"])
            return Answer(201, item_of(made)) if made else Answer(409)
        kept = shelf.by_id(ask.parts[1])
        return Answer(204 if kept and shelf.drop(kept.name) else 404)

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self.shelf("").drop(key)
        super().put(config, key, value)


class File(Response):
    text: str


class DotenvFile(DocumentDestination):
    slug = "dotenv-file"
    label = "Dotenv file"
    provider = "bases"
    Config = bases.Target
    config: bases.Target
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        has_etag=False,
        has_object_ids=False,
        holds_comments=False,
        key_pattern=NAME,
        key_rule="letters, digits, underscores, dots and dashes, no digit first,",
    )

    def read(self) -> Document:
        text = self.client.get("/file", File).text
        return Document(read_dotenv(text), ref=text)

    def write(self, before: Document, entries: Mapping[str, Any]) -> None:
        sets = {name: value for name, value in entries.items() if before.entries.get(name) != value}
        text = edit_dotenv(before.ref, sets, before.entries.keys() - entries.keys())
        self.client.request("PUT", "/file", json={"text": text})


class FakeDotenv(Served):
    method = "token"
    credentials = {"account": "someone", "token": "contract-token-6"}
    configs = {"any": {"location": "here"}}
    bad_key = "1ST"

    def __init__(self) -> None:
        super().__init__()
        self.text = "# lines of others\r\n\r\nnot an assignment\n"

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "PUT")

    def holds_document(self, config: Mapping[str, Any]) -> bool:
        return True

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        if ask.method == "PUT":
            self.text = ask.body["text"]
        return Answer(200, {"text": self.text})

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        assert "not an assignment\n" in self.text
        assert self.text.startswith("# lines of others\r\n\r\n")
        return read_dotenv(self.text)

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self.text = edit_dotenv(self.text, {key: value})

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        self.text = edit_dotenv(self.text, {}, [key])

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 2


class Unlisted(KeyValueDestination):
    """It creates only what does not exist, and says nothing of what does."""

    slug = "unlisted"
    label = "Unlisted"
    provider = "bases"
    Config = bases.Target
    config: bases.Target
    capabilities = Capabilities(lists=False, has_etag=False, has_object_ids=False, holds_comments=False)

    def create(self, write: Write) -> None:
        self.client.request("POST", "/keys", json={"name": write.key, "value": write.value})

    def update(self, write: Write) -> None:
        self.client.request("PUT", f"/keys/{quote(write.key)}", json={"value": write.value})

    def delete(self, write: Write) -> None:
        self.client.request("DELETE", f"/keys/{quote(write.key)}")


class FakeUnlisted(FakeShelf):
    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("POST", "PUT", "DELETE")

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        if ask.method == "GET":
            return Answer(200, {}) if ask.path == "/here" else Answer(405)
        shelf = self.shelf("")
        if ask.method == "POST":
            return Answer(201 if shelf.make(ask.body["name"], ask.body["value"]) else 409)
        name = ask.parts[1]
        if ask.method == "PUT":
            return Answer(204 if shelf.change(name, ask.body["value"]) else 404)
        return Answer(204 if shelf.drop(name) else 404)

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 0


FAKES: dict[str, type[Served]] = {
    **shapes.FAKES,
    "sealed-document": FakeSealed,
    "replaces": FakeReplaces,
    "dotenv-file": FakeDotenv,
    "unlisted": FakeUnlisted,
}
DESTINATIONS = {
    **shapes.DESTINATIONS,
    "sealed-document": SealedDocument,
    "replaces": Replaces,
    "dotenv-file": DotenvFile,
    "unlisted": Unlisted,
}
