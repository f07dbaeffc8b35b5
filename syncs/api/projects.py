"""Projects, their environments and tags.

Source: https://infisical.com/docs/api-reference/endpoints/workspaces/create-workspace,
https://infisical.com/docs/api-reference/endpoints/environments/create and
https://infisical.com/docs/api-reference/endpoints/secret-tags/list
"""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config.access.models import Project
from config.access.roles import Right, project_for
from config.access.services import KEPT_SETTINGS, delete_project, instance, update_project
from config.api.base import View
from config.api.openapi import FLAG, TEXT, TEXT_OR_NULL, TIME, UUID, WHOLE, closed, component, described, listed
from config.conventions import timestamp
from config.schemas.schema import Flag, Id, Schema, Slug, Text, Texts, Whole
from syncs.models import Environment, Tag
from syncs.services import folders, tags
from syncs.source import selectors
from syncs.source.queries import named_project

PROJECTS, ENVIRONMENTS, TAGS = "Projects", "Environments", "Secret Tags"
PRODUCTS = ("secret-manager", "cert-manager", "kms", "ssh", "secret-scanning", "pam", "ai")

CREATE = Schema(
    (
        Text("projectName", "Name", max_length=64),
        Text("projectDescription", "Description", required=False, min_length=0, max_length=1024, multiline=True),
        Slug("slug", "Made from the name where it is left out.", required=False, least=5, most=36),
        Text("kmsKeyId", "KMS key", "Not used here.", required=False, min_length=0),
        Text("template", "Template", "Not used here.", required=False, min_length=0, max_length=64),
        Text("type", "Type", "There is one.", choices=PRODUCTS, required=False, default="secret-manager"),
        Flag("shouldCreateDefaultEnvs", help="dev, staging and prod.", default=True),
        Flag("hasDeleteProtection", default=False),
    ),
    strict=False,
)
UPDATE = Schema(
    (
        Text("name", "Name", required=False, max_length=64),
        Text("description", "Description", required=False, min_length=0, max_length=1024, multiline=True),
        Text("slug", "Slug", required=False, max_length=64, pattern=r"[a-z0-9]+(?:[_-][a-z0-9]+)*"),
        Flag("autoCapitalization"),
        Flag("hasDeleteProtection", help="A protected project cannot be deleted."),
        Flag("secretSharing", help="Kept for clients; it changes nothing here."),
        Flag("showSnapshotsLegacy", help="Kept for clients; it changes nothing here."),
        Text("defaultProduct", "Product", "Kept for clients.", required=False, choices=PRODUCTS),
        Whole("pitVersionLimit", "Kept for clients; every version stays.", minimum=1, maximum=100),
        Texts("secretDetectionIgnoreValues", "Kept for clients; it changes nothing here."),
    ),
    strict=False,
)
RETENTION = Schema(
    (Whole("auditLogsRetentionDays", "Kept for clients; the log keeps all.", required=True),), strict=False
)
LIST = Schema(
    (
        Text("includeRoles", "Roles", "With the caller's roles.", choices=("true", "false"), required=False),
        Text("type", "Type", required=False, choices=(*PRODUCTS, "all")),
    ),
    strict=False,
)
NEW_ENVIRONMENT = Schema(
    (
        Text("name", "Name", max_length=255),
        Slug("slug"),
        Whole("position", "Others move back.", minimum=1, maximum=10_000),
    ),
    strict=False,
)
ENVIRONMENT_UPDATE = Schema(
    (
        Text("name", "Name", required=False, max_length=255),
        Slug("slug", required=False),
        Whole("position", minimum=1, maximum=10_000),
    ),
    strict=False,
)
NEW_TAG = Schema((Slug("slug"), Text("color", "Colour", "As #ff8800.", min_length=0, max_length=32)), strict=False)
TAG_UPDATE = Schema(
    (Slug("slug", required=False), Text("color", "Colour", required=False, min_length=0, max_length=32)), strict=False
)
PROJECT = (("projectId", "The project's id."),)
ENVIRONMENT = (*PROJECT, ("environmentId", "The environment's id."))
TAG = (*PROJECT, ("tagId", "The tag's id."))


