"""Credentials of a server of one's own whose certificate a private authority issued, or that asks for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Secret
from connections.http.tls import PLAIN, Tls, check_certificates, check_pair

MAX_PEM = 64 * 1024  # characters

CaCertificate = Annotated[
    SecretStr | None,
    Secret(
        "CA certificate",
        "Of the private authority that issued the server's certificate, in PEM form.",
        max_length=MAX_PEM,
        multiline=True,
    ),
]
ClientCertificate = Annotated[
    SecretStr | None,
    Secret(
        "Client certificate",
        "If the server asks for one: with its intermediate certificates, in PEM form.",
        max_length=MAX_PEM,
        multiline=True,
    ),
]
ClientKey = Annotated[
    SecretStr | None,
    Secret(
        "Client key",
        "The private key of the client certificate, in PEM form and without a password.",
        max_length=MAX_PEM,
        multiline=True,
    ),
]


class Certificates(Model):
    """Base of credentials that have all three members. They declare them, so that forms show them last."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in ("caCertificate", "clientCertificate"):
            _checked(name, check_certificates, self._pem(name))
        certificate, key = self._pem("clientCertificate"), self._pem("clientKey")
        if bool(certificate) != bool(key):
            raise BadRequest("clientCertificate and clientKey: give both, or neither")
        _checked("clientKey", lambda text: check_pair(certificate, text), key)
        return self

    def tls(self) -> Tls:
        """For `Provider.open`."""
        made = Tls(self._pem("caCertificate"), self._pem("clientCertificate"), self._pem("clientKey"))
        return made if made.ca or made.certificate else PLAIN

    def _pem(self, name: str) -> str:
        value: SecretStr | None = getattr(self, name)
        return value.get_secret_value() if value else ""


def _checked(name: str, check: Callable[[str], None], text: str) -> None:
    try:
        if text:
            check(text)
    except ValueError as error:
        raise BadRequest(f"{name}: {error}") from None
