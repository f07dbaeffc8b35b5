"""The target that a config names: its part of a location, and its address at the vendor.

In a location it is the members of the config that are marked with `location=True`:

    org: Annotated[str, Text("Org ID", location=True)]

Their values in the order of the model, with slashes between. A discriminator is marked too where its variants would
otherwise be the same, such as a group and a project by a number. A member whose values may have a slash
comes last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from config.schemas.member import Member
from config.schemas.model import Model
from connections.errors import IntegrationError, NotFound
from connections.http.client import ApiClient, quote


class Target(Model):
    """A config whose members make up the vendor's address of the target.

    `parts` are the target and what it is in, the widest first: their names in messages by their paths, with members of
    the config in braces. If the list is not found, they are read, and the message names what cannot be seen.
    """

    parts: ClassVar[Mapping[str, str]]

    @property
    def target_path(self) -> str:
        return self._paths()[-1]

    def unseen(self, client: ApiClient) -> str:
        """The first part that cannot be seen, as the end of a message; "" if a look does not show it.

        Vendors respond 404 to whoever may not see a thing, as if it did not exist.
        """
        names = [_filled(name, self) for name in self.parts.values()]
        for path, name in zip(self._paths(), names, strict=True):
            try:
                client.request("GET", path)
            except NotFound:
                return f": {name} does not exist, or the login may not see it"
            except IntegrationError:
                return ""
        return f": {names[-1]} exists, but the login may not see its secrets"

    def _paths(self) -> list[str]:
        """Raises ValueError for members that make no address."""
        return [_filled(path, self, quote) for path in self.parts]


def _filled(text: str, config: Model, form: Callable[[str], str] = str) -> str:
    return re.sub(r"{(\w+)}", lambda found: form(str(getattr(config, found[1]))), text)


def target_of(config: Model) -> str:
    """The values of the marked members; those without a value are left out at the end."""
    parts = [_text(value, mark) for value, mark in _marked(config)]
    while parts and not parts[-1]:
        parts.pop()
    return "/".join(parts)


def _marked(config: Model) -> Iterator[tuple[Any, Member]]:
    for name, field in type(config).model_fields.items():
        for mark in field.metadata:
            if isinstance(mark, Member) and mark.location:
                yield getattr(config, name), mark


def _text(value: Any, mark: Member) -> str:
    """A list has no order, and no value is as good as none."""
    if value is None:
        return ""
    text = "+".join(sorted(map(str, value))) if isinstance(value, list) else str(value)
    return text.lower() if mark.ignores_case else text