# -- shapes ----------------------------------------------------------------------------------------------------

_BRIEF = closed({"id": UUID, "name": TEXT, "slug": TEXT})
PROJECT_SHAPE = component(
    "Project",
    closed(
        {
            "id": UUID,
            "_id": UUID,
            "name": TEXT,
            "slug": TEXT,
            "description": TEXT_OR_NULL,
            "type": TEXT,
            "defaultProduct": TEXT,
            "autoCapitalization": FLAG,
            "orgId": UUID,
            "version": WHOLE,
            "upgradeStatus": TEXT_OR_NULL,
            "pitVersionLimit": WHOLE,
            "auditLogsRetentionDays": {**WHOLE, "nullable": True},
            "hasDeleteProtection": FLAG,
            "secretSharing": FLAG,
            "showSnapshotsLegacy": FLAG,
            "secretDetectionIgnoreValues": listed(TEXT),
            "enforceEncryptedSecretManagerSecretMetadata": FLAG,
            "kmsCertificateKeyId": TEXT_OR_NULL,
            "kmsSecretManagerKeyId": TEXT_OR_NULL,
            "createdAt": TIME,
            "updatedAt": TIME,
            "environments": listed(_BRIEF),
            "roles": listed(TEXT),
        },
        optional=("roles",),
        title="Project",
    ),
)
ENVIRONMENT_SHAPE = component(
    "Environment",
    closed(
        {
            "id": UUID,
            "name": TEXT,
            "slug": TEXT,
            "position": WHOLE,
            "projectId": UUID,
            "createdAt": TIME,
            "updatedAt": TIME,
        },
        title="Environment",
    ),
)
TAG_SHAPE = component(
    "Tag",
    closed(
        {
            "id": UUID,
            "slug": TEXT,
            "name": TEXT,
            "color": TEXT,
            "projectId": UUID,
            "createdAt": TIME,
            "updatedAt": TIME,
            "createdBy": TEXT_OR_NULL,
        },
        title="Tag",
    ),
)


def wire(project: Project, organisation: str) -> dict[str, Any]:
    """The modelled object. `environments` should be prefetched."""
    return {
        "id": str(project.pk),
        "_id": str(project.pk),
        "name": project.name,
        "slug": project.slug,
        "description": project.description,
        "type": "secret-manager",
        "autoCapitalization": project.auto_capitalization,
        "orgId": organisation,
        "version": 3,
        "upgradeStatus": None,
        "hasDeleteProtection": project.has_delete_protection,
        **KEPT_SETTINGS,
        **project.kept_settings,
        "enforceEncryptedSecretManagerSecretMetadata": False,
        "kmsCertificateKeyId": None,
        "kmsSecretManagerKeyId": None,
        "createdAt": timestamp(project.created_at),
        "updatedAt": timestamp(project.updated_at),
        "environments": [
            {"id": str(each.pk), "name": each.name, "slug": each.slug} for each in project.environments.all()
        ],
    }


def environment_wire(environment: Environment) -> dict[str, Any]:
    return {
        "id": str(environment.pk),
        "name": environment.name,
        "slug": environment.slug,
        "position": environment.position,
        "projectId": str(environment.project_id),
        "createdAt": timestamp(environment.created_at),
        "updatedAt": timestamp(environment.updated_at),
    }


def tag_wire(tag: Tag) -> dict[str, Any]:
    return {
        "id": str(tag.pk),
        "slug": tag.slug,
        "name": tag.slug,
        "color": tag.color,
        "projectId": str(tag.project_id),
        "createdAt": timestamp(tag.created_at),
        "updatedAt": timestamp(tag.updated_at),
        "createdBy": None,
    }


# -- projects --------------------------------------------------------------------------------------------------


