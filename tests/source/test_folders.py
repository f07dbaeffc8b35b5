"""Folders that are moved and deleted, many at a time and however deep, also concurrently."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.access.models import Project, User
from config.access.roles import actor_of_user
from config.access.services import delete_project
from config.errors import BadRequest, NotFound
from connections.services import create_connection
from syncs.models import Environment, Folder, SecretReference, SecretSync
from syncs.services import folders, imports, secrets
from syncs.services.syncs import SyncInput, create_sync
from syncs.source.validation import SecretInput
from tests.fixtures.world import APPLICATION, OPTIONS, TOKEN, World


def make(world: World, *paths: str) -> None:
    for path in paths:
        folders.ensure_folder(world.actor, world.environment(), path)


def paths(world: World) -> set[str]:
    found = Folder.objects.filter(environment=world.environment())
    for folder in found.select_related("parent"):
        above = folder.parent.path.rstrip("/") if folder.parent else ""
        assert folder.path in ("/", f"{above}/{folder.name}")
    return set(found.values_list("path", flat=True))


def rename(world: World, *pairs: tuple[str, str]) -> None:
    """As if they were read before any of them was changed."""
    read = Folder.objects.select_related("environment__project", "parent").filter(environment=world.environment())
    known = {each.path: each for each in read}
    folders.update_folders(world.actor, [(known[path], {"name": name}) for path, name in pairs])


def test_a_batch_renames_a_folder_and_one_below_it(world: World) -> None:
    make(world, "/a/b/c", "/ab")
    rename(world, ("/a", "x"), ("/a/b", "y"), ("/a/b/c", "z"))
    assert paths(world) == {"/", "/x", "/x/y", "/x/y/z", "/ab"}


def test_a_batch_can_pass_on_a_name(world: World) -> None:
    make(world, "/a/in-a", "/b/in-b")
    rename(world, ("/b", "c"), ("/a", "b"))
    assert paths(world) == {"/", "/b", "/b/in-a", "/c", "/c/in-b"}
    rename(world, ("/b", "other"), ("/c", "b"), ("/b", "c"))
    assert paths(world) == {"/", "/c", "/c/in-a", "/b", "/b/in-b"}
    with pytest.raises(BadRequest, match="already exists"):
        rename(world, ("/c", "b"))


def test_a_batch_costs_the_same_whatever_its_length(world: World) -> None:
    def cost(count: int) -> int:
        make(world, *(f"/f{count}x{number}" for number in range(count)))
        with CaptureQueriesContext(connection) as captured:
            rename(world, *((f"/f{count}x{number}", f"g{count}x{number}") for number in range(count)))
        return len(captured)

    assert cost(3) == cost(40)


def test_a_tree_of_a_thousand_levels_is_deleted(world: World) -> None:
    make(world, "/a" * 1020)
    assert len(paths(world)) == 1021
    folders.delete_folder(world.actor, world.folder("/a"))
    assert paths(world) == {"/"}
    make(world, "/a" * 1020)
    folders.delete_environment(world.actor, world.environment())
    assert not Environment.objects.filter(slug="dev").exists()


def test_a_folder_deleted_meanwhile(world: World) -> None:
    make(world, "/a")
    folder = world.folder("/a")
    folders.delete_folder(world.actor, world.folder("/a"))
    for change in (
        lambda: secrets.set_secrets(world.actor, folder, [SecretInput("A", "1")]),
        lambda: secrets.delete_secrets(world.actor, folder, ["A"]),
        lambda: imports.add_import(world.actor, folder, world.environment("prod"), "/"),
        lambda: folders.update_folders(world.actor, [(folder, {"name": "b"})]),
    ):
        with pytest.raises(NotFound):
            change()


def test_a_reference_longer_than_any_name_is_stored_as_text(world: World) -> None:
    long = "${" + ".".join(["e" * 65, "p" * 250, "k" * 600]) + "} ${" + ".".join(["dev", *["p" * 250] * 9, "K"]) + "}"
    world.set(A=long)
    assert not SecretReference.objects.exists()
    with pytest.raises(BadRequest, match="Referenced secret"):
        secrets.set_secrets(world.actor, world.folder(), [SecretInput("B", long)])


def test_a_project_is_deleted_with_its_syncs_and_connections(world: World) -> None:
    own = create_connection(
        world.actor,
        "humanitec",
        name="own",
        method="api-token",
        credentials={"apiToken": TOKEN},
        project=world.project,
    )
    given = SyncInput("s", None, own.pk, "dev", "/", True, OPTIONS, APPLICATION)
    create_sync(world.actor, world.project, "humanitec", given)
    delete_project(actor_of_user(User.objects.get()), world.project)
    assert not Project.objects.exists()
    assert not SecretSync.objects.exists()


def test_positions_of_imports_have_no_gaps_or_duplicates(world: World) -> None:
    made: list[Any] = [
        imports.add_import(world.actor, world.folder(), world.environment("prod"), f"/{name}") for name in "abc"
    ]
    # Both were read before either was changed.
    imports.update_import(world.actor, made[0], position=3)
    imports.update_import(world.actor, made[1], position=2)
    order = world.folder().imports.order_by("position").values_list("import_path", "position")
    assert list(order) == [("/c", 1), ("/b", 2), ("/a", 3)]
