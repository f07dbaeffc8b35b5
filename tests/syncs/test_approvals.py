"""Decisions on held runs: comments, who may approve, the page of all that wait, and what is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.access.models import AuditEvent, Membership, Role, User
from config.access.roles import PLATFORM, Actor, actor_of_user
from config.errors import BadRequest, Forbidden, Invalid
from syncs.models import SecretSync, SyncRun
from syncs.services import approvals
from syncs.services.defaults import update_defaults
from syncs.services.kept import delete_kept
from syncs.services.secrets import delete_secrets, set_secrets
from syncs.services.syncs import SyncInput, propose, update_policy, update_sync
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.api.test_syncs import SYNCS
from tests.commands.test_commands import call
from tests.fixtures.api import Api, api_for
from tests.fixtures.notifications import Listener
from tests.fixtures.world import APPLICATION, ENVIRONMENT, World

INBOX = "/admin/syncs/syncrun/approvals/"


def person(world: World, name: str, role: Role = Role.MEMBER) -> Actor:
    user = User.objects.create_user(name, password="x", is_staff=True)
    Membership.objects.create(project=world.project, user=user, role=role)
    return actor_of_user(user)


def signed(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def synced(world: World, name: str = "shop-dev", **given: Any) -> SecretSync:
    """A sync that has written 12 keys and carries no change of anybody."""
    world.set(**{f"K{n:02}": "x" for n in range(12)})
    sync = world.sync(name, is_auto_sync_enabled=False, **given)
    assert world.run(sync).status == "succeeded"
    return sync


def held(world: World, sync: SecretSync, by: Actor) -> SyncRun:
    """The run that would delete 11 keys, which `by` has deleted."""
    delete_secrets(by, world.folder(), [f"K{n:02}" for n in range(11)])
    run = world.run(sync)
    assert run.status == "held"
    return run


def strict(world: World) -> None:
    update_defaults(world.actor, world.project, {}, other_approver=True)


def names(run: SyncRun) -> list[str]:
    return [name for _kind, _id, name in run.authors]


# -- comments --------------------------------------------------------------------------------------------------


def test_a_comment_is_kept_with_the_run_and_in_the_audit_log(world: World) -> None:
    sync = synced(world)
    run = held(world, sync, world.actor)
    dismissed = approvals.dismiss(world.actor, run, comment="  They are still used. ")
    assert dismissed.comment == "They are still used."
    event = AuditEvent.objects.filter(event="dismiss-run").latest("sequence")
    assert (event.metadata["comment"], event.metadata["sync"]) == ("They are still used.", str(sync.pk))
    update_policy(world.actor, syncs().get(pk=sync.pk), {"max_deletions": 9})  # another policy: held again
    again = world.run(sync)
    approvals.approve(world.actor, again, comment="Agreed with ops.")
    assert world.again(again).comment == "Agreed with ops."
    assert AuditEvent.objects.filter(event="approve-run", metadata__comment="Agreed with ops.").exists()
    world.due()
    assert (world.again(again).status, len(world.held())) == ("succeeded", 1)
    with pytest.raises(Invalid, match="at most 1024"):
        approvals.dismiss(world.actor, run, comment="x" * 1025)


def test_a_decision_is_about_what_was_shown(world: World) -> None:
    sync = synced(world)
    run = held(world, sync, world.actor)
    shown = run.digest
    world.unset("K11")
    world.run(sync)
    for decide in (approvals.approve, approvals.dismiss):
        with pytest.raises(BadRequest, match="the run lists other keys now"):
            decide(world.actor, world.again(run), digest=shown)
    assert world.again(run).status == "held"
    approvals.dismiss(world.actor, world.again(run), digest=world.again(run).digest)


def test_comments_over_the_api_and_in_a_terminal(world: World, api: Api) -> None:
    sync = synced(world)
    run = held(world, sync, world.actor)
    where = f"{SYNCS}/{sync.pk}/runs/{run.pk}"
    assert api("POST", f"{where}/dismiss", {"comment": "x" * 1025})[0] == 422
    status, answer = api("POST", f"{where}/dismiss", {"comment": "Not now."})
    assert (status, answer["run"]["status"], answer["run"]["comment"]) == (200, "dismissed", "Not now.")
    world.policy(sync, max_deletions=9)
    again = world.run(sync)
    where = f"{SYNCS}/{sync.pk}/runs/{again.pk}"
    status, answer = api("POST", f"{where}/approve", {"writesOnly": True, "comment": "Only the writes."})
    assert (status, answer["run"]["comment"]) == (200, "Only the writes.")
    world.due()
    last = world.run(sync)
    assert last.status == "held"
    assert call("hold", str(sync), "--dismiss", "--comment", "Kept, see ticket 7.")[0] == 0
    assert world.again(last).comment == "Kept, see ticket 7."


# -- somebody else approves ------------------------------------------------------------------------------------


def test_the_author_of_a_change_does_not_approve_it(world: World) -> None:
    grace, linus = person(world, "grace"), person(world, "linus")
    sync = synced(world)
    strict(world)
    run = held(world, sync, grace)
    assert names(run) == ["grace"]
    for writes_only in (True, False):
        with pytest.raises(Forbidden) as refused:
            approvals.approve(grace, run, writes_only=writes_only)
        assert str(refused.value) == (
            "The project Shop requires that a held run is approved by a person who did not make its changes (grace). "
            "Ask ada, linus."
        )
    assert not AuditEvent.objects.filter(event="approve-run").exists()
    approvals.approve(linus, run)
    world.due()
    assert (world.again(run).status, len(world.held())) == ("succeeded", 1)


def test_the_author_may_dismiss(world: World) -> None:
    grace = person(world, "grace")
    sync = synced(world)
    strict(world)
    assert approvals.dismiss(grace, held(world, sync, grace)).status == "dismissed"


def test_kept_keys_are_deleted_by_somebody_else_too(world: World) -> None:
    grace, linus = person(world, "grace"), person(world, "linus")
    sync = synced(world)
    strict(world)
    approvals.dismiss(grace, held(world, sync, grace))
    world.run(sync)
    with pytest.raises(Forbidden, match=r"\(grace\). Ask ada, linus"):
        delete_kept(grace, syncs().get(pk=sync.pk))
    with pytest.raises(Forbidden):
        delete_kept(PLATFORM, syncs().get(pk=sync.pk))
    delete_kept(linus, syncs().get(pk=sync.pk))
    world.due()
    assert len(world.held()) == 1


def test_no_machine_and_no_terminal_approves(world: World, api: Api) -> None:
    sync = synced(world)
    strict(world)
    run = held(world, sync, person(world, "grace"))
    status, answer = api("POST", f"{SYNCS}/{sync.pk}/runs/{run.pk}/approve", {})
    assert (status, "approved by a person who did not make its changes (grace)" in answer["message"]) == (403, True)
    code, text = call("hold", str(sync), "--approve")
    assert (code, "Ask ada." in text) == (1, True)
    with pytest.raises(Forbidden):
        approvals.approve(PLATFORM, run)
    assert call("hold", str(sync), "--dismiss")[0] == 0


def test_where_everybody_is_an_author_it_says_what_to_do(world: World) -> None:
    sync = synced(world)
    strict(world)
    run = held(world, sync, world.actor)
    with pytest.raises(Forbidden, match="Nobody else in it may approve: add a member, or let an admin"):
        approvals.approve(world.actor, run)


def test_every_author_since_the_last_complete_run_counts(world: World) -> None:
    grace, linus, mary = (person(world, name, Role.ADMIN) for name in ("grace", "linus", "mary"))
    sync = synced(world)
    strict(world)
    set_secrets(linus, world.folder(), [SecretInput("NEW", "1")])
    run = held(world, sync, grace)
    assert names(run) == ["linus", "grace"]
    update_policy(mary, syncs().get(pk=sync.pk), {"max_deletions": 8})
    refreshed = world.run(sync)
    assert refreshed.status == "superseded"
    run = world.again(run)
    assert names(run) == ["linus", "grace", "mary"]
    for author in (grace, linus, mary):
        with pytest.raises(Forbidden, match=r"\(linus, grace, mary\). Ask ada"):
            approvals.approve(author, run)
    update_sync(world.actor, syncs().get(pk=sync.pk), SyncInput(description="x"))
    with pytest.raises(Forbidden):  # not shown yet, and counts already
        approvals.approve(world.actor, run)


def test_authors_are_forgotten_once_their_changes_have_arrived(world: World) -> None:
    grace, linus = person(world, "grace"), person(world, "linus")
    sync = synced(world)
    set_secrets(grace, world.folder(), [SecretInput("NEW", "1")])
    changed_by = SecretSync.objects.values_list("changed_by", flat=True)
    assert [name for _, _, name in changed_by.get(pk=sync.pk)] == ["grace"]
    world.run(sync)
    assert changed_by.get(pk=sync.pk) == []
    strict(world)
    run = held(world, sync, linus)
    assert names(run) == ["linus"]
    approvals.approve(grace, run, writes_only=True)
    world.due()
    assert world.again(run).status == "succeeded"
    again = world.run(sync)  # the deletes are still linus's
    assert (again.status, names(again)) == ("held", ["linus"])


def test_a_pause_or_a_decision_makes_no_author(world: World) -> None:
    grace, linus = person(world, "grace"), person(world, "linus")
    sync = synced(world)
    strict(world)
    run = held(world, sync, linus)
    for paused in (True, False):
        update_policy(grace, syncs().get(pk=sync.pk), {"paused": paused})
    approvals.dismiss(grace, run)
    assert [name for _, _, name in SecretSync.objects.get(pk=sync.pk).changed_by] == ["linus"]


def test_the_first_run_carries_the_changes_of_whoever_created_the_sync(world: World) -> None:
    grace = person(world, "grace")
    for number in range(12):
        world.sandbox.put(("acme", "shop", ""), f"F{number:02}", "x")
    strict(world)
    sync = world.sync(is_auto_sync_enabled=False)
    run = world.run(sync)
    assert (run.status, names(run)) == ("held", ["ada"])
    with pytest.raises(Forbidden):
        approvals.approve(world.actor, run)
    approvals.approve(grace, run)


def test_a_confirmed_retarget_is_held_for_somebody_else(world: World) -> None:
    grace = person(world, "grace")
    sync = synced(world)
    strict(world)
    world.sandbox.put(("acme", "shop", "development"), "FOREIGN", "x")
    change = SyncInput(destination_config=ENVIRONMENT)
    digest = propose(world.actor, syncs().get(pk=sync.pk), change).digest
    update_sync(world.actor, syncs().get(pk=sync.pk), change, digest=digest)
    run = world.run(sync)
    assert (run.status, names(run)) == ("held", ["ada"])
    with pytest.raises(Forbidden):
        approvals.approve(world.actor, run)
    approvals.approve(grace, run)
    world.due()
    assert "FOREIGN" not in world.held(("acme", "shop", "development"))


def test_the_rule_is_set_by_admins_and_audited(world: World) -> None:
    where = f"/v1/projects/{world.project.pk}/sync-policy-defaults"
    assert api_for("member", world)("PATCH", where, {"otherApprover": True})[0] == 403
    status, answer = api_for("admin", world)("PATCH", where, {"otherApprover": True})
    assert (status, answer["syncPolicyDefaults"]["otherApprover"]) == (200, True)
    event = AuditEvent.objects.filter(event="update-sync-policy-defaults").latest("sequence")
    assert event.metadata["changed"] == ["other_approver"]
    page = signed("ada").get(reverse("admin:access_project_change", args=[world.project.pk]))
    assert page.context["adminform"].form["other_approver"].value() is True


# -- the page --------------------------------------------------------------------------------------------------


def test_the_page_lists_what_a_person_may_decide_on(world: World) -> None:
    grace = person(world, "grace")
    person(world, "vera", Role.VIEWER)
    User.objects.create_user("stranger", password="x", is_staff=True)
    strict(world)
    sync = synced(world)
    run = held(world, sync, grace)
    own, other, viewer, stranger = (signed(name) for name in ("grace", "ada", "vera", "stranger"))
    mine = own.get(INBOX)
    assert [row["run"].pk for row in mine.context["rows"]] == [run.pk]
    assert "Ask ada." in mine.content.decode()
    assert "Approve the" not in mine.content.decode()
    page = other.get(INBOX).content.decode()
    assert "Approve the 11 listed deletes" in page
    assert "changed by grace" in page
    assert "K00, K01" in page
    for client in (viewer, stranger):
        assert client.get(INBOX).context["rows"] == []
        assert INBOX not in client.get("/admin/").content.decode()


def test_the_navigation_counts_them(world: World) -> None:
    def count(client: Client) -> int:
        groups = client.get("/admin/").context["sidebar_navigation"]
        items = [item for group in groups for item in group["items"] if item["link"] == INBOX]
        return int(items[0].get("badge", 0))

    sync = synced(world)
    ada = signed("ada")
    assert count(ada) == 0
    run = held(world, sync, world.actor)
    assert count(ada) == 1
    approvals.dismiss(world.actor, run)
    assert count(ada) == 0


def test_a_decision_on_the_page(world: World) -> None:
    sync = synced(world)
    run = held(world, sync, world.actor)
    ada = signed("ada")
    at = reverse("admin:syncs_syncrun_approve", args=[run.pk])
    stale = ada.post(at, {"dismiss": "1", "digest": "another", "back": INBOX}, follow=True)
    assert "lists other keys now" in stale.content.decode()
    given = {"dismiss": "1", "digest": run.digest, "comment": "Still used", "back": INBOX}
    done = ada.post(at, given)
    assert done["Location"] == INBOX
    assert world.again(run).comment == "Still used"
    page = ada.get(reverse("admin:syncs_syncrun_change", args=[run.pk])).content.decode()
    assert "Comment of the decision:</strong> Still used" in page
    away = ada.post(at, {**given, "back": "https://example.com/"})
    assert away["Location"] == reverse("admin:syncs_syncrun_change", args=[run.pk])


def test_the_page_takes_a_fixed_number_of_queries(world: World) -> None:
    ada = signed("ada")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert ada.get(INBOX).status_code == 200
        return len(captured)

    strict(world)
    first = synced(world)
    held(world, first, world.actor)
    ada.get(INBOX)
    one = queries()
    world.set(**{f"K{n:02}": "x" for n in range(11)})
    made = [world.sync(f"s{n}", {**APPLICATION, "app": f"a{n}"}, is_auto_sync_enabled=False) for n in range(3)]
    for sync in made:
        world.run(sync)
    delete_secrets(world.actor, world.folder(), [f"K{n:02}" for n in range(11)])
    for sync in made:
        world.run(sync)
    assert SyncRun.objects.filter(status="held").count() == 4
    assert queries() == one


@pytest.mark.usefixtures("target")
def test_a_notification_links_to_the_page(world: World, listener: Listener) -> None:
    held(world, synced(world), world.actor)
    listener.states_sent()
    assert listener.got[-1]["message"].endswith(f"All held runs: {INBOX}")
