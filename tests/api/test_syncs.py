"""Secret syncs over HTTP: the exact modelled object, every endpoint, every refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from syncs.models import Lease, ManagedSecret, SecretSync, SyncRun
from tests.api.openapi import require_fit
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

SYNCS = "/v1/secret-syncs/humanitec"
SYNC_KEYS = {
    "id", "name", "description", "isAutoSyncEnabled", "version", "projectId", "folderId", "connectionId", "createdAt",
    "updatedAt", "syncStatus", "lastSyncJobId", "lastSyncMessage", "lastSyncedAt", "importStatus", "lastImportJobId",
    "lastImportMessage", "lastImportedAt", "removeStatus", "lastRemoveJobId", "lastRemoveMessage", "lastRemovedAt",
    "syncOptions", "connection", "environment", "folder", "destination", "destinationConfig",
}  # fmt: skip


def body(world: World, **changes: Any) -> dict[str, Any]:
    return {
        "name": "shop-dev",
        "projectId": str(world.project.pk),
        "connectionId": str(world.connection.pk),
        "environment": "dev",
        "secretPath": "/",
        "syncOptions": OPTIONS,
        "destinationConfig": APPLICATION,
        **changes,
    }


def test_the_whole_life_of_a_sync(api: Api, world: World) -> None:
    world.set(A="1", B="2")
    status, made = api("POST", SYNCS, body(world))
    assert status == 200
    sync = made["secretSync"]
    assert set(sync) == SYNC_KEYS
    assert (sync["syncStatus"], sync["isAutoSyncEnabled"], sync["destinationConfig"]) == ("pending", True, APPLICATION)
    assert sync["connection"] == {"app": "humanitec", "name": "humanitec-dev", "id": str(world.connection.pk)}
    world.due()
    status, read = api("GET", f"{SYNCS}/{sync['id']}")
    assert (status, read["secretSync"]["syncStatus"]) == (200, "succeeded")
    assert world.held() == {"A": "1", "B": "2"}
    assert api("GET", f"{SYNCS}/sync-name/shop-dev", projectId=str(world.project.pk))[1] == read
    assert api("GET", SYNCS, projectId=str(world.project.pk))[1] == {"secretSyncs": [read["secretSync"]]}
    assert api("GET", "/v1/secret-syncs", projectId=str(world.project.pk))[1] == {"secretSyncs": [read["secretSync"]]}
    changed = api("PATCH", f"{SYNCS}/{sync['id']}", {"name": "renamed", "description": "why"})[1]["secretSync"]
    assert (changed["name"], changed["description"], changed["syncStatus"]) == ("renamed", "why", "pending")
    world.due()
    status, gone = api("DELETE", f"{SYNCS}/{sync['id']}", removeSecrets="true")
    assert (status, gone["secretSync"]["removeStatus"]) == (200, "pending")
    world.due()
    assert world.held() == {}
    assert api("GET", f"{SYNCS}/{sync['id']}")[0] == 404


def test_delete_keeps_the_destination(api: Api, world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    assert api("DELETE", f"{SYNCS}/{sync.pk}")[0] == 200
    assert not SecretSync.objects.exists()
    assert world.held() == {"A": "1"}


def _seed() -> dict[str, Any]:
    """The user's own OpenAPI of the trigger, out of the page that carries it."""
    page = next((Path(__file__).parents[3] / "shared" / "seeds").glob("000*"))
    return dict(yaml.safe_load(page.read_text().split("````yaml", 1)[1].split("\n", 1)[1].split("````", 1)[0]))


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` becomes a type of its own."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _plain(value) for key, value in schema.items()}
    return {"anyOf": [{**made, "nullable": False}, {"type": "null"}]} if made.get("nullable") is True else made


@pytest.mark.skipif(not (Path(__file__).parents[3] / "shared" / "seeds").is_dir(), reason="the user's page is not here")
@pytest.mark.parametrize("config", [APPLICATION, ENVIRONMENT], ids=["application", "environment"])
def test_the_trigger_responds_as_documented(api: Api, world: World, config: dict[str, str]) -> None:
    ((path, methods),) = _seed()["paths"].items()
    operation = methods["post"]
    schema = _plain(operation["responses"]["200"]["content"]["application/json"]["schema"])
    sync = world.sync(config=config, is_auto_sync_enabled=False)
    status, answer = api("POST", path.removeprefix("/api").replace("{syncId}", str(sync.pk)))
    assert status == 200
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
    world.due()
    jsonschema.validate(api("GET", f"{SYNCS}/{sync.pk}")[1], schema)
    world.environment().delete()
    jsonschema.validate(api("GET", f"{SYNCS}/{sync.pk}")[1], schema)
    status, document = api("GET", "/docs/json")
    assert document["paths"][path]["post"]["operationId"] == operation["operationId"]


def test_every_response_matches_our_document(api: Api, world: World) -> None:
    world.set(A="1")
    world.run(world.sync())
    sync_id = str(SecretSync.objects.get().pk)
    run_id = str(SyncRun.objects.filter(status="succeeded").get().pk)
    project = {"projectId": str(world.project.pk)}
    for method, path, query in (
        ("GET", "/v1/secret-syncs", project),
        ("GET", "/v1/secret-syncs/options", {}),
        ("GET", SYNCS, project),
        ("GET", f"{SYNCS}/{{syncId}}", {}),
        ("GET", f"{SYNCS}/{{syncId}}/runs", {}),
        ("GET", f"{SYNCS}/{{syncId}}/runs/{{runId}}", {}),
        ("GET", f"{SYNCS}/{{syncId}}/policy", {}),
        ("POST", f"{SYNCS}/{{syncId}}/plan", {}),
        ("GET", "/v1/app-connections", {}),
        ("GET", "/v1/app-connections/options", {}),
        ("GET", "/v1/app-connections/humanitec", {}),
        ("GET", "/v1/app-connections/humanitec/available", project),
    ):
        filled = path.replace("{syncId}", sync_id).replace("{runId}", run_id)
        status, answer = api(method, filled, **query)
        require_fit(method, f"/api{filled}", 200, answer)
        assert status == 200, (path, answer)


def test_plan_before_and_after(api: Api, world: World) -> None:
    world.set(A="1")
    world.sandbox.put(("acme", "shop", ""), "OLD", "x")
    status, drafted = api("POST", f"{SYNCS}/plan", body(world))
    assert status == 200
    shown = {change["key"]: change["action"] for change in drafted["plan"]["changes"]}
    assert shown == {"A": "create", "OLD": "delete"}
    assert not SecretSync.objects.exists()
    sync = world.sync()
    first, second = (api("POST", f"{SYNCS}/{sync.pk}/plan")[1]["plan"] for _ in range(2))
    assert first == second
    assert first["digest"] == drafted["plan"]["digest"]
    assert world.writes() == []


def test_a_change_is_planned_and_confirmed_by_its_digest(api: Api, world: World) -> None:
    world.set(A="1")
    world.sandbox.put(("acme", "shop", "development"), "OLD", "x")
    sync = world.sync()
    world.run(sync)
    change = {"destinationConfig": ENVIRONMENT, "description": "moved"}
    other = {"destinationConfig": {**ENVIRONMENT, "env": "staging"}}
    before = SecretSync.objects.values().get()
    status, answer = api("POST", f"{SYNCS}/{sync.pk}/plan", change)
    require_fit("POST", f"/api/v1/secret-syncs/humanitec/{sync.pk}/plan", status, answer)
    plan = answer["plan"]
    assert {each["key"]: each["action"] for each in plan["changes"]} == {"A": "create", "OLD": "delete"}
    assert plan["leaving"] == {"location": sync.location, "keys": ["A"], "choice": "keep"}
    assert "would delete 1 key that this sync did not write" in plan["held"]
    assert SecretSync.objects.values().get() == before
    digest = plan["digest"]
    status, refused = api("PATCH", f"{SYNCS}/{sync.pk}", other, digest=digest)
    assert (status, set(refused)) == (400, {"reqId", "statusCode", "message", "error"})
    assert "Plan the change again" in refused["message"]
    assert SecretSync.objects.values().get() == before
    status, answer = api("PATCH", f"{SYNCS}/{sync.pk}", change, digest=digest)
    assert (status, set(answer["secretSync"])) == (200, SYNC_KEYS)
    world.due()
    assert world.held(("acme", "shop", "development")) == {"A": "1"}


def test_keys_at_the_former_location_are_removed_on_request(api: Api, world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    change = {"destinationConfig": ENVIRONMENT}
    assert api("PATCH", f"{SYNCS}/{sync.pk}", change, leaving="burn")[0] == 422
    plan = api("POST", f"{SYNCS}/{sync.pk}/plan", change, leaving="remove")[1]["plan"]
    assert plan["leaving"] == {"location": sync.location, "keys": ["A"], "choice": "remove"}
    assert api("PATCH", f"{SYNCS}/{sync.pk}", change, leaving="remove", digest=plan["digest"])[0] == 200
    for _ in range(2):
        world.due()
    assert (world.held(), world.held(("acme", "shop", "development"))) == ({}, {"A": "1"})
    run = api("GET", f"{SYNCS}/{sync.pk}/runs")[1]["runs"][0]
    assert (run["operation"], run["status"], run["counts"]["delete"]) == ("remove", "succeeded", 1)


def test_a_plan_without_a_body_is_that_of_the_next_run(api: Api, world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    plain, empty = (api("POST", f"{SYNCS}/{sync.pk}/plan", given)[1]["plan"] for given in (None, {}))
    assert plain == empty
    assert "leaving" not in plain
    assert api("POST", f"{SYNCS}/{sync.pk}/plan", {"name": "x"}, operation="remove")[0] == 400


def test_another_policy_is_planned_and_confirmed_by_its_digest(api: Api, world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    change = {"exclude": ["*"]}
    status, answer = api("POST", f"{SYNCS}/{sync.pk}/policy/plan", change)
    assert (status, answer["plan"]["counts"]["delete"]) == (200, 3)
    assert "leave this sync with none" in answer["plan"]["held"]
    assert api("GET", f"{SYNCS}/{sync.pk}/policy")[1]["policy"]["exclude"] == []
    assert api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"exclude": ["A"]}, digest=answer["plan"]["digest"])[0] == 400
    status, stored = api("PATCH", f"{SYNCS}/{sync.pk}/policy", change, digest=answer["plan"]["digest"])
    assert (status, stored["policy"]["exclude"]) == (200, ["*"])
    world.due()
    assert world.held() == {}


def test_runs_and_policy(api: Api, world: World) -> None:
    world.set(A="1", B="2")
    sync = world.sync()
    world.run(sync)
    listed = api("GET", f"{SYNCS}/{sync.pk}/runs", limit="1")[1]
    assert (listed["totalCount"], len(listed["runs"])) == (2, 1)
    run = api("GET", f"{SYNCS}/{sync.pk}/runs/{listed['runs'][0]['id']}")[1]["run"]
    assert {change["key"]: change["outcome"] for change in run["changes"]} == {"A": "applied", "B": "applied"}
    policy = api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"maxDeletions": None, "exclude": ["B*"], "paused": True})[1]
    assert (policy["policy"]["maxDeletions"], policy["policy"]["exclude"]) == (None, ["B*"])
    assert api("GET", f"{SYNCS}/{sync.pk}/policy")[1] == policy
    status, refused = api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"maxConcurrency": 33, "unmanged": "leave"})
    assert status == 422
    assert {issue["code"] for issue in refused["message"]} == {"too_big", "unrecognized_keys"}


def test_a_held_run_is_approved(api: Api, world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    world.unset("A", "B", "C")
    held = world.run(sync)
    assert (held.status, len(world.held())) == ("held", 3)
    shown = api("GET", f"{SYNCS}/{sync.pk}")[1]["secretSync"]
    assert shown["syncStatus"] == "failed"
    assert shown["lastSyncMessage"].startswith("Held: it would delete 3 keys")
    status, approved = api("POST", f"{SYNCS}/{sync.pk}/runs/{held.pk}/approve", {})
    assert (status, approved["run"]["status"]) == (200, "pending")
    world.due()
    assert (world.again(held).status, world.held()) == ("succeeded", {})
    assert api("POST", f"{SYNCS}/{sync.pk}/runs/{held.pk}/approve", {})[0] == 400


def test_a_held_run_is_dismissed(api: Api, world: World) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    world.unset("A", "B", "C")
    held = world.run(sync)
    status, dismissed = api("POST", f"{SYNCS}/{sync.pk}/runs/{held.pk}/dismiss")
    assert (status, dismissed["run"]["status"]) == (200, "dismissed")
    world.due()
    assert len(world.held()) == 3
    assert api("POST", f"{SYNCS}/{sync.pk}/runs/{held.pk}/dismiss")[0] == 400


def test_drift(api: Api, world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    path = f"{SYNCS}/{sync.pk}/drift"
    nothing = {"status": "unknown", "complete": False, "checkedAt": None, "changes": []}
    assert api("GET", path) == (200, {"drift": nothing})
    world.run(sync)
    del world.sandbox.values["acme", "shop", ""]["A"]
    status, found = api("POST", path)
    assert (status, found["drift"]["status"]) == (200, "drifted")
    assert [(one["key"], one["state"]) for one in found["drift"]["changes"]] == [("A", "missing")]
    assert api("GET", path)[1] == found
    world.sandbox.fault = lambda method, path: (401, {"message": "no"})
    assert api("POST", path)[0] == 400


def test_check_destination(api: Api, world: World) -> None:
    sync = world.sync()
    asked = {"destinationConfig": APPLICATION, "projectId": str(world.project.pk)}
    found = {"hasDuplicate": True, "duplicateProjectId": str(world.project.pk)}
    assert api("POST", f"{SYNCS}/check-destination", asked) == (200, found)
    excluded = {**asked, "excludeSyncId": str(sync.pk)}
    assert api("POST", f"{SYNCS}/check-destination", excluded) == (200, {"hasDuplicate": False})


NOWHERE = "0b6b0f5e-3f0c-4f6e-9a51-7d3c1a52c001"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"name": "Shop Dev"}, 422, "Name field can only contain lowercase letters, numbers, and hyphens"),
        ({"name": "a" * 257}, 422, "Name field must be at most 256 lowercase character(s)"),
        ({"connectionId": "nope"}, 422, "Invalid uuid"),
        ({"connectionId": NOWHERE}, 404, f"Could not find App Connection with ID {NOWHERE}"),
        ({"projectId": NOWHERE}, 404, f"Project with ID '{NOWHERE}' not found"),
        ({"environment": "nope"}, 400, 'Could not find folder with path "/" in environment "nope"'),
        ({"secretPath": "/no/such"}, 400, 'Could not find folder with path "/no/such" in environment "dev"'),
        ({"syncOptions": {}}, 422, "Required"),
        ({"syncOptions": {**OPTIONS, "keySchma": "x"}}, 422, "Unrecognized key(s) in object: 'keySchma'"),
        ({"syncOptions": {**OPTIONS, "keySchema": "PRE_"}}, 422, "exactly one {{secretKey}}"),
        ({"syncOptions": {**OPTIONS, "keySchema": "{{secretKey}}{{secretKey}}"}}, 422, "exactly one {{secretKey}}"),
        ({"syncOptions": {**OPTIONS, "keySchema": "{{secretKey"}}, 422, "exactly one {{secretKey}}"),
        ({"syncOptions": {"initialSyncBehavior": "import-prioritize-source"}}, 422, "Invalid enum value"),
        ({"syncOptions": {**OPTIONS, "disableSecretDeletion": "yes"}}, 422, "Expected boolean, received string"),
        ({"destinationConfig": {"scope": "team"}}, 422, "Expected 'application' | 'environment'"),
        ({"destinationConfig": {**APPLICATION, "org": ""}}, 422, "Org ID required"),
        ({"destinationConfig": {**APPLICATION, "env": "x"}}, 422, "Unrecognized key(s) in object: 'env'"),
        ({"destinationConfig": {**APPLICATION, "app": 5}}, 422, "Expected string, received number"),
        ({"destinationConfig": {**APPLICATION, "org": "a\x00b"}}, 422, "control character"),
        ({"description": "x" * 257}, 422, "at most 256 character(s)"),
    ],
)
def test_what_create_refuses(api: Api, world: World, changes: dict[str, Any], status: int, said: str) -> None:
    answered, envelope = api("POST", SYNCS, body(world, **changes))
    assert answered == status
    assert set(envelope) == {"reqId", "statusCode", "message", "error"}
    assert said in str(envelope["message"])
    assert not SecretSync.objects.exists()


@pytest.mark.parametrize("member", ["org", "app"])
def test_a_target_that_no_column_can_hold_is_refused(api: Api, world: World, member: str) -> None:
    """SQLite stores what is longer than the column; PostgreSQL does not."""
    location = world.sync().location
    longest = {**APPLICATION, member: APPLICATION[member] + "x" * (512 - len(location))}
    longer = {**longest, member: longest[member] + "x"}
    columns = [(each, "location") for each in (SecretSync, SyncRun, ManagedSecret, Lease)]
    assert {each._meta.get_field(name).max_length for each, name in columns} == {512}
    for method, where in (("POST", SYNCS), ("PATCH", f"{SYNCS}/{SecretSync.objects.get().pk}")):
        status, envelope = api(method, where, {**body(world, name="long"), "destinationConfig": longer})
        (issue,) = envelope["message"]
        assert (status, issue["path"]) == (422, ["destinationConfig"])
        assert "it may have 512 characters, and has 513" in issue["message"]
        status, changed = api(
            method, where, {**body(world, name=f"long-{method.lower()}"), "destinationConfig": longest}
        )
        assert (status, changed["secretSync"]["destinationConfig"]) == (200, longest)
        SecretSync.objects.filter(name="long-post").delete()


def test_all_problems_are_reported_at_once(api: Api, world: World) -> None:
    given = body(world, name="Bad Name", connectionId="x", syncOptions={}, destinationConfig={"scope": "application"})
    status, envelope = api("POST", SYNCS, given)
    assert status == 422
    assert [issue["path"] for issue in envelope["message"]] == [
        ["name"],
        ["connectionId"],
        ["syncOptions", "initialSyncBehavior"],
        ["destinationConfig", "org"],
        ["destinationConfig", "app"],
    ]


def test_unknown_keys_around_the_configs_are_dropped_and_nulls_are_absent(api: Api, world: World) -> None:
    status, made = api("POST", SYNCS, body(world, App="stray", description=None, isAutoSyncEnabled=None))
    assert (status, made["secretSync"]["isAutoSyncEnabled"]) == (200, True)


def test_names_are_unique_over_a_project(api: Api, world: World) -> None:
    world.sync()
    status, envelope = api("POST", SYNCS, body(world))
    assert (status, envelope["error"]) == (400, "BadRequest")
    assert envelope["message"].startswith('A Secret Sync with the name "shop-dev" already exists for the project')


@pytest.mark.parametrize("operation", ["sync-secrets", "remove-secrets"])
def test_what_a_trigger_refuses(api: Api, world: World, operation: str) -> None:
    sync = world.sync()
    assert api("POST", f"{SYNCS}/nope/{operation}")[0] == 422
    assert api("POST", f"{SYNCS}/{NOWHERE}/{operation}")[0] == 404
    SyncRun.objects.filter(sync=sync).update(status="running")
    status, envelope = api("POST", f"{SYNCS}/{sync.pk}/{operation}")
    assert (status, envelope["message"]) == (
        400,
        "A job for this sync is already in progress. Please try again shortly.",
    )


def test_humanitec_cannot_be_imported_from(api: Api) -> None:
    path = f"{SYNCS}/{NOWHERE}/import-secrets"
    assert api("POST", path)[0] == 422
    status, envelope = api("POST", path, importBehavior="prioritize-source")
    assert (status, envelope["message"]) == (400, "Humanitec does not support importing secrets.")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", set()),
        ("member", {"PATCH", "sync-secrets", "plan"}),
        ("admin", {"PATCH", "sync-secrets", "plan", "remove-secrets", "policy"}),
    ],
)
def test_roles(world: World, role: str, allowed: set[str]) -> None:
    sync = world.sync()
    api = api_for(role, world)
    assert api("GET", f"{SYNCS}/{sync.pk}")[0] == 200
    tried = {
        "PATCH": api("PATCH", f"{SYNCS}/{sync.pk}", {"description": "x"}),
        "plan": api("POST", f"{SYNCS}/{sync.pk}/plan"),
        "sync-secrets": api("POST", f"{SYNCS}/{sync.pk}/sync-secrets"),
        "remove-secrets": api("POST", f"{SYNCS}/{sync.pk}/remove-secrets"),
        "policy": api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"maxDeletions": 1}),
    }
    assert {name for name, (status, _) in tried.items() if status == 200} == allowed
    assert {status for status, _ in tried.values()} <= {200, 403}


def test_another_project_is_not_found(world: World) -> None:
    sync = world.sync()
    stranger = api_for("viewer", None)
    assert stranger("GET", f"{SYNCS}/{sync.pk}")[0] == 404
    assert stranger("GET", SYNCS, projectId=str(world.project.pk))[0] == 404


def test_lists_cost_the_same_for_any_number(api: Api, world: World, django_assert_max_num_queries: Any) -> None:
    for index in range(12):
        world.sync(f"sync-{index}", {**APPLICATION, "app": f"app-{index}"})
    with django_assert_max_num_queries(8):
        assert len(api("GET", SYNCS, projectId=str(world.project.pk))[1]["secretSyncs"]) == 12
