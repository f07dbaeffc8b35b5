"""Reading secrets: number of queries, imports, references, and unchanged responses."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.access.models import AuditEvent
from syncs.models import Secret
from syncs.services.folders import create_environment, create_project, ensure_folder
from syncs.services.imports import add_import
from syncs.services.secrets import delete_secrets, set_secrets
from syncs.services.tags import create_tag
from syncs.source.validation import SecretInput
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World


def queries(api: Api, path: str, **query: str) -> int:
    """Statements that read or write rows; those that open and close a transaction are none of them."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        status, answer = api("GET", path, None, **query)
    assert status == 200, answer
    return sum(1 for each in captured if not each["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT")))


def fill(world: World, count: int) -> None:
    """`count` of everything that a list may hold."""
    for slug in ("dev", "staging"):
        given = [
            SecretInput(f"K{count}_{number}", "x", "why", ["db"], [{"key": "a", "value": "b"}])
            for number in range(count)
        ]
        set_secrets(world.actor, world.folder(environment=slug), given)
    for number in range(count):
        ensure_folder(world.actor, world.environment(), f"/f{count}x{number}")
        create_tag(world.actor, world.project, f"t{count}x{number}")
        create_environment(world.actor, world.project, "E", f"e{count}x{number}")
        add_import(world.actor, world.folder(), world.environment("prod"), f"/i{count}x{number}")
        create_project(world.actor, "P", slug=f"project-{count}x{number}")


LISTS: list[tuple[str, dict[str, str]]] = [
    ("/v3/secrets/raw", {"workspaceId": "P", "environment": "dev"}),
    ("/v3/secrets/raw", {"workspaceId": "P", "environment": "dev", "include_imports": "true", "recursive": "true"}),
    ("/v4/secrets", {"projectId": "P", "environment": "dev"}),
    ("/v1/folders", {"workspaceId": "P", "environment": "dev", "recursive": "true"}),
    ("/v2/folders", {"projectId": "P", "environment": "dev"}),
    ("/v1/secret-imports", {"workspaceId": "P", "environment": "dev"}),
    ("/v2/secret-imports/secrets", {"projectId": "P", "environment": "dev"}),
    ("/v1/projects", {"includeRoles": "true"}),
    ("/v1/projects/P/tags", {}),
    ("/v1/identities", {}),
    ("/v2/workspace/P/identity-memberships", {}),
    ("/v1/app-connections", {}),
    ("/v1/secret-syncs", {"projectId": "P"}),
    ("/v1/secret-syncs/humanitec", {"projectId": "P"}),
]


@pytest.mark.parametrize(("path", "query"), LISTS, ids=[f"{path}-{len(query)}" for path, query in LISTS])
def test_a_list_costs_the_same_whatever_its_length(world: World, path: str, query: dict[str, str]) -> None:
    api = api_for("admin", world)
    project = str(world.project.pk)
    asked = {name: project if value == "P" else value for name, value in query.items()}
    add_import(world.actor, world.folder(), world.environment("staging"), "/")
    fill(world, 2)
    few = queries(api, path.replace("/P/", f"/{project}/"), **asked)
    fill(world, 7)
    many = queries(api, path.replace("/P/", f"/{project}/"), **asked)
    assert few == many
    assert many <= 8, many


def test_unchanged_is_not_sent_again(api: Api, world: World) -> None:
    world.set(A="1")
    query = {"projectId": str(world.project.pk), "environment": "dev"}
    for path in ("/v4/secrets", "/v4/secrets/A"):
        first = api.raw("GET", path, None, **query)
        assert first["ETag"].startswith('"')
        api.headers["if-none-match"] = f'W/"other", {first["ETag"]}'
        again = api.raw("GET", path, None, **query)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        world.set(A=f"{path} now")
        changed = api.raw("GET", path, None, **query)
        assert (changed.status_code, changed["ETag"] != first["ETag"]) == (200, True)
        assert "no-cache" in changed["Cache-Control"]
    assert api.raw("GET", "/v1/projects")["Cache-Control"] == "no-store"


