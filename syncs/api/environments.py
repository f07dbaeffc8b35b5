"""Environments of projects, under both prefixes of the modelled API.

Source: https://infisical.com/docs/api-reference/endpoints/environments/create
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from django.urls import path
from pydantic import ConfigDict, with_config
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import project_for
from config.api.base import View, ViewSet, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import IdText, Message, Name, Time, Uuid
from config.schemas.model import Body
from config.schemas.types import Slug, Text, Whole
from syncs import models
from syncs.services import folders
from syncs.source import selectors


class NewEnvironment(Body):
    name: Annotated[str, Text("Name", max_length=255, example="shop-dev")]
    slug: Annotated[str, Slug("slug", example="shop-dev")]
    position: Annotated[
        int | None, Whole("Position in the list; later environments move back.", minimum=1, maximum=10_000)
    ] = None


class EnvironmentChange(Body):
    name: Annotated[str | None, Text("Name", max_length=255, example="shop-dev")] = None
    slug: Annotated[str | None, Slug("slug", example="shop-dev")] = None
    position: Annotated[int | None, Whole(minimum=1, maximum=10_000)] = None


@with_config(ConfigDict(title="Environment"))
class Environment(TypedDict):
    id: Uuid
    name: Name
    slug: Name
    position: int
    projectId: Uuid
    createdAt: Time
    updatedAt: Time


class OneEnvironment(TypedDict):
    environment: Environment


class EnvironmentChanged(TypedDict):
    message: Message
    projectId: IdText
    environment: Environment


class EnvironmentOfWorkspaceChanged(TypedDict):
    message: Message
    workspace: str
    environment: Environment


def environment_json(environment: models.Environment) -> Environment:
    return {
        "id": str(environment.pk),
        "name": environment.name,
        "slug": environment.slug,
        "position": environment.position,
        "projectId": str(environment.project_id),
        "createdAt": timestamp(environment.created_at),
        "updatedAt": timestamp(environment.updated_at),
    }


class Environments(ViewSet):
    """`key` is the member of a response to a change that holds the project's ID."""

    tag = "Environments"
    terms = {"suffix": ""}
    lookup_url_kwarg = "environmentId"
    key: ClassVar[str] = "projectId"
    changed: ClassVar[Any] = EnvironmentChanged

    def environment(self) -> models.Environment:
        environment_id = self.id("environmentId")
        return selectors.environment_by_id(project_for(self.actor, self.kwargs["projectId"]), environment_id)

    def done(self, environment: Environment, what: str) -> TypedResponse[Any]:
        message = f"Successfully {what} environment"
        return TypedResponse({"message": message, self.key: environment["projectId"], "environment": environment})

    @operation(
        "createEnvironment{suffix}",
        "Create an environment with its root folder.",
        body=NewEnvironment,
        response="changed",
    )
    def create(self, request: Request, projectId: str) -> TypedResponse[Any]:
        body = self.body(NewEnvironment)
        project = project_for(self.actor, projectId)
        environment = folders.create_environment(self.actor, project, body.name, body.slug, body.position)
        return self.done(environment_json(environment), "created new")

    @operation("getEnvironment{suffix}", "Get an environment.")
    def retrieve(self, request: Request, projectId: str, environmentId: str) -> TypedResponse[OneEnvironment]:
        return TypedResponse({"environment": environment_json(self.environment())})

    @operation(
        "updateEnvironment{suffix}", "Rename or reorder an environment.", body=EnvironmentChange, response="changed"
    )
    def partial_update(self, request: Request, projectId: str, environmentId: str) -> TypedResponse[Any]:
        body = self.body(EnvironmentChange)
        changed = folders.update_environment(
            self.actor, self.environment(), name=body.name, slug=body.slug, position=body.position
        )
        return self.done(environment_json(changed), "updated")

    @operation(
        "deleteEnvironment{suffix}",
        "Delete an environment and everything in it. Syncs that read from it stop.",
        response="changed",
    )
    def destroy(self, request: Request, projectId: str, environmentId: str) -> TypedResponse[Any]:
        environment = self.environment()
        deleted = environment_json(environment)
        folders.delete_environment(self.actor, environment)
        return self.done(deleted, "deleted")


class EnvironmentsOfWorkspace(Environments):
    terms = {"suffix": "OfWorkspace"}
    key = "workspace"
    changed = EnvironmentOfWorkspaceChanged


class EnvironmentBySlug(View):
    tag = "Environments"
    parameters = {"slug": {"type": "string", "description": "The environment's slug."}}

    @operation("getEnvironmentBySlug", "Get an environment by its slug.")
    def get(self, request: Request, projectId: str, slug: str) -> TypedResponse[Environment]:
        return TypedResponse(environment_json(selectors.environment_by_slug(project_for(self.actor, projectId), slug)))


class EnvironmentById(View):
    tag = "Environments"

    @operation("getEnvironmentById", "Get an environment by its ID alone.")
    def get(self, request: Request, environmentId: str) -> TypedResponse[OneEnvironment]:
        found = selectors.environment_seen_by(self.actor, self.id("environmentId"))
        return TypedResponse({"environment": environment_json(found)})


_router = router()
_router.register("v1/projects/<str:projectId>/environments", Environments, basename="environment")
_router.register(
    "v1/workspace/<str:projectId>/environments", EnvironmentsOfWorkspace, basename="environment-of-workspace"
)
urlpatterns = [
    path("v1/workspace/environments/<str:environmentId>", EnvironmentById.as_view()),
    path("v1/projects/<str:projectId>/environments/slug/<str:slug>", EnvironmentBySlug.as_view()),
    *_router.urls,
]
