"""Bodies and queries of the endpoints of secrets, in versions 3 and 4.

The classes that a body or query inherits from stand in the opposite order of its members: the last one comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import SecretStr

from config.responses import EXAMPLE_ID
from config.schemas.model import Body
from config.schemas.pages import Page
from config.schemas.types import Flag, Id, Items, Secret, Text, Whole
from syncs.source.paths import PathText

from .fields import ENVIRONMENT, InBodyOfWorkspace, InQueryOfWorkspace, OfProject, SecretName

MAX_BATCH = 10_000
MODES = {"failOnNotFound": "update", "ignore": "existing", "upsert": "upsert"}

_PATH = PathText("secretPath", example="/services/api")
_KEY = SecretName("The secret's name.", example="DB_URL")
_TYPE = Text("Type", "Personal secrets are not supported.", choices=("shared", "personal"), example="shared")
_VALUE = Secret(
    "Value",
    "Leading and trailing whitespace is removed, except one final newline.",
    min_length=0,
    verbatim=True,
    example="postgres://shop@db.internal/shop",
)
_PROJECT_SLUG = Text("Project", "The project's slug.", max_length=64, example="shop-dev")


class InFolder(Body):
    environment: Annotated[str, ENVIRONMENT]
    secretPath: Annotated[str, _PATH] = "/"


class InFolderOrMissing(Body):
    """As queries of version 3 have it: a missing environment has a message of its own."""

    environment: Annotated[str | None, ENVIRONMENT] = None
    secretPath: Annotated[str, _PATH] = "/"


# -- queries ---------------------------------------------------------------------------------------------------


class ReadOptions(Body):
    viewSecretValue: Annotated[bool, Flag(help="Whether values are returned.", query=True)] = True
    expandSecretReferences: Annotated[
        bool, Flag(help="Whether references such as ${KEY} are resolved.", query=True)
    ] = False
    include_imports: Annotated[bool | None, Flag(help="Whether imported secrets are included.", query=True)] = None
    includeImports: Annotated[bool | None, Flag(help="Same as `include_imports`.", query=True)] = None


class ReadOptionsV4(ReadOptions):
    expandSecretReferences: Annotated[
        bool, Flag(help="Whether references such as ${KEY} are resolved.", query=True)
    ] = True


class ListOptions(Body):
    recursive: Annotated[bool, Flag(help="Include all folders below.", query=True)] = False
    tagSlugs: Annotated[str | None, Text("Tags", "Comma-separated; secrets with any of these tags.", min_length=0)] = (
        None
    )
    metadataFilter: Annotated[
        str | None, Text("Metadata", "Such as key=a,value=b|key=c,value=d; all of them must match.", min_length=0)
    ] = None


class VersionOptions(Body):
    version: Annotated[int | None, Whole("An earlier version.", minimum=1, query=True)] = None
    type: Annotated[str, _TYPE] = "shared"


class VersionByIdOptions(Body):
    version: Annotated[int | None, Whole(minimum=1, query=True)] = None


class ListQueryV3(ListOptions, ReadOptions, InFolderOrMissing, InQueryOfWorkspace): ...


class ListQueryV4(ListOptions, ReadOptionsV4, InFolder, OfProject): ...


class ReadQueryV3(VersionOptions, ReadOptions, InFolderOrMissing, InQueryOfWorkspace): ...


class ReadQueryV4(VersionOptions, ReadOptionsV4, InFolder, OfProject): ...


class ReadByIdQueryV3(VersionByIdOptions, ReadOptions): ...


class ReadByIdQueryV4(VersionByIdOptions, ReadOptionsV4): ...


class VersionPage(Page):
    offset: Annotated[int, Whole(query=True, maximum=10**9)] = 0


class FolderQueryV4(InFolder, OfProject): ...


# -- bodies ----------------------------------------------------------------------------------------------------


class Metadata(Body):
    key: Annotated[str, Text("Key", max_length=255, example="DB_URL")]
    value: Annotated[str, Text("Value", min_length=0, max_length=4096, verbatim=True)] = ""
    isEncrypted: Annotated[
        bool | None, Flag(help="Store the value encrypted; only members who may read values can see it.")
    ] = None


class SecretContent(Body):
    """What a secret is made of, besides its name."""

    secretValue: Annotated[SecretStr | None, _VALUE] = None
    secretComment: Annotated[str | None, Text("Comment", min_length=0, verbatim=True, example="Read replica")] = None
    secretMetadata: Annotated[list[Metadata] | None, Items(max_items=100)] = None
    tagIds: Annotated[
        list[Annotated[str, Text("tagIds", max_length=512, example=EXAMPLE_ID)]] | None,
        Items("IDs of tags of the project.", max_items=100),
    ] = None
    skipMultilineEncoding: Annotated[bool | None, Flag(help="Sync a multi-line value as a single quoted line.")] = None
    type: Annotated[str, _TYPE] = "shared"
    secretReminderRepeatDays: Annotated[
        int | None, Whole("Accepted for compatibility; no reminders are sent.", maximum=36500)
    ] = None
    secretReminderNote: Annotated[
        str | None, Text("Reminder", "Accepted for compatibility.", min_length=0, max_length=1024, multiline=True)
    ] = None


class NewContent(SecretContent):
    secretValue: Annotated[SecretStr, _VALUE]


class ChangedContent(SecretContent):
    newSecretName: Annotated[str | None, SecretName("Another name for it.", empty=True, example="DATABASE_URL")] = None


class Named(Body):
    secretKey: Annotated[str, _KEY]


class BatchNew(NewContent, Named): ...


class BatchChange(ChangedContent, Named):
    secretPath: Annotated[str | None, _PATH] = None


class BatchDeletion(Named):
    type: Annotated[str, _TYPE] = "shared"


_BATCH = Items("All or none.", min_items=1, max_items=MAX_BATCH)


class BatchOfNew(Body):
    secrets: Annotated[list[BatchNew], _BATCH]


class BatchOfChanges(Body):
    secrets: Annotated[list[BatchChange], _BATCH]
    mode: Annotated[str, Text("Mode", "What to do with secrets that do not exist.", choices=tuple(MODES))] = (
        "failOnNotFound"
    )


class BatchOfDeletions(Body):
    secrets: Annotated[list[BatchDeletion], _BATCH]


class Deletion(Body):
    type: Annotated[str, _TYPE] = "shared"


class NewV3(NewContent, InFolder, InBodyOfWorkspace): ...


class NewV4(NewContent, InFolder, OfProject): ...


class ChangeV3(ChangedContent, InFolder, InBodyOfWorkspace): ...


class ChangeV4(ChangedContent, InFolder, OfProject): ...


class DeletionV3(Deletion, InFolder, InBodyOfWorkspace): ...


class DeletionV4(Deletion, InFolder, OfProject): ...


class BatchOfNewV3(BatchOfNew, InFolder, InBodyOfWorkspace): ...


class BatchOfNewV4(BatchOfNew, InFolder, OfProject): ...


class BatchOfChangesV3(BatchOfChanges, InFolder, InBodyOfWorkspace): ...


class BatchOfChangesV4(BatchOfChanges, InFolder, OfProject): ...


class BatchOfDeletionsV3(BatchOfDeletions, InFolder, InBodyOfWorkspace): ...


class BatchOfDeletionsV4(BatchOfDeletions, InFolder, OfProject): ...


class Move(Body):
    sourceEnvironment: Annotated[str, ENVIRONMENT]
    sourceSecretPath: Annotated[str, PathText("sourceSecretPath", example="/")] = "/"
    destinationEnvironment: Annotated[
        str, Text("Environment", "The environment's slug.", max_length=64, example="prod")
    ]
    destinationSecretPath: Annotated[str, PathText("destinationSecretPath", example="/services/api")] = "/"
    secretIds: Annotated[
        list[Annotated[str, Id(label="secretIds")]], Items("IDs of secrets of the source folder.", max_items=MAX_BATCH)
    ]
    shouldOverwrite: Annotated[
        bool, Flag(help="Overwrite secrets of the destination folder that have another value.")
    ] = False


class MoveV4(Move, OfProject): ...


class Tagging(Body):
    projectSlug: Annotated[str, _PROJECT_SLUG]
    environment: Annotated[str, ENVIRONMENT]
    secretPath: Annotated[str, _PATH] = "/"
    type: Annotated[str, _TYPE] = "shared"
    tagSlugs: Annotated[
        list[Annotated[str, Text("tagSlugs", max_length=512, example="db")]],
        Items("Slugs of the project's tags.", max_items=100),
    ]


@dataclass(frozen=True)
class Version:
    """What differs between the versions of the endpoints."""

    suffix: str
    base: str
    list_query: type[ListQueryV3] | type[ListQueryV4]
    read_query: type[ReadQueryV3] | type[ReadQueryV4]
    read_by_id_query: type[ReadByIdQueryV3] | type[ReadByIdQueryV4]
    new: type[NewV3] | type[NewV4]
    change: type[ChangeV3] | type[ChangeV4]
    deletion: type[DeletionV3] | type[DeletionV4]
    batch_of_new: type[BatchOfNewV3] | type[BatchOfNewV4]
    batch_of_changes: type[BatchOfChangesV3] | type[BatchOfChangesV4]
    batch_of_deletions: type[BatchOfDeletionsV3] | type[BatchOfDeletionsV4]


V3 = Version(
    "V3",
    "v3/secrets/raw",
    ListQueryV3,
    ReadQueryV3,
    ReadByIdQueryV3,
    NewV3,
    ChangeV3,
    DeletionV3,
    BatchOfNewV3,
    BatchOfChangesV3,
    BatchOfDeletionsV3,
)
V4 = Version(
    "",
    "v4/secrets",
    ListQueryV4,
    ReadQueryV4,
    ReadByIdQueryV4,
    NewV4,
    ChangeV4,
    DeletionV4,
    BatchOfNewV4,
    BatchOfChangesV4,
    BatchOfDeletionsV4,
)
