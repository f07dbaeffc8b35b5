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
from config.api.operations import Answer, operation
from config.conventions import timestamp
from config.schemas.answers import Description, IdText, Name, Time, Uuid, text
from config.schemas.json_schema import EXAMPLE_ID
from config.schemas.model import Body
from config.schemas.types import Flag, Items, Slug, Text, Whole
from syncs.services import folders
from syncs.source import selectors
from syncs.source.queries import named_project

PRODUCTS = ("secret-manager", "cert-manager", "kms", "ssh", "secret-scanning", "pam", "ai")


class NewProject(Body):
    projectName: Annotated[str, Text("Name", max_length=64, example="Shop")]
    projectDescription: Annotated[
        str | None, Text("Description", min_length=0, max_length=1024, multiline=True, example="The web shop")
    ] = None
    slug: Annotated[
        str | None, Slug("slug", "Made from the name where it is left out.", least=5, most=36, example="shop-dev")
    ] = None
    kmsKeyId: Annotated[str | None, Text("KMS key", "Not used here.", min_length=0, example=EXAMPLE_ID)] = None
    template: Annotated[str | None, Text("Template", "Not used here.", min_length=0, max_length=64)] = None
    type: Annotated[str, Text("Type", "There is one.", choices=PRODUCTS, example=PRODUCTS[0])] = PRODUCTS[0]
    shouldCreateDefaultEnvs: Annotated[bool, Flag(help="dev, staging and prod.")] = True
    hasDeleteProtection: Annotated[bool, Flag()] = False


class ProjectChange(Body):
    name: Annotated[str | None, Text("Name", max_length=64, example="shop-dev")] = None
    description: Annotated[
        str | None, Text("Description", min_length=0, max_length=1024, multiline=True, example="What the shop needs")
    ] = None
    slug: Annotated[
        str | None, Text("Slug", max_length=64, pattern=r"[a-z0-9]+(?:[_-][a-z0-9]+)*", example="shop-dev")
    ] = None
    autoCapitalization: Annotated[bool | None, Flag()] = None
    hasDeleteProtection: Annotated[bool | None, Flag(help="A protected project cannot be deleted.")] = None
    secretSharing: Annotated[bool | None, Flag(help="Kept for clients; it changes nothing here.")] = None
    showSnapshotsLegacy: Annotated[bool | None, Flag(help="Kept for clients; it changes nothing here.")] = None
    defaultProduct: Annotated[str | None, Text("Product", "Kept for clients.", choices=PRODUCTS)] = None
    pitVersionLimit: Annotated[int | None, Whole("Kept for clients; every version stays.", minimum=1, maximum=100)] = (
        None
    )
    secretDetectionIgnoreValues: Annotated[
        list[Annotated[str, Text("secretDetectionIgnoreValues", max_length=512)]] | None,
        Items("Kept for clients; it changes nothing here.", max_items=100),
    ] = None


class RetentionChange(Body):
    auditLogsRetentionDays: Annotated[int, Whole("Kept for clients; the log keeps all.")]


class ProjectQuery(Body):
    includeRoles: Annotated[str | None, Text("Roles", "With the caller's roles.", choices=("true", "false"))] = None
    type: Annotated[str | None, Text("Type", choices=(*PRODUCTS, "all"))] = None


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
    """`key` is the member that holds the project in answers; "" if the answer is the project itself."""

    tag = "Projects"
    key: ClassVar[str] = "project"
    shape: ClassVar[Any] = OneProject

    def answer(self, project: models.Project) -> Answer[Any]:
        found = project_json(project, str(instance().pk))
        return Answer({self.key: found} if self.key else found)

    def project(self, right: Right = Right.SEE) -> models.Project:
        """The one that the path names, by its id or its slug."""
        by = {"projectId": "id", "projectSlug": "slug"}
        return named_project(self.actor, {by[name]: value for name, value in self.kwargs.items()}, right)

    def seen(self, query: ProjectQuery) -> list[Project]:
        organisation = str(instance().pk)
        found = [project_json(project, organisation) for project in selectors.projects_seen_by(self.actor)]
        if query.includeRoles == "true":
            for each in found:
                role = self.actor.role_in(each["id"])
                each["roles"] = [role] if role else []
        return found

    def created(self) -> Answer[OneProject]:
        body = self.body(NewProject)
        project = folders.create_project(
            self.actor,
            body.projectName,
            slug=body.slug or "",
            description=body.projectDescription,
            protected=body.hasDeleteProtection,
            environments=folders.DEFAULT_ENVIRONMENTS if body.shouldCreateDefaultEnvs else (),
        )
        return Answer({"project": project_json(project, str(instance().pk))})


