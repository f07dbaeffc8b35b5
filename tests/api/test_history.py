"""The history of runs over HTTP: filtered, exported, with codes that are explained."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from syncs.services.secrets import set_secrets
from syncs.source.validation import SecretInput
from tests.api.openapi import require_fit
from tests.fixtures.api import Api
from tests.fixtures.world import World

SYNCS = "/v1/secret-syncs/humanitec"
MARKER = "mArKeR-9b02"


def exported(api: Api, path: str, **query: str) -> tuple[str, str]:
    response = api.raw("GET", path, None, **query)
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode(), response["Content-Disposition"]


def history(world: World) -> str:
    """Three runs: one that failed for a key, one that mended it, one with a name that a spreadsheet would calculate."""
    set_secrets(world.actor, world.folder(), [SecretInput("GOOD", MARKER), SecretInput("BAD KEY", MARKER)])
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    set_secrets(world.actor, world.folder(), [SecretInput("BAD KEY", new_key="MENDED")])
    world.run(sync)
    set_secrets(world.actor, world.folder(), [SecretInput("=SUM(A1)", "x")])
    world.run(sync)
    return str(sync.pk)


def test_runs_are_found(api: Api, world: World) -> None:
    sync = history(world)
    runs = f"{SYNCS}/{sync}/runs"

    def statuses(**query: str) -> list[str]:
        answer = api("GET", runs, None, **query)[1]
        require_fit("GET", f"/api{runs}", 200, answer)
        assert answer["totalCount"] == len(answer["runs"])
        return [run["status"] for run in answer["runs"]]

    assert statuses() == ["failed", "succeeded", "failed"]
    assert statuses(status="failed") == ["failed", "failed"]
    assert statuses(key="MENDED") == ["succeeded"]
    assert statuses(operation="remove") == []
    assert statuses(trigger="manual", status="succeeded") == ["succeeded"]
    assert api("GET", runs, None, status="nope")[0] == 422


def test_history_as_json(api: Api, world: World) -> None:
    sync = history(world)
    text, name = exported(api, f"{SYNCS}/{sync}/runs/export")
    runs: list[dict[str, Any]] = json.loads(text)
    require_fit("GET", f"/api{SYNCS}/{sync}/runs/export", 200, runs)
    assert name == 'attachment; filename="shop-dev-runs.json"'
    (first,) = [change for change in runs[-1]["changes"] if change["key"] == "BAD KEY"]
    assert (first["outcome"], first["error"]["code"]) == ("blocked", "key-refused")
    assert MARKER not in text
    codes = api("GET", "/v1/secret-syncs/error-codes")[1]["errorCodes"]
    assert "Rename the secret" in {each["code"]: each["remedy"] for each in codes}["key-refused"]


def test_history_as_a_table(api: Api, world: World) -> None:
    sync = history(world)
    text, _ = exported(api, f"{SYNCS}/{sync}/runs/export", format="csv", key="MENDED")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {(row["key"], row["outcome"], row["runStatus"]) for row in rows} >= {("MENDED", "applied", "succeeded")}
    text, _ = exported(api, f"{SYNCS}/{sync}/runs/export", format="csv")
    assert MARKER not in text
    assert "'=SUM(A1)" in text  # a text, not a formula
    assert ",=SUM" not in text


def test_an_export_costs_the_same_whatever_its_length(api: Api, world: World) -> None:
    sync = history(world)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            exported(api, f"{SYNCS}/{sync}/runs/export")
        return len(captured)

    few = cost()
    for number in range(4):
        world.set(GOOD=f"{number}")
        world.run(sync_of(sync))
    assert cost() == few


def sync_of(pk: str) -> Any:
    from syncs.source.selectors import syncs

    return syncs().get(pk=pk)
