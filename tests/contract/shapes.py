"""More destinations without a vendor, one for each further shape that the base has, held to the same laws.

`Upserts` has one request for create and update; `Patches` one for all writes and deletes of a run.
`Acme` is the example of the page on adding a destination.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from config.schemas import types as members
from config.schemas.model import Model
from connections.http.client import quote
from connections.http.pages import Token
from connections.http.responses import Response, Text
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.patch import PatchDestination
from syncs.destination.upsert import UpsertDestination
from syncs.engine.types import Remote, Write
from tests.destinations.serving import Answer, Ask
from tests.destinations.shelf import Kept, Shelved

from . import bases


class Item(Response):
    name: Text
    id: Text
    updated: Text


def item_of(kept: Kept) -> dict[str, Any]:
    return {"name": kept.name, "id": kept.id, "updated": kept.updated}


class Upserts(UpsertDestination):
    slug = "upserts"
    label = "Upserts"
    provider = "bases"
    Config = bases.Target
    Item = Item
    config: bases.Target
    capabilities = Capabilities(holds_comments=False)

    @classmethod
    def normalize_key(cls, key: str) -> str:
        return key.upper()

    def items(self) -> Iterable[Item]:
        return self.client.read_list("/keys", Item, Token("after", "next"), member="keys")

    def remote(self, item: Item) -> Remote:
        return Remote(item.name, object_id=item.id, etag=item.updated)

    def refuses(self, value: str) -> str:
        return "it has a placeholder {{...}}" if "{{" in value else ""

    def path(self, key: str) -> str:
        return f"/keys/{quote(key)}"

    def put(self, write: Write) -> Any:
        return self.client.request("PUT", self.path(write.key), json={"value": write.value})


class FakeShelf(Shelved):
    method = "token"
    credentials = {"account": "someone", "token": "contract-token-3"}
    configs = {"any": {"location": "here"}}
    bad_key = ""
    page_size = 100

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        if ask.method == "GET" and len(ask.parts) == 1:
            start = int(ask.query.get("after", 0))
            page = self.shelf("").page(start, self.page_size)
            more = len(self.shelf("").kept) > start + self.page_size
            after = start + self.page_size if more else None
            return Answer(200, {"keys": [item_of(kept) for kept in page], "next": after})
        return self.changed(ask)

    def changed(self, ask: Ask) -> Answer:
        raise NotImplementedError

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return -(-keys // self.page_size)


class FakeUpserts(FakeShelf):
    fold = staticmethod(str.upper)
    bad_value = "one {{placeholder}}"

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "PUT", "DELETE")

    def changed(self, ask: Ask) -> Answer:
        shelf, name = self.shelf(""), ask.parts[1]
        match ask.method:
            case "GET":
                kept = shelf.get(name)
                return Answer(200, item_of(kept)) if kept else Answer(404)
            case "DELETE":
                return Answer(204 if shelf.drop(name) else 404)
        if "{{" in ask.body["value"]:
            return Answer(422, {"message": "no placeholders"})
        shelf.put(name, ask.body["value"])
        return Answer(204)

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return super().reads(config, keys) + 2  # a look before the write, and one after it


class Patches(PatchDestination):
    slug = "patches"
    label = "Patches"
    provider = "bases"
    Config = bases.Target
    Item = Item
    config: bases.Target
    capabilities = Capabilities(holds_comments=False)
    size = 10

    def items(self) -> Iterable[Item]:
        return self.client.read_list("/keys", Item, Token("after", "next"), member="keys")

    def remote(self, item: Item) -> Remote:
        return Remote(item.name, object_id=item.id, etag=item.updated)

    def patch(self, sets: Sequence[Write], gone: Sequence[Write]) -> Mapping[str, Any]:
        changes = {write.key: write.value for write in sets} | {write.key: None for write in gone}
        answer = self.client.request("PATCH", "/keys", json=changes, visible=changes)
        return {item["name"]: item for item in answer}


class FakePatches(FakeShelf):
    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "PATCH")

    def changed(self, ask: Ask) -> Answer:
        shelf = self.shelf("")
        if len(ask.body) > Patches.size:
            return Answer(422, {"message": "too many"})
        for name, value in ask.body.items():
            if value is None:
                shelf.drop(name)
            else:
                shelf.put(name, value)
        return Answer(200, [item_of(kept) for name in ask.body if (kept := shelf.get(name))])

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return super().reads(config, keys) * 2


def acme() -> type[KeyValueDestination]:
    """The destination that the page on adding one shows, with the login of the others here."""
    page = Path(__file__).parents[2] / "templates" / "docs" / "adding-a-destination.md"
    (example,) = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    names = {each.__name__: each for each in (KeyValueDestination, Model, members.Text, quote, Remote)}
    scope: dict[str, Any] = {**names, "Annotated": Annotated, "Any": Any}
    exec(compile(example, "acme.py", "exec", dont_inherit=True), scope)
    found: type[KeyValueDestination] = scope["Acme"]
    found.provider = "bases"
    return found


class FakeAcme(FakeShelf):
    """Vaults with secrets, which have names that are unique in their vault, ids and etags."""

    configs = {"vault": {"vault": "main"}}
    page_size = 0

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "POST", "PUT", "DELETE")

    def target(self, config: Mapping[str, Any]) -> str:
        return str(config["vault"])

    def answer(self, ask: Ask) -> Answer:
        if ask.headers.get("authorization") != self.credentials["token"]:
            return Answer(403)
        if ask.path == "/here":
            return Answer(200, {})
        if ask.parts[0] == "vaults":
            shelf = self.shelf(ask.parts[1])
            if ask.method == "GET":
                return Answer(200, [self.described(kept) for kept in shelf.page(0, 0)])
            made = shelf.make(ask.body["name"], ask.body["value"])
            return Answer(201, self.described(made)) if made else Answer(409)
        shelf = self.shelf("main")
        kept = shelf.by_id(ask.parts[-1])
        if kept is None:
            return Answer(404)
        if ask.method == "DELETE":
            shelf.drop(kept.name)
            return Answer(204)
        return Answer(200, self.described(shelf.put(kept.name, ask.body["value"])))

    def described(self, kept: Kept) -> dict[str, Any]:
        return {"name": kept.name, "id": kept.id, "etag": kept.updated}

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 1


FAKES = {**bases.FAKES, "upserts": FakeUpserts, "patches": FakePatches, "acme": FakeAcme}
DESTINATIONS = {**bases.DESTINATIONS, "upserts": Upserts, "patches": Patches, "acme": acme()}
