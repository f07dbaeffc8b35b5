"""Typed contents of JSON columns: frozen records instead of dictionaries with undeclared members.

Names of version 0.1.0 are read, too: a node of that version may still write while others are upgraded. A record that
does not know a member ignores it. No record holds a value of a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Any, ClassVar

from django.db import models
from django.db.models.fields.json import KeyTransform
from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

_CAMEL = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)
_PLAIN = ConfigDict(hide_input_in_errors=True)
_OBJECT_ID = AliasChoices("object_id", "incarnation")  # each with its name in 0.1.0
_ETAG = AliasChoices("etag", "stamp")
_RENAMED_STEPS = {"place": "target"}

TRIES = 5
"""Attempts of one run, the first included."""


def _without_object_ids(approved: Any) -> Any:
    """Approvals of version 0.2 name keys alone: they cover no object with an id, and are shown again."""
    return dict.fromkeys(approved) if isinstance(approved, list | tuple) else approved


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a run was requested with, and what one of its attempts leaves to the next.

    Requested: `approved`, the deletes that were approved, normalized key -> object id (None: no approval), with the
    keys that were shown as blocked beside them (`approved_blocked`) and the generation of the sync at that time
    (`approved_at`); `writes_only`, creates and updates without deletes; `import_behavior`, the side that an import
    prefers; `purge`, also remove old values from the vendor's history; `delete_sync`, delete the sync once its keys are
    deleted; `undo`, the run whose changes to revert; `digest`, the plan that was shown for it; `leaving`, the former
    location of the sync at which its keys are removed.
    Recorded: `shown`, the deletes that a held run lists, normalized key -> object id; `shown_blocked`, the keys that it
    lists as blocked; `wrote`, the creates and updates of a held run went ahead; `stands_on`, what a dismissal depends
    on; `refused`, normalized keys that the vendor permanently refused; `tries`, attempts that failed; `later`, how many
    runs in a row were scheduled because the one before failed; `purging`, (location, key, object id) still to be
    purged; `unpurged`, key -> why its old values stay.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    approved: Annotated[Mapping[str, str | None] | None, BeforeValidator(_without_object_ids)] = None
    approved_blocked: tuple[str, ...] = ()
    approved_at: int = 0
    writes_only: bool = False
    import_behavior: str = ""
    purge: bool = False
    delete_sync: bool = False
    undo: str = ""
    digest: str = ""
    leaving: str = ""
    shown: Mapping[str, str | None] = field(default_factory=dict)
    shown_blocked: tuple[str, ...] = ()
    wrote: bool = False
    stands_on: str = ""
    refused: tuple[str, ...] = ()
    tries: int = 0
    later: int = 0
    purging: tuple[tuple[str, str, str], ...] = ()
    unpurged: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As stored: the members that differ from their defaults."""
        stored: dict[str, Any] = _dumped(_OPTIONS, self)
        return stored


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """The action after the writes of a run, such as `deploy`: "applied", or "failed" with the error's code and text."""

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    action: str
    outcome: str
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class PriorRow:
    """A row of the ledger as it was before it was claimed; `sync` and `run` are ids."""

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    state: str
    object_id: Annotated[str | None, Field(validation_alias=_OBJECT_ID)] = None
    etag: Annotated[str | None, Field(validation_alias=_ETAG)] = None
    secret_id: str = ""
    secret_version: int = 0
    source_key: str = ""
    rewrites: int = 0
    value_mac: str = field(default="", repr=False)
    rest_mac: str = field(default="", repr=False)
    sync: str | None = None
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim keeps until its write is settled.

    `object_id`: the object that the write is meant for, None for a key that is to be created. `row`: the row before,
    None if there was none. `repeated`: claimed again before the first write was settled. `created_by`: the id of the
    run that was to create the key.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    object_id: Annotated[str | None, Field(alias="claimed")] = None
    row: PriorRow | None = None
    repeated: Annotated[bool, Field(alias="twice")] = False
    created_by: Annotated[str, Field(alias="made")] = ""


@dataclass(frozen=True, slots=True)
class PriorState:
    """A key at the destination before a run wrote it, for undo; its value is sealed in a column of its own.

    `owned`: it was this sync's. `created`: the run had created it itself, in a write without a response, and wrote it
    again. `secret_id` and `version` name the secret that was written there.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    owned: bool = False
    secret_id: str = ""
    version: int = 0
    etag: Annotated[str | None, Field(validation_alias=_ETAG)] = None
    created: Annotated[bool, Field(alias="made")] = False


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A step of the wizard: its fields as they were typed, and the values that follow from them once it is complete."""

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    typed: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)


def _with_present_names(steps: Any) -> Any:
    return {_RENAMED_STEPS.get(name, name): step for name, step in steps.items()} if isinstance(steps, dict) else steps


DraftSteps = Annotated[dict[str, DraftStep], BeforeValidator(_with_present_names)]
"""Step -> what the draft holds of it."""

_OPTIONS = TypeAdapter(RunOptions)


def _dumped(adapter: TypeAdapter[Any], record: Any) -> Any:
    return adapter.dump_python(record, mode="json", by_alias=True, exclude_defaults=True)


class RecordField(models.JSONField):
    """A JSON column whose value in Python is a record. For migrations it is a plain `JSONField`."""

    def __init__(self, record: Any, **options: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(record)
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        if "default" in kwargs:
            kwargs["default"] = dict
        return name, "django.db.models.JSONField", args, kwargs

    def clone(self) -> Any:
        _, _, args, kwargs = self.deconstruct()
        return models.JSONField(*args, **kwargs)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        loaded = super().from_db_value(value, expression, connection)
        return loaded if isinstance(expression, KeyTransform) else self.to_python(loaded)

    def to_python(self, value: Any) -> Any:
        """The record of stored JSON; a record as it is."""
        return self._adapter.validate_python(value) if isinstance(value, dict) else value

    def get_prep_value(self, value: Any) -> Any:
        """Stored JSON of a record; anything else as it is, since lookups into the JSON come here too."""
        return (
            _dumped(self._adapter, self.to_python(value)) if isinstance(value, dict) or is_dataclass(value) else value
        )

    def value_to_string(self, obj: models.Model) -> Any:
        return self.get_prep_value(self.value_from_object(obj))
