"""A project whose folder feeds a sync to a Humanitec stand-in on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from config import encryption
from config.access.models import Project, User
from config.access.roles import Actor, actor_of_user
from connections.models import AppConnection
from connections.sandbox import HumanitecSandbox
from connections.services import create_connection
from syncs.models import Environment, Folder, SecretSync, SyncRun
from syncs.running.runner import execute
from syncs.services.folders import create_project
from syncs.services.secrets import delete_secrets, set_secrets
from syncs.services.syncs import SyncInput, create_sync, update_policy
from syncs.services.triggers import trigger
from syncs.source.validation import SecretInput

TOKEN = "sandbox-token-for-tests"
APPLICATION = {"scope": "application", "org": "acme", "app": "shop"}
ENVIRONMENT = {"scope": "environment", "org": "acme", "app": "shop", "env": "development"}
OPTIONS = {"initialSyncBehavior": "overwrite-destination"}


@pytest.fixture
def sandbox(settings: Settings) -> Iterator[HumanitecSandbox]:
    with HumanitecSandbox(token=TOKEN) as running:
        settings.BASE_URLS = {"humanitec": running.url}
        yield running


@dataclass
class World:
    """Everything that a test of a run needs, and short ways to do what people do."""

    actor: Actor
    project: Project
    connection: AppConnection
    sandbox: HumanitecSandbox

    def folder(self, path: str = "/", environment: str = "dev") -> Folder:
        return Folder.objects.select_related("environment__project").get(
            environment__project=self.project, environment__slug=environment, path=path
        )

    def environment(self, slug: str = "dev") -> Environment:
        return Environment.objects.select_related("project").get(project=self.project, slug=slug)

    def set(self, path: str = "/", environment: str = "dev", **values: str) -> None:
        given = [SecretInput(key, value) for key, value in values.items()]
        set_secrets(self.actor, self.folder(path, environment), given, resolved=False)

    def unset(self, *keys: str, path: str = "/") -> None:
        delete_secrets(self.actor, self.folder(path), keys)

    def sync(self, name: str = "shop-dev", config: dict[str, str] | None = None, **given: Any) -> SecretSync:
        given = {"environment": "dev", "secret_path": "/", "sync_options": OPTIONS, **given}
        return create_sync(
            self.actor,
            self.project,
            "humanitec",
            SyncInput(name=name, connection_id=self.connection.pk, destination_config=config or APPLICATION, **given),
        )

    def policy(self, sync: SecretSync, **changes: Any) -> None:
        """Change members of its policy as it is now."""
        update_policy(self.actor, SecretSync.objects.select_related("policy").get(pk=sync.pk), changes)

    def run(self, sync: SecretSync) -> SyncRun:
        """A manual run, done here and now."""
        run = trigger(self.actor, sync, "sync")
        execute(run.pk)
        return self.again(run)

    def again(self, run: SyncRun) -> SyncRun:
        return SyncRun.objects.get(pk=run.pk)

    def due(self) -> list[SyncRun]:
        """Does all open runs, whatever their due time, once."""
        runs = list(SyncRun.objects.filter(status__in=("pending", "running")).order_by("created_at"))
        for run in runs:
            execute(run.pk)
        return list(SyncRun.objects.filter(pk__in=[run.pk for run in runs]).order_by("created_at"))

    def held(self, scope: tuple[str, str, str] = ("acme", "shop", "")) -> dict[str, str]:
        return {key: value["value"] for key, value in self.sandbox.values.get(scope, {}).items()}

    def writes(self) -> list[tuple[str, str]]:
        return [asked for asked in self.sandbox.asked if asked[0] != "GET"]


@pytest.fixture
def world(db: None, sandbox: HumanitecSandbox, django_capture_on_commit_callbacks: Callable[..., Any]) -> World:
    encryption.forget()
    user = User.objects.create_superuser("ada", "ada@example.com", "a long password")
    actor = actor_of_user(user)
    project = create_project(actor, "Shop", slug="shop-project")
    actor = actor_of_user(user)
    connection = create_connection(
        actor, "humanitec", name="humanitec-dev", method="api-token", credentials={"apiToken": TOKEN}
    )
    sandbox.asked.clear()
    return World(actor, project, connection, sandbox)
