"""Bodies and queries of the endpoints of folders, in versions 1 and 2.

The classes that a body or query inherits from stand in the opposite order of its members: the last one comes first.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from config.schemas.model import Body
from config.schemas.types import Flag, Id, Items, Moment, Text
from syncs.source import paths
from syncs.source.paths import PathText

from .fields import ENVIRONMENT, OfProject, OfWorkspace

_PATH = PathText("path", example="/services/api")
_NAME = Text(
    "Name",
    "Letters, digits, dashes and underscores.",
    max_length=255,
    pattern=paths.NAME,
    pattern_message=paths.BAD_NAME,
    example="shop-dev",
)
_DESCRIPTION = Text("Description", min_length=0, max_length=1024, multiline=True, example="What the shop needs")


class InFolder(Body):
    environment: Annotated[str, ENVIRONMENT]
    path: Annotated[str | None, _PATH] = None

    @property
    def parent(self) -> str:
        return self.path or "/"


class InDirectory(InFolder):
    """As version 1 has it."""

    directory: Annotated[str | None, PathText("directory", "Former name of `path`.", hidden=True)] = None

    @property
    def parent(self) -> str:
        return self.path or self.directory or "/"


class FolderQuery(InFolder):
    recursive: Annotated[bool, Flag(help="Include all folders below, each with `relativePath`.", lenient=True)] = False
    lastSecretModified: Annotated[
        datetime | None, Moment("Only folders with a secret that changed since then.", "lastSecretModified")
    ] = None


class FolderContent(InFolder):
    name: Annotated[str, _NAME]
    description: Annotated[str | None, _DESCRIPTION] = None


class FolderDeletion(InFolder):
    forceDelete: Annotated[bool, Flag(help="Delete the folder even if it is not empty.")] = False


class FolderQueryV1(FolderQuery, InDirectory, OfWorkspace): ...


class FolderQueryV2(FolderQuery, OfProject): ...


class FolderContentV1(FolderContent, InDirectory, OfWorkspace): ...


class FolderContentV2(FolderContent, OfProject): ...


class FolderDeletionV1(InDirectory, OfWorkspace): ...


class FolderDeletionV2(FolderDeletion, OfProject): ...


class NewFolderName(Body):
    name: Annotated[str | None, replace(_NAME, help="With it: of the rename, instead of the deletion.")] = None


class FolderUpdate(Body):
    id: Annotated[str, Id(label="id")]
    environment: Annotated[str | None, ENVIRONMENT] = None
    name: Annotated[str, _NAME]
    path: Annotated[str | None, _PATH] = None
    description: Annotated[str | None, _DESCRIPTION] = None


class FolderUpdates(Body):
    projectSlug: Annotated[str, Text("Project", "The project's slug.", max_length=64, example="shop-dev")]
    folders: Annotated[list[FolderUpdate], Items(min_items=1, max_items=100)]
