"""A copy of a sync for another environment: as a draft of the wizard, or stored with auto-sync off."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.access.models import Role, User
from config.access.roles import actor_of_user
from config.access.services import set_role
from config.errors import BadRequest, PermissionDenied
from syncs.models import SecretSync, SyncDraft, SyncRun
from syncs.services.duplicates import duplicate_sync
from syncs.services.syncs import SyncInput, update_policy, update_sync
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS
from tests.commands.test_commands import call
from tests.fixtures.admin import signed_in
from tests.fixtures.api import Api
from tests.fixtures.world import APPLICATION, ENVIRONMENT, OPTIONS, World

SHOP_STAGING = {**ENVIRONMENT, "env": "staging"}


@pytest.fixture
def sync(world: World) -> SecretSync:
    world.set(A="1")
    world.set(environment="staging", A="2")
    sync = world.sync(config=ENVIRONMENT, sync_options={**OPTIONS, "keySchema": "X_{{secretKey}}"})
    update_policy(world.actor, syncs().get(pk=sync.pk), {"unmanaged": "leave", "exclude": ["B"], "paused": True})
    window = {"kind": "deny", "schedule": "0 9 * * 1-5", "duration": 60, "timezone": "UTC"}
    update_policy(world.actor, syncs().get(pk=sync.pk), {"windows": [window]})
    return syncs().get(pk=sync.pk)


def test_a_copy_runs_only_when_it_is_switched_on(world: World, sync: SecretSync) -> None:
    copy = duplicate_sync(world.actor, sync, environment="staging", destination_config=SHOP_STAGING)
    assert copy.folder
    assert (copy.name, copy.folder.address) == ("shop-staging", ("staging", "/"))
    assert (copy.is_auto_sync_enabled, copy.policy.paused) == (False, False)
    assert (copy.destination_config, copy.sync_options) == (SHOP_STAGING, sync.sync_options)
    assert (copy.policy.unmanaged, copy.policy.exclude, copy.connection) == ("leave", ["B"], sync.connection)
    assert copy.policy.windows == sync.policy.windows != []
    update_policy(world.actor, syncs().get(pk=copy.pk), {"windows": []})
    world.set(environment="staging", A="3")
    assert not SyncRun.objects.filter(sync=copy).exists()
    update_sync(world.actor, syncs().get(pk=copy.pk), SyncInput(is_auto_sync_enabled=True))
    world.due()
    assert world.held(("acme", "shop", "staging")) == {"X_A": "3"}


def test_a_copy_that_would_write_the_same_keys_is_refused(world: World, sync: SecretSync) -> None:
    with pytest.raises(BadRequest, match=r"the same keys as shop-dev at the same target: X_A\. Give it another"):
        duplicate_sync(world.actor, sync, environment="staging")
    assert SecretSync.objects.count() == 1
    world.set(environment="prod", C="1")  # other keys may share a target
    assert duplicate_sync(world.actor, sync, environment="prod", name="other").location == sync.location


def test_it_needs_the_rights_of_creating_the_sync(world: World, sync: SecretSync) -> None:
    user = User.objects.create_user("grace")
    set_role(world.actor, world.project, user, Role.VIEWER)
    with pytest.raises(PermissionDenied):
        duplicate_sync(actor_of_user(user), sync, environment="staging", destination_config=SHOP_STAGING)
    assert signed_in(world, Role.VIEWER).post(at(sync)).status_code == 302
    assert not SyncDraft.objects.exists()


def test_over_the_api_and_in_a_terminal(world: World, api: Api, sync: SecretSync) -> None:
    body: dict[str, Any] = {"environment": "staging", "destinationConfig": SHOP_STAGING}
    status, answer = api("POST", f"{SYNCS}/{sync.pk}/duplicate", body)
    assert (status, answer["secretSync"]["isAutoSyncEnabled"]) == (200, False)
    assert answer["secretSync"]["destinationConfig"] == SHOP_STAGING
    assert api("POST", f"{SYNCS}/{sync.pk}/duplicate", {"environment": "staging"})[0] == 400
    code, text = call("duplicate", str(sync), "prod", "--config", "env=production", "--name", "live")
    assert (code, "shop-project/live: copied. Auto-sync is off" in text) == (0, True)
    assert SecretSync.objects.get(name="live").destination_config["env"] == "production"
    assert call("duplicate", str(sync), "prod", "--config", "nonsense")[0] == 1


# -- the wizard ------------------------------------------------------------------------------------------------


def at(sync: SecretSync) -> str:
    return reverse("admin:syncs_secretsync_duplicate", args=[sync.pk])


def test_the_wizard_opens_with_everything_filled_in(world: World, browser: Client, sync: SecretSync) -> None:
    started = browser.post(at(sync))
    draft = SyncDraft.objects.get()
    assert started["Location"] == reverse("admin:syncs_syncdraft_step", args=[draft.pk, "source"])
    source = browser.get(started["Location"]).context
    assert (source["environment"], source["folder"].path) == ("staging", "/")
    chosen = {"project": str(world.project.pk), "environment": "staging", "path": "/"}
    target = browser.post(started["Location"], chosen, follow=True)
    form = target.context["form"]
    assert (form["destinationConfig__app"].value(), form["destinationConfig__env"].value()) == ("shop", "development")
    typed = {name: form[name].value() for name in form.fields}
    options = browser.post(target.request["PATH_INFO"], {**typed, "destinationConfig__env": "staging"}, follow=True)
    form = options.context["form"]
    values = {name: form[name].value() for name in form.fields}
    assert (values["name"], values["auto"], values["syncOptions__keySchema"]) == (
        "shop-staging",
        False,
        "X_{{secretKey}}",
    )
    assert (values["policy__unmanaged"], values["policy__maxDeletions"], values["policy__exclude"]) == (
        "leave",
        "10",
        "B",
    )
    filled = {name: value for name, value in values.items() if value not in (None, False)}
    plan = browser.post(options.request["PATH_INFO"], filled, follow=True)
    digest = plan.context["plan"].digest
    assert [group["kind"] for group in plan.context["groups"]] == ["create"]
    assert SecretSync.objects.count() == 1
    browser.post(plan.request["PATH_INFO"], {"digest": digest})
    copy = SecretSync.objects.get(name="shop-staging")
    assert (copy.is_auto_sync_enabled, copy.destination_config) == (False, SHOP_STAGING)
    assert (copy.policy.exclude, copy.policy.windows, copy.policy.paused) == (["B"], sync.policy.windows, False)


def test_its_page_offers_to_duplicate(world: World, browser: Client) -> None:
    sync = world.sync(config=APPLICATION, is_auto_sync_enabled=False)
    page = browser.get(reverse("admin:syncs_secretsync_change", args=[sync.pk])).content.decode()
    assert f'action="{at(sync)}"' in page
