"""Concurrent changes on a database with concurrent writers: nothing is lost, blocked forever or half-done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from config.access import identities, services
from config.access.models import AccessToken, AuditEvent, Identity
from config.access.roles import PLATFORM
from config.access.tokens import login
from config.errors import NotFound, ServiceError
from syncs.models import Folder, Secret, SecretSync
from syncs.services import folders as source
from syncs.services import imports, triggers
from syncs.services import syncs as services_of_syncs
from syncs.services.secrets import set_in_folders
from syncs.services.syncs import SyncInput
from syncs.source.validation import SecretInput
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import APPLICATION, World
from tests.running import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _beneath() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL beneath (DATABASE_URL): SQLite has one writer at a time")


def together(*tasks: Callable[[], Any]) -> list[Exception]:
    """Each in a thread and a connection of its own, started at the same moment; what they raised."""
    ready = threading.Barrier(len(tasks))
    raised: list[Exception] = []

    def do(task: Callable[[], Any]) -> None:
        try:
            ready.wait(timeout=PATIENCE)
            task()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=do, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive()
    return raised


def make(world: World, *paths: str) -> list[Folder]:
    for path in paths:
        source.ensure_folder(world.actor, world.environment(), path)
    return [world.folder(path) for path in paths]


def test_batches_over_the_same_folders_in_other_orders(world: World) -> None:
    folders = make(world, *(f"/f{number}" for number in range(8)))

    def write(order: Sequence[Folder]) -> None:
        for number in range(8):
            groups = [(folder, [SecretInput("A", f"{uuid4()} {number}")]) for folder in order]
            set_in_folders(world.actor, groups)

    assert together(lambda: write(folders), lambda: write(folders[::-1]), lambda: write(folders[::2])) == []
    assert Secret.objects.count() == 8


def test_edits_of_the_source_and_of_its_syncs(world: World) -> None:
    make(world, "/a/b", "/c")
    made = [world.sync(f"s{n}", {**APPLICATION, "app": f"a{n}"}, secret_path="/a/b") for n in range(3)]

    def edit() -> None:
        for number in range(15):
            world.set("/a/b", A=str(number), B=str(number))

    def configure() -> None:
        for number in range(15):
            for sync in made:
                fresh = SecretSync.objects.select_related("policy", "project", "folder__environment").get(pk=sync.pk)
                services_of_syncs.update_sync(world.actor, fresh, SyncInput(description=str(number)))
                services_of_syncs.update_policy(world.actor, fresh, {"max_deletions": number})

    def trigger() -> None:
        for _ in range(15):
            for sync in made[::-1]:
                triggers.trigger(world.actor, sync, "sync")

    def folders() -> None:
        for number in range(15):
            source.ensure_folder(world.actor, world.environment(), "/c/d")
            source.update_folders(world.actor, [(world.folder("/a"), {"description": str(number)})])
            source.delete_folder(world.actor, world.folder("/c/d"))

    assert together(edit, configure, trigger, folders) == []
    assert AuditEvent.objects.filter(event="sync-secret-sync").count() == 45


def test_a_folder_is_deleted_during_a_write(world: World) -> None:
    def write() -> None:
        for number in range(20):
            try:
                world.set("/a/b", A=str(number))
            except (NotFound, Folder.DoesNotExist):
                source.ensure_folder(world.actor, world.environment(), "/a/b")

    def delete() -> None:
        for _ in range(20):
            found = Folder.objects.select_related("environment__project").filter(path="/a").first()
            if found:
                source.delete_folder(world.actor, found)

    make(world, "/a/b")
    assert together(write, delete, write) == []


def test_concurrent_imports_have_distinct_positions(world: World) -> None:
    folder, prod = world.folder(), world.environment("prod")
    made = [lambda n=n: imports.add_import(world.actor, folder, prod, f"/i{n}") for n in range(6)]  # type: ignore[misc]
    assert together(*made) == []
    assert list(folder.imports.order_by("position").values_list("position", flat=True)) == [1, 2, 3, 4, 5, 6]


def test_no_token_outlives_its_client_secret(world: World) -> None:
    for number in range(8):
        made = identities.create_identity(PLATFORM, f"m{number}", role="viewer", project=world.project)
        row = made.identity.client_secrets.get()

        def sign_in(made: identities.NewIdentity = made) -> None:
            login(str(made.identity.client_id), made.client_secret)

        def revoke(row: Any = row) -> None:
            identities.revoke_client_secret(PLATFORM, row)

        assert all(isinstance(error, ServiceError) for error in together(sign_in, sign_in, revoke))
    assert not AccessToken.objects.filter(is_revoked=False).exists()


def test_concurrent_settings_are_all_stored(world: World) -> None:
    made = identities.create_identity(PLATFORM, "machine", role="viewer", project=world.project).identity
    stale = [Identity.objects.get(pk=made.pk) for _ in range(3)]
    assert (
        together(
            lambda: identities.update_universal_auth(PLATFORM, stale[0], {"accessTokenTTL": 60}),
            lambda: identities.update_universal_auth(PLATFORM, stale[1], {"lockoutThreshold": 7}),
            lambda: identities.update_identity(PLATFORM, stale[2], name="renamed"),
        )
        == []
    )
    made.refresh_from_db()
    assert (made.access_token_ttl, made.lockout_threshold, made.name) == (60, 7, "renamed")
    projects = [type(world.project).objects.get(pk=world.project.pk) for _ in range(3)]
    assert (
        together(
            lambda: services.update_project(world.actor, projects[0], name="Renamed"),
            lambda: services.update_project(world.actor, projects[1], description="why"),
            lambda: services.update_project(world.actor, projects[2], protected=True),
        )
        == []
    )
    world.project.refresh_from_db()
    now = world.project
    assert (now.name, now.description, now.has_delete_protection) == ("Renamed", "why", True)


@pytest.fixture
def api(world: World) -> Api:
    return api_for("admin", world)


def test_a_request_that_lost_a_deadlock_is_retried(world: World, api: Api) -> None:
    """PostgreSQL ends one of two that wait for each other: here the request, which comes second."""
    first, second = sorted(make(world, "/a", "/b"), key=lambda folder: folder.pk)
    waits = threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Folder.objects.select_for_update().get(pk=second.pk)
            waits.set()
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '30s'")  # so that it is the other one that gives way
                cursor.execute("SELECT pg_sleep(0.3)")
            Folder.objects.select_for_update().get(pk=first.pk)

    answers = []

    def ask() -> None:
        waits.wait(timeout=PATIENCE)
        items = [{"secretKey": "A", "secretValue": "1", "secretPath": each.path} for each in (first, second)]
        body = {"projectId": str(world.project.pk), "environment": "dev", "mode": "upsert", "secrets": items}
        answers.append(api("PATCH", "/v4/secrets/batch", body)[0])

    assert together(hold, ask) == []
    assert answers == [200]
    assert AuditEvent.objects.filter(event__startswith="create-secret").count() == 1
