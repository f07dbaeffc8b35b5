"""A JSON object whose members are set and removed in its text, so that every other member stays byte for byte.

Written by hand because every reader of JSON turns `1.10` into 1.1 and an escaped letter into the letter. The standard
library's decoder finds where each value ends (`raw_decode`), and no more than that is needed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from config import json_text

BLANKS = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Raw:
    """A member that is not text, as JSON: never changed, only compared and written back."""

    text: str = field(repr=False)


Entry = str | Raw


@dataclass(frozen=True, slots=True)
class _Member:
    """`gap` is the text since the member before: a comma and blanks. `head` is the name and its colon."""

    name: str
    gap: str
    head: str = field(repr=False)
    value: str = field(repr=False)
    entry: Entry = field(repr=False)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """`start` is the text up to the first member, `end` that from the last one on."""

    members: tuple[_Member, ...] = field(default=(), repr=False)
    start: str = "{"
    end: str = "}"

    @classmethod
    def parse(cls, text: str, *path: str) -> JsonObject:
        """The object in JSON, or the one at a path of members in it.

        Python's NaN and Infinity are values of foreign members like others. Raises ValueError, which contains nothing
        of the text, if there is no such object, or a name of the path is repeated.
        """
        try:
            text.encode()
            found = _parse(text)
            for name in path:
                (found,) = [_parse(each.value) for each in found.members if each.name == name]
            return found
        except (ValueError, RecursionError):
            raise ValueError("not a JSON object") from None

    @property
    def entries(self) -> dict[str, Entry]:
        """Text members as text, others as `Raw`; also one whose name is repeated, since readers differ in which counts.

        Left out are names that UTF-8 cannot encode: no key has one.
        """
        repeated = self.repeated
        return {
            member.name: Raw(member.value) if member.name in repeated else member.entry
            for member in self.members
            if json_text.is_text(member.name)
        }

    @property
    def repeated(self) -> frozenset[str]:
        """The names of more than one member. They are neither set nor removed."""
        return frozenset(name for name, times in Counter(each.name for each in self.members).items() if times > 1)

    def changed_to(self, entries: Mapping[str, Entry]) -> str:
        """The text with these entries instead of `entries`: what differs is set, what is missing is removed."""
        now = self.entries
        sets = {name: entry for name, entry in entries.items() if isinstance(entry, str) and now.get(name) != entry}
        return self.edited(sets, now.keys() - entries.keys())

    def edited(self, sets: Mapping[str, str], gone: Collection[str] = ()) -> str:
        """The text with the members of `sets` set and those of `gone` removed. New members come last.

        Raises ValueError for a name that is repeated.
        """
        if self.repeated & {*sets, *gone}:
            raise ValueError("a name that is repeated cannot be set or removed")
        kept = [
            replace(each, value=_text(sets[each.name])) if each.name in sets else each
            for each in self.members
            if each.name not in gone
        ]
        gap, colon = self._style()
        known = {each.name for each in kept}
        new = [(name, value) for name, value in sets.items() if name not in known]
        kept += [_Member(name, gap, _text(name) + colon, _text(value), value) for name, value in new]
        texts = [(each.gap if number else "") + each.head + each.value for number, each in enumerate(kept)]
        return self.start + "".join(texts) + self.end

    def _style(self) -> tuple[str, str]:
        """What new members get between them, and between name and value: as the members that are there."""
        if not self.members:
            return ",", ":"
        gap = self.members[1].gap if len(self.members) > 1 else "," + self.start.partition("{")[2]
        return gap, self.members[0].head.rpartition('"')[2]


def texts_of(entries: Mapping[str, Entry]) -> list[str]:
    """The values, in JSON where they are no texts: what a message must not show of a document."""
    return [entry.text if isinstance(entry, Raw) else entry for entry in entries.values()]


def _parse(text: str) -> JsonObject:
    decoder = json.JSONDecoder(
        object_pairs_hook=json_text.Members,
        parse_int=json_text.Literal,
        parse_float=json_text.Literal,
        parse_constant=json_text.Literal,
    )
    members: list[_Member] = []
    at = _past(text, 0, "{")
    start = text[:at]
    ended = at
    while members or not text.startswith("}", at):
        name, colon = decoder.raw_decode(text, at)
        if not isinstance(name, str):
            raise ValueError
        value_at = _past(text, colon, ":")
        value, ends = decoder.raw_decode(text, value_at)
        raw = text[value_at:ends]
        entry = value if json_text.is_text(value) else Raw(raw)
        members.append(_Member(name, text[ended:at] if members else "", text[at:value_at], raw, entry))
        ended = ends
        if text.startswith("}", _blanks(text, ends)):
            break
        at = _past(text, ends, ",")
    if _past(text, ended, "}") != len(text):
        raise ValueError
    return JsonObject(tuple(members), start, text[ended:])


def _past(text: str, at: int, sign: str) -> int:
    """The index of what follows `sign` and the blanks around it. Raises ValueError if something else is there."""
    at = _blanks(text, at)
    if not text.startswith(sign, at):
        raise ValueError
    return _blanks(text, at + 1)


def _blanks(text: str, at: int) -> int:
    found = BLANKS.match(text, at)
    return found.end() if found else at


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
