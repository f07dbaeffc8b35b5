"""The admin with Django's test client: every page opens, every write goes through a service, no value is ever shown."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core import mail
from django.test import Client
from django.urls import reverse

from config.access.identities import create_identity
from config.access.models import AuditEvent, Identity, Instance, Membership, Project, Role, User
from config.access.roles import PLATFORM
from config.errors import BadRequest
from connections.models import AppConnection
from syncs.models import (
    Environment,
    Folder,
    ManagedSecret,
    Notice,
    NotificationTarget,
    Secret,
    SecretImport,
    SecretSync,
    SyncDefaults,
    SyncPolicy,
    SyncRun,
    Tag,
)
from syncs.notifications.targets import TargetInput, create_target
from syncs.services import folders, imports, secrets
from syncs.services.deletion import delete_sync
from syncs.source.selectors import comment_of, value_of
from syncs.source.validation import SecretInput
from tests.fixtures.admin import signed_in
from tests.fixtures.world import APPLICATION, TOKEN, World

MARKER = "mArKeR-77aa"
NO_INLINES = {"versions-TOTAL_FORMS": "0", "versions-INITIAL_FORMS": "0"}
MODELS = [model for model in admin.site._registry if model._meta.app_label in ("access", "connections", "syncs")]


def filled(world: World) -> SecretSync:
    """One of everything, with a marker wherever a value goes."""
    world.set(A=MARKER, B="2")
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", comment="what it is for", tags=["db"])])
    folders.ensure_folder(world.actor, world.environment("staging"), "/api")
    imports.add_import(world.actor, world.folder("/api", "staging"), world.environment(), "/")
    sync = world.sync()
    world.run(sync)
    target = create_target(world.actor, world.project, TargetInput("ops", "json://192.0.2.1/tOkEn"))
    Notice.objects.create(target=target, sync=sync, state="failed", title="shop-dev failed", text="1 key failed: A")
    return sync


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def errors(response: Any) -> str:
    """What the page says is wrong."""
    return " ".join(response.context["adminform"].form.errors.as_text().split())


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.VIEWER, None, "instance"])
def test_every_page_opens_and_shows_no_value(world: World, browser: Client, role: Any) -> None:
    filled(world)
    client = browser if role == "instance" else signed_in(world, role)
    seen = 0
    for model in MODELS:
        pages = [url(model, "changelist"), url(model, "changelist") + "?q=a"]
        if "add" in {pattern.name.rsplit("_", 1)[-1] for pattern in admin.site._registry[model].urls if pattern.name}:
            pages.append(url(model, "add"))
        pages += [url(model, "change", pk) for pk in model._default_manager.values_list("pk", flat=True)[:2]]
        for page in pages:
            response = client.get(page, follow=True)
            assert response.status_code in (200, 403), page
            assert MARKER not in response.content.decode()
            assert TOKEN not in response.content.decode()
            seen += response.status_code == 200
    if role == "instance":
        assert seen > 45
    if role is None:
        assert client.get("/admin/").status_code == 200
        assert b"shop-dev" not in client.get(url(SecretSync, "changelist")).content


def test_every_model_is_in_the_admin() -> None:
    shown = set(admin.site._registry)
    for model in apps.get_models():
        if model._meta.app_label in ("access", "connections", "syncs") and model not in (
            SyncPolicy,
            SyncDefaults,
        ):  # on the sync's page, and the project's
            assert model in shown, model
            assert admin.site._registry[model].search_fields, model


def test_a_connection_is_created_and_checked(world: World, browser: Client) -> None:
    add = url(AppConnection, "add") + "?kind=humanitec/api-token"
    given = {"name": "prod", "description": "", "project": "", "credentials__apiToken": "wrong"}
    refused = browser.post(add, given)
    assert "Failed to validate credentials: Humanitec: GET /orgs answered 403" in errors(refused)
    assert "wrong" not in re.sub(r"what is wrong|wrong with", "", refused.content.decode())
    assert "API Token required" in errors(browser.post(add, {**given, "credentials__apiToken": ""}))
    assert "lowercase letters" in errors(browser.post(add, {**given, "name": "Prod", "credentials__apiToken": TOKEN}))
    assert browser.post(add, {**given, "credentials__apiToken": TOKEN}).status_code == 302
    made = AppConnection.objects.get(name="prod")
    change = url(AppConnection, "change", made.pk)
    assert browser.post(change, {"name": "prod-2", "description": "x", "credentials__apiToken": ""}).status_code == 302
    kept = AppConnection.objects.get(pk=made.pk)
    assert (kept.name, kept.credentials_hash) == ("prod-2", made.credentials_hash)


def test_a_notification_target_is_created_tested_and_keeps_its_url(world: World, browser: Client) -> None:
    add = url(NotificationTarget, "add")
    given = {
        "project": world.project.pk,
        "name": "ops",
        "is_enabled": "on",
        "url": f"nonsense://{MARKER}",
        "recipients": "",
        "events": ["failed", "held"],
    }
    refused = browser.post(add, given)
    assert "no URL that apprise can send to" in errors(refused)
    assert MARKER not in refused.content.decode()
    assert browser.post(add, {**given, "url": f"json://127.0.0.1:9/{MARKER}"}).status_code == 302
    target = NotificationTarget.objects.get()
    page = url(NotificationTarget, "change", target.pk)
    assert MARKER not in browser.get(page).content.decode()
    sealed = bytes(target.url_sealed or b"")
    given = {**given, "url": "", "name": "ops-2", "syncs_notificationtarget_save_and_test": "1"}
    answer = browser.post(page, given, follow=True).content.decode()
    assert "The test did not reach ops-2: 127.0.0.1 is not a public address" in answer
    assert MARKER not in answer
    target.refresh_from_db()
    assert (target.name, target.scheme, bytes(target.url_sealed or b"")) == ("ops-2", "json", sealed)
    browser.post(page, {**given, "recipients": "admins"})
    target.refresh_from_db()
    assert (target.scheme, target.recipients, target.url_sealed) == ("email", "admins", None)
    browser.post(url(NotificationTarget, "changelist"), {"action": "test_now", "_selected_action": target.pk})
    assert [each.to for each in mail.outbox][-1] == ["ada@example.com"]
    browser.post(url(NotificationTarget, "delete", target.pk), {"post": "yes"})
    assert not NotificationTarget.objects.exists()


def test_a_project_has_the_policy_of_new_syncs(world: World, browser: Client) -> None:
    world.set(A="1")
    world.sync("one")
    page = url(Project, "change", world.project.pk)
    given = {
        "name": "Shop",
        "description": "",
        "policy__unmanaged": "leave",
        "policy__maxDeletions": "",
        "policy__exclude": "X_*, Y_*",
        "policy__driftCheckMinutes": "5",
        "refuse_overlaps": "on",
    }
    refused = browser.post(page, {**given, "name": "Other", "policy__maxConcurrency": "99"})
    assert "policy__maxConcurrency * Number must be less than or equal to 32" in errors(refused)
    assert Project.objects.get(pk=world.project.pk).name == "Shop"
    assert browser.post(page, given).status_code == 302
    defaults = SyncDefaults.objects.get()
    assert defaults.refuse_overlaps
    assert defaults.policy == {
        "unmanaged": "leave",
        "max_deletions": None,
        "exclude": ["X_*", "Y_*"],
        "drift_check_minutes": 5,
    }
    before = AuditEvent.objects.filter(event="update-sync-policy-defaults").count()
    assert browser.post(page, given).status_code == 302
    assert AuditEvent.objects.filter(event="update-sync-policy-defaults").count() == before
    with pytest.raises(BadRequest, match=r"The sync one writes the same key: A\. This project refuses syncs"):
        world.sync("two")


def test_pauses(world: World, browser: Client) -> None:
    chosen = {"_selected_action": world.connection.pk}
    browser.post(url(AppConnection, "changelist"), {"action": "pause", **chosen})
    assert AppConnection.objects.get().paused_by == "ada"
    browser.post(url(AppConnection, "changelist"), {"action": "resume", **chosen})
    assert AppConnection.objects.get().paused_at is None
    instance = Instance.objects.get()
    browser.post(url(Instance, "changelist"), {"action": "pause", "_selected_action": instance.pk})
    assert Instance.objects.get().paused_by == "ada"


def test_a_connection_in_use_cannot_be_deleted(world: World, browser: Client) -> None:
    world.sync()
    gone = browser.post(url(AppConnection, "delete", world.connection.pk), {"post": "yes"}, follow=True)
    assert "Cannot delete App Connection with existing connections" in gone.content.decode()
    assert AppConnection.objects.exists()


def test_a_secret_is_written_and_never_shown(world: World, browser: Client) -> None:
    folder = world.folder()
    given = {"folder": folder.pk, "key": "A", "value": "line 1\nline 2", "comment": "why", "tag_slugs": "db, web"}
    assert browser.post(url(Secret, "add"), given).status_code == 302
    secret = Secret.objects.select_related("folder__environment").get()
    assert (value_of(secret), comment_of(secret)) == ("line 1\nline 2", "why")
    assert {tag.slug for tag in Tag.objects.all()} == {"db", "web"}
    change = url(Secret, "change", secret.pk)
    assert "why" in browser.get(change).content.decode()
    renamed = browser.post(change, {"key": "B", "value": "", "comment": "why", "tag_slugs": "db", **NO_INLINES})
    assert renamed.status_code == 302, errors(renamed)
    kept = Secret.objects.select_related("folder__environment").get()
    assert (kept.key, value_of(kept), [tag.slug for tag in kept.tags.all()]) == ("B", "line 1\nline 2", ["db"])
    emptied = {"key": "B", "value": "", "empty": "on", "comment": "", "tag_slugs": "", **NO_INLINES}
    assert browser.post(change, emptied).status_code == 302
    assert value_of(Secret.objects.select_related("folder__environment").get()) == ""
    assert "cannot contain colon" in errors(browser.post(url(Secret, "add"), {**given, "key": "A:B"}))
    assert "already exist: B" in errors(browser.post(url(Secret, "add"), {**given, "key": "B"}))
    assert browser.post(url(Secret, "delete", kept.pk), {"post": "yes"}).status_code == 302
    assert not Secret.objects.exists()


def test_sync_now_and_remove(world: World, browser: Client) -> None:
    world.set(A="1")
    sync = world.sync(is_auto_sync_enabled=False)
    pressed = browser.post(url(SecretSync, "run", sync.pk, "sync"))
    run = SyncRun.objects.get()
    assert pressed["Location"] == url(SyncRun, "change", run.pk)
    world.due()
    page = browser.get(url(SyncRun, "change", run.pk)).content.decode()
    assert "applied" in page
    page = browser.get(url(SecretSync, "plan", sync.pk) + "?operation=remove").content.decode()
    assert "Remove these secrets" in page
    assert f"Remove the secrets of {sync.name}" in page
    assert "written by this sync" in page
    twin = world.sync("twin", is_auto_sync_enabled=False)
    page = browser.get(url(SecretSync, "plan", sync.pk) + "?operation=remove").content.decode()
    assert "handed over to the sync twin" in page
    assert "the same key" not in page, "of a removal it is no matter that another sync would write them"
    delete_sync(world.actor, twin)
    browser.post(url(SecretSync, "run", sync.pk, "remove"))
    world.due()
    assert world.held() == {}
    assert not ManagedSecret.objects.exists()
    assert browser.get(url(SecretSync, "run", sync.pk, "sync")).status_code == 405


def test_a_held_run_is_approved_on_its_page(world: World, browser: Client) -> None:
    world.set(A="1", B="2", C="3")
    sync = world.sync()
    world.run(sync)
    world.unset("A", "B", "C")
    held = world.run(sync)
    page = browser.get(url(SyncRun, "change", held.pk)).content.decode()
    assert "Approve the 3 listed deletes" in page
    browser.post(url(SyncRun, "approve", held.pk))
    world.due()
    assert world.held() == {}


def test_a_run_is_undone_on_its_page(world: World, browser: Client) -> None:
    world.set(A=MARKER)
    run = world.run(world.sync())
    page = url(SyncRun, "change", run.pk)
    there = reverse("admin:syncs_syncrun_undo", args=[run.pk])
    assert there in browser.get(page).content.decode()
    shown = browser.get(there)
    assert "the run created it" in shown.content.decode()
    assert MARKER not in shown.content.decode()
    assert world.held() == {"A": MARKER}
    stale = browser.post(there, {"digest": "another"})
    assert "has changed since it was shown" in stale.content.decode()
    done = browser.post(there, {"digest": shown.context["plan"].digest}, follow=True)
    assert done.redirect_chain[-1][0] == url(SyncRun, "change", SyncRun.objects.get(operation="undo").pk)
    world.due()
    assert world.held() == {}
    assert "Nothing left to undo" in browser.get(there).content.decode()
    viewer = signed_in(world, Role.VIEWER)
    assert there not in viewer.get(page).content.decode()
    viewer.post(there, {})
    assert SyncRun.objects.filter(operation="undo").count() == 1


def test_pages_open_if_the_vendor_is_down(world: World, browser: Client) -> None:
    sync = world.sync()
    world.sandbox.fault = lambda method, path: (401, {"message": "no"})
    assert browser.get(url(SecretSync, "change", sync.pk)).status_code == 200
    plan = browser.get(url(SecretSync, "plan", sync.pk)).content.decode()
    assert "Unable to plan: Humanitec: GET /orgs/acme/apps/shop/values answered 401" in plan


def test_secrets_and_folders_are_created_by_services(world: World, browser: Client) -> None:
    assert browser.post(url(Project, "add"), {"name": "Blog", "slug": "", "description": ""}).status_code == 302
    project = Project.objects.get(name="Blog")
    assert project.environments.count() == 3
    made = {"project": project.pk, "name": "QA", "slug": "qa"}
    assert browser.post(url(Environment, "add"), made).status_code == 302
    environment = Environment.objects.get(slug="qa")
    assert "already exist" in errors(browser.post(url(Environment, "add"), made))
    assert browser.post(url(Folder, "add"), {"environment": environment.pk, "path": "/a/b"}).status_code == 302
    folder = Folder.objects.get(environment=environment, path="/a/b")
    assert browser.post(url(Folder, "change", folder.pk), {"name": "c"}).status_code == 302
    assert Folder.objects.get(pk=folder.pk).path == "/a/c"
    given = {"folder": folder.pk, "import_environment": environment.pk, "import_path": "/"}
    assert browser.post(url(SecretImport, "add"), given).status_code == 302
    assert browser.post(url(Environment, "delete", environment.pk), {"post": "yes"}).status_code == 302
    assert not Folder.objects.filter(environment=environment.pk).exists()
    events = set(AuditEvent.objects.filter(project=project).values_list("event", flat=True))
    assert {"create-project", "create-environment", "create-folder", "create-secret-import"} <= events


def test_people_and_machines(world: World, browser: Client) -> None:
    given = {"name": "ci", "project": world.project.pk, "role": "member"}
    answer = browser.post(url(Identity, "add"), given)
    secret = re.search(r"\b[0-9a-f]{64}\b", answer.content.decode())
    assert secret
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert secret[0] not in str(answer.cookies)
    identity = Identity.objects.get()
    again = browser.get(url(Identity, "change", identity.pk)).content.decode()
    assert not re.search(r"[0-9a-f]{64}", again)
    user = User.objects.create_user("bob")
    assert (
        browser.post(
            url(Membership, "add"), {"project": world.project.pk, "user": user.pk, "role": "viewer"}
        ).status_code
        == 302
    )
    membership = Membership.objects.get(user=user)
    assert browser.post(url(Membership, "change", membership.pk), {"role": "member"}).status_code == 302
    assert Membership.objects.get(user=user).role == "member"
    assert browser.post(url(Membership, "delete", membership.pk), {"post": "yes"}).status_code == 302


def test_a_viewer_changes_nothing(world: World) -> None:
    sync = filled(world)
    viewer = signed_in(world, Role.VIEWER)
    page = viewer.get(url(SecretSync, "change", sync.pk)).content.decode()
    assert "Sync now" not in page
    assert viewer.post(url(SecretSync, "change", sync.pk), {"name": "x"}).status_code == 403
    assert viewer.get(url(Secret, "add")).status_code == 403
    secret = Secret.objects.first()
    assert secret
    assert viewer.post(url(Secret, "delete", secret.pk), {"post": "yes"}).status_code == 403
    runs = SyncRun.objects.count()
    viewer.post(url(SecretSync, "run", sync.pk, "sync"))
    assert SyncRun.objects.count() == runs


def test_an_instance_admin_sees_names_of_projects_of_others(world: World) -> None:
    sync = filled(world)
    stranger = Client()
    stranger.force_login(User.objects.create_superuser("root"))
    assert "shop-dev" in stranger.get(url(SecretSync, "changelist")).content.decode()
    assert "Sync now" not in stranger.get(url(SecretSync, "change", sync.pk)).content.decode()
    assert stranger.get(url(Secret, "add")).status_code == 403


@pytest.mark.parametrize("model", [SecretSync, SyncRun, Secret, Folder, AppConnection])
def test_lists_cost_the_same_for_any_number(world: World, browser: Client, model: Any) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(url(model, "changelist")).status_code == 200
        return len(queries)

    filled(world)
    cost()
    few = cost()
    world.set(**{f"K{number}": "x" for number in range(20)})
    for number in range(8):
        folders.ensure_folder(world.actor, world.environment(), f"/f{number}")
        world.sync(f"s{number}", {**APPLICATION, "app": f"a{number}"}, secret_path=f"/f{number}")
    assert cost() <= few + 1


def test_sign_in_settings_of_a_machine(world: World, browser: Client) -> None:
    identity = create_identity(PLATFORM, "ci", role="member").identity
    page = url(Identity, "change", identity.pk)
    text = browser.get(page).content.decode()
    assert "0.0.0.0/0, ::/0" in text
    given = {
        "name": "pipeline",
        "access_token_ttl": "60",
        "access_token_max_ttl": "600",
        "access_token_num_uses_limit": "0",
        "access_token_period": "0",
        "token_addresses": "10.0.0.0/8, 192.0.2.7",
        "login_addresses": "10.0.0.0/8",
        "lockout_enabled": "on",
        "lockout_threshold": "5",
        "lockout_duration": "60",
        "lockout_counter_reset": "30",
        "client_secrets-TOTAL_FORMS": "0",
        "client_secrets-INITIAL_FORMS": "0",
    }
    refused = browser.post(page, {**given, "login_addresses": "10.0.0.0/8, here"})
    assert "neither an address nor a range" in refused.content.decode()
    assert browser.post(page, given).status_code == 302
    identity.refresh_from_db()
    assert (identity.name, identity.access_token_ttl, identity.lockout_threshold) == ("pipeline", 60, 5)
    assert identity.access_token_trusted_ips == [{"ipAddress": "10.0.0.0/8"}, {"ipAddress": "192.0.2.7"}]
    Identity.objects.update(locked_until="2099-01-01T00:00:00Z")
    browser.post(url(Identity, "changelist"), {"action": "unlock", "_selected_action": [str(identity.pk)]})
    identity.refresh_from_db()
    assert identity.locked_until is None


def test_a_viewer_reads_settings_of_a_sync_and_a_project(world: World) -> None:
    """And no row of which the page would know nothing."""
    world.set(A="1")
    sync = world.sync(sync_options={"initialSyncBehavior": "overwrite-destination", "keySchema": "P_{{secretKey}}"})
    viewer = Client()
    person = User.objects.create_user("vera", is_staff=True)
    Membership.objects.create(project=world.project, user=person, role=Role.VIEWER)
    viewer.force_login(person)

    def rows(page: str) -> dict[str, str]:
        form = viewer.get(page).context["adminform"]
        fields = [field for fieldset in form for line in fieldset for field in line]
        return {str(field.field["label"]): str(field.contents()) for field in fields}

    settings = rows(url(SecretSync, "change", sync.pk) + "?settings")
    assert "P_{{secretKey}}" in settings["Key schema"]
    assert "shop" in settings["App ID"]
    assert "10" in settings["Max deletions"]
    project = rows(url(Project, "change", world.project.pk))
    assert "10" in project["Max deletions"]
    assert "no" in project["Refuse overlaps"]
    assert not [name for name in rows(url(AppConnection, "change", world.connection.pk)) if "redential" in name]
