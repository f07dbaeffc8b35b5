"""The source: what may be stored, how it is stored, which syncs a change reaches."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from config.access.models import AuditEvent, Membership, Project, Role, User
from config.access.roles import actor_of_user
from config.errors import BadRequest, Invalid, NotFound, PermissionDenied
from syncs.models import Environment, Folder, Secret, SecretVersion
from syncs.services import folders, imports, secrets
from syncs.source.loader import load_graph, read
from syncs.source.selectors import comment_of, value_of, value_or_none
from syncs.source.validation import SecretInput
from tests.fixtures.world import World

MARKER = "mArKeR-5f1c"


def stored(world: World, key: str = "A") -> Secret:
    return Secret.objects.select_related("folder__environment").get(folder=world.folder(), key=key)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (SecretInput("", "x"), "Secret name cannot be empty"),
        (SecretInput("A:B", "x"), "Secret name cannot contain colon or forward slash."),
        (SecretInput("A/B", "x"), "Secret name cannot contain colon or forward slash."),
        (SecretInput("A\x07B", "x"), "has a control character"),
        (SecretInput("A" * 513, "x"), "at most 512 characters"),
        (SecretInput("A", "x\x00y"), "A: a NUL character is not allowed"),
        (SecretInput("A", "x" * (1024 * 1024 + 1)), "A: it is larger than 1 MiB"),
        (SecretInput("A", "\udc80"), "A: it is not valid Unicode"),
        (SecretInput("A", "x", tags=["Not A Slug"]), "lowercase letters, numbers, and hyphens"),
    ],
)
def test_invalid_secrets(world: World, given: SecretInput, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        secrets.set_secrets(world.actor, world.folder(), [SecretInput("GOOD", "x"), given])
    assert not Secret.objects.exists()


def test_every_problem_of_a_batch_is_reported(world: World) -> None:
    given = [SecretInput("A:B", "x"), SecretInput("GOOD", "x"), SecretInput("BAD", "\x00"), SecretInput("GOOD", "y")]
    with pytest.raises(Invalid) as refused:
        secrets.set_secrets(world.actor, world.folder(), given)
    assert [issue["path"] for issue in refused.value.issues] == [
        ["secrets", 0, "secretKey"],
        ["secrets", 2, "secretValue"],
        ["secrets", 3, "secretKey"],
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("  x  ", "x"), ("x\n", "x\n"), ("x\n\n\n", "x\n"), ("\n", ""), ("a\n b ", "a\n b"), ("", "")],
)
def test_values_are_trimmed_but_for_one_newline(world: World, given: str, kept: str) -> None:
    world.set(A=given)
    assert value_of(stored(world)) == kept


def test_versions_record_actor_and_time(world: World) -> None:
    world.set(A="1")
    world.set(A="2")
    world.set(A="2")
    versions = list(SecretVersion.objects.order_by("version").values_list("version", "actor_kind", "actor_name"))
    assert versions == [(1, "user", "ada"), (2, "user", "ada")]
    secrets.set_secrets(
        world.actor, world.folder(), [SecretInput("A", comment="why", tags=["db"], metadata=[{"key": "k"}])]
    )
    secret = stored(world)
    assert (value_of(secret), comment_of(secret), secret.version) == ("2", "why", 3)
    assert [tag.slug for tag in secret.tags.all()] == ["db"]


def test_setting_an_equal_value_reaches_no_sync(world: World) -> None:
    world.set(A="1")
    sync = world.sync()
    before = sync.wanted_rev
    world.set(A="1")
    sync.refresh_from_db()
    assert sync.wanted_rev == before


def test_create_and_update_are_strict(world: World) -> None:
    world.set(A="1")
    folder = world.folder()
    with pytest.raises(BadRequest, match="already exist: A"):
        secrets.set_secrets(world.actor, folder, [SecretInput("A", "2"), SecretInput("B", "2")], mode="create")
    with pytest.raises(NotFound, match="'B' not found"):
        secrets.set_secrets(world.actor, folder, [SecretInput("A", "2"), SecretInput("B", "2")], mode="update")
    world.set(B="2")
    with pytest.raises(BadRequest, match="already exist: A"):
        secrets.set_secrets(world.actor, folder, [SecretInput("B", new_key="A")], mode="update")
    with pytest.raises(NotFound, match="'C' not found"):
        secrets.delete_secrets(world.actor, folder, ["A", "C"])
    assert {secret.key: value_or_none(secret) for secret in folder.secrets.all()} == {"A": "1", "B": "2"}


def test_a_plain_value_is_in_no_table(world: World) -> None:
    world.set(A=MARKER)
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", comment=MARKER + " comment")])
    world.set(B="${A} and " + MARKER)
    world.run(world.sync())
    assert world.held()["B"] == f"{MARKER} and {MARKER}"
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            for row in cursor.fetchall():
                assert MARKER not in " ".join(
                    bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell) for cell in row
                )


def test_a_value_moved_to_another_row_cannot_be_decrypted(world: World) -> None:
    world.set(A="1", B="2")
    first, second = stored(world, "A"), stored(world, "B")
    Secret.objects.filter(pk=first.pk).update(value_sealed=second.value_sealed)
    assert value_or_none(stored(world, "A")) is None


def test_environments_keep_their_order_and_root(world: World) -> None:
    made = folders.create_environment(world.actor, world.project, "QA", "qa", 2)
    slugs = list(Environment.objects.filter(project=world.project).order_by("position").values_list("slug", flat=True))
    assert slugs == ["dev", "qa", "staging", "prod"]
    assert [folder.path for folder in made.folders.all()] == ["/"]
    with pytest.raises(BadRequest, match="Environment with slug already exist"):
        folders.create_environment(world.actor, world.project, "QA", "qa")
    with pytest.raises(Invalid, match="Slug field can only contain"):
        folders.create_environment(world.actor, world.project, "QA", "Q A")


def test_folders(world: World) -> None:
    deep = folders.ensure_folder(world.actor, world.environment(), "services/api/")
    assert deep.path == "/services/api"
    assert folders.ensure_folder(world.actor, world.environment(), "/services/api") == deep
    world.set("/services/api", A="1")
    moved = folders.move_folder(world.actor, world.folder("/services"), name="apps")
    assert (moved.path, world.folder("/apps/api").pk) == ("/apps", deep.pk)
    with pytest.raises(BadRequest, match="not into itself"):
        folders.move_folder(world.actor, world.folder("/apps"), parent=world.folder("/apps/api"))
    with pytest.raises(BadRequest, match="root folder cannot be renamed"):
        folders.move_folder(world.actor, world.folder("/"), name="x")
    for name in ("a b", "..", "ä", "a" * 256):
        with pytest.raises(Invalid, match="Invalid folder name"):
            folders.ensure_folder(world.actor, world.environment(), name)
    folders.delete_folder(world.actor, world.folder("/apps"))
    assert not Folder.objects.filter(path__startswith="/apps").exists()


def test_deleting_the_folder_of_a_sync_keeps_the_sync_without_source(world: World) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/api")
    sync = world.sync(secret_path="/api")
    generation = sync.generation
    folders.delete_folder(world.actor, world.folder("/api"))
    sync.refresh_from_db()
    assert (sync.folder, sync.generation) == (None, generation + 1)
    other = world.sync("other")
    folders.delete_environment(world.actor, world.environment())
    other.refresh_from_db()
    assert other.folder is None


def test_imports_have_an_order(world: World) -> None:
    staging, prod = world.environment("staging"), world.environment("prod")
    world.set(environment="staging", A="staging", B="staging")
    world.set(environment="prod", A="prod")
    first = imports.add_import(world.actor, world.folder(), staging, "/")
    imports.add_import(world.actor, world.folder(), prod, "/")
    sync = world.sync()

    def values() -> dict[str, str | None]:
        return {entry.key: entry.value for entry in read(sync).source.entries}

    assert values() == {"A": "prod", "B": "staging"}
    imports.update_import(world.actor, first, position=2)
    assert values() == {"A": "staging", "B": "staging"}
    with pytest.raises(BadRequest, match="already exist"):
        imports.add_import(world.actor, world.folder(), prod, "/")
    with pytest.raises(BadRequest, match="Cyclic import not allowed"):
        imports.add_import(world.actor, world.folder(), world.environment(), "/")


def test_a_folder_is_read_in_a_fixed_number_of_queries(world: World, django_assert_num_queries: Any) -> None:
    world.set(**{f"KEY{number}": f"${{staging.KEY{number}}}" for number in range(30)})
    world.set(environment="staging", **{f"KEY{number}": "x" for number in range(30)})
    with django_assert_num_queries(8):
        graph = load_graph(world.project.pk, [("dev", "/")])
    assert len(graph["staging", "/"].secrets) == 30


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_writing_needs_a_right(world: World, role: Role | None) -> None:
    user = User.objects.create_user("eve", password="x")
    if role:
        Membership.objects.create(project=world.project, user=user, role=role)
    actor = actor_of_user(user)
    for change in (
        lambda: secrets.set_secrets(actor, world.folder(), [SecretInput("A", "1")]),
        lambda: folders.ensure_folder(actor, world.environment(), "/x"),
        lambda: folders.create_environment(actor, world.project, "QA", "qa"),
        lambda: folders.delete_environment(actor, world.environment()),
        lambda: folders.create_project(actor, "Mine"),
    ):
        with pytest.raises(PermissionDenied):
            change()
    assert Project.objects.count() == 1
    assert not AuditEvent.objects.filter(actor_name="eve").exists()


def test_an_unreadable_secret_does_not_count_as_equal(world: World) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/other")
    world.set(A="1")
    world.set("/other", A="2")
    Secret.objects.update(value_sealed=b"damaged")
    moving = Secret.objects.get(folder=world.folder())
    with pytest.raises(BadRequest, match="already exist in the destination: A"):
        secrets.move_secrets(world.actor, world.folder(), world.folder("/other"), [str(moving.pk)])
    assert Secret.objects.count() == 2
