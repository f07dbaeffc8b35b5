"""Variables that a team shares among its projects.

A name is unique in each environment of the team, whatever the projects: a variable that is shared in another way than
the sync's is foreign, and blocks the name. If the config has no projects, people link them: variables of the sync stay
its own when they are linked, and variables that were linked before are foreign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.model import Model
from config.schemas.types import Flag, Items, Text
from connections.http.client import ApiClient
from connections.providers.vercel import ENVIRONMENTS, pages
from syncs.engine.types import Outcome, Remote, Write

from ._vercel_variables import COMMENT, SCOPE, Sensitive, Target, Variable, changed, failures, items, variable_of

LOCKED = "it is shared with other environments or projects than those of this sync"
LINKED = "it is linked to projects"


class Team(Model):
    scope: Annotated[Literal["team"], SCOPE]
    teamId: Annotated[
        str,
        Text(
            "Team ID", "The Vercel team that shares the secrets.", empty_message="Team ID required", example=EXAMPLE_ID
        ),
    ]
    teamName: Annotated[str | None, Text("Team name", "Its name, for people.")] = None
    targetEnvironments: Annotated[
        list[Annotated[str, Text("Target environments", choices=ENVIRONMENTS)]],
        Items("Of production, preview and development those that get the secrets.", max_items=100),
    ] = []
    applyToAllCustomEnvironments: Annotated[bool, Flag("All custom environments")] = False
    targetProjects: Annotated[
        list[Annotated[str, Text("targetProjects", max_length=512)]] | None,
        Items("The IDs of the projects that get the secrets; none: people link them.", max_items=100),
    ] = None
    sensitive: Sensitive = False

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if self.targets or self.applyToAllCustomEnvironments:
            return self
        said = "at least one target environment is required, or all custom environments"
        if self.targetEnvironments:
            said = "development variables cannot be sensitive at Vercel: choose one more target environment"
        raise BadRequest(f"targetEnvironments: {said}")

    @property
    def targets(self) -> list[str]:
        """The environments of shared variables. Development takes no sensitive values: it is left out then."""
        chosen = self.targetEnvironments
        return [name for name in ENVIRONMENTS if name in chosen and not (self.sensitive and name == "development")]


class SharedTarget(Target):
    path = one = "/v1/env"

    def __init__(self, client: ApiClient, config: Team) -> None:
        super().__init__(client, config.teamId, sensitive=config.sensitive)
        self.team = config.teamId
        self.targets, self.projects = config.targets, sorted(config.targetProjects or [])
        self.custom = config.applyToAllCustomEnvironments
        self.aims = [*self.targets, *(["custom"] if self.custom else [])]
        linked = hashlib.sha256("|".join(self.projects).encode()).hexdigest()[:16] if self.projects else "linked"
        self.name = f"{self.team}/shared/{'+'.join(self.aims)}/{linked}"

    def overlaps(self, name: str) -> bool:
        team, _, rest = name.partition("/shared/")
        return team == self.team and bool(set(self.aims) & set(rest.partition("/")[0].split("+")))

    def remotes(self) -> Iterator[Remote]:
        """Variables that are shared in the way of this sync; and, locked, those that are shared in another way."""
        found: dict[str, Remote] = {}
        for raw in pages(self.client, self.path, "data", self.params):
            variable = self.parsed(raw)
            custom = raw.get("applyToAllCustomEnvironments") is True
            linked = _projects_of(variable)
            way = (variable.targets, custom, variable.custom)
            if way == (frozenset(self.targets), self.custom, frozenset()) and self.projects in (linked, []):
                shared = LINKED if linked != self.projects else ""
                found[variable.key] = replace(variable, exact=True).remote(shared=shared)
            elif variable.targets & set(self.targets) or (custom and self.custom):
                found.setdefault(variable.key, variable.remote(locked=LOCKED))
        yield from found.values()

    def create(self, writes: Sequence[Write]) -> list[Outcome]:
        return self._created(writes, self.projects)

    def _created(self, writes: Sequence[Write], projects: Sequence[str]) -> list[Outcome]:
        evs = [{"key": write.key, "value": write.value, "comment": write.comment[:COMMENT]} for write in writes]
        body: dict[str, Any] = {"evs": evs, "type": self.type}
        if self.targets:
            body["target"] = self.targets
        if self.custom:
            body["applyToAllCustomEnvironments"] = True
        if projects:
            body["projectId"] = projects
        return self.made(writes, body, self.params)

    def anew(self, write: Write) -> list[Outcome]:
        return self._created([write], self.projects or _projects_of(variable_of(write)))

    def update(self, writes: Sequence[Write]) -> list[Outcome]:
        updates = {variable_of(write).id: changed(write) for write in writes}
        answer = self.client.request("PATCH", self.path, params=self.params, json={"updates": updates})
        return self.outcomes(writes, answer, "updated")

    def delete(self, writes: Sequence[Write]) -> list[Outcome]:
        ids = [variable_of(write).id for write in writes]
        answer = self.client.request("DELETE", self.path, params=self.params, json={"ids": ids}, visible=ids)
        said = answer if isinstance(answer, dict) else {}
        gone, codes = items(said.get("deleted")), failures(said)
        found = []
        for write, id in zip(writes, ids, strict=True):
            code = codes.get(id) or codes.get(write.key)
            if id in gone or code == "not_found":
                found.append(Outcome(write))
            elif code:
                found.append(Outcome(write, error=self.refusal(write, code)))
        return found

    def narrow(self, variable: Variable) -> None:
        raise AssertionError("what is shared in another way is locked")


def _projects_of(variable: Variable) -> list[str]:
    return sorted(map(str, items(variable.raw.get("projectId"))))
