"""Members of the policy that a destination declares: checked, stored, shown, and passed to the adapter."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from config.access.models import User
from config.errors import BadRequest, Invalid
from config.schemas.json_schema import public
from syncs.admin.policy import changed_policy, policy_fields
from syncs.destination.base import destinations
from syncs.models import SecretSync
from syncs.services.defaults import update_defaults
from syncs.services.policy import policy_as_json, policy_of, policy_schema
from syncs.services.syncs import SyncInput, create_sync, draft_sync, update_sync
from syncs.source.selectors import syncs
from tests.api.test_syncs import SYNCS
from tests.contract.bases import Batches
from tests.fixtures.api import Api
from tests.fixtures.contract import Case
from tests.fixtures.world import World


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def test_the_adapter_gets_the_members(batches: Case) -> None:
    sync = batches.sync()
    with batches.opened(fresh(sync)) as destination:
        assert (destination.policy.label, destination.policy.strict) == ("", None)
    batches.policy(sync, destination={"label": "x", "strict": True})
    with batches.opened(fresh(sync)) as destination:
        assert (destination.policy.label, destination.policy.strict) == ("x", True)


def test_a_change_that_writes_send_rewrites_own_keys(batches: Case) -> None:
    batches.set(A="1")
    sync = batches.sync()
    batches.run(sync)
    batches.policy(sync, destination={"label": "x"})
    assert batches.run(sync).counts["update"] == 1
    assert batches.run(sync).counts.get("update", 0) == 0


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"label": 1}, ["destination", "label"]),
        ({"label": "far too long"}, ["destination", "label"]),
        ({"labels": "x"}, ["destination"]),
        (["label"], ["destination"]),
    ],
)
def test_wrong_members_are_refused_and_nothing_is_stored(batches: Case, given: Any, path: list[str]) -> None:
    sync = batches.sync()
    with pytest.raises(Invalid) as refused:
        batches.policy(sync, destination=given)
    assert refused.value.issues[0]["path"] == path
    assert fresh(sync).policy.destination == {}


def test_a_change_replaces_the_object(batches: Case) -> None:
    sync = batches.sync()
    batches.policy(sync, destination={"label": "x", "strict": True})
    batches.policy(sync, heal=True)
    assert fresh(sync).policy.destination == {"label": "x", "strict": True}
    batches.policy(sync, destination={"strict": False})
    assert policy_as_json(fresh(sync).policy, Batches)["destination"] == {"label": "", "strict": False}


def test_a_project_has_no_default_of_them(world: World) -> None:
    with pytest.raises(Invalid):
        update_defaults(world.actor, world.project, {"destination": {}})


def test_they_are_described_for_each_destination() -> None:
    shape = public(policy_schema(policy_of(Batches)))["properties"]["destination"]
    assert list(shape["properties"]) == ["label", "strict"]
    assert shape["additionalProperties"] is False


def test_the_form_has_them_and_returns_what_differs(batches: Case) -> None:
    policy = fresh(batches.sync()).policy
    policy.destination = {"label": "x"}
    fields = policy_fields(policy, Batches)
    assert fields["policy__destination__label"].initial == "x"
    same = {name: field.initial for name, field in fields.items()}
    assert changed_policy(policy, {**same, "policy__destination__label": "x"}, Batches).get("heal") is None
    changed = changed_policy(policy, {**same, "policy__destination__label": "y"}, Batches)
    assert changed["destination"]["label"] == "y"
    blank = changed_policy(policy, {**same, "policy__destination__label": ""}, Batches)
    assert blank["destination"].get("label", "") == ""


def test_the_settings_store_them(batches: Case, client: Client) -> None:
    sync = batches.sync()
    client.force_login(User.objects.get(username="ada"))
    page = f"/admin/syncs/secretsync/{sync.pk}/change/?settings"
    form = client.get(page).context["adminform"].form
    data = {name: "" if form[name].value() is None else form[name].value() for name in form.fields}
    data = {name: value for name, value in data.items() if value is not False}
    shown = client.post(page, {**data, "policy__destination__label": "x"})
    answer = client.post(page, {**data, "policy__destination__label": "x", "digest": shown.context["digest"]})
    assert answer.status_code == 302, answer.context
    assert fresh(sync).policy.destination["label"] == "x"
    refused = client.post(page, {**data, "policy__destination__label": "far too long"})
    assert list(refused.context["adminform"].form.errors) == ["policy__destination__label"]


@pytest.mark.parametrize("given", ["restart", "", 1])
def test_only_a_known_action_can_be_switched_on(batches: Case, given: Any) -> None:
    sync = batches.sync()
    with pytest.raises(Invalid) as refused:
        batches.policy(sync, after_writes=given)
    assert refused.value.issues[0]["path"] == ["afterWrites"]
    batches.policy(sync, after_writes="deploy")
    assert policy_as_json(fresh(sync).policy, Batches)["afterWrites"] == "deploy"


def test_a_destination_without_an_action_says_so(batches: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batches, "after_writes", ())
    policy_of.cache_clear()
    sync = batches.sync()
    assert "policy__afterWrites" not in policy_fields(fresh(sync).policy, Batches)
    with pytest.raises(Invalid) as refused:
        batches.policy(sync, after_writes="deploy")
    policy_of.cache_clear()
    expected = "Batches has no action deploy after writes: afterWrites can only be off"
    assert refused.value.issues[0]["message"] == expected


def test_a_destination_without_members_takes_none(api: Api, world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    assert api("GET", f"{SYNCS}/{sync.pk}/policy")[1]["policy"]["destination"] == {}
    assert api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"destination": {}})[0] == 200
    status, answer = api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"destination": {"label": "x"}})
    assert (status, answer["message"][0]["code"]) == (422, "unrecognized_keys")
    for wrong in (4, [], "", False):
        status, answer = api("PATCH", f"{SYNCS}/{sync.pk}/policy", {"destination": wrong})
        assert (status, answer["message"][0]["path"]) == (422, ["destination"])


def test_no_member_is_required() -> None:
    for found in destinations:
        assert found.Policy.parse({}).stored() == found.Policy.restored({}).stored()


def test_rules_that_join_config_options_and_policy_are_asked_by_every_change(batches: Case) -> None:
    sync = batches.sync(tags=["loose"])
    with pytest.raises(BadRequest, match="strict"):
        batches.policy(sync, destination={"strict": True})
    behavior = {"initialSyncBehavior": "overwrite-destination"}
    update_sync(batches.actor, fresh(sync), SyncInput(sync_options={**behavior, "tags": ["tight"]}))
    batches.policy(sync, destination={"strict": True})
    with pytest.raises(BadRequest, match="strict"):
        update_sync(batches.actor, fresh(sync), SyncInput(sync_options={**behavior, "tags": ["loose"]}))
    batches.policy(sync, after_writes="deploy")
    with pytest.raises(BadRequest, match="undeployed"):
        update_sync(batches.actor, fresh(sync), SyncInput(destination_config={"location": "undeployed"}))
    given = SyncInput(
        name="another",
        connection_id=batches.connection.pk,
        environment="dev",
        secret_path="/",
        sync_options={**behavior, "tags": ["loose"]},
        destination_config={"location": "elsewhere"},
    )
    for save in (draft_sync, create_sync):
        with pytest.raises(BadRequest, match="strict"):
            save(batches.actor, batches.project, "batches", given, {"destination": {"strict": True}})