class _ProjectView(View):
    """`answers`: the key that the answer is under; "" for a flat one. `by`: what the path names the project by."""

    answers = "project"
    by = "id"

    def shown(self, project: Project) -> Response:
        found = wire(project, str(instance().pk))
        return Response({self.answers: found} if self.answers else found)

    def named(self, name: str, right: Right = Right.SEE) -> Project:
        return named_project(self.actor, {self.by: name}, right)


def _project_list(operation: str, key: str) -> type[View]:
    class Projects(_ProjectView):
        @described(
            operation, PROJECTS, "The projects that you are in.", closed({key: listed(PROJECT_SHAPE)}), query=LIST
        )
        def get(self, request: Request) -> Response:
            given = self.query(LIST)
            organisation = str(instance().pk)
            found = [wire(project, organisation) for project in selectors.projects_seen_by(self.actor)]
            if given.get("includeRoles") == "true":
                for each in found:
                    role = self.actor.role_in(each["id"])
                    each["roles"] = [role] if role else []
            return Response({key: found})

    return Projects


def _creator(base: type[View], operation: str) -> type[View]:
    class Creator(base):  # type: ignore[misc,valid-type]
        @described(
            operation, PROJECTS, "A project; its creator is its admin.", closed({"project": PROJECT_SHAPE}), body=CREATE
        )
        def post(self, request: Request) -> Response:
            given = self.body(CREATE)
            made = folders.create_project(
                self.actor,
                given["projectName"],
                slug=given.get("slug", ""),
                description=given.get("projectDescription"),
                protected=given["hasDeleteProtection"],
                environments=folders.DEFAULT_ENVIRONMENTS if given["shouldCreateDefaultEnvs"] else (),
            )
            return Response({"project": wire(made, str(instance().pk))})

    return Creator


def _one_project(
    suffix: str, *, answers: str, by: str = "id", name: str = "projectId", methods: str = "get patch delete"
) -> type[View]:
    answer = closed({answers: PROJECT_SHAPE}) if answers else PROJECT_SHAPE
    said = ((name, f"The project's {by}."),)

    class One(_ProjectView):
        @described(f"getProject{suffix}", PROJECTS, "A project.", answer, path=said)
        def get(self, request: Request, **names: str) -> Response:
            return self.shown(self.named(names[name]))

        @described(f"updateProject{suffix}", PROJECTS, "Change a project.", answer, body=UPDATE, path=said)
        def patch(self, request: Request, **names: str) -> Response:
            given = self.body(UPDATE)
            changed = update_project(
                self.actor,
                self.named(names[name]),
                name=given.get("name"),
                description=given.get("description"),
                slug=given.get("slug"),
                auto_capitalization=given.get("autoCapitalization"),
                protected=given.get("hasDeleteProtection"),
                kept={key: given[key] for key in KEPT_SETTINGS if key in given},
            )
            return self.shown(changed)

        @described(f"deleteProject{suffix}", PROJECTS, "Delete a project with all that is in it.", answer, path=said)
        def delete(self, request: Request, **names: str) -> Response:
            project = self.named(names[name])
            answer = self.shown(project)
            delete_project(self.actor, project)
            return answer

    One.answers, One.by = answers, by
    One.http_method_names = [*methods.split(), "options", "head"]
    return One


class Retention(_ProjectView):
    by = "slug"

    @described(
        "updateAuditLogsRetention",
        PROJECTS,
        "Kept for clients: the audit log is a chain, of which nothing is deleted.",
        closed({"message": TEXT, "workspace": PROJECT_SHAPE}),
        body=RETENTION,
        path=(("projectSlug", "The project's slug."),),
    )
    def put(self, request: Request, projectSlug: str) -> Response:
        given = self.body(RETENTION)
        changed = update_project(self.actor, self.named(projectSlug), kept=given)
        message = "Successfully updated project's audit logs retention period"
        return Response({"message": message, "workspace": wire(changed, str(instance().pk))})


# -- environments ----------------------------------------------------------------------------------------------


