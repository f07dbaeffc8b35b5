"""Projects. Their environments and tags are in modules of their own.

Source: https://infisical.com/docs/api-reference/endpoints/workspaces/create-workspace
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, NotRequired

from django.urls import path
from pydantic import ConfigDict, with_config
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access import models
from config.access.roles import Right
from config.access.services import KEPT_SETTINGS, delete_project, instance, update_project
from config.api.base import View, ViewSet, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import Description, IdText, Name, Time, Uuid, text
from syncs.services import folders
from syncs.source import selectors
from syncs.source.queries import project_by_id_or_slug

from .project_requests import NewProject, ProjectChange, ProjectQuery, RetentionChange


class EnvironmentBrief(TypedDict):
    id: Uuid
    name: Name
    slug: Name


@with_config(ConfigDict(title="Project"))
class Project(TypedDict):
    id: Uuid
    _id: Uuid
    name: Name
    slug: Name
    description: Description | None
    type: Annotated[str, text(example="shared")]
    defaultProduct: str
    autoCapitalization: bool
    orgId: Uuid
    version: int
    upgradeStatus: str | None
    pitVersionLimit: int
    auditLogsRetentionDays: int | None
    hasDeleteProtection: bool
    secretSharing: bool
    showSnapshotsLegacy: bool
    secretDetectionIgnoreValues: list[str]
    enforceEncryptedSecretManagerSecretMetadata: bool
    kmsCertificateKeyId: IdText | None
    kmsSecretManagerKeyId: IdText | None
    createdAt: Time
    updatedAt: Time
    environments: list[EnvironmentBrief]
    roles: NotRequired[list[str]]


class OneProject(TypedDict):
    project: Project


class OneWorkspace(TypedDict):
    workspace: Project


class ProjectList(TypedDict):
    projects: list[Project]


class WorkspaceList(TypedDict):
    workspaces: list[Project]


class RetentionChanged(TypedDict):
    message: Annotated[str, text(example="Done")]
    workspace: Project


def project_json(project: models.Project, organisation: str) -> Project:
    """The modelled object. `environments` should be prefetched."""
    kept = {**KEPT_SETTINGS, **project.kept_settings}
    return {
        "id": str(project.pk),
        "_id": str(project.pk),
        "name": project.name,
        "slug": project.slug,
        "description": project.description,
        "type": "secret-manager",
        "defaultProduct": kept["defaultProduct"],
        "autoCapitalization": project.auto_capitalization,
        "orgId": organisation,
        "version": 3,
        "upgradeStatus": None,
        "pitVersionLimit": kept["pitVersionLimit"],
        "auditLogsRetentionDays": kept["auditLogsRetentionDays"],
        "hasDeleteProtection": project.has_delete_protection,
        "secretSharing": kept["secretSharing"],
        "showSnapshotsLegacy": kept["showSnapshotsLegacy"],
        "secretDetectionIgnoreValues": kept["secretDetectionIgnoreValues"],
        "enforceEncryptedSecretManagerSecretMetadata": False,
        "kmsCertificateKeyId": None,
        "kmsSecretManagerKeyId": None,
        "createdAt": timestamp(project.created_at),
        "updatedAt": timestamp(project.updated_at),
        "environments": [
            {"id": str(each.pk), "name": each.name, "slug": each.slug} for each in project.environments.all()
        ],
    }


class _ProjectView(View):
    """`key` is the member of a response that holds the project; "" if the response is the project itself."""

    tag = "Projects"
    key: ClassVar[str] = "project"
    shape: ClassVar[Any] = OneProject

    def respond(self, project: models.Project) -> TypedResponse[Any]:
        found = project_json(project, str(instance().pk))
        return TypedResponse({self.key: found} if self.key else found)

    def project(self, right: Right = Right.SEE) -> models.Project:
        """The one that the path names, by its id or its slug."""
        by = {"projectId": "id", "projectSlug": "slug"}
        return project_by_id_or_slug(self.actor, {by[name]: value for name, value in self.kwargs.items()}, right)

    def seen(self, query: ProjectQuery) -> list[Project]:
        organisation = str(instance().pk)
        found = [project_json(project, organisation) for project in selectors.projects_seen_by(self.actor)]
        if query.includeRoles == "true":
            for each in found:
                role = self.actor.role_in(each["id"])
                each["roles"] = [role] if role else []
        return found

    def created(self) -> TypedResponse[OneProject]:
        body = self.body(NewProject)
        project = folders.create_project(
            self.actor,
            body.projectName,
            slug=body.slug or "",
            description=body.projectDescription,
            protected=body.hasDeleteProtection,
            environments=folders.DEFAULT_ENVIRONMENTS if body.shouldCreateDefaultEnvs else (),
        )
        return TypedResponse({"project": project_json(project, str(instance().pk))})


class _OneProject(ViewSet, _ProjectView):
    @operation("getProject{suffix}", "Get a project.", response="shape")
    def retrieve(self, request: Request, **names: str) -> TypedResponse[Any]:
        return self.respond(self.project())

    @operation("updateProject{suffix}", "Change a project.", body=ProjectChange, response="shape")
    def partial_update(self, request: Request, **names: str) -> TypedResponse[Any]:
        body = self.body(ProjectChange)
        changed = update_project(
            self.actor,
            self.project(),
            name=body.name,
            description=body.description,
            slug=body.slug,
            auto_capitalization=body.autoCapitalization,
            protected=body.hasDeleteProtection,
            kept={name: value for name, value in body.stored().items() if name in KEPT_SETTINGS},
        )
        return self.respond(changed)

    @operation("deleteProject{suffix}", "Delete a project and everything in it.", response="shape")
    def destroy(self, request: Request, **names: str) -> TypedResponse[Any]:
        project = self.project()
        response = self.respond(project)
        delete_project(self.actor, project)
        return response


class Projects(_OneProject):
    lookup_url_kwarg = "projectId"
    terms = {"suffix": ""}

    @operation("listProjects", "List the projects that you are a member of.", query=ProjectQuery)
    def list(self, request: Request) -> TypedResponse[ProjectList]:
        return TypedResponse({"projects": self.seen(self.query(ProjectQuery))})

    @operation("createProject", "Create a project. Its creator becomes its admin.", body=NewProject)
    def create(self, request: Request) -> TypedResponse[OneProject]:
        return self.created()


class Workspaces(_OneProject):
    lookup_url_kwarg = "projectId"
    terms = {"suffix": "OfWorkspace"}
    key = "workspace"
    shape = OneWorkspace

    @operation("listWorkspaces", "List the projects that you are a member of.", query=ProjectQuery)
    def list(self, request: Request) -> TypedResponse[WorkspaceList]:
        return TypedResponse({"workspaces": self.seen(self.query(ProjectQuery))})


class WorkspacesBySlug(_OneProject):
    lookup_url_kwarg = "projectSlug"
    terms = {"suffix": "BySlugOfWorkspace"}
    key = ""
    shape = Project

    @operation("createWorkspace", "Create a project. Its creator becomes its admin.", body=NewProject)
    def create(self, request: Request) -> TypedResponse[OneProject]:
        return self.created()


class ProjectBySlug(_ProjectView):
    key = ""

    @operation("getProjectBySlug", "Get a project by its slug.", response=Project)
    def get(self, request: Request, projectSlug: str) -> TypedResponse[Any]:
        return self.respond(self.project())


class Retention(_ProjectView):
    @operation(
        "updateAuditLogsRetention",
        "Accepted for compatibility: the audit log is append-only, and nothing is deleted from it.",
        body=RetentionChange,
    )
    def put(self, request: Request, projectSlug: str) -> TypedResponse[RetentionChanged]:
        body = self.body(RetentionChange)
        changed = update_project(self.actor, self.project(), kept=body.stored())
        message = "Successfully updated project's audit logs retention period"
        return TypedResponse({"message": message, "workspace": project_json(changed, str(instance().pk))})


_router = router()
_router.register("v1/projects", Projects, basename="project")
_router.register("v1/workspace", Workspaces, basename="workspace")
_router.register("v2/workspace", WorkspacesBySlug, basename="workspace-by-slug")
urlpatterns = [
    path("v1/projects/slug/<str:projectSlug>", ProjectBySlug.as_view()),
    path("v1/workspace/<str:projectSlug>/audit-logs-retention", Retention.as_view()),
    *_router.urls,
]
