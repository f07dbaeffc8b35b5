"""Why a run exists: what changed, who did it, or which run it follows. Names of secrets, never values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict

if TYPE_CHECKING:
    from config.access.roles import Actor

    from .source import Folder

MAX_NAMES, MAX_CAUSES = 20, 10
_PLAIN = ConfigDict(hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class Cause:
    """One change, or one other thing that a run exists for.

    `kind`: a key of `history.run_reasons.TEXTS`. `by` and `by_id`: the actor. `environment` and `path`: the folder.
    `names`: the first MAX_NAMES names of what was changed; `more` counts the rest. `run`: the id of another run.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    kind: str
    by: str = ""
    by_id: str = ""
    environment: str = ""
    path: str = ""
    names: tuple[str, ...] = ()
    more: int = 0
    run: str = ""

    def _same_as(self, other: Cause) -> bool:
        return replace(self, names=(), more=0) == replace(other, names=(), more=0)

    def _with_names_of(self, other: Cause) -> Cause:
        names = tuple(dict.fromkeys((*self.names, *other.names)))
        left_out = max(len(names) - MAX_NAMES, 0)
        return replace(self, names=names[:MAX_NAMES], more=self.more + other.more + left_out)


@dataclass(frozen=True, slots=True)
class RunReason:
    """The causes of one run, oldest first; `more` counts those beyond MAX_CAUSES."""

    __pydantic_config__: ClassVar[ConfigDict] = _PLAIN

    causes: tuple[Cause, ...] = ()
    more: int = 0

    def plus(self, causes: Iterable[Cause]) -> RunReason:
        """With further causes; the names of equal ones are joined."""
        found, more = list(self.causes), self.more
        for cause in causes:
            at = next((index for index, known in enumerate(found) if known._same_as(cause)), None)
            if at is not None:
                found[at] = found[at]._with_names_of(cause)
            elif len(found) < MAX_CAUSES:
                found.append(cause)
            else:
                more += 1
        return RunReason(tuple(found), more)


def cause_of(
    kind: str, actor: Actor | None = None, folder: Folder | None = None, names: Iterable[str] = (), run: object = ""
) -> Cause:
    """A cause; of `names` the first are kept and the rest is counted."""
    every = sorted(set(names))
    return Cause(
        kind,
        by=actor.name if actor else "",
        by_id=str(actor.id or "") if actor else "",
        environment=folder.environment.slug if folder else "",
        path=folder.path if folder else "",
        names=tuple(every[:MAX_NAMES]),
        more=max(len(every) - MAX_NAMES, 0),
        run=str(run),
    )