def test_references_are_resolved_or_returned_as_stored(api: Api, world: World) -> None:
    world.set(A="a", B="<${A}>", C="${B}!", GONE="x", D="${GONE} and ${A}", X="${Y}", Y="${X}", Z="${X}")
    world.unset("GONE")
    world.set(environment="staging", A="staged", FAR="${dev.C}")
    query = {"workspaceId": str(world.project.pk), "environment": "dev", "expandSecretReferences": "true"}
    read = {one["secretKey"]: one["secretValue"] for one in api("GET", "/v3/secrets/raw", None, **query)[1]["secrets"]}
    assert read == {"A": "a", "B": "<a>", "C": "<a>!", "D": "${GONE} and a", "X": "${Y}", "Y": "${X}", "Z": "${X}"}
    query["environment"] = "staging"
    assert api("GET", "/v3/secrets/raw/FAR", None, **query)[1]["secret"]["secretValue"] == "<a>!"
    tree = api(
        "GET", "/v4/secrets/FAR/secret-reference-tree", None, projectId=query["workspaceId"], environment="staging"
    )
    node = tree[1]["tree"]
    path = []
    while node:
        path.append((node["environment"], node["key"], node["value"]))
        node = node["children"][0] if node["children"] else None
    assert path == [("staging", "FAR", "<a>!"), ("dev", "C", "<a>!"), ("dev", "B", "<a>"), ("dev", "A", "a")]
    referrers = api("GET", "/v4/secrets/A/secret-references", None, projectId=query["workspaceId"], environment="dev")[
        1
    ]
    assert [each["secretKey"] for each in referrers["references"]] == ["B", "D"]


def test_the_last_import_wins_and_imports_are_distinguished(api: Api, world: World) -> None:
    for slug, values in (("staging", {"A": "s", "B": "s"}), ("prod", {"A": "p", "C": "p"})):
        world.set(environment=slug, **values)
    ensure_folder(world.actor, world.environment("prod"), "/deep")
    world.set("/deep", environment="prod", DEEP="d")
    add_import(world.actor, world.folder(environment="prod"), world.environment("prod"), "/deep")
    add_import(world.actor, world.folder(), world.environment("staging"), "/")
    add_import(world.actor, world.folder(), world.environment("prod"), "/")
    world.set(OWN="${A}-${DEEP}")
    query = {"projectId": str(world.project.pk), "environment": "dev"}
    answer = api("GET", "/v4/secrets", None, **query)[1]
    assert [one["secretValue"] for one in answer["secrets"]] == ["p-d"]
    brought = [
        (each["environment"], each["secretPath"], [(one["secretKey"], one["environment"]) for one in each["secrets"]])
        for each in answer["imports"]
    ]
    assert brought == [
        ("staging", "/", [("A", "staging"), ("B", "staging")]),
        ("prod", "/", [("A", "prod"), ("C", "prod"), ("DEEP", "prod")]),
    ]
    for key, value in (("A", "p"), ("B", "s"), ("DEEP", "d")):
        assert api("GET", f"/v4/secrets/{key}", None, **query)[1]["secret"]["secretValue"] == value
    assert api("GET", "/v4/secrets/A", None, **query, includeImports="false")[0] == 404
    assert api("GET", "/v4/secrets", None, **query, include_imports="false")[1]["imports"] == []
    # What an import brings can be referred to, and is found by its tags and metadata.
    assert api("POST", "/v4/secrets/NEW", {**query, "secretValue": "${B}"})[0] == 200


