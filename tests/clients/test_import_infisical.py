"""`import_infisical` against a running server: a complete import, a repeated one, an interrupted one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from config import encryption
from config.access.models import AuditEvent, Project
from config.access.roles import PLATFORM
from syncs.models import Folder, Secret, SecretImport, SecretVersion, Tag
from syncs.operations.infisical_import import move_in
from syncs.source.selectors import comment_of, metadata_of, value_of
from tests.clients.conftest import Server


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    encryption.forget()


@pytest.fixture
def theirs(server: Server) -> Iterator[httpx.Client]:
    given = {"clientId": server.client_id, "clientSecret": server.client_secret}
    with httpx.Client(base_url=f"{server.url}/api", trust_env=False, timeout=30) as client:
        token = client.post("/v1/auth/universal-auth/login", json=given).json()["accessToken"]
        client.headers["authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def project(server: Server, theirs: httpx.Client) -> dict[str, Any]:
    """Tags, folders three deep, 450 secrets in one, references between folders, an import before its target."""

    def send(method: str, path: str, /, **body: Any) -> Any:
        answer = theirs.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    project: dict[str, Any] = send("POST", "/v1/projects", projectName="Moving", slug=server.slug("moving"))["project"]
    at = {"projectId": project["id"], "environment": "dev"}
    tag = send("POST", f"/v1/projects/{project['id']}/tags", slug="db", color="#ff8800")["tag"]
    send("POST", "/v2/folders", **at, path="/a/b", name="c", description="deep")
    many = [{"secretKey": f"K{number}", "secretValue": f"value {number}"} for number in range(450)]
    send("POST", "/v4/secrets/batch", **at, secretPath="/a/b", secrets=many)
    send("POST", "/v4/secrets/HOST", **at, secretPath="/a/b/c", secretValue="db")
    send(
        "POST",
        "/v4/secrets/URL",
        **at,
        secretValue="${dev.a.b.c.HOST}:5432\nzwei ü\n",
        secretComment="why",
        tagIds=[tag["id"]],
        secretMetadata=[{"key": "pin", "value": "1", "isEncrypted": True}, {"key": "team", "value": "core"}],
        skipMultilineEncoding=True,
    )
    target = {"environment": "dev", "path": "/a/b/c"}
    send("POST", "/v2/secret-imports", projectId=project["id"], environment="prod", path="/", **{"import": target})
    return project


def moved(server: Server, *args: str, client_id: str = "", client_secret: str = "") -> tuple[int, dict[str, Any]]:
    out = StringIO()
    try:
        call_command(
            "import_infisical",
            *("--host", server.url, "--json"),
            *("--client-id", client_id or server.client_id, "--client-secret", client_secret or server.client_secret),
            *args,
            stdout=out,
        )
    except SystemExit as left:
        return int(left.code or 0), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def test_everything_is_imported_and_a_second_time_changes_nothing(server: Server, project: dict[str, Any]) -> None:
    code, result = moved(server, "--project", project["id"])
    assert (code, result["problems"]) == (0, [])
    expected = {"projects": 1, "tags": 1, "environments": 3, "folders": 3, "secrets": 452, "imports": 1}
    assert (result["found"], result["changed"]) == (expected, expected)
    here = Project.objects.get(slug=project["slug"])
    assert [each.slug for each in here.environments.order_by("position")] == ["dev", "staging", "prod"]
    assert Folder.objects.get(path="/a/b/c").description == "deep"
    url = Secret.objects.select_related("folder__environment").get(key="URL")
    assert (value_of(url), comment_of(url)) == ("${dev.a.b.c.HOST}:5432\nzwei ü\n", "why")
    assert metadata_of(url) == [
        {"key": "pin", "value": "1", "isEncrypted": True},
        {"key": "team", "value": "core", "isEncrypted": False},
    ]
    assert url.skip_multiline_encoding
    assert [(tag.slug, tag.color) for tag in url.tags.all()] == [("db", "#ff8800")]
    row = SecretImport.objects.select_related("folder__environment").get()
    assert (row.folder.environment.slug, row.import_path) == ("prod", "/a/b/c")

    before = (SecretVersion.objects.count(), AuditEvent.objects.count(), Tag.objects.count())
    code, result = moved(server, "--project", project["id"])
    assert (code, result["found"], set(result["changed"].values())) == (0, expected, {0})
    assert (SecretVersion.objects.count(), AuditEvent.objects.count(), Tag.objects.count()) == before


def test_an_interrupted_import_continues(server: Server, theirs: httpx.Client, project: dict[str, Any]) -> None:
    identity = theirs.post("/v1/identities", json={"name": "mover"}).json()["identity"]["id"]
    where = f"/v1/auth/universal-auth/identities/{identity}"
    auth = theirs.post(where, json={"accessTokenNumUsesLimit": 7}).json()["identityUniversalAuth"]
    theirs.post(
        f"/v2/workspace/{project['id']}/identity-memberships/{identity}", json={"role": "member"}
    ).raise_for_status()
    secret = theirs.post(f"{where}/client-secrets", json={}).json()["clientSecret"]
    login = {"client_id": auth["clientId"], "client_secret": secret}
    with pytest.raises(CommandError, match="run the command again to continue"):
        moved(server, **login)
    assert Project.objects.filter(slug=project["slug"]).exists()
    assert not Secret.objects.filter(key="HOST").exists()
    theirs.patch(where, json={"accessTokenNumUsesLimit": 0}).raise_for_status()
    code, result = moved(server, **login)
    assert (code, result["found"]["secrets"], Secret.objects.count()) == (0, 452, 452)
    assert result["changed"]["projects"] == 0


def test_a_login_without_values(server: Server, theirs: httpx.Client, project: dict[str, Any]) -> None:
    """Nothing is stored for a value that may not be read: not its placeholder, not an empty text."""
    viewer = server.identity("viewer")
    ids = {each["name"]: each["id"] for each in theirs.get("/v1/identities").json()["identities"]}
    where = f"/v2/workspace/{project['id']}/identity-memberships/{ids['viewer']}"
    theirs.post(where, json={"role": "viewer"}).raise_for_status()
    code, result = moved(
        server, "--project", project["id"], client_id=viewer["clientId"], client_secret=viewer["clientSecret"]
    )
    assert code == 3
    assert any("the login may not read" in problem for problem in result["problems"])
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--client-id", "x", "--client-secret", "y"], "Invalid credentials"),
        (["--client-id", "x"], "--client-secret"),
        (["--client-id", "x", "--client-secret", "y", "--host", "http://127.0.0.1:9"], "could not connect"),
    ],
)
def test_problems_are_reported(server: Server, args: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        call_command("import_infisical", "--host", server.url, *args)


class Oddities:
    """Another server that has what this one refuses."""

    def projects(self) -> list[dict[str, Any]]:
        environments = [{"slug": "dev", "name": "Development"}]
        return [
            {"id": "1", "name": "Bad", "slug": "No-Slug", "environments": environments},
            {"id": "2", "name": "Good", "slug": "good-project", "environments": environments},
        ]

    def tags(self, project_id: str) -> list[dict[str, Any]]:
        return [{"slug": "Not A Slug"}]

    def folders(self, project_id: str, environment: str) -> Iterator[tuple[str, str | None]]:
        yield "/in between", None
        yield "/fine", None

    def secrets(self, project_id: str, environment: str, path: str) -> list[dict[str, Any]]:
        kinds = {"A:B": "shared", "FINE": "shared", "MINE": "personal"}
        return [{"secretKey": key, "secretValue": "x", "type": kind} for key, kind in kinds.items()]

    def imports(self, project_id: str, environment: str, path: str) -> list[dict[str, Any]]:
        return [
            {"importEnv": {"slug": "nowhere"}, "importPath": "/", "position": 1},
            {"importEnv": {"slug": "dev"}, "importPath": "/else", "position": 2},
        ]


def test_one_failure_does_not_stop_the_rest() -> None:
    report = move_in(PLATFORM, Oddities(), None, lambda *_: None)  # type: ignore[arg-type]
    message = "\n".join(report.problems)
    for named in ("No-Slug", "tag Not A Slug", "folder dev/in between", "good-project dev/ A:B", "'nowhere'"):
        assert named in message
    assert sorted(Secret.objects.values_list("folder__path", "key")) == [("/", "FINE"), ("/fine", "FINE")]
    assert SecretImport.objects.count() == 2


@pytest.mark.parametrize("slug", ["under_score", "qa", "the-payments-backend-of-the-european-customers-x1y2"])
def test_a_project_keeps_its_slug(slug: str) -> None:
    """Servers make slugs of long names longer than one may choose, and allow underscores when they are changed."""

    class Theirs(Oddities):
        def projects(self) -> list[dict[str, Any]]:
            environments = [{"slug": "dev", "name": "Development"}]
            return [{"id": "1", "name": "Shop", "slug": slug, "environments": environments}]

    for new in (1, 0):
        report = move_in(PLATFORM, Theirs(), None, lambda *_: None)  # type: ignore[arg-type]
        assert (report.changed["projects"], report.changed["secrets"]) == (new, 2 * new)
    assert [project.slug for project in Project.objects.all()] == [slug]
