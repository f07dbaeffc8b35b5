"""Credentials of a server of one's own whose certificate a private authority issued, or that asks for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import SecretStr, model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Secret
from connections.http.tls import Tls, check_certificates, check_pair

MAX_PEM = 64 * 1024  # characters


class Certificates(Model):
    """Base of the credentials of such servers. The members are never returned, like other secrets."""

    caCertificate: Annotated[
        SecretStr | None,
        Secret(
            "CA certificate",
            "Of the private authority that issued the server's certificate, in PEM form.",
            max_length=MAX_PEM,
            multiline=True,
            last=True,
        ),
    ] = None
    clientCertificate: Annotated[
        SecretStr | None,
        Secret(
            "Client certificate",
            "If the server asks for one: with its intermediate certificates, in PEM form.",
            max_length=MAX_PEM,
            multiline=True,
            last=True,
        ),
    ] = None
    clientKey: Annotated[
        SecretStr | None,
        Secret(
            "Client key",
            "The private key of the client certificate, in PEM form and without a password.",
            max_length=MAX_PEM,
            multiline=True,
            last=True,
        ),
    ] = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        tls = self.tls()
        _checked("caCertificate", check_certificates, tls.ca)
        _checked("clientCertificate", check_certificates, tls.certificate)
        if bool(tls.certificate) != bool(tls.key):
            raise BadRequest("clientCertificate and clientKey: give both, or neither")
        _checked("clientKey", lambda text: check_pair(tls.certificate, text), tls.key)
        return self

    def tls(self) -> Tls:
        """For `Provider.open`."""
        return Tls(*(_text(each) for each in (self.caCertificate, self.clientCertificate, self.clientKey)))


def _text(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _checked(name: str, check: Callable[[str], None], text: str) -> None:
    try:
        if text:
            check(text)
    except ValueError as error:
        raise BadRequest(f"{name}: {error}") from None
