"""Logins at Google Cloud without a key: workload identity federation, and the metadata server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pytest_django import Settings

from config.errors import BadRequest
from connections.errors import AddressRefused, BadResponse, Unauthorized
from connections.providers.gcp import Gcp
from connections.services import verify
from tests.connections.logins import login
from tests.destinations import gcp_secret_manager as gcp
from tests.destinations.serving import Answer

FEDERATION, MACHINE, IMPERSONATION = "workload-identity-federation", "metadata-server", "service-account-impersonation"


@pytest.fixture
def vendor() -> Iterator[gcp.GcpSecretManager]:
    fake = gcp.GcpSecretManager()
    with fake.running():
        yield fake


def configuration(source: dict[str, Any], **more: Any) -> str:
    """As gcloud writes it, with an address that must not be trusted."""
    return json.dumps(
        {
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": gcp.AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "http://127.0.0.1:9/v1/token",
            "credential_source": source,
            **more,
        }
    )


def impersonating(email: str = gcp.TARGET) -> dict[str, str]:
    address = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    return {"service_account_impersonation_url": address}


def credentials_of(source: dict[str, Any], **more: Any) -> Any:
    return login(Gcp, FEDERATION, {"credentialConfiguration": configuration(source, **more)})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{gcp.WORKLOAD_TOKEN}\n")
    return file


# -- a token in a file ---------------------------------------------------------------------------------------------


def test_the_token_of_a_workload_is_exchanged(vendor: gcp.GcpSecretManager, file: Path) -> None:
    provider = Gcp(vendor.url, operator={"GCP_TOKEN_FILES": [str(file)]})
    session = provider.renew(FEDERATION, credentials_of({"file": str(file)}))
    assert [session.token] == vendor.tokens
    assert vendor.asked() == [("POST", "/v1/token")]


def test_a_named_account_is_impersonated_with_it(vendor: gcp.GcpSecretManager, file: Path) -> None:
    provider = Gcp(vendor.url, operator={"GCP_TOKEN_FILES": [str(file)]})
    session = provider.renew(FEDERATION, credentials_of({"file": str(file)}, **impersonating()))
    assert [session.token] == vendor.tokens[1:]
    assert "impersonated" in session.token


def test_a_token_in_json_is_read_by_its_name(vendor: gcp.GcpSecretManager, file: Path) -> None:
    file.write_text(json.dumps({"value": gcp.WORKLOAD_TOKEN}))
    provider = Gcp(vendor.url, operator={"GCP_TOKEN_FILES": [str(file)]})
    source = {"file": str(file), "format": {"type": "json", "subject_token_field_name": "value"}}
    assert provider.renew(FEDERATION, credentials_of(source)).token
    file.write_text('{"other": "canary"}')
    with pytest.raises(BadResponse, match="has no value") as caught:
        provider.renew(FEDERATION, credentials_of(source))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("listed", [[], ["/etc/other"]])
def test_a_file_that_the_operator_has_not_listed_is_not_read(
    vendor: gcp.GcpSecretManager, file: Path, listed: list[str]
) -> None:
    provider = Gcp(vendor.url, operator={"GCP_TOKEN_FILES": listed})
    with pytest.raises(BadRequest, match="KEYFERRY_GCP_TOKEN_FILES"):  # when the connection is created
        verify(provider, FEDERATION, credentials_of({"file": str(file)}))
    with pytest.raises(Unauthorized, match="KEYFERRY_GCP_TOKEN_FILES"):  # and in every run
        provider.renew(FEDERATION, credentials_of({"file": str(file)}))
    assert vendor.asked() == []


def test_a_listed_file_that_is_missing_is_reported(vendor: gcp.GcpSecretManager, file: Path) -> None:
    file.unlink()
    provider = Gcp(vendor.url, operator={"GCP_TOKEN_FILES": [str(file)]})
    with pytest.raises(Unauthorized, match=r"token cannot be read \(FileNotFoundError\)"):
        provider.renew(FEDERATION, credentials_of({"file": str(file)}))


def test_a_refused_token_is_a_bad_login_and_not_shown(vendor: gcp.GcpSecretManager, file: Path) -> None:
    file.write_text("canary-token-of-another")
    provider = Gcp(vendor.url, operator={"GCP_TOKEN_FILES": [str(file)]})
    with pytest.raises(Unauthorized) as caught:
        provider.renew(FEDERATION, credentials_of({"file": str(file)}))
    assert str(caught.value).startswith("GCP: POST /v1/token answered 400")
    assert "canary" not in str(caught.value)


# -- a token at an address -----------------------------------------------------------------------------------------


class Workload(BaseHTTPRequestHandler):
    """Where a workload gets its token."""

    def do_GET(self) -> None:
        known = self.headers.get("Metadata") == "True" and self.path == "/identity?resource=x"
        body = json.dumps({"access_token": gcp.WORKLOAD_TOKEN}).encode()
        self.send_response(200 if known else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def workload() -> Iterator[dict[str, Any]]:
    """The source of a token at an address of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Workload)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield {
        "url": f"http://127.0.0.1:{server.server_port}/identity?resource=x",
        "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "access_token"},
    }
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_address_inside_is_refused_unless_the_operator_allows_it(
    vendor: gcp.GcpSecretManager, workload: dict[str, Any], settings: Settings
) -> None:
    with pytest.raises(AddressRefused, match="KEYFERRY_ALLOWED_PRIVATE_CIDRS"):
        Gcp(vendor.url).renew(FEDERATION, credentials_of(workload))
    assert vendor.asked() == []
    settings.ALLOWED_PRIVATE_CIDRS = ["127.0.0.0/8"]
    assert Gcp(vendor.url).renew(FEDERATION, credentials_of(workload)).token


