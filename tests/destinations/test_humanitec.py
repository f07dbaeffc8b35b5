"""Humanitec over real HTTP on loopback, both scopes; requests validated against the vendor's description."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from connections.errors import BadResponse, Conflict, NotFound, OutcomeUnknown, Rejected
from connections.http.client import ApiClient
from connections.sandbox import HumanitecSandbox
from syncs.destinations.humanitec import Humanitec
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.contract.descriptions import folder, load
from tests.fixtures.world import ENVIRONMENT, World

APP = {"scope": "application", "org": "acme", "app": "shop"}
ENV = {"scope": "environment", "org": "acme", "app": "shop", "env": "development"}


@pytest.fixture
def vendor() -> Iterator[HumanitecSandbox]:
    with HumanitecSandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(vendor: HumanitecSandbox) -> Iterator[ApiClient]:
    with ApiClient("Humanitec", vendor.url, deadline=2) as client:
        yield client


@pytest.fixture(params=[APP, ENV], ids=["application", "environment"])
def destination(client: ApiClient, request: pytest.FixtureRequest) -> Humanitec:
    return Humanitec(client, request.param)


def scope_of(destination: Humanitec) -> tuple[str, str, str]:
    return "acme", "shop", destination.config.stored().get("env", "")


def create(key: str, value: str = "v", comment: str = "") -> Write:
    return Write(Action.CREATE, key, key, value, comment)


def apply(destination: Humanitec, *writes: Write) -> list[Outcome]:
    return list(destination.apply(iter(writes)))


def test_written_values_are_secret_and_have_their_comment(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    (outcome,) = apply(destination, create("KEY", "value ä", "why"))
    held = vendor.values[scope_of(destination)]["KEY"]
    assert (held["value"], held["description"], held["is_secret"]) == ("value ä", "why", True)
    (listed,) = destination.listing()
    assert (listed.value, listed.comment, listed.inherited) == (None, "why", False)
    assert (listed.object_id, listed.etag) == (outcome.written.object_id, outcome.written.etag)


def test_an_update_changes_the_etag_and_keeps_the_object_id(destination: Humanitec) -> None:
    apply(destination, create("KEY"))
    (before,) = destination.listing()
    apply(destination, Write(Action.UPDATE, "KEY", "KEY", "new", remote=before))
    (after,) = destination.listing()
    assert after.object_id == before.object_id
    assert after.etag != before.etag


def test_an_empty_value_is_written_as_empty(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    apply(destination, create("KEY", ""))
    assert vendor.values[scope_of(destination)]["KEY"]["value"] == ""


def test_a_delete_removes_one_key_and_a_missing_one_succeeds(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    apply(destination, create("A"), create("B"))
    for _ in range(2):
        (outcome,) = apply(destination, Write(Action.DELETE, "A", "A", remote=Remote("A")))
        assert outcome.error is None
    assert list(vendor.values[scope_of(destination)]) == ["B"]


def test_a_delete_without_a_key_never_reaches_the_vendor(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    (outcome,) = apply(destination, Write(Action.DELETE, "", "", remote=Remote("")))
    assert isinstance(outcome.error, OutcomeUnknown)
    assert vendor.asked == []


def test_a_refused_create_is_not_turned_into_an_update(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    vendor.put(scope_of(destination), "KEY", "theirs")
    (outcome,) = apply(destination, create("KEY", "ours"))
    assert isinstance(outcome.error, Conflict)
    assert vendor.values[scope_of(destination)]["KEY"]["value"] == "theirs"


def test_an_update_of_a_missing_key_does_not_create_it(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    (outcome,) = apply(destination, Write(Action.UPDATE, "KEY", "KEY", "v", remote=Remote("KEY")))
    assert isinstance(outcome.error, NotFound)
    assert not vendor.values.get(scope_of(destination))


def test_one_refused_key_does_not_stop_the_rest(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    outcomes = apply(destination, *(create(f"K{i}" if i != 7 else "bad key") for i in range(50)))
    assert [type(o.error) for o in outcomes if o.error] == [Rejected]
    assert len(vendor.values[scope_of(destination)]) == 49


def test_environment_scope_never_writes_at_application_level(vendor: HumanitecSandbox, client: ApiClient) -> None:
    vendor.put(("acme", "shop", ""), "WIDE", "app")
    destination = Humanitec(client, ENV)
    (wide,) = destination.listing()
    assert wide.inherited
    apply(destination, create("WIDE", "env"))
    assert vendor.values["acme", "shop", ""]["WIDE"]["value"] == "app"
    assert vendor.values["acme", "shop", "development"]["WIDE"]["value"] == "env"
    assert not destination.listing()[0].inherited


def test_a_plain_value_is_distinguished(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    vendor.put(scope_of(destination), "PLAIN", "x", is_secret=False)
    assert [remote.is_secret for remote in destination.listing()] == [False]


@pytest.mark.parametrize("body", [{"values": []}, None, [{"key": "A"}], ["A"]], ids=["object", "empty", "part", "text"])
def test_a_list_of_another_shape_is_unexpected(vendor: HumanitecSandbox, destination: Humanitec, body: object) -> None:
    vendor.fault = lambda method, path: (200, body)
    with pytest.raises(BadResponse):
        destination.listing()


def test_a_list_with_a_duplicate_key_is_unexpected(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    vendor.put(scope_of(destination), "KEY", "x")
    twice = [vendor.values[scope_of(destination)]["KEY"]] * 2
    vendor.fault = lambda method, path: (200, twice)
    with pytest.raises(BadResponse, match="KEY twice"):
        destination.listing()


def test_writes_are_taken_one_by_one_so_that_the_caller_can_stop(vendor: HumanitecSandbox, client: ApiClient) -> None:
    destination = Humanitec(client, APP, concurrency=2)
    pulled = 0

    def gate() -> Iterator[Write]:
        nonlocal pulled
        for number in range(100):
            if len(vendor.asked) >= 10:
                return
            pulled += 1
            yield create(f"K{number}")

    outcomes = list(destination.apply(gate()))
    assert len(outcomes) == pulled == len(vendor.asked) <= 12


def test_path_parts_are_quoted(vendor: HumanitecSandbox, client: ApiClient) -> None:
    Humanitec(client, {**APP, "app": "a/b?c"}).listing()
    assert vendor.asked == [("GET", "/orgs/acme/apps/a%2Fb%3Fc/values")]


def test_the_location_is_the_target_and_application_and_environment_overlap(client: ApiClient) -> None:
    app, env = Humanitec(client, APP), Humanitec(client, ENV)
    other = Humanitec(client, {**APP, "app": "shop2"})
    assert app.overlaps(env.location())
    assert env.overlaps(app.location())
    assert not app.overlaps(other.location())


@pytest.mark.skipif("KEYFERRY_VENDOR_SPECS" not in os.environ, reason="KEYFERRY_VENDOR_SPECS names no directory")
def test_every_request_matches_the_vendors_description(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    spec = yaml.safe_load(Path(os.environ["KEYFERRY_VENDOR_SPECS"], "humanitec-openapi.yml").read_text())
    apply(destination, create("KEY"))
    remote = destination.listing()[0]
    apply(destination, Write(Action.UPDATE, "KEY", "KEY", "new", remote=remote))
    version = destination.version_of("KEY", remote.etag or "")
    assert version
    apply(destination, Write(Action.UPDATE, "KEY", "KEY", remote=remote, version=version))
    apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=remote))
    destination.purge("KEY", remote.object_id or "")
    assert [asked for asked in vendor.asked if "/purge/" in asked[1]]
    env = "/envs/{envId}" if "env" in destination.config.stored() else ""
    base = "/orgs/{orgId}/apps/{appId}" + env
    real = f"/orgs/acme/apps/shop{'/envs/development' if env else ''}"
    for (method, path), (body, status, answer) in zip(vendor.asked, vendor.exchanges, strict=True):
        named = re.sub(r"(value-set-versions)/[0-9a-f-]{36}", r"\1/{valueSetVersionId}", path.partition("?")[0])
        named = re.sub(r"/KEY$", "/{key}", named).replace(real, base)
        operation = spec["paths"][named][method.lower()]
        if "requestBody" in operation:
            fits(body, operation["requestBody"]["content"]["application/json"]["schema"], spec)
        if content := operation["responses"][str(status)].get("content"):
            fits(answer, content["application/json"]["schema"], spec)


def fits(value: object, schema: dict[str, Any], spec: dict[str, Any]) -> None:
    """Raises where the value does not fit. The description leaves further members open, so ours are closed here."""
    resolved = resolve(schema, spec)
    jsonschema.validate(value, resolved)
    if isinstance(value, dict):
        assert set(value) <= set(resolved["properties"])


def resolve(schema: Any, spec: dict[str, Any]) -> Any:
    """The schema without references, and with `nullable` as JSON Schema says it."""
    if isinstance(schema, list):
        return [resolve(each, spec) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolve(spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], spec)
    made = {key: resolve(value, spec) for key, value in schema.items() if key != "example"}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made


def test_a_deployment_follows_in_each_environment_that_has_the_values(world: World) -> None:
    world.set(A="1")
    application = world.sync(is_auto_sync_enabled=False)
    world.policy(application, after_writes="deploy")
    assert world.run(application).status == "succeeded"
    made = world.sandbox.deployments.made
    assert {env: len(listed) for (_, _, env), listed in made.items()} == {"development": 2, "production": 2}
    assert all(listed[0]["set_id"] == listed[1]["set_id"] for listed in made.values())
    assert world.run(application).after is None
    assert {len(listed) for listed in made.values()} == {2}


def test_an_environment_alone_is_deployed_and_only_what_succeeded(world: World) -> None:
    scope = ("acme", "shop", "development")
    world.sandbox.deployments.of(scope).insert(0, {**world.sandbox.deployments.of(scope)[0], "set_id": "broken"})
    world.sandbox.deployments.of(scope)[0]["status"] = "failed"
    world.set(A="1")
    sync = world.sync(config=ENVIRONMENT, is_auto_sync_enabled=False)
    world.policy(sync, after_writes="deploy")
    assert world.run(sync).status == "succeeded"
    assert list(world.sandbox.deployments.made) == [scope]
    assert world.sandbox.deployments.of(scope)[0]["set_id"] == "set-of-development"


def test_a_deployment_waits_for_one_under_way(world: World) -> None:
    scope = ("acme", "shop", "development")
    world.sandbox.deployments.of(scope)[0]["status"] = "succeeded"
    busy = {**world.sandbox.deployments.of(scope)[0], "status": "in progress"}
    world.sandbox.deployments.of(scope).insert(0, busy)
    world.set(A="1")
    sync = world.sync(config=ENVIRONMENT, is_auto_sync_enabled=False)
    world.policy(sync, after_writes="deploy")
    run = world.run(sync)
    assert (run.status, str(run.message).count("Written, not deployed")) == ("pending", 1)
    busy["status"] = "succeeded"
    world.due()
    assert world.again(run).status == "succeeded"
    assert len(world.sandbox.deployments.of(scope)) == 3


@pytest.mark.skipif(folder() is None, reason="no descriptions of vendors at hand")
def test_deployments_are_as_the_vendor_describes_them(vendor: HumanitecSandbox, destination: Humanitec) -> None:
    destination.after(("A",))
    found = folder()
    assert found
    description = load(found / "humanitec-deploys.json")
    exchanges = [
        (method, path, *exchange)
        for (method, path), exchange in zip(vendor.asked, vendor.exchanges, strict=True)
        if path.endswith("/deploys")
    ]
    assert exchanges
    for method, path, body, status, response in exchanges:
        assert list(description.problems(method, path, {}, body or None, status, response)) == []
