"""Tags of secrets, under both prefixes of the modelled API.

Source: https://infisical.com/docs/api-reference/endpoints/secret-tags/list
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, with_config
from rest_framework.decorators import action
from rest_framework.request import Request
from typing_extensions import TypedDict

from config.access.roles import project_for
from config.api.base import ViewSet, router
from config.api.operations import TypedResponse, operation
from config.conventions import timestamp
from config.responses import Name, Time, Uuid, text
from config.schemas.model import Body
from config.schemas.types import Slug, Text
from syncs import models
from syncs.services import tags
from syncs.source import selectors


class NewTag(Body):
    slug: Annotated[str, Slug("slug", example="shop-dev")]
    color: Annotated[str, Text("Colour", "Such as #ff8800.", min_length=0, max_length=32, example="#ff8800")]


class TagChange(Body):
    slug: Annotated[str | None, Slug("slug", example="shop-dev")] = None
    color: Annotated[str | None, Text("Colour", min_length=0, max_length=32, example="#ff8800")] = None


@with_config(ConfigDict(title="Tag"))
class Tag(TypedDict):
    id: Uuid
    slug: Name
    name: Name
    color: Annotated[str, text(example="#ff8800")]
    projectId: Uuid
    createdAt: Time
    updatedAt: Time
    createdBy: str | None


class OneTag(TypedDict):
    tag: Tag


class TagList(TypedDict):
    tags: list[Tag]


class OneWorkspaceTag(TypedDict):
    workspaceTag: Tag


class WorkspaceTagList(TypedDict):
    workspaceTags: list[Tag]


def tag_json(tag: models.Tag) -> Tag:
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


class Tags(ViewSet):
    """`key` is the member of a response that holds a tag; with an s, the one that holds several."""

    tag = "Secret Tags"
    terms = {"suffix": ""}
    lookup_url_kwarg = "tagId"
    key: ClassVar[str] = "tag"
    one: ClassVar[Any] = OneTag
    many: ClassVar[Any] = TagList

    def respond(self, tag: models.Tag) -> TypedResponse[Any]:
        return TypedResponse({self.key: tag_json(tag)})

    def found(self) -> models.Tag:
        tag_id = self.id("tagId")
        return selectors.tag_of(project_for(self.actor, self.kwargs["projectId"]), pk=tag_id)

    @operation("listTags{suffix}", "List the tags of a project.", response="many")
    def list(self, request: Request, projectId: str) -> TypedResponse[Any]:
        rows = project_for(self.actor, projectId).tags.order_by("slug")
        return TypedResponse({f"{self.key}s": [tag_json(tag) for tag in rows]})

    @operation("createTag{suffix}", "Create a tag.", body=NewTag, response="one")
    def create(self, request: Request, projectId: str) -> TypedResponse[Any]:
        body = self.body(NewTag)
        return self.respond(tags.create_tag(self.actor, project_for(self.actor, projectId), body.slug, body.color))

    @operation("getTag{suffix}", "Get a tag.", response="one")
    def retrieve(self, request: Request, projectId: str, tagId: str) -> TypedResponse[Any]:
        return self.respond(self.found())

    @operation("updateTag{suffix}", "Change the slug or color of a tag.", body=TagChange, response="one")
    def partial_update(self, request: Request, projectId: str, tagId: str) -> TypedResponse[Any]:
        body = self.body(TagChange)
        return self.respond(tags.update_tag(self.actor, self.found(), slug=body.slug, color=body.color))

    @operation("deleteTag{suffix}", "Delete a tag and remove it from all secrets.", response="one")
    def destroy(self, request: Request, projectId: str, tagId: str) -> TypedResponse[Any]:
        tag = self.found()
        response = self.respond(tag)
        tags.delete_tag(self.actor, tag)
        return response

    @action(detail=False, url_path="slug/<str:tagSlug>")
    @operation("getTagBySlug{suffix}", "Get a tag by its slug.", response="one")
    def by_slug(self, request: Request, projectId: str, tagSlug: str) -> TypedResponse[Any]:
        return self.respond(selectors.tag_of(project_for(self.actor, projectId), slug=tagSlug))


class TagsOfWorkspace(Tags):
    terms = {"suffix": "OfWorkspace"}
    key = "workspaceTag"
    one = OneWorkspaceTag
    many = WorkspaceTagList


_router = router()
_router.register("v1/projects/<str:projectId>/tags", Tags, basename="tag")
_router.register("v1/workspace/<str:projectId>/tags", TagsOfWorkspace, basename="tag-of-workspace")
urlpatterns = _router.urls
