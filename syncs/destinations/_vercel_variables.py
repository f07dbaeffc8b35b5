"""The requests for a project's variables, and for those that a team shares among its projects.

A shared name is unique in each environment of the team, whatever the projects: a variable that is shared in another way
than the sync's is foreign, and blocks the name. If the config has no projects, people link them: variables of the sync
stay its own when they are linked, and variables that were linked before are foreign.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence, Set
from typing import Annotated, Any

from pydantic import BeforeValidator

from connections.errors import Conflict, NotFound, OutcomeUnknown, Rejected, Unauthorized
from connections.http.client import ApiClient, quote
from connections.http.pages import Page, Params, Token
from connections.http.responses import Response, Text, validate
from connections.providers.vercel import ENVIRONMENTS, PAGES, TAKEN, in_team
from syncs.destinations._vercel_config import EVERY_CUSTOM, Project, Team
from syncs.engine.types import Action, Outcome, Remote, Write, Written

COMMENT = 500  # maximum characters
INTEGRATION = "an integration of the project owns it"
LOCKED = "it is shared with other environments or projects than those of this sync"
LINKED = "it is linked to projects"

# The vendor returns one item in place of a list of one.
Several = BeforeValidator(lambda held: held if isinstance(held, list) else [] if held is None else [held])
Names = Annotated[frozenset[str], Several]


class Stamp(Response):
    """What the response to a write may have of a variable."""

    id: str | None = None
    key: str = ""
    createdAt: int | None = None
    updatedAt: int | None = None

    @property
    def written(self) -> Written:
        return Written(self.id, str(self.updatedAt or self.createdAt or "") or None) if self.id else Written()


class Variable(Stamp):
    id: Text
    key: Text
    type: str
    visibility: str | None = None
    value: str | None = None
    decrypted: bool | None = None
    comment: str | None = None
    target: Names = frozenset()
    customEnvironmentIds: Names = frozenset()
    applyToAllCustomEnvironments: bool | None = None
    projectId: Names = frozenset()
    gitBranch: Annotated[str | None, BeforeValidator(lambda branch: branch or None)] = None
    configurationId: str | None = None

    @property
    def kind(self) -> str:
        """The type. The newer `visibility` overrides it: a secret is sensitive, a config value is not."""
        if self.visibility == "secret":
            return "sensitive"
        return "encrypted" if self.visibility == "config" and self.type == "sensitive" else self.type

    @property
    def serves(self) -> frozenset[str]:
        every = {EVERY_CUSTOM} if self.applyToAllCustomEnvironments else set()
        return self.target | self.customEnvironmentIds | every

    @property
    def identity(self) -> tuple[str | frozenset[str] | None, ...]:
        return self.id, self.key, self.kind, self.serves, self.gitBranch

    def remote(self, locked: str = "", shared: str = "", *, inherited: bool = False) -> Remote:
        known = self.kind == "plain" or (self.kind == "encrypted" and self.decrypted is True)
        value, is_secret = self.value if known else None, self.kind not in ("plain", "system")
        locked = locked or (INTEGRATION if self.configurationId else "")
        etag = self.written.etag
        return Remote(self.key, value, self.comment, self.id, etag, inherited, is_secret, locked, shared, ref=self)


class Batch(Response):
    """A response with successes and failures."""

    created: Annotated[list[Stamp], Several] = []
    updated: Annotated[list[Stamp], Several] = []
    ids: Annotated[list[str], Several] = []
    deleted: Annotated[list[str | int], Several] = []  # IDs, or how many
    failed: Annotated[list[dict[str, Any]], Several] = []

    @property
    def codes(self) -> dict[str, str]:
        """Error codes by key and by ID. The vendor's messages may contain the value: they are left out."""
        codes: dict[str, str] = {}
        for error in (failed.get("error") or {} for failed in self.failed):
            code = re.sub(r"[^A-Za-z0-9_-]", "", str(error.get("code")))[:64]
            codes |= {str(error[name]): code for name in ("key", "envVarKey", "envVarId") if error.get(name)}
        return codes


