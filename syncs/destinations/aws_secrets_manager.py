"""AWS Secrets Manager: a secret for each key, or one secret that holds all of them as a JSON object.

Surprising facts: the list may lag by minutes, so values and versions come from `BatchGetSecretValue`, which does not;
a key that is not listed is read there too, before it counts as missing. Only desired and own keys are read: AWS records
the time of the last read. A deleted secret is scheduled for deletion for 30 days and keeps its name. There is no
check-and-set of a value, but the label AWSCURRENT moves only from the version in the request.
500 keys, one changed: 5 pages of the list, 25 batches of values, 1 write; as one document 1 read, 2 writes.
Source: https://docs.aws.amazon.com/secretsmanager/latest/apireference/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.schemas.model import Model
from connections.http.client import ApiClient

from ._aws_secret_api import ManyToOne
from ._aws_secret_document import SecretDocument
from ._aws_secret_per_key import SecretPerKey


class AwsSecretsManager(SecretPerKey):
    """The adapter by its slug. With a config that maps many keys to one secret it makes a `SecretDocument`."""

    def __new__(cls, client: ApiClient, config: Mapping[str, Any] | Model, *args: Any, **more: Any) -> Any:
        chosen = config if isinstance(config, Model) else cls.Config.restored(config)
        if isinstance(chosen, ManyToOne):
            return SecretDocument(client, chosen, *args, **more)
        return super().__new__(cls)
