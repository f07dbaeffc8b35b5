"""The common parts of a project's variables and a team's shared ones: how they are read, created and recreated."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from config.schemas.member import About
from config.schemas.types import Flag
from connections.errors import BadResponse, Conflict, IntegrationError, NotFound, OutcomeUnknown, Rejected
from connections.http.client import ApiClient, quote
from connections.providers.vercel import TAKEN, in_team
from syncs.engine.types import Outcome, Remote, Write, Written

COMMENT = 500  # maximum characters
SCOPE = About(help="The Vercel scope that secrets should be synced to.")
Sensitive = Annotated[bool, Flag("Sensitive", "Values can never be read again, by anyone.")]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable as the vendor lists it. `exact`: it is for the synced location and nothing else."""

    id: str
    key: str
    type: str
    targets: frozenset[str]
    custom: frozenset[str]  # IDs of custom environments
    value: str | None = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)
    exact: bool = False

    def remote(self, *, inherited: bool = False, locked: str = "", shared: str = "") -> Remote:
        comment = self.raw.get("comment")
        return Remote(
            self.key,
            value=self.value,
            comment=comment if isinstance(comment, str) else None,
            object_id=self.id,
            etag=etag_of(self.raw),
            inherited=inherited,
            is_secret=self.type not in ("plain", "system"),
            locked=locked,
            shared=shared,
            ref=self,
        )


class Target(ABC):
    """A set of variables. `path` lists them, below `one` each has its value, `name` is their part of the location."""

    path: str
    one: str
    name: str

    def __init__(self, client: ApiClient, team: str, *, sensitive: bool) -> None:
        self.client, self.params = client, in_team(team)
        self.type = "sensitive" if sensitive else "encrypted"

    @abstractmethod
    def overlaps(self, name: str) -> bool: ...

    @abstractmethod
    def remotes(self) -> Iterator[Remote]: ...

    @abstractmethod
    def create(self, writes: Sequence[Write]) -> list[Outcome]: ...

    @abstractmethod
    def update(self, writes: Sequence[Write]) -> list[Outcome]:
        """New values for variables that are `writable`."""

    @abstractmethod
    def delete(self, writes: Sequence[Write]) -> list[Outcome]:
        """Delete variables that are `exact`."""

    @abstractmethod
    def narrow(self, variable: Variable) -> None:
        """Remove the synced environment from a variable that is for others too."""

    def writable(self, write: Write) -> bool:
        """Whether an update of the value is enough."""
        variable = variable_of(write)
        return variable.exact and variable.type == self.type

    def replace(self, write: Write) -> Outcome:
        """Recreate a variable that cannot be updated: one of another type, or one that is for other environments too.

        If the second request fails the name is free, and the next run creates it.
        """
        freed = self.release(write)
        return freed if freed.error else _only(write, self.anew(write))

    def anew(self, write: Write) -> list[Outcome]:
        """Create it in place of the deleted one."""
        return self.create([write])

    def release(self, write: Write) -> Outcome:
        """Delete the variable, or narrow it if it is for other environments too."""
        variable = variable_of(write)
        if variable.exact:
            return _only(write, self.delete([write]))
        self.narrow(variable)
        return Outcome(write)

    def read(self, id: str) -> str | None:
        """The value of an encrypted variable; None if it was deleted."""
        try:
            answer = self.client.request("GET", f"{self.one}/{quote(id)}", params=self.params)
        except NotFound:
            return None
        return answer.get("value") if isinstance(answer, dict) and answer.get("decrypted") is True else None

    def parsed(self, raw: Mapping[str, Any]) -> Variable:
        try:
            kind = str(raw["type"])
            known = kind == "plain" or (kind == "encrypted" and raw.get("decrypted") is True)
            return Variable(
                id=str(raw["id"]),
                key=str(raw["key"]),
                type=kind,
                targets=_several(raw.get("target")),
                custom=_several(raw.get("customEnvironmentIds")),
                value=raw["value"] if known else None,
                raw=raw,
            )
        except KeyError as error:
            raise BadResponse(f"Vercel: GET {self.path}: unexpected response: a variable has no {error}") from None

    def made(self, writes: Sequence[Write], body: object, params: Mapping[str, str]) -> list[Outcome]:
        """Create variables. If one name is already in use, only the next list shows whether the others were created."""
        visible = [write.key for write in writes]
        try:
            answer = self.client.request("POST", self.path, params=params, json=body, visible=visible)
        except Conflict as error:
            if len(writes) == 1:
                raise
            raise OutcomeUnknown(f"{error}; others of the {len(writes)} keys may have been created") from None
        return self.outcomes(writes, answer, "created")

    def outcomes(self, writes: Sequence[Write], answer: Any, done: str) -> list[Outcome]:
        """Outcomes from a response with successes and failures. The outcome of any other key is unknown."""
        if not isinstance(answer, dict) or (answer.get(done) is None and not answer.get("failed")):
            return [Outcome(write) for write in writes]  # the next list shows the result
        made = {one.get("key"): one for one in items(answer.get(done))}
        codes = failures(answer)
        found = []
        for write in writes:
            code = codes.get(write.key) or (codes.get(write.remote.object_id or "") if write.remote else None)
            if write.key in made:
                found.append(Outcome(write, written(made[write.key])))
            elif code:
                found.append(Outcome(write, error=self.refusal(write, code)))
        return found

    def refusal(self, write: Write, code: str) -> IntegrationError:
        message = f"Vercel: {self.path} accepted the request but not {write.key} ({code})"
        return (Conflict if code in TAKEN else NotFound if code == "not_found" else Rejected)(message)


def _only(write: Write, outcomes: Sequence[Outcome]) -> Outcome:
    lost = OutcomeUnknown(f"Vercel: the response does not report {write.key}")
    return outcomes[0] if outcomes else Outcome(write, error=lost)


def variable_of(write: Write) -> Variable:
    assert write.remote is not None
    assert isinstance(write.remote.ref, Variable)
    return write.remote.ref


def changed(write: Write) -> dict[str, str]:
    """Without the name: the API rejects it for a sensitive variable."""
    return {"value": write.value, "comment": write.comment[:COMMENT]}


def written(answer: Any) -> Written:
    if not isinstance(answer, dict) or not answer.get("id"):
        return Written()
    return Written(str(answer["id"]), etag_of(answer))


def etag_of(raw: Mapping[str, Any]) -> str | None:
    moment = raw.get("updatedAt") or raw.get("createdAt")
    return str(moment) if moment else None


def items(held: object) -> list[Any]:
    """A list, or the single item that the vendor returns in place of one."""
    return held if isinstance(held, list) else [] if held is None else [held]


def _several(held: object) -> frozenset[str]:
    return frozenset(map(str, items(held)))


def failures(answer: Any) -> dict[str, str]:
    """Error codes by key or ID. The vendor's messages may contain the value: they are left out."""
    found: dict[str, str] = {}
    for failed in items(answer.get("failed")):
        error = failed.get("error") or {}
        code = re.sub(r"[^A-Za-z0-9_-]", "", str(error.get("code")))[:64]
        found |= {error[name]: code for name in ("key", "envVarKey", "envVarId") if error.get(name)}
    return found