class _OneProject(ViewSet, _ProjectView):
    @operation("getProject{suffix}", "A project.", answer="shape")
    def retrieve(self, request: Request, **names: str) -> Answer[Any]:
        return self.answer(self.project())

    @operation("updateProject{suffix}", "Change a project.", body=ProjectChange, answer="shape")
    def partial_update(self, request: Request, **names: str) -> Answer[Any]:
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
        return self.answer(changed)

    @operation("deleteProject{suffix}", "Delete a project with all that is in it.", answer="shape")
    def destroy(self, request: Request, **names: str) -> Answer[Any]:
        project = self.project()
        answer = self.answer(project)
        delete_project(self.actor, project)
        return answer


class Projects(_OneProject):
    lookup_url_kwarg = "projectId"
    terms = {"suffix": ""}

    @operation("listProjects", "The projects that you are in.", query=ProjectQuery)
    def list(self, request: Request) -> Answer[ProjectList]:
        return Answer({"projects": self.seen(self.query(ProjectQuery))})

    @operation("createProject", "A project; its creator is its admin.", body=NewProject)
    def create(self, request: Request) -> Answer[OneProject]:
        return self.created()


class Workspaces(_OneProject):
    lookup_url_kwarg = "projectId"
    terms = {"suffix": "OfWorkspace"}
    key = "workspace"
    shape = OneWorkspace

    @operation("listWorkspaces", "The projects that you are in.", query=ProjectQuery)
    def list(self, request: Request) -> Answer[WorkspaceList]:
        return Answer({"workspaces": self.seen(self.query(ProjectQuery))})


class WorkspacesBySlug(_OneProject):
    lookup_url_kwarg = "projectSlug"
    terms = {"suffix": "BySlugOfWorkspace"}
    key = ""
    shape = Project

    @operation("createWorkspace", "A project; its creator is its admin.", body=NewProject)
    def create(self, request: Request) -> Answer[OneProject]:
        return self.created()


class ProjectBySlug(_ProjectView):
    key = ""

    @operation("getProjectBySlug", "A project.", answer=Project)
    def get(self, request: Request, projectSlug: str) -> Answer[Any]:
        return self.answer(self.project())


class Retention(_ProjectView):
    @operation(
        "updateAuditLogsRetention",
        "Kept for clients: the audit log is a chain, of which nothing is deleted.",
        body=RetentionChange,
    )
    def put(self, request: Request, projectSlug: str) -> Answer[RetentionChanged]:
        body = self.body(RetentionChange)
        changed = update_project(self.actor, self.project(), kept=body.stored())
        message = "Successfully updated project's audit logs retention period"
        return Answer({"message": message, "workspace": project_json(changed, str(instance().pk))})


_router = router()
_router.register("v1/projects", Projects, basename="project")
_router.register("v1/workspace", Workspaces, basename="workspace")
_router.register("v2/workspace", WorkspacesBySlug, basename="workspace-by-slug")
urlpatterns = [
    path("v1/projects/slug/<str:projectSlug>", ProjectBySlug.as_view()),
    path("v1/workspace/<str:projectSlug>/audit-logs-retention", Retention.as_view()),
    *_router.urls,
]
