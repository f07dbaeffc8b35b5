"""What a sync to Vercel is configured with: an environment of a project, or a team's shared variables."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from config.errors import BadRequest
from config.responses import EXAMPLE_ID
from config.schemas import About, Flag, Items, Model, Text
from connections.providers.vercel import ENVIRONMENTS

SCOPE = About(help="The Vercel scope that secrets should be synced to.")
EVERY_CUSTOM = "custom"
Sensitive = Annotated[bool, Flag("Sensitive", "Values can never be read again, by anyone.")]


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
        if self.aims:
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

    @property
    def aims(self) -> list[str]:
        return [*self.targets, *([EVERY_CUSTOM] if self.applyToAllCustomEnvironments else [])]
