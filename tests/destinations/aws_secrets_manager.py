"""Test data of AWS Secrets Manager."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .aws_fake import REGION, AwsFake

NAME = "team/settings"


class AwsSecretsManager(AwsFake):
    configs = {
        "one-to-one": {"mappingBehavior": "one-to-one", "region": REGION},
        "many-to-one": {"mappingBehavior": "many-to-one", "region": REGION, "secretName": NAME},
    }

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "PUT") if "secretName" in config else ("GET", "POST", "PUT", "PATCH", "DELETE")

    def serves(self, config: Mapping[str, Any]) -> None:
        """A member of a document may have any name; it is staged, then made current."""
        super().serves(config)
        if "secretName" in config:
            self.bad_key, self.writes_an_update = "", 2

    def held(self, config: Mapping[str, Any]) -> dict[str, Any]:
        if "secretName" in config:
            return self.document()
        listed = self.by_hand("secretsmanager", "ListSecrets", MaxResults=100)["SecretList"]
        names = [each["Name"] for each in listed]
        return {name: self.value(name) for name in names}

    def put(self, config: Mapping[str, Any], key: str, value: Any) -> None:
        if "secretName" in config:
            self.write({**self.document(), key: value})
        elif key in self.held(config):
            self.by_hand("secretsmanager", "PutSecretValue", SecretId=key, SecretString=value)
        else:
            self.make(key, value)

    def holds_document(self, config: Mapping[str, Any]) -> bool:
        return "secretName" in config

    def hide(self, config: Mapping[str, Any]) -> str:
        """The list lags behind a create by minutes. Members of a document are all listed."""
        if "secretName" in config:
            return ""
        self.put(config, "HIDDEN", "x")
        self.change = _not_yet_listed
        return "HIDDEN"

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        if "secretName" in config:
            self.write({name: value for name, value in self.document().items() if name != key})
        else:
            self.by_hand("secretsmanager", "DeleteSecret", SecretId=key, ForceDeleteWithoutRecovery=True)

    def document(self) -> dict[str, Any]:
        listed = self.by_hand("secretsmanager", "ListSecrets", MaxResults=100)["SecretList"]
        if NAME not in [each["Name"] for each in listed]:
            return {}
        return dict(json.loads(self.value(NAME)))

    def value(self, name: str) -> str:
        # Moto forgets that AWSCURRENT is what is meant where a version was staged.
        sent = {"SecretId": name, "VersionStage": "AWSCURRENT"}
        return str(self.by_hand("secretsmanager", "GetSecretValue", **sent)["SecretString"])

    def write(self, document: Mapping[str, Any]) -> None:
        sent = {"SecretString": json.dumps(document)}
        listed = self.by_hand("secretsmanager", "ListSecrets", MaxResults=100)["SecretList"]
        if NAME in [each["Name"] for each in listed]:
            self.by_hand("secretsmanager", "PutSecretValue", SecretId=NAME, **sent)
        else:
            self.make(NAME, sent["SecretString"])

    def make(self, name: str, value: str) -> None:
        """Also where one of that name waits to be deleted, as whoever wants it there will find out."""
        every = self.by_hand("secretsmanager", "ListSecrets", MaxResults=100, IncludePlannedDeletion=True)
        if name in [each["Name"] for each in every["SecretList"]]:
            self.by_hand("secretsmanager", "DeleteSecret", SecretId=name, ForceDeleteWithoutRecovery=True)
        self.by_hand("secretsmanager", "CreateSecret", Name=name, SecretString=value)

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        return 1 if "secretName" in config else math.ceil(keys / 100) + math.ceil(keys / 20)


def _not_yet_listed(operation: str, sent: Mapping[str, Any], answer: dict[str, Any]) -> None:
    if operation == "ListSecrets":
        answer["SecretList"] = [each for each in answer["SecretList"] if each["Name"] != "HIDDEN"]
