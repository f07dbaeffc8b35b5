"""AWS Parameter Store (Systems Manager): a SecureString parameter for each key, directly below a path.

Surprising facts: a name at the root is stored without its slash. A page may be empty and not be the last. A recreated
parameter has no other object id, and overwriting a deleted one creates it. The type cannot be changed, so a String of
that name is a plain value. The limit is about 3 writes per second, at any price.
500 keys, one changed: 50 pages of 10, 1 write; 10 keys are deleted by one request.
Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import Field

from config.schemas.model import Model
from config.schemas.types import Flag, Text
from connections.aws import aws_of
from connections.errors import BadResponse, NotFound, OutcomeUnknown
from connections.http import responses
from connections.http.responses import Response
from syncs.destination.capabilities import Capabilities, Verified
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.options import SyncOptions
from syncs.engine.types import Action, Outcome, Remote, Write, Written

from ._aws_options import KmsKey, Region, Tags, attributes_of, tags_of

LABEL = "AWS Parameter Store"
T = TypeVar("T")


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


class AwsParameterStore(KeyValueDestination):
    slug = "aws-parameter-store"
    label = LABEL
    provider = "aws"
    Config = ParameterPath
    Options = ParameterStoreOptions
    config: ParameterPath
    options: ParameterStoreOptions
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        has_object_ids=False,
        takes_empty=False,
        holds_comments=False,
        key_pattern=r"(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+",
        key_rule="letters, digits, underscores, dots and dashes",
        max_value_bytes=8192,
        pace=3.0,
        note="A value of more than 4 KB makes an advanced parameter, which AWS charges for. A value has no {{...}} in "
        "it. Parameters of type String or StringList are plain values, never changed.",
        rights="ssm: GetParametersByPath, GetParameters, PutParameter, DeleteParameters and AddTagsToResource on "
        "arn:aws:ssm:REGION:ACCOUNT:parameter/PATH*; with a KMS key of your own kms: Encrypt, Decrypt, GenerateDataKey",
        verified=(
            Verified(
                date(2026, 11, 25),
                "moto's server 5.2, behind the refusals of AWS's documentation that moto lacks",
                "not AWS itself",
            ),
            Verified(date(2026, 11, 25), "the signatures of AWS's own client"),
        ),
        docs_url="https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-throughput.html",
    )
    batch = {Action.DELETE: 10}

    @classmethod
    def limits(cls, config: ParameterPath) -> Capabilities:
        """A name has at most 1011 characters with its path; at the root it may not begin like those of AWS."""
        path = config.path
        found = replace(cls.capabilities, max_key_length=1011 - len(path))
        if path != "/":
            return found
        own = r"(?![Aa][Ww][Ss]|[Ss][Ss][Mm])"
        rule = f"{found.key_rule}, and at the root no name that begins with aws or ssm,"
        return replace(found, key_pattern=own + found.key_pattern, key_rule=rule)

    def location(self) -> str:
        client, region = aws_of(self.client), self.config.region
        return f"aws|{client.place('ssm', region)}|{client.account}|{region}|{self.config.path}"

    def visible_as(self, location: str) -> Callable[[str], str | None] | None:
        """A key schema may lead into the path of another sync, and the other way round."""
        account, _, above = location.rpartition("|")
        if account != self.location().rpartition("|")[0]:
            return None
        path = self.config.path
        return lambda key: (above + key).removeprefix(path) if (above + key).startswith(path) else None

    def write_fingerprint(self) -> str:
        return attributes_of(self.options.keyId, self.options.tags)

    def sends_metadata(self) -> bool:
        return bool(self.options.syncSecretMetadataAsTags)

    def request_cost(self, action: Action) -> float:
        tagged = action is Action.UPDATE and bool(self.sends_metadata() or tags_of(self.options.tags, ()))
        return 2.0 if tagged else super().request_cost(action)

    def requests(self, writes: Mapping[Action, int]) -> int:
        """Each update reads first; reads have a pace of their own."""
        return super().requests(writes) + writes.get(Action.UPDATE, 0)

    def fetch(self) -> Iterable[Remote]:
        """Every parameter directly below the path, or as deep as the key schema leads.

        Source: "GetParametersByPath".
        """
        return self._listed(*self._searched())

    def _listed(self, below: str, deep: bool) -> list[Remote]:
        sent = {"Path": below, "Recursive": deep, "WithDecryption": True, "MaxResults": 10}
        client, region = aws_of(self.client), self.config.region
        listed = client.pages("ssm", region, "GetParametersByPath", sent, "Parameters", Parameter)
        return [self._remote(each) for each in listed]

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that another key schema, or the name of a secret, has put into folders that are not listed."""
        below, deep = self._searched()
        names = {name for name in map(self._name, keys) if not (deep and name.startswith(below))}
        folders = {name[: name.rfind("/") + 1] for name in names} - {below}
        found = (remote for folder in sorted(folders) for remote in self._listed(folder, deep=False))
        return [remote for remote in found if remote.key in keys]

    def _searched(self) -> tuple[str, bool]:
        """The path to list, and whether to list all that is below it."""
        path = self.config.path
        if not self.options.model_fields_set:  # a removal: the ledger has the own keys, which may be anywhere below
            return path, True
        folders = (self.options.keySchema or "").rpartition("/")[0]
        fixed = folders.partition("{{")[0]
        if fixed == folders:
            return path + (f"{folders}/" if folders else ""), False
        return path + fixed[: fixed.rfind("/") + 1], True

    def _remote(self, each: Parameter) -> Remote:
        return Remote(self._key(each.Name), each.Value, etag=each.Version, is_secret=each.Type == "SecureString")

    def _key(self, name: str) -> str:
        """At the root, and only there, AWS returns names without their first slash."""
        whole = name if name.startswith("/") else f"/{name}"
        path = self.config.path
        if not whole.startswith(path):
            raise BadResponse(f"{LABEL}: unexpected response: {whole} is not below {path}")
        return whole.removeprefix(path)

    def _name(self, key: str) -> str:
        return self.config.path + key

    def create(self, write: Write) -> Written:
        tags = tags_of(self.options.tags, write.metadata)
        return self._put(write, {"Overwrite": False, **({"Tags": tags} if tags else {})})

    def update(self, write: Write) -> Written:
        """Tags need a second request: AWS does not accept them with a value that overwrites another."""
        assert write.remote
        written = Written(etag=write.remote.etag)
        if write.remote.value != write.value or self.options.keyId:
            self._look(write)
            written = self._put(write, {"Overwrite": True})
        if tags := tags_of(self.options.tags, write.metadata):
            sent = {"ResourceType": "Parameter", "ResourceId": self._name(write.key), "Tags": tags}
            self._call("AddTagsToResource", sent, Response, self._name(write.key))
        return written

    def _look(self, write: Write) -> None:
        """An overwriting put would create a parameter that was deleted since it was listed. Source: "GetParameters"."""
        name = self._name(write.key)
        if not self._call("GetParameters", {"Names": [name]}, Found, name).Parameters:
            raise NotFound(f"{LABEL}: {name} was deleted since it was listed")

    def _put(self, write: Write, how: Mapping[str, Any]) -> Written:
        """Only a value of more than 4 KB makes AWS create an advanced parameter. Source: "PutParameter"."""
        sent = {"Name": self._name(write.key), "Value": write.value, "Type": "SecureString", **how}
        sent["Tier"] = "Intelligent-Tiering"
        if self.options.keyId:
            sent["KeyId"] = self.options.keyId
        return Written(etag=self._call("PutParameter", sent, Put, self._name(write.key)).Version)

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """A missing one is listed among the invalid ones. Source: "DeleteParameters"."""
        names = [self._name(write.key) for write in writes]
        try:
            answer = self._call("DeleteParameters", {"Names": names}, Deleted)
        except BadResponse as error:
            raise OutcomeUnknown(str(error)) from None
        gone = {self._key(name) for name in (*answer.DeletedParameters, *answer.InvalidParameters)}
        return [Outcome(write) for write in writes if write.key in gone]

    def _call(self, operation: str, sent: Mapping[str, Any], kind: type[T], about: str = "") -> T:
        return aws_of(self.client).call("ssm", self.config.region, operation, sent, kind, about=about)
