"""Certificates of private authorities and of clients, against a TLS server on loopback."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from config.errors import BadRequest
from config.schemas.form_fields import members_of
from config.schemas.json_schema import described
from config.schemas.model import Model
from connections.errors import Unreachable
from connections.http.client import ApiClient
from connections.http.tls import PLAIN, Tls
from connections.providers._hashicorp_vault_logins import AccessToken, AppRole
from connections.providers.external_infisical import MachineIdentity
from connections.providers.github import AccessToken as GitHubToken

NOW = datetime.now(UTC)
TOMORROW = NOW + timedelta(days=1)


@dataclass
class Issued:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.sealed(serialization.NoEncryption())

    def sealed(self, encryption: serialization.KeySerializationEncryption) -> str:
        form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        return self.key.private_bytes(*form).decode()


def issue(name: str, by: Issued | None = None, *, host: str = "127.0.0.1", ends: datetime = TOMORROW) -> Issued:
    """A certificate of an authority, signed by itself, or of a server or client."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if by:
        made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        made = made.add_extension(issuer, critical=False)
    else:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = made.add_extension(usage, critical=True)
    return Issued(made.sign(by.key if by else key, hashes.SHA256()), key)


AUTHORITY = issue("Acme authority")
CLIENT = issue("keyferry", AUTHORITY)

Serve = Callable[..., str]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None: ...


class Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A handshake that fails is what is tested."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    running: list[tuple[Quiet, Thread]] = []

    def start(server: Issued, *, client: Issued | None = None) -> str:
        """The address of a server with that certificate, which asks for one by the authority of `client`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        file = tmp_path / f"server{len(running)}.pem"
        file.write_text(server.pem + server.key_pem)
        context.load_cert_chain(file)
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=client.pem)
        made = Quiet(("127.0.0.1", 0), Handler)
        made.daemon_threads = True
        made.socket = context.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((made, thread))
        return f"https://127.0.0.1:{made.server_port}"

    yield start
    for made, thread in running:
        made.shutdown()
        made.server_close()
        thread.join()


def get(url: str, tls: Tls = PLAIN) -> object:
    with ApiClient("Vault", url, tls=tls) as client:
        return client.request("GET", "/x")


def test_a_private_authority_is_not_trusted_and_the_message_says_what_to_do(serve: Serve) -> None:
    with pytest.raises(
        Unreachable, match=r"could not connect: the server's certificate is not trusted .*KEYFERRY_CA_FILE"
    ):
        get(serve(issue("server", AUTHORITY)))


def test_the_authority_of_a_connection_is_trusted(serve: Serve) -> None:
    url = serve(issue("server", AUTHORITY))
    assert get(url, Tls(ca=AUTHORITY.pem)) == {}
    with pytest.raises(Unreachable, match="not trusted"):
        get(url, Tls(ca=issue("Another authority").pem))


@pytest.mark.parametrize("name", ["CA_FILE", "SSL_CERT_FILE"])
def test_the_operators_file_is_trusted(serve: Serve, settings: Settings, tmp_path: Path, name: str) -> None:
    url = serve(issue("server", AUTHORITY))
    file = tmp_path / "authorities.pem"
    file.write_text(AUTHORITY.pem)
    setattr(settings, name, str(file))
    assert get(url) == {}


@pytest.mark.parametrize(("name", "variable"), [("CA_FILE", "KEYFERRY_CA_FILE"), ("SSL_CERT_FILE", "SSL_CERT_FILE")])
@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_operators_file_that_cannot_be_read_is_named(
    settings: Settings, tmp_path: Path, name: str, variable: str, text: str | None
) -> None:
    file = tmp_path / "authorities.pem"
    if text:
        file.write_text(text)
    setattr(settings, name, str(file))
    with pytest.raises(Unreachable, match=f"no certificates can be read from {file}, which {variable} names"):
        get("https://127.0.0.1:9")


def test_a_certificate_for_another_address_or_an_expired_one_is_refused(serve: Serve) -> None:
    trusted = Tls(ca=AUTHORITY.pem)
    with pytest.raises(Unreachable, match="is for another name than that of the address"):
        get(serve(issue("server", AUTHORITY, host="127.0.0.2")), trusted)
    with pytest.raises(Unreachable, match="certificate has expired"):
        get(serve(issue("server", AUTHORITY, ends=NOW - timedelta(days=1))), trusted)


def test_a_client_shows_its_certificate(serve: Serve) -> None:
    url = serve(issue("server", AUTHORITY), client=AUTHORITY)
    assert get(url, Tls(AUTHORITY.pem, CLIENT.pem, CLIENT.key_pem)) == {}
    with pytest.raises(Unreachable, match="the server asks for a client certificate"):
        get(url, Tls(AUTHORITY.pem))


def test_the_key_of_a_client_is_never_on_disk_in_the_clear(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    load = ssl.SSLContext.load_cert_chain

    def watched(context: ssl.SSLContext, path: str, **more: object) -> None:
        seen.append(Path(path).read_text())
        load(context, path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    client = issue("another", AUTHORITY)
    with ApiClient("Vault", "https://127.0.0.1:9", tls=Tls("", client.pem, client.key_pem)):
        (text,) = seen
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert "BEGIN PRIVATE KEY" not in text
    assert list((tmp_path / "t").iterdir()) == []


@pytest.mark.parametrize(
    ("model", "credentials"),
    [
        (AccessToken, {"instanceUrl": "https://vault.example.com", "accessToken": "t"}),
        (AppRole, {"instanceUrl": "https://vault.example.com", "roleId": "r", "secretId": "s"}),
        (GitHubToken, {"personalAccessToken": "t"}),
        (
            MachineIdentity,
            {
                "instanceUrl": "https://hub.example.com",
                "machineIdentityClientId": "0e5bdd44-5d1e-4f2f-8d8e-0f6f5a3f2f11",
                "machineIdentityClientSecret": "s",
            },
        ),
    ],
)
def test_credentials_take_certificates_that_can_be_used(model: type, credentials: dict[str, str]) -> None:
    given = {"caCertificate": AUTHORITY.pem, "clientCertificate": CLIENT.pem, "clientKey": CLIENT.key_pem}
    made = model.model_validate({**credentials, **given})
    assert made.tls() == Tls(AUTHORITY.pem.strip(), CLIENT.pem.strip(), CLIENT.key_pem.strip())
    assert model.model_validate(credentials).tls() == Tls()
    assert "PRIVATE" not in f"{made!r} {made} {made.tls()!r}"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"caCertificate": "canary"}, "caCertificate: is not a certificate in PEM form"),
        ({"clientCertificate": CLIENT.pem}, "clientCertificate and clientKey: give both, or neither"),
        ({"clientKey": CLIENT.key_pem}, "clientCertificate and clientKey: give both, or neither"),
        ({"clientCertificate": CLIENT.pem, "clientKey": "canary"}, "clientKey: is not a private key in PEM form"),
        (
            {"clientCertificate": CLIENT.pem, "clientKey": AUTHORITY.key_pem},
            "clientKey: is not the key of the client certificate",
        ),
        (
            {
                "clientCertificate": CLIENT.pem,
                "clientKey": CLIENT.sealed(serialization.BestAvailableEncryption(b"password")),
            },
            "clientKey: has a password: remove it, the key is stored encrypted",
        ),
    ],
)
def test_certificates_that_cannot_be_used_are_refused(given: dict[str, str], problem: str) -> None:
    with pytest.raises(BadRequest) as caught:
        AccessToken.model_validate({"instanceUrl": "https://vault.example.com", "accessToken": "t", **given})
    assert str(caught.value) == problem


@pytest.mark.parametrize("model", [AccessToken, AppRole, GitHubToken, MachineIdentity])
def test_forms_show_certificates_after_the_other_members(model: type[Model]) -> None:
    names = [member.name for member in members_of(described(model))]
    assert names[-3:] == ["caCertificate", "clientCertificate", "clientKey"]
