"""Keys kept on request, by API, command and page."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from config.access.models import AuditEvent
from syncs.models import SecretSync, SyncRun
from syncs.planning.kept import kept_keys
from syncs.running.runner import execute
from syncs.services import approvals
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World


@pytest.fixture
def sync(world: World) -> SecretSync:
    """A and B are kept, since their deletion was dismissed."""
    world.set(A="1", B="2", C="3")
    made = world.sync(is_auto_sync_enabled=False)
    world.run(made)
    world.policy(made, max_deletions=1)
    world.unset("A", "B")
    held = world.run(made)
    approvals.dismiss(world.actor, SyncRun.objects.select_related("sync__project").get(pk=held.pk))
    return made


def test_by_api(world: World, sync: SecretSync, api: Api) -> None:
    url = f"{SYNCS}/{sync.pk}/kept"
    status, answer = api("GET", url)
    assert (status, answer["totalCount"]) == (200, 2)
    first = answer["kept"][0]
    assert (first["key"], first["why"], first["location"]) == ("A", "dismissed", sync.location)
    assert first["objectId"]
    assert first["since"]
    plan = api("POST", f"{url}/plan", {"keys": ["A"]})[1]["plan"]
    assert [one["key"] for one in plan["changes"] if one["action"] == "delete"] == ["A"]
    assert api("POST", f"{url}/delete", {"keys": ["A"], "digest": "0" * 64})[0] == 400
    status, answer = api("POST", f"{url}/delete", {"keys": ["A"], "digest": plan["digest"]})
    assert (status, answer["run"]["trigger"]) == (200, "approval")
    execute(answer["run"]["id"])
    assert set(world.held()) == {"B", "C"}
    status, answer = api("POST", f"{url}/forget", {"keys": ["B"]})
    assert (status, [one["key"] for one in answer["kept"]]) == (200, ["B"])
    assert AuditEvent.objects.filter(event="forget-kept-keys").get().metadata["keys"] == ["B"]
    status, answer = api("POST", f"{url}/forget", {"keys": ["B"]})
    assert (status, answer["message"]) == (400, "B is not kept on request: list the kept keys again")
    viewer = api_for("viewer", world)
    assert viewer("GET", url)[0] == 200
    assert viewer("POST", f"{url}/forget", {})[0] == 403
    assert api("GET", f"{url.replace('humanitec', 'vercel')}")[0] == 400


def call(*args: str) -> str:
    out = StringIO()
    call_command("kept", "shop-project/shop-dev", *args, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_by_command(world: World, sync: SecretSync) -> None:
    assert "2 kept on request" in call()
    assert json.loads(call("--json"))["totalCount"] == 2
    with pytest.raises(CommandError, match="Add --yes"):
        call("A", "--delete")
    call("A", "--delete", "--yes")
    world.due()
    assert set(world.held()) == {"B", "C"}
    assert "1 forgotten" in call("--forget", "--yes")
    assert "0 kept on request" in call()


def test_by_page(world: World, sync: SecretSync, browser: Client) -> None:
    page = browser.get(reverse("admin:syncs_secretsync_change", args=[sync.pk])).content.decode()
    url = reverse("admin:syncs_secretsync_kept", args=[sync.pk])
    assert "2 keys are kept on request" in page
    assert url in page
    assert browser.get(url).content.decode().count('name="key"') == 2
    assert "Choose at least one key." in browser.post(url, {"plan": "1"}, follow=True).content.decode()
    plan = browser.post(url, {"plan": "1", "key": ["A"]})
    assert set(world.held()) == {"A", "B", "C"}
    digest = plan.context["plan"].digest
    assert browser.post(url, {"key": ["A"], "digest": digest}).status_code == 302
    world.due()
    assert set(world.held()) == {"B", "C"}
    forgotten = browser.post(url, {"forget": "1", "key": ["B"]}, follow=True).content.decode()
    assert "1 key was forgotten; it stays." in forgotten
    assert "No keys are kept on request" in forgotten


def test_the_list_takes_a_fixed_number_of_queries(
    sync: SecretSync, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    found = syncs().get(pk=sync.pk)
    with django_assert_max_num_queries(8):
        assert len(kept_keys(found)) == 2
