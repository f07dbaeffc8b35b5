"""Test data of AWS Parameter Store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .aws_fake import REGION, AwsFake


class AwsParameterStore(AwsFake):
    configs = {
        "path": {"region": REGION, "path": "/shop/production/"},
        "root": {"region": REGION, "path": "/"},
    }
    alike = ("root",)  # in the names that are sent
    bad_value = "a {{ssm:other}} b"
    deep_options = {"keySchema": "eu/{{secretKey}}"}

    def neighbours(self, config: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
        return {**super().neighbours(config), "below": {**config, "path": config["path"] + "eu/"}}

    def hide(self, config: Mapping[str, Any]) -> str:
        self.put(config, "eu/HIDDEN", "x")
        return "eu/HIDDEN"

    def held(self, config: Mapping[str, Any]) -> dict[str, str]:
        """What is directly below the path."""
        found: dict[str, str] = {}
        token = ""
        while True:
            more = {"NextToken": token} if token else {}
            sent = {"Path": config["path"], "WithDecryption": True, **more}
            answer = self.by_hand("ssm", "GetParametersByPath", **sent)
            for each in answer["Parameters"]:
                found[each["Name"].rpartition("/")[2]] = each["Value"]
            token = answer.get("NextToken") or ""
            if not token:
                return found

    def put(self, config: Mapping[str, Any], key: str, value: str) -> None:
        self.put_as(config, key, value, "SecureString")

    def put_as(self, config: Mapping[str, Any], key: str, value: str, kind: str) -> None:
        self.by_hand("ssm", "PutParameter", Name=config["path"] + key, Value=value, Type=kind, Overwrite=True)

    def drop(self, config: Mapping[str, Any], key: str) -> None:
        self.by_hand("ssm", "DeleteParameters", Names=[config["path"] + key])

    @classmethod
    def methods(cls, config: Mapping[str, Any]) -> Sequence[str]:
        return ("GET", "POST", "PUT", "DELETE")

    def reads(self, config: Mapping[str, Any], keys: int) -> int:
        """Pages of ten; moto says that there may be another after a full one. And a look before an update."""
        return keys // 10 + 2
