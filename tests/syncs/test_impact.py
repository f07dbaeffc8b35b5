"""What deleting, moving and renaming mean for syncs: compared with what the syncs then do."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.access.models import AuditEvent, Role, User
from config.access.roles import actor_of_user
from config.access.services import set_role
from config.errors import BadRequest, NotFound, PermissionDenied
from syncs.models import Secret
from syncs.planning.impact import Impact
from syncs.services import folders, imports, secrets
from syncs.services import impact as services
from syncs.services.syncs import SyncInput, update_sync
from syncs.source.validation import SecretInput
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

API = {**APPLICATION, "app": "api"}


def numbers(found: Impact) -> dict[str, tuple[int, int]]:
    """By sync: how many keys go, and how many stay."""
    return {each.sync.name: (each.removes, each.keeps) for each in found.syncs}


def broken(found: Impact) -> list[str]:
    return list(map(str, found.references))


def make(world: World, path: str, environment: str = "dev") -> None:
    folders.ensure_folder(world.actor, world.environment(environment), path)


def test_a_deleted_secret_goes_at_each_destination_that_has_it(world: World) -> None:
    world.set(A="1", B="2")
    make(world, "/api")
    world.set(path="/api", C="${dev.A}", D="4")
    for name, path, config in (("own", "/", APPLICATION), ("api", "/api", API)):
        world.run(world.sync(name, config, secret_path=path, is_auto_sync_enabled=False))
    found = services.impact_of_secret_deletion(world.actor, world.folder(), ["A"])
    assert numbers(found) == {"own": (1, 1), "api": (0, 2)}
    assert broken(found) == ["dev:/api C: ${dev.A}"]
    assert [each.incomplete for each in found.syncs] == [True, False]
    assert [str(each) for each in found.syncs] == [
        "api, Humanitec acme / api: 2 keys kept, not complete afterwards, so that nothing is deleted",
        "own, Humanitec acme / shop: 1 key deleted, 1 key kept",
    ]
    assert not found.needs_name
    with pytest.raises(NotFound, match="'X' not found"):
        services.impact_of_secret_deletion(world.actor, world.folder(), ["A", "X"])


def test_the_numbers_are_what_the_next_run_does(world: World) -> None:
    world.set(**{f"K{n:02}": "x" for n in range(15)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    keys = [f"K{n:02}" for n in range(11)]
    found = services.impact_of_secret_deletion(world.actor, world.folder(), keys)
    assert (numbers(found), found.needs_name) == ({"shop-dev": (11, 4)}, True)
    secrets.delete_secrets(world.actor, world.folder(), keys)
    run = world.run(sync)
    assert (run.status, run.counts["delete"]) == ("held", 11)


def test_a_key_that_an_import_has_too_stays(world: World) -> None:
    make(world, "/shared")
    world.set(path="/shared", A="imported")
    world.set(A="own", B="2")
    imports.add_import(world.actor, world.folder(), world.environment(), "/shared")
    world.run(world.sync(is_auto_sync_enabled=False))
    assert numbers(services.impact_of_secret_deletion(world.actor, world.folder(), ["A"])) == {"shop-dev": (0, 2)}
    deleted = services.impact_of_folder_deletion(world.actor, world.folder("/shared"))
    assert (numbers(deleted), broken(deleted)) == ({"shop-dev": (0, 2)}, ["dev:/ imports dev:/shared"])


def test_filters_key_schema_and_disabled_deletion_count(world: World) -> None:
    world.set(A="1", B="2")
    world.sync("plain", is_auto_sync_enabled=False)
    options = {**OPTIONS, "keySchema": "APP_{{secretKey}}"}
    named = world.sync("named", API, sync_options=options, is_auto_sync_enabled=False)
    world.policy(named, exclude=["B"])
    kept = world.sync("kept", ENVIRONMENT, sync_options={**OPTIONS, "disableSecretDeletion": True})
    for sync in (named, kept):
        world.run(sync)
    found = services.impact_of_secret_deletion(world.actor, world.folder(), ["A", "B"])
    assert numbers(found) == {"kept": (0, 2), "named": (1, 0), "plain": (0, 0)}


def test_a_key_that_another_sync_wants_there_is_handed_over(world: World) -> None:
    world.set(A="1")
    world.set(environment="staging", A="2")
    first = world.sync("first", is_auto_sync_enabled=False)
    world.run(first)
    world.sync("second", environment="staging", is_auto_sync_enabled=False)
    assert numbers(services.impact_of_secret_deletion(world.actor, world.folder(), ["A"])) == {"first": (0, 1)}


def test_a_deleted_folder_stops_its_syncs_and_takes_keys_from_those_above(world: World) -> None:
    make(world, "/api/v1")
    world.set(A="1", R="${dev.api.B}")
    world.set(path="/api", B="2")
    world.set(path="/api/v1", C="3")
    above = world.sync("above", is_auto_sync_enabled=False)
    world.policy(above, recursive=True)
    inside = world.sync("inside", API, secret_path="/api", is_auto_sync_enabled=False)
    for sync in (above, inside):
        world.run(sync)
    found = services.impact_of_folder_deletion(world.actor, world.folder("/api"))
    assert numbers(found) == {"above": (0, 4), "inside": (0, 1)}
    assert [(each.stops, each.incomplete) for each in found.syncs] == [(False, True), (True, False)]
    assert broken(found) == ["dev:/ R: ${dev.api.B}"]
    world.unset("R")
    world.run(above)
    found = services.impact_of_folder_deletion(world.actor, world.folder("/api"))
    assert numbers(found) == {"above": (2, 1), "inside": (0, 1)}
    folders.delete_folder(world.actor, world.folder("/api"))
    assert world.run(above).counts["delete"] == 2


def test_a_renamed_folder_keeps_its_syncs_and_loses_references(world: World) -> None:
    make(world, "/api/v1")
    world.set(path="/api", B="2", OWN="${B}")
    world.set(A="${dev.api.B}")
    world.run(world.sync("inside", API, secret_path="/api", is_auto_sync_enabled=False))
    imports.add_import(world.actor, world.folder(environment="prod"), world.environment(), "/api")
    found = services.impact_of_folder_move(world.actor, world.folder("/api"), name="services")
    assert numbers(found) == {"inside": (0, 2)}
    assert broken(found) == ["dev:/ A: ${dev.api.B}", "prod:/ imports dev:/api"]
    assert world.folder("/api").name == "api"
    with pytest.raises(BadRequest, match="not into itself"):
        services.impact_of_folder_move(world.actor, world.folder("/api"), parent=world.folder("/api/v1"))
    assert services.impact_of_folder_move(world.actor, world.folder("/api"), name="api") == Impact()


def test_a_folder_moved_out_of_a_recursive_sync_takes_its_keys(world: World) -> None:
    make(world, "/a/api")
    make(world, "/b")
    world.set(path="/a/api", K="1")
    sync = world.sync(secret_path="/a", is_auto_sync_enabled=False)
    world.policy(sync, recursive=True)
    world.run(sync)
    found = services.impact_of_folder_move(world.actor, world.folder("/a/api"), parent=world.folder("/b"))
    assert numbers(found) == {"shop-dev": (1, 0)}


def test_a_deleted_environment_takes_the_keys_that_others_import_from_it(world: World) -> None:
    world.set(environment="staging", S="1")
    world.set(A="1", R="${staging.S}")
    imports.add_import(world.actor, world.folder(), world.environment("staging"), "/")
    own = world.sync("staging", API, environment="staging", is_auto_sync_enabled=False)
    importing = world.sync("importing", is_auto_sync_enabled=False)
    for sync in (own, importing):
        world.run(sync)
    staging = world.environment("staging")
    found = services.impact_of_environment_deletion(world.actor, staging)
    assert numbers(found) == {"importing": (0, 3), "staging": (0, 1)}
    assert broken(found) == ["dev:/ imports staging:/", "dev:/ R: ${staging.S}"]
    world.unset("R")
    world.run(importing)
    assert numbers(services.impact_of_environment_deletion(world.actor, staging))["importing"] == (1, 1)
    folders.delete_environment(world.actor, staging)
    assert world.run(importing).counts["delete"] == 1


def test_another_slug_renames_keys_that_have_it(world: World) -> None:
    world.set(A="1", B="2")
    world.set(environment="staging", R="${dev.A}")
    imports.add_import(world.actor, world.folder(environment="prod"), world.environment(), "/")
    options = {**OPTIONS, "keySchema": "{{environment}}_{{secretKey}}"}
    sync = world.sync(sync_options=options, is_auto_sync_enabled=False)
    world.run(sync)
    found = services.impact_of_environment_rename(world.actor, world.environment(), "development")
    assert (numbers(found), broken(found)) == ({"shop-dev": (2, 0)}, ["staging:/ R: ${dev.A}"])
    folders.update_environment(world.actor, world.environment(), slug="development")
    assert world.run(sync).counts["delete"] == 2
    assert services.impact_of_environment_rename(world.actor, world.environment("staging"), "staging") == Impact()


def test_moved_and_renamed_secrets(world: World) -> None:
    make(world, "/api")
    world.set(A="1", B="${A}")
    world.set(path="/api", Z="1")
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    ids = [str(pk) for pk in Secret.objects.filter(key="A").values_list("pk", flat=True)]
    found = services.impact_of_secret_move(world.actor, world.folder(), world.folder("/api"), ids)
    assert (numbers(found), broken(found)) == ({"shop-dev": (0, 2)}, ["dev:/ B: ${A}"])
    found = services.impact_of_secret_rename(world.actor, world.folder(), "A", "NEW")
    assert (numbers(found), broken(found)) == ({"shop-dev": (0, 2)}, ["dev:/ B: ${A}"])
    world.set(B="plain")
    found = services.impact_of_secret_rename(world.actor, world.folder(), "A", "NEW")
    assert (numbers(found), broken(found)) == ({"shop-dev": (1, 1)}, [])
    found = services.impact_of_secret_move(world.actor, world.folder(), world.folder("/api"), ids)
    assert numbers(found) == {"shop-dev": (1, 1)}
    with pytest.raises(NotFound, match="not found in /"):
        services.impact_of_secret_move(world.actor, world.folder(), world.folder("/api"), [ids[0][::-1]])
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", new_key="NEW")], mode="update")
    assert world.run(sync).counts["delete"] == 1


def test_projects_connections_and_syncs_leave_their_keys(world: World) -> None:
    world.set(**{f"K{n:02}": "x" for n in range(11)})
    sync = world.sync(is_auto_sync_enabled=False)
    world.run(sync)
    for found in (
        services.impact_of_project_deletion(world.actor, world.project),
        services.impact_of_connection_deletion(world.actor, world.connection),
        services.impact_of_sync_deletion(world.actor, sync),
    ):
        assert (numbers(found), found.needs_name) == ({"shop-dev": (0, 11)}, True)
    assert numbers(services.impact_of_sync_deletion(world.actor, sync, with_secrets=True)) == {"shop-dev": (11, 0)}
    world.policy(sync, max_deletions=11)
    assert not services.impact_of_project_deletion(world.actor, world.project).needs_name
    world.policy(sync, max_deletions=None)  # no guard would hold the run, so the default asks
    assert services.impact_of_project_deletion(world.actor, world.project).needs_name


def test_it_needs_the_right_of_the_change(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    user = User.objects.create_user("vera")
    set_role(world.actor, world.project, user, Role.VIEWER)
    viewer = actor_of_user(user)
    calls: list[tuple[Any, ...]] = [
        (services.impact_of_project_deletion, world.project),
        (services.impact_of_environment_deletion, world.environment()),
        (services.impact_of_environment_rename, world.environment(), "x"),
        (services.impact_of_folder_deletion, world.folder()),
        (services.impact_of_folder_move, world.folder()),
        (services.impact_of_secret_deletion, world.folder(), []),
        (services.impact_of_secret_move, world.folder(), world.folder(), []),
        (services.impact_of_secret_rename, world.folder(), "A", "B"),
        (services.impact_of_connection_deletion, world.connection),
        (services.impact_of_sync_deletion, sync),
    ]
    assert len(calls) == len([name for name in dir(services) if name.startswith("impact_of_")]) - 2  # two from planning
    for call, *arguments in calls:
        with pytest.raises(PermissionDenied):
            call(viewer, *arguments)


def test_nothing_is_written_or_asked_and_queries_are_fixed(world: World) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            services.impact_of_secret_deletion(world.actor, world.folder(), ["A"])
            services.impact_of_environment_deletion(world.actor, world.environment())
        return len(captured)

    world.set(A="1", R="${A}")
    sync = world.sync("one", is_auto_sync_enabled=False)
    world.run(sync)
    world.actor.roles  # noqa: B018 - read once
    few, asked, events = queries(), len(world.sandbox.asked), AuditEvent.objects.count()
    assert (len(world.sandbox.asked), AuditEvent.objects.count()) == (asked, events)
    for number in range(5):
        make(world, f"/f{number}")
        world.set(path=f"/f{number}", **{f"K{n}": "${dev.A}" for n in range(20)})
        imports.add_import(world.actor, world.folder(f"/f{number}"), world.environment(), "/")
        world.sync(f"s{number}", {**API, "app": f"a{number}"}, secret_path=f"/f{number}", is_auto_sync_enabled=False)
    assert queries() == few <= 24
    update_sync(world.actor, sync, SyncInput(secret_path="/f0"))
    assert queries() == few