def _environments(prefix: str, key: str) -> list[Any]:
    """Under both prefixes; `key` names the project in the answers."""
    suffix = "" if key == "projectId" else "OfWorkspace"
    one = closed({"environment": ENVIRONMENT_SHAPE})
    told = closed({"message": TEXT, key: TEXT, "environment": ENVIRONMENT_SHAPE})

    class _EnvironmentView(View):
        def told(self, project: Project, environment: dict[str, Any], done: str) -> Response:
            message = f"Successfully {done} environment"
            return Response({"message": message, key: str(project.pk), "environment": environment})

        def named(self, projectId: str, environmentId: str) -> Environment:
            environment_id = _ID.validate({"environmentId": environmentId})["environmentId"]
            return selectors.environment_by_id(project_for(self.actor, projectId), environment_id)

    class Environments(_EnvironmentView):
        @described(
            f"createEnvironment{suffix}",
            ENVIRONMENTS,
            "An environment with its root folder.",
            told,
            body=NEW_ENVIRONMENT,
            path=PROJECT,
        )
        def post(self, request: Request, projectId: str) -> Response:
            given = self.body(NEW_ENVIRONMENT)
            project = project_for(self.actor, projectId)
            made = folders.create_environment(self.actor, project, given["name"], given["slug"], given.get("position"))
            return self.told(project, environment_wire(made), "created new")

    class OneEnvironment(_EnvironmentView):
        @described(f"getEnvironment{suffix}", ENVIRONMENTS, "An environment.", one, path=ENVIRONMENT)
        def get(self, request: Request, projectId: str, environmentId: str) -> Response:
            return Response({"environment": environment_wire(self.named(projectId, environmentId))})

        @described(
            f"updateEnvironment{suffix}",
            ENVIRONMENTS,
            "Rename or move an environment.",
            told,
            body=ENVIRONMENT_UPDATE,
            path=ENVIRONMENT,
        )
        def patch(self, request: Request, projectId: str, environmentId: str) -> Response:
            given = self.body(ENVIRONMENT_UPDATE)
            changed = folders.update_environment(self.actor, self.named(projectId, environmentId), **given)
            return self.told(changed.project, environment_wire(changed), "updated")

        @described(
            f"deleteEnvironment{suffix}",
            ENVIRONMENTS,
            "Delete an environment with all that is in it; syncs it feeds stop.",
            told,
            path=ENVIRONMENT,
        )
        def delete(self, request: Request, projectId: str, environmentId: str) -> Response:
            environment = self.named(projectId, environmentId)
            shown = environment_wire(environment)
            folders.delete_environment(self.actor, environment)
            return self.told(environment.project, shown, "deleted")

    base = f"{prefix}/<str:projectId>/environments"
    return [
        path(base, Environments.as_view()),
        path(f"{base}/<str:environmentId>", OneEnvironment.as_view()),
    ]


_ID = Schema((Id("environmentId"),))


class EnvironmentBySlug(View):
    @described(
        "getEnvironmentBySlug",
        ENVIRONMENTS,
        "An environment by its slug.",
        ENVIRONMENT_SHAPE,
        path=(*PROJECT, ("slug", "The environment's slug.")),
    )
    def get(self, request: Request, projectId: str, slug: str) -> Response:
        found = selectors.environment_by_slug(project_for(self.actor, projectId), slug)
        return Response(environment_wire(found))


class EnvironmentAnywhere(View):
    @described(
        "getEnvironmentById",
        ENVIRONMENTS,
        "An environment by its id alone.",
        closed({"environment": ENVIRONMENT_SHAPE}),
        path=ENVIRONMENT[1:],
    )
    def get(self, request: Request, environmentId: str) -> Response:
        environment_id = _ID.validate({"environmentId": environmentId})["environmentId"]
        found = selectors.environment_seen_by(self.actor, environment_id)
        return Response({"environment": environment_wire(found)})


# -- tags ------------------------------------------------------------------------------------------------------


