"""The config and options of AWS Parameter Store, and what it answers.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.schemas.model import Model
from config.schemas.types import Flag, Text
from connections.http import responses
from connections.http.responses import Response
from syncs.destination.options import SyncOptions

from ._aws_options import KmsKey, Region, Tags


class ParameterPath(Model):
    region: Region
    path: Annotated[
        str,
        Text(
            "Path",
            "The path that parameters are directly below, such as /shop/production/ or /.",
            max_length=2048,
            pattern=r"/(?:[A-Za-z0-9_-]+/)*",
            pattern_message='Invalid path - must follow "/example/path/" format',
            empty_message="Parameter Store Path required",
        ),
    ]


class ParameterStoreOptions(SyncOptions):
    keyId: KmsKey = None
    tags: Tags = None
    syncSecretMetadataAsTags: Annotated[bool | None, Flag("Metadata as tags", "Each secret's metadata as tags.")] = None


class Parameter(Response):
    Name: responses.Text
    Type: str
    Value: str = Field(repr=False)
    Version: responses.Number


class Found(Response):
    Parameters: list[Parameter]


class Put(Response):
    Version: responses.Number | None = None


class Deleted(Response):
    DeletedParameters: list[str]
    InvalidParameters: list[str]
