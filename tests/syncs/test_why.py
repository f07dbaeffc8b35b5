"""Why a key is at a destination: from a person's change to the vendor's object."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from config.access.roles import PLATFORM, Actor
from config.errors import NotFound
from syncs.history.explain import why
from syncs.models import SecretSync
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
