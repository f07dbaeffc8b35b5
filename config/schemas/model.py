"""Objects that come from outside: destination configs and options, credentials, request bodies and queries.

A declaration is a pydantic model whose members are annotated types (`config.schemas.types`), named as on the wire:

    class Application(Model):
        scope: Annotated[Literal["application"], About("Scope", "Where secrets go.")]
        org: Annotated[str, Text("Org ID", empty_message="Org ID required")]

From it follow the issues of the modelled API, OpenAPI, the forms and typed attributes. An absent optional member and a
null one are the same, unless the member's type is `nullable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo

from config.errors import Invalid, Issue, problem

from .issues import Path, issues_of, refused, wrong_type


class Model(BaseModel):
    """A closed object: an unknown member is a problem, since a misspelt option must not be ignored.

    `blank` are names that are no members and that clients send all the same, empty or null; with anything else they are
    refused, because they name something that is not supported.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
        use_attribute_docstrings=False,
    )
    blank: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def parse(cls, data: object, path: Path = ()) -> Self:
        """The object. Raises Invalid with every problem, each path beginning with `path`."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise Invalid(issues_of(error, cls, path)) from None

    @model_validator(mode="wrap")
    @classmethod
    def _from_outside(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(data, cls):
            return data
        if not isinstance(data, Mapping):
            raise refused(wrong_type("object", data))
        given = {str(name): value for name, value in data.items() if not cls._is_absent(str(name), value)}
        unsupported = [name for name in cls.blank if name in given]
        if not unsupported:
            return handler(given)
        found: list[Issue] = []
        try:
            handler({name: value for name, value in given.items() if name not in cls.blank} | cls._strays(unsupported))
        except ValidationError as error:
            found = issues_of(error, cls)
        if cls.model_config.get("extra") != "forbid":
            found += [problem([name], f"{name} is not supported here: leave it out") for name in unsupported]
        raise refused(*found)

    @classmethod
    def _strays(cls, names: list[str]) -> dict[str, object]:
        """What the model itself reports as unknown members."""
        return dict.fromkeys(names) if cls.model_config.get("extra") == "forbid" else {}

    @classmethod
    def _is_absent(cls, name: str, value: object) -> bool:
        if name in cls.blank:
            return value in ("", None)
        field = cls.model_fields.get(name)
        return value is None and field is not None and not field.is_required() and not _is_nullable(field)

    @classmethod
    def restored(cls, data: Mapping[str, Any]) -> Self:
        """The object of data that `stored` returned. Not validated again: the rules may be stricter by now."""
        known = ((name, field.annotation) for name, field in cls.model_fields.items() if data.get(name) is not None)
        return cls.model_construct(**{name: _restored(kind, data[name]) for name, kind in known})

    def stored(self) -> dict[str, Any]:
        """As JSON data by wire names, with secrets in the clear; members without a value are left out.

        For what is stored: a config, options, credentials (which are encrypted).
        """
        return {name: revealed(value) for name, value in self if value is not None}

    def sent(self) -> dict[str, Any]:
        """The members that were in the data, with a null where it is a value of its own."""
        return {name: revealed(value) for name, value in self if name in self.model_fields_set}

    def __repr_args__(self) -> Any:
        """Names alone: a value may be a secret."""
        return [(None, name) for name in type(self).model_fields if name in self.model_fields_set]

    def __repr_str__(self, join_str: str) -> str:
        return join_str.join(name for _, name in self.__repr_args__())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__repr_str__(', ')})"

    __str__ = __repr__


class Body(Model):
    """The body or query of a request: unknown members are dropped, because clients send strays."""

    model_config = ConfigDict(extra="ignore")


def _is_nullable(field: FieldInfo) -> bool:
    return any(getattr(each, "nullable", False) for each in field.metadata)


def _restored(kind: Any, value: Any) -> Any:
    """A stored value as the type of its member."""
    if kind is SecretStr:
        return SecretStr(value)
    if isinstance(kind, type) and issubclass(kind, Model):
        return kind.restored(value)
    if get_origin(kind) is list:
        return [_restored(get_args(kind)[0], each) for each in value]
    if get_origin(kind) in (Annotated, Union, UnionType):
        return _restored(get_args(kind)[0], value)
    return value


def revealed(value: Any) -> Any:
    """JSON data of a member's value, with secrets in the clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Model):
        return value.stored()
    if isinstance(value, list | tuple):
        return [revealed(each) for each in value]
    return value
