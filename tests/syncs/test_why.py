"""Why a key is at a destination: from a person's change to the vendor's object."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from config.access.roles import PLATFORM, Actor
from config.errors import NotFound
from syncs.destination.capabilities import Capabilities
from syncs.destination.limits import remedy_for
from syncs.engine.error_codes import Code
from syncs.history.explain import why
from syncs.models import SecretSync
from syncs.services.approvals import dismiss
from syncs.services.folders import create_project
from syncs.services.imports import add_import
from syncs.services.syncs import update_policy
from syncs.source.selectors import syncs
from tests.api.openapi import require_fit
from tests.fixtures.api import api_for
from tests.fixtures.world import World

MARKER = "mArKeR-why"


def asked(world: World, sync: SecretSync, key: str) -> dict[str, Any]:
    return why(world.actor, syncs().get(pk=sync.pk), key)


def test_the_path_of_a_key(world: World) -> None:
    world.set(environment="staging", HOST=f"{MARKER}-host")
    world.set(OWN=f"{MARKER} ${{staging.HOST}}")
    add_import(world.actor, world.folder(), world.environment("staging"), "/")
    sync = world.sync(sync_options={"initialSyncBehavior": "overwrite-destination", "keySchema": "X_{{secretKey}}"})
    run = world.run(sync)
    own = asked(world, sync, "X_OWN")
    assert own["owner"] == {"syncId": str(sync.pk), "name": "shop-dev"}
    assert own["secret"]["through"] == "the sync's folder"
    assert own["secret"]["references"] == ["staging:/ HOST"]
    assert (own["secret"]["changedBy"], own["keySchema"]) == ("ada", "X_{{secretKey}}")
    assert own["writtenBy"]["runId"] == str(run.pk)
    assert own["lastOutcome"]["outcome"] == "applied"
    assert own["lastCheckedAt"] >= own["writtenAt"]
    assert asked(world, sync, "X_HOST")["secret"]["through"] == "the import of staging:/"
    assert MARKER not in json.dumps([own, asked(world, sync, "X_HOST")])
    world.set(OWN="changed since")
    later = asked(world, sync, "X_OWN")["secret"]
    assert (later["writtenVersion"], later["currentVersion"]) == (1, 2)


def test_a_blocked_key_and_an_unknown_key(world: World) -> None:
    world.set(BROKEN="${NOWHERE}")
    sync = world.sync()
    world.run(sync)
    found = asked(world, sync, "BROKEN")
    assert (found["owner"], found["secret"]) == (None, None)
    assert (found["lastOutcome"]["outcome"], found["lastOutcome"]["errorCode"]) == ("blocked", "unresolved")
    world.sandbox.put(("acme", "shop", ""), "THEIRS", "x")
    update_policy(world.actor, syncs().get(pk=sync.pk), {"unmanaged": "leave"})
    run = world.run(sync)
    theirs = asked(world, sync, "THEIRS")
    assert (theirs["owner"], theirs["secret"], theirs["lastOutcome"]["runId"]) == (None, None, str(run.pk))
    assert (theirs["lastOutcome"]["outcome"], theirs["lastOutcome"]["reason"]) == ("kept", "not managed by this sync")
    with pytest.raises(NotFound, match="is unknown: neither"):
        asked(world, sync, "NOBODY_KNOWS")


def test_a_key_of_another_projects_sync(world: World) -> None:
    """People without access to that project only see that the key belongs to another sync."""
    world.set(A="1")
    theirs = world.sync("first")
    world.run(theirs)
    ours = world.sync("second")
    other = create_project(PLATFORM, "Other", slug="other-project")
    SecretSync.objects.filter(pk=theirs.pk).update(project=other)
    member = Actor("user", None, "somebody")
    member.__dict__["roles"] = {world.project.pk: "member"}
    assert why(member, syncs().get(pk=ours.pk), "A")["owner"] == {"syncId": None, "name": "a sync of another project"}


def test_over_http_and_from_a_terminal(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    path = f"/v1/secret-syncs/humanitec/{sync.pk}/why"
    status, answer = api_for("viewer", world)("GET", path, None, key="A")
    assert status == 200
    require_fit("GET", f"/api{path}", 200, answer)
    out = StringIO()
    call_command("why", str(sync.pk), "A", "--json", stdout=out)
    assert json.loads(out.getvalue())["why"] == answer["why"]
    out = StringIO()
    call_command("why", str(sync.pk), "A", stdout=out)
    assert "secret through               the sync's folder" in out.getvalue()


@pytest.mark.parametrize(
    ("key", "stopped_by", "text", "remedy"),
    [
        ("FINE", None, "It is up to date: written from FINE in dev:/.", None),
        (
            "BROKEN",
            "blocked",
            "The key of BROKEN in dev:/ is blocked: the reference ${NOWHERE} does not resolve",
            "Set the secret",
        ),
        (
            "A B",
            "blocked",
            "The key of A B in dev:/ is blocked: Humanitec takes only",
            "Rename the secret, or leave it out",
        ),
        ("LEFT_OUT", "excluded", "The policy leaves out LEFT_OUT in dev:/.", "Change include, exclude or tags"),
        ("THEIRS", "unmanaged", "No secret of the source has it, and this sync did not write it", "Nothing; or"),
        ("GONE", "kept", "The last run kept it: would be deleted, but the source", "Resolve what the last run reports"),
        ("HOST", None, "It is up to date: written from HOST in staging:/.", None),
    ],
)
def test_what_decides_about_a_key_and_what_to_do(
    world: World, key: str, stopped_by: str | None, text: str, remedy: str | None
) -> None:
    world.set(environment="staging", HOST="h")
    add_import(world.actor, world.folder(), world.environment("staging"), "/")
    world.set(FINE="1", GONE="1", LEFT_OUT="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.policy(sync, exclude=["LEFT_OUT"])
    world.run(sync)
    world.set(**{"BROKEN": "${NOWHERE}", "A B": "1"})
    world.unset("GONE")
    world.sandbox.put(("acme", "shop", ""), "THEIRS", "x")
    world.run(sync)
    found = asked(world, sync, key)
    assert found["stoppedBy"] == stopped_by
    assert text in found["verdict"]
    assert (found["remedy"] or "").startswith(remedy or "")
    assert "key schema" not in (found["remedy"] or "")


def test_a_held_a_dismissed_and_a_waiting_key(world: World) -> None:
    world.set(A="1", B="1", C="1", D="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.set(D="2")
    assert asked(world, sync, "D")["verdict"] == "Version 2 of D in dev:/ waits; version 1 was written."
    world.unset("A", "B", "C", "D")
    held = world.run(sync)
    found = asked(world, sync, "A")
    assert (found["stoppedBy"], found["remedy"]) == ("held", "Approve or dismiss the held run.")
    assert found["verdict"].startswith(
        "A run is held, so its delete waits for approval (no longer in the source). Held:"
    )
    assert found["lastOutcome"]["outcome"] == "pending"
    dismiss(world.actor, held)
    world.run(sync)
    found = asked(world, sync, "A")
    assert (found["stoppedBy"], found["lastOutcome"]["outcome"]) == ("dismissed", "kept")
    assert found["verdict"].startswith("It is kept on request: its delete was dismissed on ")


def test_a_key_that_was_blocked_once_is_no_longer(world: World) -> None:
    world.set(BROKEN="${NOWHERE}")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    world.set(NOWHERE="1")
    world.run(sync)
    run = world.run(sync)
    found = asked(world, sync, "BROKEN")
    assert (found["stoppedBy"], found["lastOutcome"]["outcome"]) == (None, "unchanged")
    assert found["lastOutcome"]["runId"] == str(run.pk)


def test_where_a_prefix_is_missing_a_key_schema_helps() -> None:
    limits = Capabilities(key_pattern="[A-Z][A-Z0-9_]*")
    assert "key schema" in remedy_for(Code.KEY_REFUSED, "1ST", limits)
    assert "key schema" not in remedy_for(Code.KEY_REFUSED, "A B", limits)
    assert remedy_for(Code.COLLISION, "A B", limits) == Code.COLLISION.remedy
