"""AWS Parameter Store (Systems Manager): a SecureString parameter for each key, directly below a path.

Surprising facts: a name at the root is stored without its slash. A page may be empty and not be the last, and a value
that may not be decrypted fails its complete page. A recreated parameter has no other object id, and overwriting a
deleted one creates it. The type cannot be changed, so a String of that name is a plain value. The limit is about 3
writes per second, at any price.
500 keys, one changed: 50 pages of 10, 1 write; 10 keys are deleted by one request.
Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from connections.aws import WrongKey, aws_of
from connections.aws_regions import partition_of
from connections.errors import BadResponse, Forbidden, IntegrationError, NotFound, OutcomeUnknown
from connections.http.responses import Response
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.destination.reading import REFUSALS
from syncs.engine.types import Action, Outcome, Pairs, Remote, Write, Written

from ._aws_options import VERIFIED, attributes_of, refused_tags, tags_of
from ._aws_parameters import Deleted, Found, Parameter, ParameterPath, ParameterStoreOptions, Put

BATCH = 10  # parameters that one request reads or deletes
LABEL = "AWS Parameter Store"
LEVELS = 15  # of a name
T = TypeVar("T")


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

    def refuses_metadata(self, metadata: Pairs) -> str:
        return refused_tags(self.options.tags, metadata)

    def sends_metadata(self) -> bool:
        return bool(self.options.syncSecretMetadataAsTags)

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

    def _listed(self, below: str, deep: bool) -> list[Remote]:
        try:
            return [self._remote(each) for each in self._pages(below, deep, decrypted=True)]
        except (Forbidden, WrongKey) as error:
            return self._one_by_one(below, deep, error)

    def _one_by_one(self, below: str, deep: bool, refused: IntegrationError) -> list[Remote]:
        """The list, with the keys named whose value AWS refuses to decrypt.

        Raises `refused` if those are all, or so many that the login may read nothing.
        """
        try:
            listed = self._pages(below, deep, decrypted=False)
        except IntegrationError:
            raise refused from None
        remotes = [self._remote(each) for each in listed if each.Type != "SecureString"]
        names = [each.Name for each in listed if each.Type == "SecureString"]
        secrets: list[Remote] = []
        for at in range(0, len(names), BATCH):
            secrets += self._values_of(names[at : at + BATCH])
            if len(secrets) >= min(REFUSALS, len(names)) and all(one.unreadable for one in secrets):
                raise refused
        return remotes + secrets

    def _values_of(self, names: list[str]) -> list[Remote]:
        """The values of those that exist. A refused request is sent again in halves."""
        about = names[0] if len(names) == 1 else ""
        try:
            found = self._call("GetParameters", {"Names": names, "WithDecryption": True}, Found, about).Parameters
            return [self._remote(each) for each in found]
        except (Forbidden, WrongKey) as error:
            if len(names) == 1:
                return [Remote(self._key(names[0]), unreadable=str(error))]
        half = len(names) // 2
        return self._values_of(names[:half]) + self._values_of(names[half:])

    def _pages(self, below: str, deep: bool, *, decrypted: bool) -> list[Parameter]:
        """Source: "GetParametersByPath"."""
        sent = {"Path": below, "Recursive": deep, "WithDecryption": decrypted, "MaxResults": BATCH}
        client, region = aws_of(self.client), self.config.region
        return client.pages("ssm", region, "GetParametersByPath", sent, "Parameters", Parameter)

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
        """Tags need a second request: AWS does not accept them with a value that overwrites another.

        An overwriting put would create a parameter that was deleted since it was listed, hence the look.
        """
        name = self._name(write.key)
        if not self._call("GetParameters", {"Names": [name]}, Found, name).Parameters:
            raise NotFound(f"{LABEL}: {name} was deleted externally after it was listed")
        written = self._put(write, {"Overwrite": True})
        if tags := tags_of(self.options.tags, write.metadata):
            sent = {"ResourceType": "Parameter", "ResourceId": name, "Tags": tags}
            self._call("AddTagsToResource", sent, Response, name)
        return written

    def _put(self, write: Write, how: Mapping[str, Any]) -> Written:
        """Only a value of more than 4 KB makes AWS create an advanced parameter. Source: "PutParameter"."""
        name = self._name(write.key)
        sent = {"Name": name, "Value": write.value, "Type": "SecureString", "Description": write.comment, **how}
        sent |= {"Tier": "Intelligent-Tiering", **({"KeyId": self.options.keyId} if self.options.keyId else {})}
        return Written(etag=self._call("PutParameter", sent, Put, name).Version)

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