class Variables:
    """Those of a project or a team. `path` lists them, below `one` each has its value. `serves` is what the sync's are
    for, `name` their part of the location.
    """

    path: str
    one: str
    name: str
    serves: frozenset[str]

    def __init__(self, client: ApiClient, config: Project | Team) -> None:
        self.client, self.params = client, in_team(config.teamId)
        self.type = "sensitive" if config.sensitive else "encrypted"

    def read(self, id: str) -> str | None:
        """The value of an encrypted variable; None if it was deleted."""
        try:
            found = self.client.get(f"{self.one}/{quote(id)}", Variable, params=self.params)
        except NotFound:
            return None
        return found.value if found.decrypted else None

    def made(self, writes: Sequence[Write], body: object, params: Mapping[str, str]) -> list[Outcome]:
        """Create variables. If one name is already in use, only the next list shows whether the others were created."""
        shown = [write.key for write in writes]
        try:
            answer = self.client.request("POST", self.path, params=params, json=body, visible=shown)
        except Conflict as error:
            if len(writes) == 1:
                raise
            raise OutcomeUnknown(f"{error}; others of the {len(writes)} keys may have been created") from None
        return self.outcomes(writes, answer)

    def outcomes(self, writes: Sequence[Write], answer: Any) -> list[Outcome]:
        """Outcomes from a response; that of a key that it does not have is unknown. A response to creates and updates
        that has none at all is a success: the next list shows the result.
        """
        batch = validate(Batch, answer or {}, f"Vercel: {self.path}")
        done, codes = {one.key: one for one in (*batch.created, *batch.updated)}, batch.codes
        silent = not batch.model_fields_set and writes[0].action is not Action.DELETE
        found = []
        for write in writes:
            id = write.remote.object_id if write.remote else None
            if silent or write.key in done or id in {*batch.ids, *batch.deleted}:
                found.append(Outcome(write, done.get(write.key, Stamp()).written))
            elif code := codes.get(write.key) or codes.get(id or ""):
                kind = Conflict if code in TAKEN else NotFound if code == "not_found" else Rejected
                error = kind(f"Vercel: {self.path} accepted the request but not {write.key} ({code})")
                found.append(Outcome(write, error=error))
        return found

    def delete(self, writes: Sequence[Write]) -> list[Outcome]:
        ids = [variable_of(write.remote).id for write in writes]
        answer = self.client.request("DELETE", self.one, params=self.params, json={"ids": ids}, visible=ids)
        return self.outcomes(writes, answer)


class ProjectVariables(Variables):
    """For one environment, or for one branch of its previews."""

    def __init__(self, client: ApiClient, config: Project) -> None:
        super().__init__(client, config)
        self.env, self.branch, self.serves = config.env, config.branch or None, frozenset({config.env})
        project = quote(config.app)
        self.path, self.one = f"/v10/projects/{project}/env", f"/v1/projects/{project}/env"
        # An ID is unique over all teams, and a config may leave the team out: so the team is not part of the location.
        whose = "" if config.app.startswith("prj_") else f"{self.params.get('teamId', '')}/"
        self.wide = f"{whose}{config.app}/{self.env}"
        self.name = f"{self.wide}/#{self.branch}" if self.branch else self.wide

    def overlaps(self, name: str) -> bool:
        """A branch also has the variables of all previews; two branches have nothing in common."""
        return name.partition("/#")[0] == self.wide and self.wide in (name, self.name)

    def remotes(self) -> list[Remote]:
        """A branch has its own variables, and inherits those of all previews."""
        listed = self.listed()
        mine = [one for one in listed if one.gitBranch == self.branch]
        own = {one.key for one in mine}
        wide = [one for one in listed if self.branch and one.gitBranch is None and one.key not in own]
        return [*(one.remote() for one in mine), *(one.remote(inherited=True) for one in wide)]

    def listed(self) -> list[Variable]:
        """All variables of this environment, of any branch."""
        pages = WholeList(PAGES.param, PAGES.at) if self.env == "production" else PAGES
        params = {**self.params, "decrypt": "true"}
        found = self.client.read_list(self.path, Variable, pages, member="envs", params=params)
        return [one for one in {one.id: one for one in found}.values() if self.env in one.serves]

    def create(self, writes: Sequence[Write], **more: str) -> list[Outcome]:
        where: dict[str, Any] = {"target" if self.env in ENVIRONMENTS else "customEnvironmentIds": [self.env]}
        if self.branch:
            where["gitBranch"] = self.branch
        body = [{"key": write.key, "type": self.type, **where, **changed(write)} for write in writes]
        return self.made(writes, body, {**self.params, **more})

    def update(self, writes: Sequence[Write]) -> list[Outcome]:
        """One by its ID; several by their names in one request, after a check that each is unchanged since the list."""
        if len(writes) == 1:
            path = self._edited(variable_of(writes[0].remote))
            answer = self.client.request("PATCH", path, params=self.params, json=changed(writes[0]))
            return [Outcome(writes[0], validate(Stamp, answer or {}, f"Vercel: PATCH {path}").written)]
        now = {one.identity for one in self.listed()}
        same = [write for write in writes if variable_of(write.remote).identity in now]
        lost = [write for write in writes if write not in same]
        done = self.create(same, upsert="true") if same else []
        gone = "has changed since it was listed"
        return [*done, *(Outcome(write, error=NotFound(f"Vercel: {write.key} {gone}")) for write in lost)]

    def delete(self, writes: Sequence[Write]) -> list[Outcome]:
        if len(writes) > 1:
            return super().delete(writes)
        self.client.request("DELETE", self._edited(variable_of(writes[0].remote)), params=self.params)
        return [Outcome(writes[0])]

    def narrow(self, variable: Variable, targets: Set[str]) -> None:
        """Leave it to those environments."""
        held = {"target": variable.target, "customEnvironmentIds": variable.customEnvironmentIds}
        body = {name: sorted(before & targets) for name, before in held.items() if before}
        self.client.request("PATCH", self._edited(variable), params=self.params, json=body, visible=variable.serves)

    def _edited(self, variable: Variable) -> str:
        return f"{self.one.replace('/v1/', '/v9/', 1)}/{quote(variable.id)}"