def _tags(prefix: str, one: str, many: str) -> list[Any]:
    suffix = "" if one == "tag" else "OfWorkspace"
    answer = closed({one: TAG_SHAPE})

    class _TagView(View):
        def one(self, tag: Tag) -> Response:
            return Response({one: tag_wire(tag)})

        def named(self, projectId: str, tagId: str) -> Tag:
            tag_id = Schema((Id("tagId"),)).validate({"tagId": tagId})["tagId"]
            return selectors.tag_of(project_for(self.actor, projectId), pk=tag_id)

    class Tags(_TagView):
        @described(f"listTags{suffix}", TAGS, "A project's tags.", closed({many: listed(TAG_SHAPE)}), path=PROJECT)
        def get(self, request: Request, projectId: str) -> Response:
            found = project_for(self.actor, projectId).tags.order_by("slug")
            return Response({many: [tag_wire(tag) for tag in found]})

        @described(f"createTag{suffix}", TAGS, "A tag.", answer, body=NEW_TAG, path=PROJECT)
        def post(self, request: Request, projectId: str) -> Response:
            given = self.body(NEW_TAG)
            project = project_for(self.actor, projectId)
            return self.one(tags.create_tag(self.actor, project, given["slug"], given["color"]))

    class OneTag(_TagView):
        @described(f"getTag{suffix}", TAGS, "A tag.", answer, path=TAG)
        def get(self, request: Request, projectId: str, tagId: str) -> Response:
            return self.one(self.named(projectId, tagId))

        @described(f"updateTag{suffix}", TAGS, "Rename or recolour a tag.", answer, body=TAG_UPDATE, path=TAG)
        def patch(self, request: Request, projectId: str, tagId: str) -> Response:
            given = self.body(TAG_UPDATE)
            return self.one(tags.update_tag(self.actor, self.named(projectId, tagId), **given))

        @described(f"deleteTag{suffix}", TAGS, "Delete a tag; secrets lose it.", answer, path=TAG)
        def delete(self, request: Request, projectId: str, tagId: str) -> Response:
            tag = self.named(projectId, tagId)
            answer = self.one(tag)
            tags.delete_tag(self.actor, tag)
            return answer

    class TagBySlug(_TagView):
        @described(
            f"getTagBySlug{suffix}",
            TAGS,
            "A tag by its slug.",
            answer,
            path=(*PROJECT, ("tagSlug", "The tag's slug.")),
        )
        def get(self, request: Request, projectId: str, tagSlug: str) -> Response:
            return self.one(selectors.tag_of(project_for(self.actor, projectId), slug=tagSlug))

    base = f"{prefix}/<str:projectId>/tags"
    return [
        path(base, Tags.as_view()),
        path(f"{base}/slug/<str:tagSlug>", TagBySlug.as_view()),
        path(f"{base}/<str:tagId>", OneTag.as_view()),
    ]


urlpatterns = [
    path("v1/projects", _creator(_project_list("listProjects", "projects"), "createProject").as_view()),
    path("v1/workspace", _project_list("listWorkspaces", "workspaces").as_view()),
    path("v2/workspace", _creator(_ProjectView, "createWorkspace").as_view()),
    path("v1/workspace/environments/<str:environmentId>", EnvironmentAnywhere.as_view()),
    path(
        "v1/projects/slug/<str:projectSlug>",
        _one_project("BySlug", answers="", by="slug", name="projectSlug", methods="get").as_view(),
    ),
    path("v1/projects/<str:projectId>", _one_project("", answers="project").as_view()),
    path("v1/workspace/<str:projectId>", _one_project("OfWorkspace", answers="workspace").as_view()),
    path("v1/workspace/<str:projectSlug>/audit-logs-retention", Retention.as_view()),
    path(
        "v2/workspace/<str:projectSlug>",
        _one_project("BySlugOfWorkspace", answers="", by="slug", name="projectSlug").as_view(),
    ),
    path("v1/projects/<str:projectId>/environments/slug/<str:slug>", EnvironmentBySlug.as_view()),
    *_environments("v1/projects", "projectId"),
    *_environments("v1/workspace", "workspace"),
    *_tags("v1/projects", "tag", "tags"),
    *_tags("v1/workspace", "workspaceTag", "workspaceTags"),
]
