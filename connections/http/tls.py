"""What a server's certificate is checked against, and the certificate that this client shows.

The key of a client certificate is never on disk in the clear: `ssl` reads keys from files alone, so it gets one that
is encrypted with a password made for that one file.
"""

from __future__ import annotations

import functools
import os
import secrets
import ssl
import tempfile
from dataclasses import dataclass, field

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings

UNTRUSTED = (
    "the server's certificate is not trusted ({}). If a private authority issued it, add that authority's certificate"
    " to the connection, or for all connections to the file that KEYFERRY_CA_FILE names"
)


@dataclass(frozen=True, slots=True)
class Tls:
    """Texts in PEM form. `ca`: authorities to trust besides the usual ones; `certificate`, `key`: the client's own."""

    ca: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)


PLAIN = Tls()


def context(tls: Tls = PLAIN) -> ssl.SSLContext:
    """For all clients with these certificates: reading the usual authorities takes 20 ms.

    Those are certifi's, or the file's that SSL_CERT_FILE names; KEYFERRY_CA_FILE adds to them. Raises ValueError where
    a certificate or key cannot be used, or a file of the operator's cannot be read.
    """
    return _context(tls, str(settings.SSL_CERT_FILE), str(settings.CA_FILE))


@functools.lru_cache(maxsize=64)
def _context(tls: Tls, usual: str, more: str) -> ssl.SSLContext:
    made = httpx.create_ssl_context(trust_env=False) if not usual else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, file in (("SSL_CERT_FILE", usual), ("KEYFERRY_CA_FILE", more)):
        try:
            if file:
                made.load_verify_locations(cafile=file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                f"no certificates can be read from {file}, which {name} names ({error.strerror})"
            ) from None
    try:
        if tls.ca:
            made.load_verify_locations(cadata=tls.ca)
        if tls.certificate:
            _load_pair(made, tls)
    except ssl.SSLError as error:
        raise ValueError(f"a certificate of the connection cannot be used ({error.reason})") from None
    return made


def _load_pair(made: ssl.SSLContext, tls: Tls) -> None:
    password = secrets.token_bytes(32)
    key = serialization.load_pem_private_key(tls.key.encode(), password=None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password),
    )
    handle, path = tempfile.mkstemp(suffix=".pem")  # readable by this user alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(tls.certificate.encode() + b"\n" + encrypted)
        made.load_cert_chain(path, password=password)
    finally:
        os.unlink(path)


def check_certificates(text: str) -> None:
    """Raises ValueError unless it is one certificate or more, in PEM form."""
    try:
        x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise ValueError("is not a certificate in PEM form") from None


def check_pair(certificate: str, key: str) -> None:
    """Raises ValueError unless the key, in PEM form and without a password, is that of the first certificate."""
    try:
        private = serialization.load_pem_private_key(key.encode(), password=None)
    except TypeError:
        raise ValueError("has a password: remove it, the key is stored encrypted") from None
    except ValueError:
        raise ValueError("is not a private key in PEM form") from None
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != _first(certificate).public_key().public_bytes(*form):
        raise ValueError("is not the key of the client certificate")


def _first(certificate: str) -> x509.Certificate:
    return x509.load_pem_x509_certificates(certificate.encode())[0]


def failure(error: BaseException) -> str:
    """What went wrong with TLS, if that is what an error came from, else ""."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in (10, 9):  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID
                return f"the server's {cause.verify_message}"
            if cause.verify_code in (62, 64):  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
                return "the server's certificate is for another name than that of the address"
            return UNTRUSTED.format(cause.verify_message)
        if isinstance(cause, ssl.SSLError):
            if "CERTIFICATE_REQUIRED" in (cause.reason or ""):
                return "the server asks for a client certificate, and the connection has none"
            return f"TLS failed ({cause.reason or type(cause).__name__})"
        cause = cause.__cause__ or cause.__context__
    return ""
