"""Infisical's Python SDK, unmodified, against the running server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.clients.conftest import Server

sdk = pytest.importorskip("infisical_sdk", reason="infisicalsdk is not installed (extra `clients`)")
pytestmark = pytest.mark.clients

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\u00e9\n-----END CERTIFICATE-----\n"


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with sdk.InfisicalSDKClient(host=server.url, cache_ttl=None) as made:
        made.auth.universal_auth.login(server.client_id, server.client_secret)
        yield made


@pytest.fixture
def project(server: Server, client: Any) -> str:
    """The SDK makes no projects: a plain request does."""
    answer = httpx.post(
        f"{server.url}/api/v1/projects",
        json={"projectName": "Python", "slug": server.slug("python")},
        headers={"authorization": f"Bearer {client.get_token()}"},
        trust_env=False,
    )
    return str(answer.json()["project"]["id"])


def test_login(server: Server) -> None:
    with sdk.InfisicalSDKClient(host=server.url) as client:
        given = client.auth.universal_auth.login(server.client_id, server.client_secret)
        assert (given.tokenType, given.expiresIn) == ("Bearer", 2592000)
        with pytest.raises(Exception, match="Invalid credentials"):
            client.auth.universal_auth.login(server.client_id, "0" * 64)


def test_folders(client: Any, project: str) -> None:
    where: dict[str, Any] = {"environment_slug": "dev", "project_id": project}
    made = client.folders.create_folder("api", **where, path="/services", description="what the API needs")
    assert (made.name, made.path) == ("api", "/services/api")
    assert client.folders.create_folder("api", **where, path="/services").id == made.id
    assert [each.name for each in client.folders.list_folders(**where, path="/").folders] == ["services"]
    below = client.folders.list_folders(**where, path="/", recursive=True).folders
    assert {each.name for each in below} == {"services", "api"}
    found = client.folders.get_folder_by_id(made.id)
    assert (found.path, found.environment.envSlug, found.projectId) == ("/services/api", "dev", project)
    renamed = client.folders.update_folder(made.id, "apis", **where, path="/services")
    assert (renamed.id, renamed.path) == (made.id, "/services/apis")
    gone = client.folders.delete_folder("apis", **where, path="/services")
    assert gone.id == made.id
    assert client.folders.list_folders(**where, path="/services").folders == []
    with pytest.raises(Exception, match="not found"):
        client.folders.get_folder_by_id(made.id)


def test_the_life_of_a_secret(client: Any, project: str) -> None:
    where = {"project_id": project, "environment_slug": "dev", "secret_path": "/"}
    metadata = [{"key": "team", "value": "core"}]
    made = client.secrets.create_secret_by_name(
        "CERT", **where, secret_value=CERTIFICATE, secret_comment="Größe 大", secret_metadata=metadata
    )
    assert (made.secretKey, made.secretValue, made.secretComment) == ("CERT", CERTIFICATE, "Größe 大")
    assert (made.version, made.type, made.workspace, made.environment) == (1, "shared", project, "dev")
    read = client.secrets.get_secret_by_name("CERT", **where)
    assert (read.id, read.secretValue) == (made.id, CERTIFICATE)
    assert read.secretMetadata == [{"key": "team", "value": "core", "isEncrypted": False}]
    changed = client.secrets.update_secret_by_name(
        "CERT", project_id=project, environment_slug="dev", secret_path="/", secret_value="short"
    )
    assert (changed.version, changed.secretValue, changed.secretComment) == (2, "short", "Größe 大")
    assert client.secrets.get_secret_by_name("CERT", **where, version=1).secretValue == CERTIFICATE
    renamed = client.secrets.update_secret_by_name(
        "CERT", project_id=project, environment_slug="dev", secret_path="/", new_secret_name="PEM"
    )
    assert (renamed.id, renamed.secretKey) == (made.id, "PEM")
    gone = client.secrets.delete_secret_by_name("PEM", project_id=project, environment_slug="dev", secret_path="/")
    assert gone.id == made.id
    with pytest.raises(Exception, match="'PEM' not found"):
        client.secrets.get_secret_by_name("PEM", **where)


def test_lists_imports_and_references(server: Server, client: Any, project: str) -> None:
    where = {"project_id": project, "environment_slug": "dev"}
    client.folders.create_folder("shared", environment_slug="dev", project_id=project)
    client.folders.create_folder("deep", environment_slug="dev", project_id=project, path="/shared")
    for name, path, value in (
        ("HOST", "/shared", "db.internal"),
        ("PORT", "/shared", "5432"),
        ("DEEP", "/shared/deep", "x"),
        ("URL", "/", "postgres://${dev.shared.HOST}/${NAME}"),
    ):
        if name == "URL":
            client.secrets.create_secret_by_name("NAME", **where, secret_path="/", secret_value="shop")
        client.secrets.create_secret_by_name(name, **where, secret_path=path, secret_value=value)
    answer = httpx.post(
        f"{server.url}/api/v1/secret-imports",
        json={
            "workspaceId": project,
            "environment": "dev",
            "path": "/",
            "import": {"environment": "dev", "path": "/shared"},
        },
        headers={"authorization": f"Bearer {client.get_token()}"},
        trust_env=False,
    )
    assert answer.status_code == 200
    listed = client.secrets.list_secrets(**where, secret_path="/")
    assert {each.secretKey: each.secretValue for each in listed.secrets} == {
        "NAME": "shop",
        "URL": "postgres://db.internal/shop",
    }
    assert [each["secretKey"] for each in listed.imports[0].secrets] == ["HOST", "PORT"]
    plain = client.secrets.list_secrets(**where, secret_path="/", expand_secret_references=False)
    assert "${dev.shared.HOST}" in {each.secretKey: each.secretValue for each in plain.secrets}["URL"]
    deep = client.secrets.list_secrets(**where, secret_path="/", recursive=True)
    assert {(each.secretKey, each.secretPath) for each in deep.secrets} >= {("DEEP", "/shared/deep"), ("NAME", "/")}
    assert client.secrets.get_secret_by_name("PORT", **where, secret_path="/").secretValue == "5432"
    hidden = client.secrets.list_secrets(**where, secret_path="/", view_secret_value=False)
    assert {each.secretValue for each in hidden.secrets} == {"<hidden-by-infisical>"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("A:B", "x", "cannot contain colon"),
        ("TAKEN", "x", "Secret already exist"),
        ("REFERS", "${NOWHERE}", "not found: NOWHERE"),
    ],
)
def test_errors_describe_the_problem(client: Any, project: str, name: str, value: str, message: str) -> None:
    where = {"project_id": project, "environment_slug": "dev", "secret_path": "/"}
    client.secrets.create_secret_by_name("TAKEN", **where, secret_value="x")
    with pytest.raises(Exception, match=message):
        client.secrets.create_secret_by_name(name, **where, secret_value=value)
    with pytest.raises(Exception, match="not found"):
        client.secrets.list_secrets(project_id=project, environment_slug="nowhere", secret_path="/")
