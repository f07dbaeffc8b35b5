"""The ways to sign in at Google Cloud, as a person fills them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.schemas import Model, Secret, Text
from connections.gcp import RIGHTS

from ._gcp_files import ACCOUNT, Federation, Key, read_federation, read_key

NO_ACCOUNT = "Must be the email of a service account, ending in gserviceaccount.com"


def _file(label: str, help: str) -> Secret:
    return Secret(label, help, multiline=True, empty_message=f"{label} required")


def _require_readable(member: str, text: SecretStr, read: Callable[[str], object]) -> None:
    """Raises BadRequest for a text that is not such a file."""
    try:
        read(text.get_secret_value())
    except ValueError as error:
        raise BadRequest(f"{member}: it {error}") from None


class Impersonation(Model):
    """Without a key of its own it uses the operator's login, and only for accounts that the operator has listed."""

    serviceAccountEmail: Annotated[
        str,
        Text(
            "Service account email",
            f"The account that secrets are synced as. It needs {RIGHTS} The account that impersonates it needs"
            " Service Account Token Creator on it.",
            pattern=ACCOUNT,
            pattern_message=NO_ACCOUNT,
        ),
    ]
    serviceAccountKey: Annotated[
        SecretStr | None,
        _file(
            "Service account key",
            "Of the impersonating account; blank for the operator's. Its only right should be Service Account Token"
            " Creator on the account above.",
        ),
    ] = None

    @model_validator(mode="after")
    def _of_service_accounts(self) -> Self:
        if self.serviceAccountKey:
            _require_readable("serviceAccountKey", self.serviceAccountKey, read_key)
        if not self.serviceAccountEmail.endswith(".gserviceaccount.com"):
            raise BadRequest(f"serviceAccountEmail: {NO_ACCOUNT}")
        return self

    @property
    def key(self) -> Key | None:
        return read_key(self.serviceAccountKey.get_secret_value()) if self.serviceAccountKey else None


class ServiceAccountKey(Model):
    serviceAccountKey: Annotated[
        SecretStr,
        _file(
            "Service account key",
            f"The JSON file of a key. It does not end by itself: impersonation is safer. It needs {RIGHTS}",
        ),
    ]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        _require_readable("serviceAccountKey", self.serviceAccountKey, read_key)
        return self

    @property
    def key(self) -> Key:
        return read_key(self.serviceAccountKey.get_secret_value())


class WorkloadIdentity(Model):
    credentialConfiguration: Annotated[
        SecretStr,
        _file(
            "Credential configuration",
            "The JSON file that gcloud iam workload-identity-pools create-cred-config writes, with a file or an"
            " address as the source of the token. A file is one that the operator lists in KEYFERRY_GCP_TOKEN_FILES."
            f" The service account, or the federated identity itself, needs {RIGHTS}",
        ),
    ]

    @model_validator(mode="after")
    def _readable(self) -> Self:
        _require_readable("credentialConfiguration", self.credentialConfiguration, read_federation)
        return self

    @property
    def federation(self) -> Federation:
        return read_federation(self.credentialConfiguration.get_secret_value())


class MetadataServer(Model):
    """The service account of the machine that this server runs on. The operator switches this login on."""
