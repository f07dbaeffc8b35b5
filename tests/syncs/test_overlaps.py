"""Two syncs that would write the same keys are reported beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from config.access.models import User
from config.access.roles import Actor, actor_of_user
from syncs.models import SecretSync
from syncs.planning.overlaps import overlaps_of, warnings_of
from syncs.services.folders import create_project, ensure_folder
from syncs.services.sync_bodies import NewSync, sync_input
from syncs.services.syncs import draft_sync
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS, body
from tests.fixtures.api import api_for
from tests.fixtures.world import APPLICATION, ENVIRONMENT, World


def told(world: World, sync: SecretSync, actor: Actor | None = None) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.name, each.keys) for each in overlaps_of(actor or world.actor, syncs().get(pk=sync.pk))]


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ({}, {}, ("A", "B")),
        ({}, {"config": ENVIRONMENT}, ("A", "B")),  # an application is seen from its environments
        ({"config": ENVIRONMENT}, {"config": {**ENVIRONMENT, "env": "production"}}, ()),
        ({}, {"config": {**APPLICATION, "app": "other"}}, ()),
        ({}, {"keySchema": "X_{{secretKey}}"}, ()),
        ({"keySchema": "{{secretKey}}_{{environment}}"}, {"keySchema": "{{secretKey}}_dev"}, ("A_dev", "B_dev")),
    ],
)
def test_which_syncs_overlap(world: World, first: Any, second: Any, shared: tuple[str, ...]) -> None:
    world.set(A="1", B="2")

    def made(name: str, config: Any = None, keySchema: str = "") -> SecretSync:
        options = {"initialSyncBehavior": "overwrite-destination", "keySchema": keySchema}
        return world.sync(name, config, sync_options=options, is_auto_sync_enabled=False)

    one, two = made("one", **first), made("two", **second)
    assert told(world, one) == ([("The sync two", shared)] if shared else [])
    assert told(world, two) == ([("The sync one", shared)] if shared else [])


@pytest.mark.parametrize(("config", "end"), [(APPLICATION, "the other is blocked."), (ENVIRONMENT, "block the other.")])
def test_the_effect_of_overlaps_is_reported(world: World, config: Any, end: str) -> None:
    """An override of an environment is written, whatever its application has."""
    world.set(A="1")
    one = world.sync("one", is_auto_sync_enabled=False)
    world.run(one)
    two = world.sync("two", config, is_auto_sync_enabled=False)
    (warning,) = warnings_of(world.actor, syncs().get(pk=two.pk))
    assert warning.endswith(end)
    outcome = world.run(two).changes.get(key="A").outcome
    assert (outcome == "applied") == (config is ENVIRONMENT)


def test_only_keys_wanted_by_both_syncs_overlap(world: World) -> None:
    world.set(A="1", B="2")
    ensure_folder(world.actor, world.environment(), "/api")
    world.set("/api", B="3", C="4")
    one = world.sync("one", is_auto_sync_enabled=False)
    two = world.sync("two", secret_path="/api", is_auto_sync_enabled=False)
    assert told(world, one) == [("The sync two", ("B",))]
    two.policy.exclude = ["B"]
    two.policy.save()
    assert told(world, one) == []


def test_a_sync_of_another_project_is_not_shown(world: World) -> None:
    world.set(A="1")
    ours = world.sync("ours", is_auto_sync_enabled=False)
    other = create_project(world.actor, "Other", slug="other-project")
    theirs = World(actor_of_user(User.objects.get(username="ada")), other, world.connection, world.sandbox)
    theirs.set(A="2")
    theirs.sync("theirs", is_auto_sync_enabled=False)
    member = Actor("user", None, "somebody")
    member.__dict__["roles"] = {world.project.pk: "member"}
    assert told(world, ours, member) == [("A sync of another project", ("A",))]


def test_the_plan_of_a_new_sync_warns(world: World) -> None:
    world.set(**{f"K{number:02}": "x" for number in range(12)})
    world.sync("first", is_auto_sync_enabled=False)
    status, answer = api_for("member", world)("POST", f"{SYNCS}/plan", body(world, name="second"))
    assert status == 200
    (warning,) = answer["plan"]["warnings"]
    assert warning.startswith("The sync first writes the same keys: K00, K01")
    assert "and 2 more" in warning
    assert SecretSync.objects.count() == 1
    draft = draft_sync(world.actor, world.project, "humanitec", sync_input(NewSync.parse(body(world, name="second"))))
    assert len(overlaps_of(world.actor, draft)) == 1
