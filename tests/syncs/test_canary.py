"""Marked values and credentials go through every path and every error of a sync, and are then found nowhere.

Neither as they are nor encoded nor hashed: not in a table, a log, an answer, a page, an export, a metric, or what a
command prints.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from config.access.identities import create_identity
from config.access.models import User
from config.access.roles import PLATFORM
from config.access.tokens import login
from config.logs import Formatter
from connections.models import AppConnection
from connections.sandbox import Drop
from syncs import tasks
from syncs.destinations.humanitec import Humanitec
from syncs.models import SecretSync, SyncRun
from syncs.running import drift
from syncs.running.runner import execute
from syncs.services import approvals, triggers
from syncs.services import syncs as services
from syncs.services.secrets import set_secrets
from syncs.services.syncs import SyncInput, update_policy
from syncs.services.triggers import trigger
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.fixtures.api import Api
from tests.fixtures.notifications import WEBHOOK_TOKEN, Listener
from tests.fixtures.world import APPLICATION, OPTIONS, TOKEN, World

SHOP = ("acme", "shop", "")
VALUES = {
    "PLAIN": "cAnArY-plain-5f1c",
    "LINES": "cAnArY-first-5f1c\ncAnArY-second-5f1c\n",
    "QUOTED": "cAnArY-\"quoted'-5f1c <&> $",
    "WIDE": "cAnArY-ünïcode-5f1c",
}
COMMENT, FOREIGN = "cAnArY-comment-5f1c", "cAnArY-foreign-5f1c"
API = "/v1/secret-syncs/humanitec"


@dataclass
class Seen:
    """Everything that left the product, by where it was seen."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)

    def note(self, where: str, text: object) -> None:
        self.texts.append((where, text if isinstance(text, str) else json.dumps(text, default=str)))

    def needles(self) -> Iterator[tuple[str, str]]:
        for secret in self.secrets:
            raw = secret.encode()
            yield secret, secret
            yield f"{secret!r} escaped", json.dumps(secret)[1:-1]
            yield f"{secret!r} quoted", quote(secret, safe="")
            yield f"{secret!r} in base64", base64.b64encode(raw).decode().rstrip("=")
            for name in ("md5", "sha1", "sha256", "sha512"):
                yield f"{name} of {secret!r}", hashlib.new(name, raw).hexdigest()