# -- the operator's own --------------------------------------------------------------------------------------------


def test_the_operators_file_may_be_a_configuration_with_any_source(
    vendor: gcp.GcpSecretManager, workload: dict[str, Any], tmp_path: Path, file: Path
) -> None:
    own = tmp_path / "own.json"
    operator = {"GCP_SERVICE_ACCOUNT_FILE": str(own), "GCP_IMPERSONATED": [gcp.TARGET]}
    credentials = login(Gcp, IMPERSONATION, {"serviceAccountEmail": gcp.TARGET})
    for source in (workload, {"file": str(file)}):
        own.write_text(configuration(source))
        assert "impersonated" in Gcp(vendor.url, operator=operator).renew(IMPERSONATION, credentials).token


def test_the_account_of_the_machine_signs_in_where_the_operator_says_so(vendor: gcp.GcpSecretManager) -> None:
    credentials = login(Gcp, MACHINE, {})
    with pytest.raises(Unauthorized, match="KEYFERRY_GCP_METADATA_SERVER"):
        Gcp(vendor.url).renew(MACHINE, credentials)
    assert vendor.asked() == []
    session = Gcp(vendor.url, operator={"GCP_METADATA_SERVER": True}).renew(MACHINE, credentials)
    assert [session.token] == vendor.tokens


def test_the_account_of_the_machine_impersonates_only_listed_ones(vendor: gcp.GcpSecretManager) -> None:
    credentials = login(Gcp, IMPERSONATION, {"serviceAccountEmail": gcp.TARGET})
    operator = {"GCP_METADATA_SERVER": True, "GCP_IMPERSONATED": [gcp.TARGET]}
    assert "impersonated" in Gcp(vendor.url, operator=operator).renew(IMPERSONATION, credentials).token
    with pytest.raises(Unauthorized, match="KEYFERRY_GCP_IMPERSONATED"):
        Gcp(vendor.url, operator={**operator, "GCP_IMPERSONATED": []}).renew(IMPERSONATION, credentials)


def test_another_server_at_the_address_of_the_metadata_server_is_not_believed(vendor: gcp.GcpSecretManager) -> None:
    vendor.fault = lambda ask: Answer(200, {"access_token": "x", "expires_in": 3600})
    with pytest.raises(BadResponse, match="not from Google's metadata server"):
        Gcp(vendor.url, operator={"GCP_METADATA_SERVER": True}).renew(MACHINE, login(Gcp, MACHINE, {}))


# -- configurations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("canary {", "must be a configuration file of workload identity federation"),
        (configuration({"environment_id": "aws1", "regional_cred_verification_url": "canary"}), "a file or a url"),
        (configuration({"executable": {"command": "canary"}}), "a file or a url"),
        (configuration({"url": "ftp://canary.example"}), "credential_source.url"),
        (configuration({"url": "https://a@canary.example"}), "credential_source.url"),
        (configuration({"file": "/t"}, audience="canary"), "audience"),
        (configuration({"file": "/t"}, universe_domain="canary.example"), "universe_domain"),
        (
            configuration({"file": "/t"}, service_account_impersonation_url="https://canary.example/x"),
            "service_account_impersonation_url",
        ),
        (gcp.key_file(), "type: input should be 'external_account'"),
    ],
)
def test_an_invalid_configuration_is_refused_without_its_text(given: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Gcp.methods[FEDERATION].parse({"credentialConfiguration": given})
    assert message in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_configuration_is_stored_as_pasted() -> None:
    text = configuration({"file": "/var/run/token"}, **impersonating())
    assert Gcp.methods[FEDERATION].parse({"credentialConfiguration": text}).stored() == {
        "credentialConfiguration": text
    }
    assert Gcp.methods[MACHINE].parse({}).stored() == {}
