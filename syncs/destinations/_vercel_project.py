"""A project's own variables, for one environment, or for one branch of its previews."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas.model import Model
from config.schemas.types import Text
from connections.errors import BadResponse, NotFound, Unauthorized
from connections.http.client import ApiClient, quote
from connections.providers.vercel import ENVIRONMENTS, pages
from syncs.engine.types import Outcome, Remote, Write

from ._vercel_variables import COMMENT, SCOPE, Sensitive, Target, Variable, changed, items, variable_of, written


class Project(Model):
    scope: Annotated[Literal["project"], SCOPE]
    teamId: Annotated[
        str,
        Text("Team ID", "The Vercel team or account that the project is of.", min_length=0, example=EXAMPLE_ID),
    ]
    app: Annotated[
        str, Text("Project", "The ID of the Vercel project.", empty_message="App ID required", example="humanitec")
    ]
    appName: Annotated[str, Text("Project name", "Its name, for people.", empty_message="App Name required")]
    env: Annotated[
        str,
        Text(
            "Environment",
            "production, preview, development, or the ID of a custom environment.",
            example="development",
        ),
    ]
    branch: Annotated[str | None, Text("Branch", "One Git branch of the preview environment; blank: all.")] = None
    sensitive: Sensitive = False

    @model_validator(mode="after")
    def _fits_the_environment(self) -> Self:
        if self.branch and self.env != "preview":
            raise BadRequest("branch: only the preview environment has branches")
        if self.sensitive and self.env == "development":
            raise BadRequest("sensitive: development variables cannot be sensitive at Vercel")
        return self


class ProjectTarget(Target):
    def __init__(self, client: ApiClient, config: Project) -> None:
        super().__init__(client, config.teamId, sensitive=config.sensitive)
        self.env, self.branch = config.env, config.branch
        project = quote(config.app)
        self.path, self.one = f"/v10/projects/{project}/env", f"/v1/projects/{project}/env"
        self.edited = f"/v9/projects/{project}/env"
        # An ID is unique over all teams, and a config may leave the team out: so the team is not part of the location.
        whose = "" if config.app.startswith("prj_") else f"{self.params.get('teamId', '')}/"
        self.wide = f"{whose}{config.app}/{self.env}"
        self.name = f"{self.wide}/#{self.branch}" if self.branch else self.wide

    def overlaps(self, name: str) -> bool:
        """A branch also has the variables of all previews; two branches have nothing in common."""
        return name.partition("/#")[0] == self.wide and self.wide in (name, self.name)

    def remotes(self) -> Iterator[Remote]:
        """A branch has its own variables, and inherits those of all previews."""
        own: dict[str, Remote] = {}
        wide: dict[str, Remote] = {}
        for variable in self.variables():
            branch = _branch(variable)
            locked = "an integration of the project owns it" if variable.raw.get("configurationId") else ""
            if branch == self.branch:
                if variable.key in own:
                    raise BadResponse(f"Vercel: GET {self.path} : the list is not complete: {variable.key} came twice")
                own[variable.key] = variable.remote(locked=locked)
            elif branch is None:
                wide[variable.key] = variable.remote(inherited=True)
        yield from {**wide, **own}.values()

    def variables(self) -> Iterator[Variable]:
        """All variables of this environment, of any branch."""
        for raw in pages(self.client, self.path, "envs", {**self.params, "decrypt": "true"}, self._whole):
            variable = self.parsed(raw)
            serves = variable.targets | variable.custom
            if self.env in serves:
                yield replace(variable, exact=serves == {self.env} and _branch(variable) == self.branch)

    def _whole(self, answer: Mapping[str, Any]) -> None:
        if self.env == "production" and (hidden := answer.get("hiddenProductionEnvCount")):
            raise Unauthorized(
                f"Vercel: GET {self.path} hides {hidden} production variables from this token; its member needs a role "
                "that may see them"
            )

    def create(self, writes: Sequence[Write]) -> list[Outcome]:
        return self.made(writes, [self._body(write) for write in writes], self.params)

    def _body(self, write: Write) -> dict[str, Any]:
        body: dict[str, Any] = {"key": write.key, "value": write.value, "type": self.type}
        body["target" if self.env in ENVIRONMENTS else "customEnvironmentIds"] = [self.env]
        if self.branch:
            body["gitBranch"] = self.branch
        return {**body, "comment": write.comment[:COMMENT]}

    def update(self, writes: Sequence[Write]) -> list[Outcome]:
        """One by its ID; several by their names in one request, after a check that each is unchanged since the list."""
        if len(writes) == 1:
            path = f"{self.edited}/{quote(variable_of(writes[0]).id)}"
            answer = self.client.request("PATCH", path, params=self.params, json=changed(writes[0]))
            return [Outcome(writes[0], written(answer))]
        now = {variable.id: variable for variable in self.variables()}
        going, found = [], []
        for write in writes:
            variable = now.get(variable_of(write).id)
            if variable and (variable.key, variable.type, variable.exact) == (write.key, self.type, True):
                going.append(write)
            else:
                found.append(Outcome(write, error=NotFound(f"Vercel: {write.key} has changed since it was listed")))
        if going:
            found += self.made(going, [self._body(write) for write in going], {**self.params, "upsert": "true"})
        return found

    def delete(self, writes: Sequence[Write]) -> list[Outcome]:
        ids = [variable_of(write).id for write in writes]
        if len(ids) == 1:
            with contextlib.suppress(NotFound):
                self.client.request("DELETE", f"{self.edited}/{quote(ids[0])}", params=self.params)
            return [Outcome(writes[0])]
        answer = self.client.request("DELETE", self.one, params=self.params, json={"ids": ids}, visible=ids)
        gone = items(answer.get("ids")) if isinstance(answer, dict) else []
        return [
            Outcome(write) for write, id in zip(writes, ids, strict=True) if id in gone
        ]  # else the next list shows the result

    def narrow(self, variable: Variable) -> None:
        left = {"target": variable.targets - {self.env}, "customEnvironmentIds": variable.custom - {self.env}}
        held = {"target": variable.targets, "customEnvironmentIds": variable.custom}
        body = {name: sorted(left[name]) for name, before in held.items() if before}
        visible = [*variable.targets, *variable.custom]
        self.client.request(
            "PATCH", f"{self.edited}/{quote(variable.id)}", params=self.params, json=body, visible=visible
        )


def _branch(variable: Variable) -> str | None:
    return variable.raw.get("gitBranch") or None