def test_filters(api: Api, world: World) -> None:
    create_tag(world.actor, world.project, "web")
    given = [
        SecretInput("A", "1", tags=["db"], metadata=[{"key": "team", "value": "core"}, {"key": "tier", "value": "1"}]),
        SecretInput("B", "2", tags=["db", "web"], metadata=[{"key": "team", "value": "core"}]),
        SecretInput("C", "3", metadata=[{"key": "team", "value": "core", "isEncrypted": True}]),
    ]
    set_secrets(world.actor, world.folder(), given)
    query = {"projectId": str(world.project.pk), "environment": "dev"}

    def keys(**more: str) -> list[str]:
        return [one["secretKey"] for one in api("GET", "/v4/secrets", None, **query, **more)[1]["secrets"]]

    assert keys(tagSlugs="web, nothing") == ["B"]
    assert keys(tagSlugs="db,web") == ["A", "B"]
    assert keys(metadataFilter="key=team,value=core") == ["A", "B"]
    assert keys(metadataFilter="key=team,value=core|key=tier") == ["A"]
    secret = api("GET", "/v4/secrets/C", None, **query)[1]["secret"]
    assert secret["secretMetadata"] == [{"key": "team", "value": "core", "isEncrypted": True}]
    assert "core" not in json.dumps(Secret.objects.get(key="C").metadata)


def test_an_undecryptable_value_is_reported(api: Api, world: World) -> None:
    world.set(A="1", B="2")
    Secret.objects.filter(key="B").update(value_sealed=b"damaged")
    query = {"projectId": str(world.project.pk), "environment": "dev"}
    status, answer = api("GET", "/v4/secrets", None, **query)
    assert (status, answer["error"]) == (400, "CryptographyError")
    assert "B" in answer["message"]
    assert api("GET", "/v4/secrets/A", None, **query)[0] == 200
    assert len(api("GET", "/v4/secrets", None, **query, viewSecretValue="false")[1]["secrets"]) == 2


def test_versions(api: Api, world: World) -> None:
    for value in ("1", "2", "3"):
        world.set(A=value)
    query = {"projectId": str(world.project.pk), "environment": "dev"}
    assert api("GET", "/v4/secrets/A", None, **query, version="2")[1]["secret"]["secretValue"] == "2"
    secret = Secret.objects.get(key="A")
    found = api("GET", f"/v1/secret/{secret.pk}/secret-versions", None, limit="2")[1]
    assert [(one["version"], one["secretValue"], one["actor"]["name"]) for one in found["secretVersions"]] == [
        (3, "3", "ada"),
        (2, "2", "ada"),
    ]
    assert found["totalCount"] == 3


def test_moving_keeps_the_secret(api: Api, world: World) -> None:
    world.set(A="1", B="2")
    world.set(environment="prod", B="other")
    ids = [str(pk) for pk in Secret.objects.filter(folder=world.folder()).values_list("pk", flat=True)]
    given: dict[str, Any] = {
        "projectId": str(world.project.pk),
        "sourceEnvironment": "dev",
        "sourceSecretPath": "/",
        "destinationEnvironment": "prod",
        "destinationSecretPath": "/",
        "secretIds": ids,
    }
    status, refused = api("POST", "/v4/secrets/move", given)
    assert (status, "B" in refused["message"]) == (400, True)
    assert world.folder().secrets.count() == 2
    assert api("POST", "/v4/secrets/move", {**given, "shouldOverwrite": True})[0] == 200
    assert {str(pk) for pk in world.folder(environment="prod").secrets.values_list("pk", flat=True)} == set(ids)
    assert not world.folder().secrets.exists()


def test_batches(api: Api, world: World) -> None:
    location: dict[str, Any] = {"projectId": str(world.project.pk), "environment": "dev"}
    ensure_folder(world.actor, world.environment(), "/api")
    items = [{"secretKey": "A", "secretValue": "1"}, {"secretKey": "B", "secretValue": "${A}", "secretPath": "/api"}]
    batch = "/v4/secrets/batch"
    status, refused = api("PATCH", batch, {**location, "secrets": items, "mode": "upsert"})
    assert (status, "A in dev:/api (of B)" in refused["message"]) == (400, True)
    assert not Secret.objects.exists()
    items[1]["secretValue"] = "${dev.A}"
    events = AuditEvent.objects.count()
    assert len(api("PATCH", batch, {**location, "secrets": items, "mode": "upsert"})[1]["secrets"]) == 2
    assert AuditEvent.objects.count() == events + 1
    items.append({"secretKey": "NOPE", "secretValue": "1"})
    assert api("PATCH", batch, {**location, "secrets": items})[0] == 404
    changed = api("PATCH", batch, {**location, "secrets": items, "mode": "ignore"})[1]["secrets"]
    assert [one["secretKey"] for one in changed] == ["A", "B"]
    swap = [{"secretKey": "A", "newSecretName": "C"}, {"secretKey": "C", "secretValue": "1"}]
    assert api("PATCH", batch, {**location, "secrets": swap, "mode": "upsert"})[0] == 400