class SharedVariables(Variables):
    path = one = "/v1/env"

    def __init__(self, client: ApiClient, config: Team) -> None:
        super().__init__(client, config)
        self.config, self.projects = config, sorted(config.targetProjects or [])
        self.serves = frozenset(config.aims)
        linked = hashlib.sha256("|".join(self.projects).encode()).hexdigest()[:16] if self.projects else "linked"
        self.name = f"{config.teamId}/shared/{'+'.join(config.aims)}/{linked}"

    def overlaps(self, name: str) -> bool:
        team, _, rest = name.partition("/shared/")
        return team == self.config.teamId and bool(self.serves & set(rest.partition("/")[0].split("+")))

    def remotes(self) -> list[Remote]:
        """Variables that are shared in the way of this sync; and, locked, those that are shared in another way."""
        found: dict[str, Remote] = {}
        for one in self.client.read_list(self.path, Variable, PAGES, member="data", params=self.params):
            linked = sorted(one.projectId)
            if one.serves == self.serves and self.projects in (linked, []):
                found[one.key] = one.remote("", LINKED if linked != self.projects else "")
            elif one.serves & self.serves:
                found.setdefault(one.key, one.remote(LOCKED))
        return list(found.values())

    def create(self, writes: Sequence[Write]) -> list[Outcome]:
        """One in place of another stays linked to its projects."""
        linked = {id for write in writes if write.remote for id in variable_of(write.remote).projectId}
        body = {
            "evs": [{"key": write.key, **changed(write)} for write in writes],
            "type": self.type,
            "target": self.config.targets,
            "applyToAllCustomEnvironments": self.config.applyToAllCustomEnvironments,
            "projectId": self.projects or sorted(linked),
        }
        return self.made(writes, {name: value for name, value in body.items() if value}, self.params)

    def update(self, writes: Sequence[Write]) -> list[Outcome]:
        updates = {variable_of(write.remote).id: changed(write) for write in writes}
        answer = self.client.request("PATCH", self.path, params=self.params, json={"updates": updates})
        return self.outcomes(writes, answer)


class WholeList(Token):
    """Refused if the token may not see all of it."""

    def after(self, page: Page) -> Params | None:
        if hidden := page.data.get("hiddenProductionEnvCount"):
            said = f"{page.request} hides {hidden} production variables from this token"
            raise Unauthorized(f"{said}; its member needs a role that may see them")
        return super().after(page)


def variable_of(remote: Remote | None) -> Variable:
    assert remote is not None
    assert isinstance(remote.ref, Variable)
    return remote.ref


def changed(write: Write) -> dict[str, str]:
    """Without the name: the API rejects it for a sensitive variable."""
    return {"value": write.value, "comment": write.comment[:COMMENT]}
