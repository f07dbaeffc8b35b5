"""Settings of a project for its syncs: the policy of new ones, and whether they may overlap."""

from __future__ import annotations

from typing import Any

import pytest

from config.access.models import AuditEvent, User
from config.access.roles import actor_of_user
from config.errors import BadRequest, PermissionDenied
from syncs.models import SecretSync
from syncs.services.defaults import update_defaults
from syncs.services.folders import create_project, ensure_folder
from syncs.services.syncs import SyncInput, update_policy, update_sync
from syncs.source.selectors import defaults_of, syncs
from tests.api.test_syncs import SYNCS, body
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import APPLICATION, ENVIRONMENT, World


def fresh(sync: SecretSync) -> SecretSync:
    return syncs().get(pk=sync.pk)


def test_new_syncs_start_with_the_projects_policy(world: World, api: Api) -> None:
    where = f"/v1/projects/{world.project.pk}/sync-policy-defaults"
    plain = {
        "unmanaged": "overwrite-initially", "maxDeletions": 10, "include": [], "exclude": [], "tags": [],
        "recursive": False, "driftCheckMinutes": 0, "heal": False, "paused": False, "maxConcurrency": None,
        "pacePercent": None, "whileHeld": "nothing", "refuseOverlaps": False,
        "otherApprover": False, "windows": [],
    }  # fmt: skip
    assert api("GET", where) == (200, {"syncPolicyDefaults": plain})
    old = world.sync("old", is_auto_sync_enabled=False)
    given = {"unmanaged": "leave", "maxDeletions": None, "exclude": ["*_LOCAL"], "driftCheckMinutes": 15}
    assert api("PATCH", where, given) == (200, {"syncPolicyDefaults": {**plain, **given}})
    assert api("PATCH", where, {"heal": True})[1]["syncPolicyDefaults"] == {**plain, **given, "heal": True}
    status, answer = api("POST", SYNCS, body(world, name="new"))
    assert status == 200
    policy = api("GET", f"{SYNCS}/{answer['secretSync']['id']}/policy")[1]["policy"]
    own = {"destination": {}, "afterWrites": "off"}  # of one destination, so a project has no default of them
    assert {**policy, "refuseOverlaps": False, "otherApprover": False} == {**plain, **given, "heal": True, **own}
    assert fresh(old).policy.unmanaged == "overwrite-initially"
    event = AuditEvent.objects.filter(event="update-sync-policy-defaults").first()
    assert event
    assert event.metadata["changed"] == ["heal"]


def test_the_plan_of_a_draft_applies_them(world: World) -> None:
    world.sandbox.put(("acme", "shop", ""), "FOREIGN", "x")
    world.set(A="1", B_LOCAL="2")
    update_defaults(world.actor, world.project, {"unmanaged": "leave", "exclude": ["*_LOCAL"]})
    status, answer = api_for("member", world)("POST", f"{SYNCS}/plan", body(world))
    assert status == 200
    assert {one["key"]: one["action"] for one in answer["plan"]["changes"]} == {"A": "create", "FOREIGN": "keep"}


def test_a_member_may_view_and_an_admin_may_change(world: World) -> None:
    where = f"/v1/projects/{world.project.pk}/sync-policy-defaults"
    member = api_for("member", world)
    assert member("GET", where)[0] == 200
    assert member("PATCH", where, {"heal": True})[0] == 403
    with pytest.raises(PermissionDenied):
        update_defaults(actor_of_user(User.objects.create_user("eve")), world.project, {"heal": True})
    assert member("PATCH", where, {"heal": "yes"})[0] == 422
    assert api_for("admin", world)("PATCH", where, {"heel": True})[0] == 422


@pytest.fixture
def strict(world: World) -> World:
    """The world, in a project that refuses overlaps, with one sync of A and B."""
    update_defaults(world.actor, world.project, {}, refuse_overlaps=True)
    world.set(A="1", B="2")
    world.sync("one", is_auto_sync_enabled=False)
    return world


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "A secret sync with this destination already exists in project {project}. The sync one writes the same"),
        ({"config": ENVIRONMENT}, "The sync one writes the same keys: A, B. This project refuses"),
        ({"schema": "{{secretKey}}"}, "The sync one writes the same keys: A, B."),
        ({"schema": "X_{{secretKey}}"}, ""),
        ({"config": {**APPLICATION, "app": "other"}}, ""),
    ],
)
def test_a_sync_that_overlaps_is_refused(strict: World, given: Any, said: str) -> None:
    options = {"initialSyncBehavior": "overwrite-destination", "keySchema": given.get("schema", "")}

    def make() -> SecretSync:
        return strict.sync("two", given.get("config"), sync_options=options, is_auto_sync_enabled=False)

    if not said:
        make()
        return
    with pytest.raises(BadRequest) as refused:
        make()
    assert said.format(project=strict.project.pk) in str(refused.value)
    assert SecretSync.objects.count() == 1


def test_over_the_api_and_only_if_the_project_enables_it(strict: World, api: Api) -> None:
    status, answer = api("POST", SYNCS, body(strict, name="two"))
    assert (status, "The sync one writes the same keys: A, B" in answer["message"]) == (400, True)
    where = f"/v1/projects/{strict.project.pk}/sync-policy-defaults"
    assert api("PATCH", where, {"refuseOverlaps": False})[0] == 200
    assert not defaults_of(strict.project).refuse_overlaps
    assert api("POST", SYNCS, body(strict, name="two"))[0] == 200


def test_a_sync_of_another_project_is_not_shown(strict: World) -> None:
    other = create_project(strict.actor, "Other", slug="other-project")
    theirs = World(actor_of_user(User.objects.get(username="ada")), other, strict.connection, strict.sandbox)
    theirs.set(A="2")
    ours = SecretSync.objects.get(name="one")
    theirs.sync("theirs", is_auto_sync_enabled=False)
    SecretSync.objects.filter(pk=ours.pk).delete()
    status, answer = api_for("member", strict)("POST", SYNCS, body(strict, name="two"))
    assert status == 400
    assert answer["message"] == (
        "A secret sync with this destination already exists in another project in your organization. "
        "A sync of another project writes the same key: A. This project refuses syncs that overlap."
    )
    assert str(other.pk) not in str(answer)


def test_a_change_that_makes_an_overlap_is_refused_and_no_other(strict: World) -> None:
    ensure_folder(strict.actor, strict.environment(), "/api")
    strict.set("/api", B="3", C="4")
    update_defaults(strict.actor, strict.project, {}, refuse_overlaps=False)
    two = strict.sync("two", secret_path="/api", is_auto_sync_enabled=False)  # shares B from before
    update_defaults(strict.actor, strict.project, {}, refuse_overlaps=True)
    assert update_sync(strict.actor, fresh(two), SyncInput(name="renamed")).name == "renamed"
    with pytest.raises(BadRequest, match=r"already exists\. The sync one writes the same key: A\. This project"):
        update_sync(strict.actor, fresh(two), SyncInput(environment="dev", secret_path="/"))
    assert fresh(two).folder == strict.folder("/api")
    update_policy(strict.actor, fresh(two), {"exclude": ["B"]})
    with pytest.raises(BadRequest, match="The sync one writes the same key: B"):
        update_policy(strict.actor, fresh(two), {"exclude": []})
    assert fresh(two).policy.exclude == ["B"]
    update_policy(strict.actor, fresh(two), {"heal": True})
