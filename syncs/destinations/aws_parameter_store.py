"""AWS Parameter Store (Systems Manager): a SecureString parameter for each key, directly below a path.

Surprising facts: a name at the root is stored without its slash. A page may be empty and not be the last, and a value
that may not be decrypted fails its complete page. A recreated parameter has no other object id, and overwriting a
deleted one creates it. The type cannot be changed, so a String of that name is a plain value. The limit is about 3
writes per second, at any price. 500 keys, one changed: 50 pages of 10, 1 write; 10 keys are deleted by one request.
Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from config import schemas
from connections.aws import WrongKey
from connections.aws_regions import partition_of
from connections.errors import BadResponse, Forbidden, IntegrationError, NotFound, OutcomeUnknown
from connections.http.responses import Number, Response, Text
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.reading import REFUSALS, batches
from syncs.engine.types import Action, Outcome, Remote, Write, Written

from ._aws import VERIFIED, AwsDestination, Region

BATCH = 10  # parameters that one request reads or deletes
LEVELS = 15  # of a name


class ParameterPath(schemas.Model):
    region: Region
    path: Annotated[
        str,
        schemas.Text(
            "Path",
            "The path that parameters are directly below, such as /shop/production/ or /.",
            location=True,
            max_length=2048,
            pattern=r"/(?:[A-Za-z0-9_-]+/)*",
            pattern_message='Invalid path - must follow "/example/path/" format',
            empty_message="Parameter Store Path required",
        ),
    ]


class Parameter(Response):
    Name: Text
    Type: str
    Value: str = Field(repr=False)
    Version: Number


class Put(Response):
    Version: Number | None = None


class Deleted(Response):
    DeletedParameters: list[str]
    InvalidParameters: list[str]


class AwsParameterStore(AwsDestination, KeyValueDestination):
    slug = "aws-parameter-store"
    label = "AWS Parameter Store"
    service = "ssm"
    Config = ParameterPath
    config: ParameterPath
    capabilities = Capabilities(
        can_read_values=True,
        can_import=True,
        has_object_ids=False,
        takes_empty=False,
        key_rule="letters, digits, underscores, dots and dashes",
        max_value_bytes=8192,
        max_comment_length=1024,
        pace=3.0,
        note="A value of more than 4 KB makes an advanced parameter, which AWS charges for. A value has no {{...}} in "
        "it. Comments become descriptions. Parameters of type String or StringList are plain values, never changed.",
        rights="ssm: GetParametersByPath, GetParameters, PutParameter, DeleteParameters and AddTagsToResource on "
        "arn:aws:ssm:REGION:ACCOUNT:parameter/PATH*; with a KMS key of your own kms: Encrypt, Decrypt, GenerateDataKey",
        verified=VERIFIED,
        docs_url="https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-throughput.html",
    )
    batch = {Action.DELETE: BATCH}

    @classmethod
    def limits(cls, config: ParameterPath) -> Capabilities:
        """A name has at most 15 levels, does not begin like those of AWS, and has 1011 characters with its ARN.

        Source: "PutParameter", member "Name".
        """
        path, deeper = config.path, LEVELS - config.path.count("/")
        arn = f"arn:{partition_of(config.region).name}:ssm:{config.region}:123456789012:parameter{path}"
        own = r"(?![Aa][Ww][Ss]|[Ss][Ss][Mm])" if path == "/" else ""
        pattern = rf"{own}(?:[A-Za-z0-9_.-]+/){{0,{max(deeper, 0)}}}[A-Za-z0-9_.-]+"
        rule = f"{cls.capabilities.key_rule}, at most {LEVELS} levels"
        rule += ", and at the root no name that begins with aws or ssm," if own else ","
        if deeper < 0 or path[1:4].lower() in ("aws", "ssm"):
            pattern, rule = "(?!)", f"paths of at most {LEVELS - 1} levels that do not begin with aws or ssm"
        return replace(cls.capabilities, max_key_length=1011 - len(arn), key_pattern=pattern, key_rule=rule)

    def refuses(self, value: str) -> str:
        return "it has {{...}}, which is a reference there" if re.search(r"\{\{.*\}\}", value) else ""

    def visible_as(self, location: str) -> Callable[[str], str | None] | None:
        """A key schema may lead into the path of another sync, and the other way round."""
        account, _, above = location.rpartition("|")
        if account != self.location().rpartition("|")[0]:
            return None
        return lambda key: (
            (above + key).removeprefix(self.config.path) if (above + key).startswith(self.config.path) else None
        )

    def request_cost(self, action: Action) -> float:
        tagged = action is Action.UPDATE and bool(self.sends_metadata() or self.options.tags)
        return 2.0 if tagged else super().request_cost(action)

    def requests(self, writes: Mapping[Action, int]) -> int:
        """Each update reads first; reads have a pace of their own."""
        return super().requests(writes) + writes.get(Action.UPDATE, 0)

    def fetch(self) -> Iterable[Remote]:
        """Every parameter directly below the path, or as deep as the key schema leads."""
        return self._listed(*self._searched())

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        """Those that another key schema, or the name of a secret, has put into folders that are not listed."""
        below, deep = self._searched()
        names = {self.config.path + key for key in keys}
        folders = {name[: name.rfind("/") + 1] for name in names if not (deep and name.startswith(below))} - {below}
        return [each for folder in sorted(folders) for each in self._listed(folder, deep=False) if each.key in keys]

    def _searched(self) -> tuple[str, bool]:
        """The path to list, and whether to list all that is below it."""
        if not self.options.model_fields_set:  # a removal: the ledger has the own keys, which may be anywhere below
            return self.config.path, True
        folders = (self.options.keySchema or "").rpartition("/")[0]
        fixed = folders.partition("{{")[0]
        if fixed == folders:
            return self.config.path + (f"{folders}/" if folders else ""), False
        return self.config.path + fixed[: fixed.rfind("/") + 1], True

    def _listed(self, below: str, deep: bool) -> list[Remote]:
        """With the keys named whose value AWS refuses to decrypt. If those are all, the refusal is raised."""
        try:
            return [self._remote(each) for each in self._below(below, deep, decrypted=True)]
        except (Forbidden, WrongKey) as refused:
            try:
                listed = self._below(below, deep, decrypted=False)
            except IntegrationError:
                raise refused from None
            names = [each.Name for each in listed if each.Type == "SecureString"]
            secrets: list[Remote] = []
            for some in batches(names, BATCH):
                secrets += self._decrypted(some)
                if len(secrets) >= min(REFUSALS, len(names)) and all(one.unreadable for one in secrets):
                    raise
            return [*(self._remote(each) for each in listed if each.Type != "SecureString"), *secrets]

    def _below(self, path: str, deep: bool, *, decrypted: bool) -> list[Parameter]:
        sent = {"Path": path, "Recursive": deep, "WithDecryption": decrypted, "MaxResults": BATCH}
        return self.pages("GetParametersByPath", sent, "Parameters", Parameter)

    def _decrypted(self, names: list[str]) -> list[Remote]:
        """Those that exist. A refused request is sent again in halves."""
        about = names[0] if len(names) == 1 else ""
        sent = {"Names": names, "WithDecryption": True}
        try:
            return [self._remote(each) for each in self.pages("GetParameters", sent, "Parameters", Parameter, about)]
        except (Forbidden, WrongKey) as error:
            if about:
                return [Remote(self._key(about), unreadable=str(error))]
        half = len(names) // 2
        return self._decrypted(names[:half]) + self._decrypted(names[half:])

    def _remote(self, each: Parameter) -> Remote:
        return Remote(self._key(each.Name), each.Value, etag=each.Version, is_secret=each.Type == "SecureString")

    def _key(self, name: str) -> str:
        """At the root, and only there, AWS returns names without their first slash."""
        whole = name if name.startswith("/") else f"/{name}"
        if not whole.startswith(self.config.path):
            raise BadResponse(f"{self.label}: unexpected response: {whole} is not below {self.config.path}")
        return whole.removeprefix(self.config.path)

    def create(self, write: Write) -> Written:
        return self._put(write, {"Overwrite": False, **self.tags(write)})

    def update(self, write: Write) -> Written:
        """Tags need a second request: AWS does not accept them with a value that overwrites another.

        An overwriting put would create a parameter that was deleted since it was listed, hence the look.
        """
        name = self.config.path + write.key
        if not self.pages("GetParameters", {"Names": [name]}, "Parameters", Parameter, name):
            raise NotFound(f"{self.label}: {name} was deleted externally after it was listed")
        written = self._put(write, {"Overwrite": True})
        if tags := self.tags(write):
            self.call("AddTagsToResource", {"ResourceType": "Parameter", "ResourceId": name, **tags}, Response, name)
        return written

    def _put(self, write: Write, how: Mapping[str, Any]) -> Written:
        """Only a value of more than 4 KB makes AWS create an advanced parameter. Source: "PutParameter"."""
        name = self.config.path + write.key
        sent = {"Name": name, "Value": write.value, "Type": "SecureString", "Description": write.comment, **how}
        sent |= {"Tier": "Intelligent-Tiering", **({"KeyId": self.options.keyId} if self.options.keyId else {})}
        return Written(etag=self.call("PutParameter", sent, Put, name).Version)

    def delete_many(self, writes: Sequence[Write]) -> Sequence[Outcome]:
        """A missing one is listed among the invalid ones. Source: "DeleteParameters"."""
        try:
            answer = self.call(
                "DeleteParameters", {"Names": [self.config.path + write.key for write in writes]}, Deleted
            )
        except BadResponse as error:
            raise OutcomeUnknown(str(error)) from None
        gone = {self._key(name) for name in (*answer.DeletedParameters, *answer.InvalidParameters)}
        return [Outcome(write) for write in writes if write.key in gone]