@dataclass
class Scene:
    world: World
    seen: Seen
    api: Api
    browser: Client

    def fresh(self, sync: SecretSync) -> SecretSync:
        return syncs().get(pk=sync.pk)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        answer = self.api.raw(method, path, None if body is None else json.dumps(body), **query)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.seen.note(f"{method} {path}", content.decode())
        self.seen.note(f"headers of {method} {path}", str(answer.headers))
        return answer

    def page(self, path: str, data: dict[str, Any] | None = None) -> None:
        answer = self.browser.get(path, follow=True) if data is None else self.browser.post(path, data, follow=True)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.seen.note(path, content.decode())

    def command(self, *args: str) -> None:
        out, err = StringIO(), StringIO()
        try:
            call_command(*args, stdout=out, stderr=err)
        except (SystemExit, CommandError) as error:
            err.write(str(error))
        self.seen.note(" ".join(args), out.getvalue() + err.getvalue())

    def look(self, sync: SecretSync) -> None:
        """Everything that shows a sync, in its current state."""
        at = f"{API}/{sync.pk}"
        self.ask("POST", f"{at}/plan")
        self.ask("POST", f"{at}/plan", operation="remove")
        self.ask("GET", at)
        self.ask("GET", f"{at}/runs")
        self.ask("GET", f"{at}/runs/export", format="csv")
        self.ask("GET", f"{at}/runs/export", format="json")
        self.ask("GET", f"{at}/drift")
        self.ask("POST", f"{at}/drift")
        for key in (*VALUES, "SURPLUS", "BROKEN"):
            self.ask("GET", f"{at}/why", key=key)
        self.page(reverse("admin:syncs_secretsync_change", args=[sync.pk]))
        self.page(reverse("admin:syncs_secretsync_plan", args=[sync.pk]))
        self.page(reverse("admin:syncs_secretsync_plan", args=[sync.pk]) + "?operation=remove")
        for run in SyncRun.objects.filter(sync=sync):
            self.ask("GET", f"{at}/runs/{run.pk}")
            self.ask("GET", f"{at}/runs/{run.pk}/undo")
            self.page(reverse("admin:syncs_syncrun_change", args=[run.pk]))
            self.page(reverse("admin:syncs_syncrun_undo", args=[run.pk]))
        name = f"shop-project/{sync.name}"
        for words in (("plan",), ("drift",), ("undo",), ("hold",), ("remove",)):
            self.command(*words, name)
            self.command(*words, name, "--json")
        self.command("why", name, "PLAIN")

    def later(self) -> None:
        AppConnection.objects.update(retry_at=None)
        self.world.due()


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What the product's own handler would write, however talkative the log is set."""
    root, text = logging.getLogger(), StringIO()
    handler, before = logging.StreamHandler(text), root.level
    handler.setFormatter(Formatter(settings.LOGGING["formatters"]["line"]["format"], style="{"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def scene(world: World) -> Scene:
    made = create_identity(PLATFORM, "canary", role="admin", project=world.project)
    token = login(str(made.identity.client_id), made.client_secret)["accessToken"]
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.get(username="ada"))
    given_out = [made.client_secret, token, TOKEN, WEBHOOK_TOKEN]
    seen = Seen(secrets=[*VALUES.values(), *VALUES["LINES"].split(), COMMENT, FOREIGN, *given_out])
    return Scene(world, seen, Api(token), browser)


def begun(scene: Scene) -> SecretSync:
    scene.world.sandbox.put(SHOP, "SURPLUS", FOREIGN)
    scene.world.sandbox.put(SHOP, "PLAIN", FOREIGN)
    scene.world.set(**VALUES)
    set_secrets(scene.world.actor, scene.world.folder(), [SecretInput("PLAIN", comment=COMMENT)])
    return scene.world.sync()


def fine(scene: Scene) -> None:
    """Plan before it exists, run, change, undo, purge."""
    world = scene.world
    world.sandbox.put(SHOP, "SURPLUS", FOREIGN)
    world.set(**VALUES)
    body = {
        "name": "draft",
        "projectId": str(world.project.pk),
        "connectionId": str(world.connection.pk),
        "environment": "dev",
        "secretPath": "/",
        "syncOptions": OPTIONS,
        "destinationConfig": APPLICATION,
    }
    scene.ask("POST", f"{API}/plan", body)
    sync = begun(scene)
    world.run(sync)
    scene.look(sync)
    world.set(PLAIN=VALUES["WIDE"])
    run = world.run(sync)
    scene.ask("POST", f"{API}/{sync.pk}/runs/{run.pk}/undo", {})
    world.due()
    scene.look(sync)
    triggers.remove_secrets(world.actor, scene.fresh(sync), purge=True)
    world.due()
    scene.look(sync)


def held(scene: Scene) -> None:
    world = scene.world
    sync = begun(scene)
    world.run(sync)
    world.unset(*VALUES)
    run = world.run(sync)
    scene.look(sync)
    world.set(**VALUES)
    world.unset("PLAIN", "LINES", "QUOTED")
    update_policy(world.actor, scene.fresh(sync), {"max_deletions": 1})
    again = world.run(sync)
    for one in (run, again):
        current = SyncRun.objects.select_related("sync__project").get(pk=one.pk)
        if current.status == "held":
            scene.ask("POST", f"{API}/{sync.pk}/runs/{one.pk}/approve", {"writesOnly": True})
            world.due()
    again = world.run(scene.fresh(sync))
    approvals.dismiss(world.actor, SyncRun.objects.select_related("sync__project").get(pk=again.pk))
    scene.look(sync)


def broken_source(scene: Scene) -> None:
    world = scene.world
    sync = begun(scene)
    world.set(BROKEN="${nowhere.cAnArY} " + VALUES["PLAIN"], CIRCLE="${CIRCLE} " + VALUES["PLAIN"])
    world.set(BIG=VALUES["PLAIN"] + "${LINES}" * 10)
    world.run(sync)
    scene.look(sync)


@contextmanager
def echoing(scene: Scene, status: int, method: str, *, late: bool = False) -> Iterator[None]:
    """A vendor that says back what it was sent, and by whom."""
    plain = scene.world.sandbox.respond

    def answer(asked: str, path: str, body: dict[str, Any]) -> Any:
        if asked != method:
            return plain(asked, path, body)
        if late:
            plain(asked, path, body)
        said = f"no: {body.get('value')} {body.get('description')} Bearer {TOKEN}"
        return status, {"message": said, "error": said, "value": VALUES["QUOTED"]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.world.sandbox, "respond", answer)
        yield


def refused_by_the_vendor(scene: Scene) -> None:
    sync = begun(scene)
    for method in ("POST", "PATCH", "DELETE", "GET"):
        for status in (400, 401, 403, 404, 409, 422, 429, 500, 503):
            with echoing(scene, status, method, late=status == 500):
                execute(trigger(scene.world.actor, scene.fresh(sync), "sync").pk)
                scene.later()
        scene.look(sync)
    scene.later()
    scene.look(sync)


def unbelievable(scene: Scene) -> None:
    sync = begun(scene)
    bodies: list[Any] = [VALUES["PLAIN"].encode(), {"values": VALUES["PLAIN"]}, [VALUES["PLAIN"]], [{"key": FOREIGN}]]
    for body in bodies:
        scene.world.sandbox.fault = lambda method, path, body=body: (200, body)  # type: ignore[misc]
        scene.world.run(sync)
        scene.look(sync)
        SyncRun.objects.filter(status__in=("pending", "running")).update(status="failed", due_at=None)

    def drop(method: str, path: str) -> Any:
        raise Drop

    scene.world.sandbox.fault = drop
    scene.world.run(sync)
    scene.look(sync)


def a_defect(scene: Scene) -> None:
    sync = begun(scene)
    with pytest.MonkeyPatch.context() as patch:

        def boom(*given: Any, **named: Any) -> Any:
            raise RuntimeError(f"{VALUES['PLAIN']} {TOKEN}") from ValueError(VALUES["QUOTED"])

        patch.setattr(Humanitec, "create", boom)
        patch.setattr(Humanitec, "update", boom)
        scene.world.run(sync)
        patch.setattr("syncs.planning.builder.plan_sync", boom)
        tasks.check_drift(str(sync.pk))
        patch.setattr("syncs.running.preconditions.must_wait", boom)
        tasks.run(str(trigger(scene.world.actor, scene.fresh(sync), "sync").pk))
        scene.look(sync)
        with override_settings(DEBUG=True):
            scene.look(sync)


def readable_values(scene: Scene) -> None:
    """Readable values of a destination are compared, stored encrypted and restored, and never shown."""
    with pytest.MonkeyPatch.context() as patch:
        listed = Humanitec.fetch

        def fetch(self: Humanitec) -> Any:
            held = scene.world.sandbox.values.get(SHOP, {})
            return [replace(one, value=held[one.key]["value"]) for one in listed(self)]

        patch.setattr(Humanitec, "fetch", fetch)
        sync = begun(scene)
        run = scene.world.run(sync)
        scene.world.sandbox.put(SHOP, "WIDE", FOREIGN)
        drift.check(scene.fresh(sync))
        scene.look(sync)
        scene.ask("POST", f"{API}/{sync.pk}/runs/{run.pk}/undo", {})
        scene.world.due()
        scene.look(sync)


def two_at_one_place(scene: Scene) -> None:
    world = scene.world
    first = begun(scene)
    world.run(first)
    second = world.sync("second")
    world.run(second)
    scene.look(second)
    services.update_sync(
        world.actor,
        scene.fresh(first),
        SyncInput(destination_config={**APPLICATION, "app": "blog"}, sync_options=OPTIONS),
    )
    world.due()
    scene.look(first)
    scene.ask("DELETE", f"{API}/{first.pk}")
    scene.ask("DELETE", f"{API}/{second.pk}", removeSecrets="true", purgeVersions="true")
    world.due()


def bad_requests(scene: Scene) -> None:
    """A refusal does not repeat the content of the request."""
    world = scene.world
    body = {"projectId": str(world.project.pk), "environment": "dev", "secretPath": "/"}
    for value in VALUES.values():
        scene.ask("POST", "/v4/secrets/bad:name", {**body, "secretValue": value})
        scene.ask("POST", "/v4/secrets/K", {**body, "secretValue": value, "secretPath": "/nowhere"})
        scene.ask("POST", "/v4/secrets/K", {**body, "secretValue": [value]})
        scene.ask("POST", "/v4/secrets/K", {**body, "secretValue": value + "${NOWHERE}"})
        scene.api.raw("POST", "/v4/secrets/K", '{"secretValue": "' + value + '"')
    made = {"name": "x", "method": "api-token", "credentials": {"apiToken": TOKEN + "-wrong"}}
    scene.seen.secrets.append(TOKEN + "-wrong")
    scene.ask("POST", "/v1/app-connections/humanitec", {**made, "projectId": str(world.project.pk)})
    scene.ask("POST", "/v1/app-connections/humanitec", {**made, "credentials": {"apiToken": [TOKEN]}})
    scene.ask("POST", "/v1/auth/universal-auth/login", {"clientId": "x", "clientSecret": WEBHOOK_TOKEN})


SCENES = (
    fine,
    held,
    broken_source,
    refused_by_the_vendor,
    unbelievable,
    a_defect,
    readable_values,
    two_at_one_place,
    bad_requests,
)
QUICK = (a_defect, bad_requests)


def _scene(play: Any) -> Any:
    return pytest.param(play, id=play.__name__, marks=[] if play in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("play", [_scene(play) for play in SCENES])
@pytest.mark.usefixtures("target", "no_queue")
def test_no_marked_text_is_anywhere(scene: Scene, play: Any, listener: Listener, logged: StringIO) -> None:
    play(scene)
    listener.states_sent()
    scene.seen.note("what was notified", listener.got)
    scene.page(reverse("admin:syncs_notificationtarget_changelist"))
    scene.page(reverse("admin:syncs_notice_changelist"))
    scene.ask("GET", f"/v1/projects/{scene.world.project.pk}/notification-targets")
    for path in ("/metrics", "/healthz", "/readyz", "/admin/"):
        scene.page(path)
    scene.ask("GET", "/v1/organization/audit-logs")
    scene.command("audit_log")
    scene.command("audit_log", "--jsonl")
    scene.seen.note("log", logged.getvalue())
    _tables(scene.seen)
    assert len(scene.seen.texts) > 50
    for where, text in scene.seen.texts:
        for name, needle in scene.seen.needles():
            assert needle not in text, f"{name.replace(needle, '...')} in {where}"


def _tables(seen: Seen) -> None:
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            for row in cursor.fetchall():
                cells = (bytes(c).decode("latin-1") if isinstance(c, memoryview | bytes) else str(c) for c in row)
                seen.note(model._meta.db_table, " ".join(cells))
