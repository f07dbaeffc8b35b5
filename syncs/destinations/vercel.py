"""Environment variables at Vercel: of a project, for one of its environments, or shared by a team's projects.

Surprising facts. One variable may be for several environments: the sync removes its own environment from it and leaves
the rest. A sensitive value cannot be read, and the type of a variable cannot be changed: it is recreated. A
token that may not see production variables gets a list without them, and the number of hidden ones. A create with the
response 201 may have failed for some of its keys.
Sources: https://vercel.com/docs/rest-api/projects/create-one-or-more-environment-variables,
https://vercel.com/docs/rest-api/environment/create-one-or-more-shared-environment-variables,
https://vercel.com/docs/limits, https://vercel.com/docs/environment-variables/sensitive-environment-variables
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import Any

from config.errors import BadRequest
from config.schemas import OneOf
from connections.errors import NotFound, Rejected
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.reading import ReadsEach
from syncs.destination.shared_objects import SharedObjectDestination
from syncs.destinations._vercel_config import Project, Team
from syncs.destinations._vercel_deployments import NOT_REDEPLOYED, is_redeployed, redeploy
from syncs.destinations._vercel_variables import ProjectVariables, SharedVariables, variable_of
from syncs.engine.types import Action, Outcome, Remote, Write

MANY = 50  # keys per request: documented for shared variables, and used for a project's too


class Vercel(ReadsEach, SharedObjectDestination):
    slug = "vercel"
    label = "Vercel"
    # A config of older clients has no scope: it is a project's.
    Config = OneOf("scope", Project, Team, default="project")
    config: Project | Team
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        key_pattern=r"[A-Za-z_][A-Za-z0-9_]*",
        key_rule="letters, digits and underscores, no digit first,",
        reserved=(
            *("AWS_SECRET_KEY", "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
            *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"),
            *("NOW_REGION", "TZ", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
        ),
        max_value_bytes=64 * 1024,
        pace=2.0,  # 120 creates and as many updates per minute; for deletes see `request_cost`
        note="A deployment uses new values when it is redeployed; the policy can do that. All its variables may have"
        " 64 KB together. Sensitive values cannot be read: a change is detected by its time, and they are not imported."
        " Shared variables of a team are read by an import only; otherwise a change is detected by its time too."
        " Several changed keys are one request, after a check that each is unchanged.",
        rights="A token of a member who may edit the variables of the environment: Project Administrator of the"
        " project, or Member of the team for shared variables.",
        verified=(
            Verified(date(2026, 11, 29), "emulate 0.8.0", "project scope; not Vercel itself"),
            Verified(date(2026, 11, 29), "the vendor's SDK 1.28.35"),
        ),
        docs_url="https://vercel.com/docs/environment-variables",
    )
    after_writes = ("deploy",)
    batch = {Action.CREATE: MANY, Action.UPDATE: MANY, Action.DELETE: MANY}
    split_on = (Rejected, NotFound)

    @classmethod
    def limits(cls, config: Project | Team) -> Capabilities:
        """A project takes 1000 variables an environment; sensitive values are not read."""
        found = replace(cls.capabilities, can_read_values=not config.sensitive)
        return replace(found, max_keys=1000) if isinstance(config, Project) else found

    @classmethod
    def check_together(cls, config: Project | Team, options: Any, policy: Any, after_writes: str) -> None:
        if after_writes == "deploy" and not is_redeployed(config):
            raise BadRequest(NOT_REDEPLOYED)

    @cached_property
    def variables(self) -> ProjectVariables | SharedVariables:
        if isinstance(self.config, Project):
            return ProjectVariables(self.client, self.config)
        return SharedVariables(self.client, self.config)

    @property
    def targets(self) -> Set[str]:
        return self.variables.serves

    def targets_of(self, remote: Remote) -> Set[str]:
        return variable_of(remote).serves

    def can_update(self, remote: Remote) -> bool:
        """The type of a variable cannot be changed."""
        return variable_of(remote).kind == self.variables.type

    def location(self) -> str:
        return f"{self.slug}|{self.client.base_url}|{self.variables.name}"

    def overlaps(self, location: str) -> bool:
        own, _, mine = self.location().rpartition("|")
        others, _, name = location.rpartition("|")
        return others == own and (name == mine or self.variables.overlaps(name))

    def request_cost(self, action: Action) -> float:
        """Deletes have half the pace: 60 a minute."""
        return (2 if action is Action.DELETE else 1) / MANY

    def requests(self, writes: Mapping[Action, int]) -> int:
        """A read goes before each batch of updates."""
        updates = writes.get(Action.UPDATE, 0)
        looks = math.ceil(updates / MANY) if updates > 1 and self.config.scope == "project" else 0
        return super().requests(writes) + looks

    def write_fingerprint(self) -> str:
        """The type, so that variables are recreated if the option changes."""
        return "sensitive" if self.config.sensitive else ""

    def fetch(self) -> Iterable[Remote]:
        return self.variables.remotes()

    def read_value(self, remote: Remote, *, values: bool) -> Remote:
        """Etags show changes. A value that is encrypted in the list takes a request: only an import reads it."""
        is_sealed = values and remote.value is None and remote.ref.kind == "encrypted"
        return replace(remote, value=self.variables.read(remote.ref.id)) if is_sealed else remote

    def create_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self.variables.create(writes)

    def update_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self.variables.update(writes)

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        return self.variables.delete(writes)

    def narrow(self, remote: Remote, targets: Set[str]) -> None:
        variables = self.variables
        assert isinstance(variables, ProjectVariables), "what a team shares in another way is locked"
        variables.narrow(variable_of(remote), targets)

    def after(self, changed: Collection[str]) -> None:
        redeploy(self.client, self.config)
