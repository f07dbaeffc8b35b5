"""The options that every sync has, and those that a destination adds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import create_model

from config.errors import problem
from config.schemas.issues import refused
from config.schemas.json_schema import JsonSchema
from config.schemas.model import Model
from config.schemas.types import Flag, Text
from syncs.engine.key_schema import MAX_LENGTH, PATTERN, KeySchema, KeySchemaError


class NoPolicy(Model):
    """The `policy.destination` of a destination that declares no member of it."""


class PlainOptions(Model):
    """Options of a destination where keys keep their names."""

    initialSyncBehavior: str
    disableSecretDeletion: bool | None = None


class SyncOptions(Model):
    """Options of most destinations; one with options of its own extends this."""

    initialSyncBehavior: str
    keySchema: str | None = None
    disableSecretDeletion: bool | None = None


class _KeySchemaText(Text):
    """A key schema, checked before it is ever rendered."""

    def check(self, value: object) -> object:
        text = Text.check(self, value)
        try:
            KeySchema.parse(str(text))
        except KeySchemaError as error:
            raise refused(problem([], str(error))) from None
        return text

    def shape(self) -> JsonSchema:
        return {**Text.shape(self), "pattern": f"^{PATTERN}$", "maxLength": MAX_LENGTH}


def sync_options(
    label: str, own: type[PlainOptions | SyncOptions] = SyncOptions, *, can_import: bool = False
) -> type[Any]:
    """The model of a destination's options: `own`, with what its members mean at the destination."""
    behaviors = ["overwrite-destination"]
    if can_import:
        behaviors += ["import-prioritize-source", "import-prioritize-destination"]
    initial = Text("Initial sync", f"How the first sync treats what {label} already holds.", choices=tuple(behaviors))
    naming = _KeySchemaText(
        "Key schema",
        "How keys are named at the destination, such as PREFIX_{{secretKey}}; also {{environment}}.",
        min_length=0,
        example="SHOP_{{secretKey}}",
    )
    kept = Flag("Keep deleted secrets", "Never delete secrets at the destination.")
    members: dict[str, Any] = {
        "initialSyncBehavior": (Annotated[str, initial], ...),
        "keySchema": (Annotated[str | None, naming], None),
        "disableSecretDeletion": (Annotated[bool | None, kept], None),
    }
    chosen = {name: member for name, member in members.items() if name in own.model_fields}
    return create_model(own.__name__, __base__=own, __module__=own.__module__, **chosen)
