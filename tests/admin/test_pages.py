"""The pages of the admin for daily work: what they show to whom, and the number of queries."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.access.identities import create_identity
from config.access.models import AuditEvent, ClientSecret, Identity, Membership, Project, Role, User
from config.access.roles import PLATFORM, actor_of_user
from config.access.services import pause_everything
from config.ui.markup import relative, took
from connections.models import AppConnection
from connections.provider import Rights
from connections.services import pause_connection
from syncs.history.states import counted, urgent
from syncs.models import DriftCheck, RunChange, Secret, SecretSync, SyncRun
from syncs.services.folders import create_project
from tests.admin.test_admin import url
from tests.fixtures.admin import signed_in
from tests.fixtures.world import APPLICATION, TOKEN, World


def failing(world: World, name: str = "shop-dev") -> SecretSync:
    """A sync with one key that arrived, and one that a plain value bars."""
    world.sandbox.put(("acme", "shop", ""), "PLAIN", "x", is_secret=False)
    world.set(GOOD="1", PLAIN="2")
    sync = world.sync(name)
    world.run(sync)
    return sync


def ended(sync: SecretSync) -> SyncRun:
    """Its run that failed; the automatic one gave way to it."""
    return SyncRun.objects.get(sync=sync, status="failed")


def held(world: World) -> tuple[SecretSync, SyncRun]:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    world.unset("A", "B", "C")
    return sync, world.run(sync)


def copies(sync: SecretSync, number: int) -> None:
    """Many syncs like one, with a policy and a run each."""
    sync = SecretSync.objects.select_related("policy").get(pk=sync.pk)
    for n in range(number):
        policy = sync.policy
        sync.pk, sync.name = uuid.uuid4(), f"copy-{n}"
        sync.save(force_insert=True)
        policy.pk = sync.pk
        policy.save(force_insert=True)
        SyncRun.objects.create(sync=sync, operation="sync", trigger="change", status="failed")
        DriftCheck.objects.create(sync=sync, status="drifted", checked_at=timezone.now())


def queries(client: Client, page: str) -> int:
    client.get(page)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(page).status_code == 200
    return len(asked)


def test_an_empty_installation_shows_the_first_steps(world: World, browser: Client) -> None:
    page = browser.get("/admin/").content.decode()
    assert "First steps" in page
    assert "Add secrets" in page
    world.set(A="1")
    world.run(world.sync())
    assert "First steps" not in browser.get("/admin/").content.decode()


def test_the_overview_links_to_failing_syncs(world: World, browser: Client) -> None:
    sync = failing(world)
    page = browser.get("/admin/").content.decode()
    assert "1 key blocked: PLAIN" in page
    assert url(SyncRun, "change", ended(sync).pk) in page
    assert url(SecretSync, "run", sync.pk, "sync") in page
    assert "No task worker is running" in page


def test_held_runs_are_listed_before_failing_syncs(world: World, browser: Client) -> None:
    _, run = held(world)
    failing(world, "a-failing-one")
    actor = actor_of_user(User.objects.get(username="ada"))
    assert [sync.state for sync in urgent(actor, 8)] == ["held", "incomplete"]
    counts = counted(actor)
    assert {state.value: n for state, n in counts.items() if n} == {"held": 1, "incomplete": 1}
    page = browser.get("/admin/").content.decode()
    assert url(SyncRun, "change", run.pk) in page
    assert "Approve or dismiss it at" not in page


def test_the_overview_needs_a_fixed_number_of_queries(world: World, browser: Client) -> None:
    sync = failing(world)
    few = queries(browser, "/admin/")
    copies(sync, 12)
    assert queries(browser, "/admin/") <= few
    assert few <= 18


def test_charts_are_tables_too(world: World, browser: Client) -> None:
    failing(world)
    page = browser.get("/admin/").content.decode()
    table = re.sub(r"<[^>]+>|\s+", " ", page.partition("As a table")[2].partition("</table>")[0])
    assert len(re.findall(r"UTC", table)) == 24
    assert re.search(r"succeeded\s+failed\s+held", table)


def test_the_page_of_a_sync_shows_source_target_and_status(world: World, browser: Client) -> None:
    sync = failing(world)
    page = browser.get(url(SecretSync, "change", sync.pk)).content.decode()
    for said in ("Incomplete", "Shop / Development", "acme / shop", "2 secrets", "owns 1 key", "not scheduled"):
        assert said in page, said
    assert "A run with more than 10 deletes waits for approval." in page
    assert 'name="name"' not in page
    assert 'name="name"' in browser.get(url(SecretSync, "change", sync.pk) + "?settings").content.decode()


def test_a_sync_is_paused_and_resumed(world: World, browser: Client) -> None:
    sync = failing(world)
    assert 'name="reason"' in browser.get(url(SecretSync, "change", sync.pk)).content.decode()
    browser.post(url(SecretSync, "pause", sync.pk), {"reason": " audit "})
    policy = SecretSync.objects.select_related("policy").get(pk=sync.pk).policy
    assert (policy.paused, policy.pause_reason) == (True, "audit")
    assert ">Resume</button>" in browser.get(url(SecretSync, "change", sync.pk)).content.decode()
    browser.post(url(SecretSync, "pause", sync.pk), {"resume": "1"})
    assert not SecretSync.objects.select_related("policy").get(pk=sync.pk).policy.paused
    viewer = signed_in(world, Role.VIEWER)
    viewer.post(url(SecretSync, "pause", sync.pk))
    assert not SecretSync.objects.select_related("policy").get(pk=sync.pk).policy.paused


def test_drift_is_checked_on_the_page_of_a_sync(world: World, browser: Client) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    world.sandbox.put(("acme", "shop", ""), "A", "by hand")
    answer = browser.post(url(SecretSync, "drift", sync.pk), follow=True).content.decode()
    assert "Drifted" in answer
    assert "by hand" not in answer.replace("by hand<", "")
    assert "1" in browser.get("/admin/").content.decode()


def test_a_run_lists_failures_first_with_remedies(world: World, browser: Client) -> None:
    run = ended(failing(world))
    page = browser.get(url(SyncRun, "change", run.pk)).content.decode()
    assert page.index("PLAIN") < page.index("GOOD")
    assert "Delete the plain value at the destination, or rename the secret." in page
    only = browser.get(url(SyncRun, "change", run.pk) + "?outcome=applied").content.decode()
    assert "GOOD" in only.partition("<tbody>")[2]
    assert "PLAIN</" not in only.partition("<tbody>")[2]
    found = browser.get(url(SyncRun, "change", run.pk) + "?q=goo").content.decode()
    assert ("GOOD" in found.partition("<tbody>")[2], "PLAIN<" in found.partition("<tbody>")[2]) == (True, False)


def test_a_run_of_ten_thousand_keys_is_paged(world: World, browser: Client) -> None:
    sync = world.sync()
    run = SyncRun.objects.create(sync=sync, operation="sync", trigger="change", status="succeeded")
    RunChange.objects.bulk_create(
        RunChange(run=run, key=f"K{n}", normalized_key=f"K{n}", action="create", outcome="applied")
        for n in range(10_000)
    )
    page = url(SyncRun, "change", run.pk)
    shown = browser.get(page + "?outcome=applied").content.decode()
    assert "Page 1 of 100" in shown
    assert "?outcome=applied&amp;page=2" in shown
    assert len(shown) < 400_000
    assert queries(browser, page) <= 14


def test_the_page_of_a_run_refreshes_until_it_has_ended(world: World, browser: Client) -> None:
    sync = world.sync()
    run = SyncRun.objects.create(
        sync=sync, operation="sync", trigger="manual", status="running", counts={"create": 4}, started_at=timezone.now()
    )
    RunChange.objects.create(run=run, key="A", normalized_key="A", action="create", outcome="applied")
    live = url(SyncRun, "live", run.pk)
    assert f'hx-get="{live}"' in browser.get(url(SyncRun, "change", run.pk)).content.decode()
    part = browser.get(live).content.decode()
    assert "1 of 4 keys written" in part
    assert "<html" not in part
    SyncRun.objects.update(status="succeeded")
    assert "hx-get" not in browser.get(live).content.decode()
    stranger = signed_in(world, None)
    assert stranger.get(live).status_code == 404


def test_why_a_key_is_there(world: World, browser: Client) -> None:
    sync = failing(world)
    page = browser.get(url(SecretSync, "why", sync.pk) + "?key=GOOD").content.decode()
    for said in ("owned by shop-dev", "the sync&#x27;s folder", "1 / 1"):
        assert said in page, said
    assert "ELSE&#x27; is unknown" in browser.get(url(SecretSync, "why", sync.pk) + "?key=ELSE").content.decode()
    assert signed_in(world, None).get(url(SecretSync, "why", sync.pk) + "?key=GOOD").status_code == 302


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=incomplete", ["shop-dev"]),
        ("?state=neverRan", ["resting"]),
        ("?drift=never", ["resting", "shop-dev"]),
        ("?environment=staging", ["resting"]),
        ("?destination=humanitec&q=rest", ["resting"]),
    ],
)
def test_syncs_are_found(world: World, browser: Client, query: str, found: list[str]) -> None:
    failing(world)
    world.sync("resting", {**APPLICATION, "app": "other"}, environment="staging", is_auto_sync_enabled=False)
    response = browser.get(url(SecretSync, "changelist") + query)
    assert [sync.name for sync in response.context["cl"].result_list] == found


def test_a_thousand_syncs_are_listed_in_thirteen_queries(world: World, browser: Client) -> None:
    sync = failing(world)
    copies(sync, 60)
    assert queries(browser, url(SecretSync, "changelist")) <= 13


def test_a_bulk_run_is_confirmed_after_a_preview(world: World, browser: Client) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    chosen = {"action": "sync_now", "_selected_action": [str(sync.pk)]}
    shown = browser.post(url(SecretSync, "changelist"), chosen)
    assert "Sync 1 now" in shown.content.decode()
    assert not SyncRun.objects.exists()
    brief = browser.get(url(SecretSync, "brief", sync.pk)).content.decode()
    assert "1 create" in brief
    done = browser.post(url(SecretSync, "changelist"), {**chosen, "confirmed": "1"}, follow=True)
    assert "shop-dev: queued." in done.content.decode()
    assert SyncRun.objects.count() == 1
    browser.post(url(SecretSync, "changelist"), {**chosen, "action": "pause", "confirmed": "1"})
    assert SecretSync.objects.select_related("policy").get().policy.paused


def test_names_of_other_projects_are_hidden(world: World, browser: Client) -> None:
    actor = actor_of_user(User.objects.get(username="ada"))
    create_project(actor, "Very Secret Plan", slug="very-secret")
    failing(world)
    member = signed_in(world, Role.MEMBER)
    Membership.objects.create(
        user=User.objects.get(username="person-member"),
        project=create_project(actor_of_user(User.objects.get(username="ada")), "Second", slug="second-one"),
        role=Role.ADMIN,
    )
    from django.contrib import admin

    for model in admin.site._registry:
        if model._meta.app_label in ("access", "connections", "syncs"):
            page = member.get(url(model, "changelist"))
            assert "Very Secret Plan" not in page.content.decode(), model
    assert "Very Secret Plan" in browser.get(url(Project, "changelist")).content.decode()


def test_a_viewer_sees_no_button_that_is_not_permitted(world: World) -> None:
    sync, run = held(world)
    viewer = signed_in(world, Role.VIEWER)
    for page in ("/admin/", url(SecretSync, "change", sync.pk), url(SyncRun, "change", run.pk)):
        shown = viewer.get(page).content.decode()
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', shown)
        assert [form for form in forms if "logout" not in form] == [], page
    assert 'name="_selected_action"' not in viewer.get(url(SecretSync, "changelist")).content.decode()


def test_relative_times_and_durations() -> None:
    now = timezone.now()
    assert relative(now - timedelta(seconds=20), now) == "just now"
    assert relative(now - timedelta(minutes=3, seconds=5), now).replace("\xa0", " ") == "3 minutes ago"
    assert relative(now + timedelta(hours=2, minutes=1), now).replace("\xa0", " ") == "in 2 hours"
    assert took(now, now + timedelta(milliseconds=340)) == "340 ms"
    assert took(now, now + timedelta(seconds=200)) == "3 min 20 s"
    assert took(now, None) == ""


def test_a_connection_shows_the_result_of_its_last_check(world: World, browser: Client) -> None:
    world.set(A="1")
    world.sync()
    page = url(AppConnection, "change", world.connection.pk)
    assert "Accepted" in browser.get(page).content.decode()
    world.sandbox.token = "another"
    told = browser.post(url(AppConnection, "check", world.connection.pk), follow=True).content.decode()
    assert "Failed to validate credentials: Humanitec: GET /orgs answered 403" in told
    assert "Rejected" in browser.get(url(AppConnection, "changelist")).content.decode()
    assert TOKEN not in told
    world.sandbox.token = TOKEN
    browser.post(url(AppConnection, "check", world.connection.pk))
    shown = browser.get(page).content.decode()
    assert "Accepted" in shown
    assert "shop-dev" in shown
    assert "missing:" not in shown


def test_a_connection_shows_the_rights_that_are_missing_and_those_not_needed(
    world: World, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rights = Rights(missing=("write <values>",), excess=("delete", "admin"))
    monkeypatch.setattr("connections.providers.humanitec.Humanitec.check", lambda self, client: rights)
    told = browser.post(url(AppConnection, "check", world.connection.pk), follow=True).content.decode()
    assert "humanitec-dev: missing rights: write &lt;values&gt;" in told
    assert re.search('data-tone="warn">missing: write &lt;values&gt;<', told)
    assert 'data-tone="calm">more than needed: delete<' in told
    assert 'data-tone="calm">more than needed: admin<' in told


def test_a_connection_is_paused_on_its_page(world: World, browser: Client) -> None:
    page = url(AppConnection, "change", world.connection.pk)
    browser.post(url(AppConnection, "pause", world.connection.pk), {"reason": "<audit>"})
    shown = browser.get(page).content.decode()
    assert "Paused by ada" in shown
    assert ": &lt;audit&gt;." in shown


def test_a_connection_shows_no_sync_of_another_project(world: World) -> None:
    world.sync()
    world.set(A="1")
    other = create_project(actor_of_user(User.objects.get(username="ada")), "Second", slug="second-one")
    member = User.objects.create_user("outsider", is_staff=True)
    Membership.objects.create(user=member, project=other, role=Role.MEMBER)
    client = Client()
    client.force_login(member)
    page = client.get(url(AppConnection, "change", world.connection.pk)).content.decode()
    assert "shop-dev" not in page
    assert "Check now" in page
    assert "Pause its syncs" not in page


def test_another_client_secret_is_shown_once(world: World, browser: Client) -> None:
    identity = create_identity(PLATFORM, "ci", role="member").identity
    chosen = {"action": "new_client_secret", "_selected_action": [str(identity.pk)]}
    answer = browser.post(url(Identity, "changelist"), chosen)
    found = re.search(r"\b[0-9a-f]{64}\b", answer.content.decode())
    assert found
    assert "no-store" in answer["Cache-Control"]
    assert found[0] not in browser.get(url(Identity, "changelist")).content.decode()


def test_the_audit_log_is_verified(world: World, browser: Client) -> None:
    world.set(A="1")
    chain = reverse("admin:access_auditevent_chain")
    assert "Intact" in browser.get(chain).content.decode()
    event = AuditEvent.objects.order_by("sequence").first()
    assert event
    AuditEvent.objects.filter(pk=event.pk).update(actor_name="somebody else")
    told = browser.get(chain).content.decode()
    assert "Broken" in told
    assert f"event {event.pk} was changed" in told
    project_admin = signed_in(world, Role.ADMIN)
    assert project_admin.get(chain).status_code == 404
    assert "Verify the log" not in project_admin.get(url(AuditEvent, "changelist")).content.decode()


def test_error_pages_explain_the_error(world: World, browser: Client) -> None:
    missing = browser.get("/nowhere")
    assert (missing.status_code, "Page not found" in missing.content.decode()) == (404, True)
    refused = signed_in(world, Role.VIEWER).get(url(Secret, "add"))
    assert (refused.status_code, "You do not have permission" in refused.content.decode()) == (403, True)
    strict = Client(enforce_csrf_checks=True)
    assert "The form has expired" in strict.post("/admin/login/", {}).content.decode()
    for name in ("400.html", "500.html"):  # rendered without a request or a database
        assert "To the overview" in render_to_string(name)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.VIEWER, None])
def test_the_sidebar_links_only_to_permitted_pages(world: World, role: Role | None) -> None:
    failing(world)
    client = signed_in(world, role)
    page = client.get("/admin/").content.decode()
    links = re.findall(r'href="([^"]+)"', page.partition('id="nav-sidebar-apps"')[2].partition("navigation_user")[0])
    own = {each for each in links if each.startswith("/admin/")}
    assert ("/admin/access/user/" in own, "/admin/syncs/lease/" in own) == (False, False)
    assert ("/admin/syncs/secretsync/" in own) is (role is not None)
    for each in own:
        assert client.get(each, follow=True).status_code == 200, each


def test_all_syncs_are_paused_from_the_overview(world: World, browser: Client) -> None:
    failing(world)
    stop = reverse("admin:access_instance_pause")
    assert stop in browser.get("/admin/").content.decode()
    told = browser.post(stop, follow=True).content.decode()
    assert "All syncs are paused." in told
    assert "By ada," in told
    page = url(SecretSync, "changelist")
    assert browser.post(stop, {"resume": "1", "next": page})["Location"] == page
    assert browser.post(stop, {"resume": "1", "next": "https://example.com/"})["Location"] == "/admin/"
    assert "By ada," not in browser.get("/admin/").content.decode()
    member = signed_in(world, Role.MEMBER)
    assert stop not in member.get("/admin/").content.decode()
    assert "Only an instance admin may" in member.post(stop, follow=True).content.decode()


def test_a_run_is_cancelled_on_its_page(world: World, browser: Client) -> None:
    world.set(A="1")
    world.sync()
    run = SyncRun.objects.get()
    page = url(SyncRun, "change", run.pk)
    assert "Cancel the run" in browser.get(page).content.decode()
    viewer = signed_in(world, Role.VIEWER)
    assert "Cancel the run" not in viewer.get(page).content.decode()
    viewer.post(url(SyncRun, "cancel", run.pk))
    assert world.again(run).status == "pending"
    told = browser.post(url(SyncRun, "cancel", run.pk), follow=True).content.decode()
    assert "Cancelled by ada, before it wrote anything." in told
    assert "Cancel the run" not in told


def test_every_page_says_that_all_syncs_are_paused(world: World, browser: Client) -> None:
    sync = failing(world)
    pause_everything(world.actor, paused=True, reason="<the vendor moves>")
    member = signed_in(world, Role.MEMBER)
    for page in (
        "/admin/",
        url(SecretSync, "changelist"),
        url(SecretSync, "change", sync.pk),
        url(SecretSync, "plan", sync.pk),
        url(SyncRun, "change", ended(sync).pk),
        url(Secret, "changelist"),
        url(SecretSync, "delete", sync.pk),
        reverse("admin:access_project_changelist"),
    ):
        for client, may_resume in ((browser, True), (member, False)):
            shown = client.get(page, follow=True).content.decode()
            assert shown.count("All syncs are paused.") == 1, page
            assert "By ada," in shown, page
            assert ": &lt;the vendor moves&gt;." in shown, page
            assert ("Resume all syncs" in shown) is may_resume, page


def test_a_sync_says_that_its_connection_is_paused_or_why_it_is(world: World, browser: Client) -> None:
    sync = failing(world)
    page = url(SecretSync, "change", sync.pk)
    pause_connection(world.actor, world.connection, paused=True, reason="<moves>")
    assert "The connection humanitec-dev is paused." in browser.get(page).content.decode()
    pause_connection(world.actor, world.connection, paused=False)
    told = browser.post(url(SecretSync, "run", sync.pk, "remove"), follow=True).content.decode()
    assert "The sync is paused until you resume or sync it" in told
    shown = browser.get(page).content.decode()
    assert "Paused, because its secrets were removed." in shown
    assert "By ada," in shown


def test_an_empty_list_has_an_explanation(world: World, browser: Client) -> None:
    page = url(SecretSync, "changelist")
    assert "No secret syncs yet" in browser.get(page).content.decode()
    assert "No results" in browser.get(page + "?q=zebra").content.decode()


def test_every_list_shows_relative_times(world: World, browser: Client) -> None:
    failing(world)
    create_identity(PLATFORM, "ci", role="member")
    page = browser.get(url(ClientSecret, "changelist")).content.decode()
    assert re.search(r'<time class="kf-when" datetime="[^"]+" title="[^"]+UTC">just now</time>', page)
    assert browser.get(url(ClientSecret, "changelist") + "?o=6").status_code == 200


def test_deleting_a_sync_explains_what_happens_to_its_keys(world: World, browser: Client) -> None:
    sync = failing(world)
    page = url(SecretSync, "delete", sync.pk)
    asked = browser.get(page).content.decode()
    assert "Its 1 key stays at the destination." in asked
    assert "Remove its keys first..." in asked
    member = signed_in(world, Role.MEMBER)
    assert "Remove its keys first..." not in member.get(page).content.decode()
    assert browser.post(page, {"post": "yes"}).status_code == 302
    assert not SecretSync.objects.exists()
    assert world.held()["GOOD"] == "1"


def test_a_project_lists_its_members_with_roles(world: World, browser: Client) -> None:
    viewer = signed_in(world, Role.VIEWER)
    page = url(Project, "change", world.project.pk)
    text = re.sub(r"<[^>]+>|\s+", " ", browser.get(page).content.decode().partition(">Members<")[2])
    assert re.search(r"Admin\s+ada\s+person.*Viewer\s+person-viewer\s+person", text)
    assert "Add a member" in text
    assert "Add a member" not in viewer.get(page).content.decode()


def test_a_run_says_why_it_exists_and_links_to_the_run_before(world: World, browser: Client) -> None:
    world.set(A="1")
    sync = world.sync()
    world.sandbox.fault = lambda method, path: (422, {}) if method != "GET" else None
    failed = world.due()[0]
    retry = SyncRun.objects.get(sync=sync, status="pending", trigger="retry")
    pages = [url(SyncRun, "change", run.pk) for run in (failed, retry)]
    shown = browser.get(pages[1]).content.decode()
    assert f'href="{pages[0]}">run {failed.pk} failed and is tried again</a>' in shown
    shown = browser.get(pages[0]).content.decode()
    assert "ada created the sync" in shown
    assert f'href="{pages[1]}">another try</a>' in shown