def test_null_in_a_body_means_absent(api: Api, world: World) -> None:
    world.set(A="1")
    set_secrets(world.actor, world.folder(), [SecretInput("A", comment="why", tags=["db"])])
    given = {
        "workspaceId": str(world.project.pk),
        "projectSlug": None,
        "environment": "dev",
        "secretPath": None,
        **dict.fromkeys(("secretValue", "secretComment", "tagIds", "secretMetadata", "newSecretName", "type")),
        **dict.fromkeys(("skipMultilineEncoding", "secretReminderNote", "secretReminderRepeatDays", "metadata")),
        "SecretName": "stray",
    }
    secret = api("PATCH", "/v3/secrets/raw/A", given)[1]["secret"]
    assert (secret["version"], secret["secretValue"], secret["secretComment"]) == (2, "1", "why")
    assert [tag["slug"] for tag in secret["tags"]] == ["db"]
    assert delete_secrets(world.actor, world.folder(), ["A"])


@pytest.mark.parametrize(
    "name", ['it\'s "quoted"', "ключ", "a b", "100%41", "🔑", "a+b&c=d", "<script>", "batch", ".."]
)
def test_awkward_names(api: Api, world: World, name: str) -> None:
    """Whole round: made under its percent-encoded name, read, listed, renamed in a batch, deleted."""
    location = {"workspaceId": str(world.project.pk), "environment": "dev"}
    where = f"/v3/secrets/raw/{quote(name, safe='')}"
    made = api("POST", where, {**location, "secretValue": "x"})
    assert made[0] == 200, made[1]
    assert made[1]["secret"]["secretKey"] == name
    assert api("GET", where, None, **location)[1]["secret"]["secretValue"] == "x"
    listed = api("GET", "/v3/secrets/raw", None, **location)[1]["secrets"]
    assert [one["secretKey"] for one in listed] == [name]
    items = [{"secretKey": name, "newSecretName": "PLAIN"}]
    assert api("PATCH", "/v3/secrets/batch/raw", {**location, "secrets": items})[0] == 200
    assert api("GET", where, None, **location)[0] == 404


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a/b", "/a/b"),
        ("a/b/", "/a/b"),
        ("//a//b", "/a/b"),
        (" /a ", "/a"),
        ("", "/"),
        ("/a/../b", None),
        ("/a\x00", None),
    ],
)
def test_ways_of_writing_a_path(api: Api, world: World, path: str, found: str | None) -> None:
    ensure_folder(world.actor, world.environment(), "/a/b")
    query = {"projectId": str(world.project.pk), "environment": "dev", "secretPath": path}
    status, answer = api("POST", "/v4/secrets/A", {**query, "secretValue": "x"})
    assert status == (200 if found else 422)
    if found:
        assert answer["secret"]["secretPath"] == found


@pytest.mark.parametrize("moment", ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_moments_at_the_edge_of_time(api: Api, world: World, moment: str) -> None:
    ensure_folder(world.actor, world.environment(), "/a")
    world.set("/a", A="1")
    query = {"projectId": str(world.project.pk), "environment": "dev", "lastSecretModified": moment}
    status, answer = api("GET", "/v2/folders", None, **query)
    assert (status, len(answer["folders"])) == (200, 0 if moment.startswith("9") else 1)
    logs = f"/v1/projects/{world.project.pk}/audit-logs"
    assert api("GET", logs, None, startDate=moment, endDate=moment)[0] == 200
