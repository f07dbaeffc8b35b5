"""Everything that would keep keys from being written is reported before a run, all at once."""

from __future__ import annotations

from typing import Any

import pytest

from config.access.roles import PLATFORM
from config.errors import BadRequest
from connections.http.client import ApiClient
from connections.services import update_connection
from syncs.destination.base import Destination, destinations
from syncs.destination.capabilities import Capabilities
from syncs.destinations.humanitec import Humanitec
from syncs.engine.error_codes import Code
from syncs.engine.plan import Change, Plan
from syncs.engine.types import Action, Remote, Write
from syncs.planning.preflight import checked_plan, estimate, grouped
from syncs.services.folders import ensure_folder
from syncs.source.selectors import syncs
from tests.fixtures.world import APPLICATION, World


def change(action: Action, key: str, present: bool = False, **more: Any) -> Change:
    writes = {Action.CREATE, Action.UPDATE, Action.DELETE}
    return Change(
        action,
        key,
        key,
        4,
        more.pop("reason", "new"),
        write=Write(action, key, key) if action in writes else None,
        remote=Remote(key) if present else None,
        **more,
    )


def plan_of(*changes: Change, **more: Any) -> Plan:
    return Plan(changes, complete=True, **more)


def opened(found: type[Destination], *, concurrency: int | None = None, **config: str) -> Destination:
    return found(ApiClient(found.label, "http://127.0.0.1:9"), config or APPLICATION, concurrency=concurrency)


def writes(action: Action, number: int) -> list[Change]:
    return [change(action, f"{action}{each}", action is not Action.CREATE) for each in range(number)]


@pytest.mark.parametrize(
    ("rule", "concurrency", "seconds"),
    [
        (Capabilities(), None, 5),  # 1 + 13 rounds of 0.3 s
        (Capabilities(concurrency=1), None, 31),
        (Capabilities(concurrency_limit=2), 32, 16),
        (Capabilities(pace=2.0), None, 51),
    ],
)
def test_the_duration_follows_from_pace_and_concurrency(
    rule: Capabilities, concurrency: int | None, seconds: int
) -> None:
    limited = type("Limited", (Humanitec,), {"capabilities": rule})
    plan = plan_of(*writes(Action.CREATE, 100), change(Action.KEEP, "kept"))
    found = estimate(plan, opened(limited, concurrency=concurrency))
    assert (found.requests, found.seconds) == (101, seconds)
    assert str(found).startswith("101 requests, about ")


def test_batches_cost_fewer_requests() -> None:
    batching = type("Acme", (Humanitec,), {"batch": {Action.CREATE: 30}})
    plan = plan_of(*writes(Action.CREATE, 100), *writes(Action.DELETE, 1))
    assert estimate(plan, opened(batching)).requests == 1 + 4 + 1


GITHUB = {"scope": "repository", "owner": "acme", "repo": "shop"}
AWS = {"region": "eu-central-1"}


@pytest.mark.parametrize(
    ("slug", "config", "requests"),
    [
        ("github", GITHUB, 1502),  # the list, the public key, and each key looked for, written and looked at
        ("aws-secrets-manager", {"mappingBehavior": "many-to-one", **AWS, "secretName": "shop"}, 3),
        ("aws-secrets-manager", {"mappingBehavior": "one-to-one", **AWS}, 501),
        ("humanitec", APPLICATION, 501),
    ],
)
def test_the_adapter_knows_how_many_requests_its_writes_take(slug: str, config: dict[str, str], requests: int) -> None:
    found = destinations.get(slug)
    assert found
    assert estimate(plan_of(*writes(Action.CREATE, 500)), opened(found, **config)).requests == requests


def test_a_plan_reads_each_source_once(world: World, django_assert_max_num_queries: Any) -> None:
    ensure_folder(world.actor, world.environment(), "/other")
    world.set(A="1")
    world.set("/other", A="2")
    world.sync("first")
    second = syncs().get(pk=world.sync("second", secret_path="/other").pk)
    with django_assert_max_num_queries(1000) as queries:
        checked_plan(world.actor, second)
    assert sum("value_sealed" in query["sql"] for query in queries if query["sql"].startswith("SELECT")) == 2


def test_blocked_keys_are_summarised_per_reason_with_remedy() -> None:
    met = [(Code.KEY_REFUSED, f"K{number}", "only letters") for number in range(12)]
    sizes = [(Code.VALUE_TOO_LARGE, "A", "its 10 bytes are too many"), (Code.VALUE_TOO_LARGE, "B", "its 20 bytes are")]
    names, large = grouped([*met, *sizes])
    assert names.startswith(
        "12 keys cannot be written (K0, K1, K2, K3, K4, K5, K6, K7, K8, K9 and 2 more): only letters. Rename"
    )
    assert large.startswith(
        "2 keys cannot be written (A, B): The value is larger than the destination accepts. Shorten"
    )


def test_a_run_that_changes_nothing_is_one_request() -> None:
    plan = plan_of(change(Action.UNCHANGED, "A", present=True))
    assert str(estimate(plan, opened(Humanitec))) == "1 request, about a second"


def test_all_problems_of_a_plan_are_reported_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Humanitec, "capabilities", Capabilities(key_pattern="[A-Z_]+", key_rule="capitals", max_keys=1))
    first = world.sync("first")
    world.set(A="1", B="2", lower="3", BROKEN="${dev.nowhere.X}")
    second = world.sync("second", secret_path="/")
    found = checked_plan(world.actor, second)
    said = "\n".join(found.warnings)
    assert "1 key cannot be written (lower): Humanitec takes only capitals in a name." in said
    assert "1 key cannot be written (BROKEN)" in said
    assert "1 key cannot be written (B): Humanitec takes at most 1 keys at this location." in said
    assert "The sync first writes the same keys: A, B, BROKEN, lower" in said
    assert found.as_json()["estimate"] == {"requests": 2, "seconds": 1}
    assert found.as_json() == checked_plan(PLATFORM, second).as_json()
    assert first.project_id == second.project_id


def test_a_missing_target_is_distinguished_from_a_failing_login(world: World) -> None:
    world.set(**{"A B": "1"})
    sync = world.sync(config={**APPLICATION, "app": "nowhere"})
    gone = {"error": "API-404", "message": "no such app"}
    world.sandbox.fault = lambda method, path: (404, gone) if "/nowhere/" in path else None
    with pytest.raises(BadRequest) as told:
        checked_plan(world.actor, sync)
    assert "Unable to plan: Humanitec: GET /orgs/acme/apps/nowhere/values answered 404" in str(told.value)
    assert "The connection humanitec-dev is accepted, but its target does not exist" in str(told.value)
    assert "1 key cannot be written (A B): Humanitec takes only letters" in str(told.value)
    assert world.writes() == []


def test_a_revoked_login_is_reported(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.token = "another-token-now"
    with pytest.raises(BadRequest, match="The connection humanitec-dev does not work any more: Humanitec: GET /orgs"):
        checked_plan(world.actor, sync)
    world.sandbox.token = ""
    update_connection(world.actor, world.connection, name="renamed")
    assert checked_plan(world.actor, sync).plan.counts["create"] == 1
