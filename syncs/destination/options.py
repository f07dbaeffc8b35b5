"""The options that every sync has, and those that a destination adds."""

from __future__ import annotations

from typing import Any

from config.errors import problem
from config.schemas.schema import Checked, Field, Flag, Path, Schema, Text
from syncs.engine.key_schema import MAX_LENGTH, PATTERN, KeySchema, KeySchemaError


class _KeySchemaText(Text):
    """A key schema, checked before it is ever rendered."""

    def check(self, value: object, path: Path) -> Checked:
        text, issues = super().check(value, path)
        try:
            KeySchema.parse(str(text or ""))
        except KeySchemaError as error:
            issues = issues or [problem(path, str(error))]
        return text, issues

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "pattern": f"^{PATTERN}$", "maxLength": MAX_LENGTH}


def sync_options(label: str, *more: Field, can_import: bool = False, key_schema: bool = True) -> Schema:
    """The options that every sync has, and those of this destination; not `key_schema`: names stay as they are."""
    behaviors = ["overwrite-destination"]
    if can_import:
        behaviors += ["import-prioritize-source", "import-prioritize-destination"]
    naming = _KeySchemaText(
        "keySchema",
        "Key schema",
        f"How keys are named at {label}, such as PREFIX_{{{{secretKey}}}}; also {{{{environment}}}}.",
        required=False,
        min_length=0,
    )
    return Schema(
        (
            Text(
                "initialSyncBehavior",
                "Initial sync",
                f"How the first sync treats what {label} already holds.",
                choices=tuple(behaviors),
            ),
            *([naming] if key_schema else []),
            Flag("disableSecretDeletion", "Keep deleted secrets", f"Never delete secrets at {label}."),
            *more,
        )
    )
