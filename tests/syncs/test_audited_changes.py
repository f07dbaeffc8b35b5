"""The audit log says what changed: each field before and after, as sentences on its page, and never a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config.access import audit, services
from config.access.models import AuditEvent, Role, User
from config.ui.audit_sentences import sentence
from connections.services import pause_connection, update_connection
from syncs.models import SyncPolicy
from syncs.services import folders
from syncs.services.defaults import update_defaults
from syncs.services.policy import Policy
from syncs.services.syncs import SyncInput, update_policy, update_sync
from syncs.source.selectors import syncs
from tests.commands.test_commands import call
from tests.fixtures.admin import signed_in
from tests.fixtures.api import Api
from tests.fixtures.world import ENVIRONMENT, OPTIONS, TOKEN, World

LOG = reverse("admin:access_auditevent_changelist")


def last(event: str) -> AuditEvent:
    return AuditEvent.objects.filter(event=event).latest("sequence")


def changes(event: str) -> Any:
    return last(event).metadata["changes"]


def test_a_retarget_says_from_where_to_where(world: World) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/api")
    sync = world.sync(is_auto_sync_enabled=False)
    given = SyncInput(
        name="shop-api",
        environment="dev",
        secret_path="/api",
        destination_config=ENVIRONMENT,
        sync_options={**OPTIONS, "keySchema": "X_{{secretKey}}"},
        is_auto_sync_enabled=True,
    )
    update_sync(world.actor, sync, given)
    assert changes("update-secret-sync") == {
        "name": ["shop-dev", "shop-api"],
        "folder": ["dev:/", "dev:/api"],
        "target": ["acme / shop", "acme / shop / development"],
        "destinationConfig.scope": ["application", "environment"],
        "destinationConfig.env": [None, "development"],
        "syncOptions.keySchema": [None, "X_{{secretKey}}"],
        "isAutoSyncEnabled": [False, True],
    }
    assert sentence(last("update-secret-sync")) == (
        "ada changed the sync shop-api: name from shop-dev to shop-api; "
        "target from acme / shop to acme / shop / development; "
        "folder from dev:/ to dev:/api; auto-sync from off to on; "
        "key schema from nothing to X_{{secretKey}}."
    )


def test_a_policy(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    update_policy(world.actor, syncs().get(pk=sync.pk), {"max_deletions": None, "exclude": ["*_LOCAL"], "paused": True})
    assert changes("update-sync-policy") == {
        "maxDeletions": [10, None],
        "exclude": [[], ["*_LOCAL"]],
        "paused": [False, True],
    }
    assert sentence(last("update-sync-policy")) == (
        "ada changed the policy of the sync shop-dev: exclude from nothing to *_LOCAL; "
        "max deletions from 10 to nothing; paused from off to on."
    )
    window = {"kind": "deny", "schedule": "0 9 * * 1-5", "duration": 60, "timezone": "UTC"}
    update_policy(world.actor, syncs().get(pk=sync.pk), {"windows": [window]})
    assert changes("update-sync-policy") == {"windows": [[], [window]]}
    text = "windows from nothing to duration 60 kind deny schedule 0 9 * * 1-5 timezone UTC"
    assert text in sentence(last("update-sync-policy"))
    update_policy(world.actor, syncs().get(pk=sync.pk), {"heal": False})
    assert changes("update-sync-policy") == {}


def test_every_member_of_a_policy_is_recorded() -> None:
    recorded = set(audit.state_of(SyncPolicy()))
    own = {"destination", "afterWrites"}
    assert {*Policy.model_fields} - {"pauseReason"} <= recorded | own
    assert own - {"destination"} <= recorded  # the members of `destination` are recorded by themselves


def test_a_connection_without_its_credentials(world: World) -> None:
    update_connection(world.actor, world.connection, name="renamed", credentials={"apiToken": TOKEN})
    event = last("update-app-connection")
    assert (event.metadata["changes"], event.metadata["credentialsChanged"]) == (
        {"name": ["humanitec-dev", "renamed"]},
        True,
    )
    assert TOKEN not in json.dumps(list(AuditEvent.objects.values_list("metadata", flat=True)))
    pause_connection(world.actor, world.connection, paused=True)
    assert sentence(last("pause-app-connection")) == "ada paused the connection renamed."


def test_projects_environments_folders_and_members(world: World) -> None:
    project = services.update_project(world.actor, world.project, name="Store", protected=True)
    assert changes("update-project") == {"name": ["Shop", "Store"], "hasDeleteProtection": [False, True]}
    folders.update_environment(world.actor, world.environment("staging"), name="Stage", slug="stage", position=1)
    assert changes("update-environment") == {
        "name": ["Staging", "Stage"],
        "slug": ["staging", "stage"],
        "position": [2, 1],
    }
    folder = folders.ensure_folder(world.actor, world.environment(), "/api")
    folders.update_folders(world.actor, [(folder, {"name": "web", "description": "new"})])
    assert changes("update-folder") == {"path": ["/api", "/web"], "description": [None, "new"]}
    assert sentence(last("update-folder")) == (
        "ada changed the folder /api: description from nothing to new; path from /api to /web."
    )
    user = User.objects.create_user("grace")
    for role in (Role.VIEWER, Role.ADMIN, None):
        services.set_role(world.actor, project, user, role)
    found = AuditEvent.objects.filter(event="set-role").order_by("sequence").values_list("metadata__changes", flat=True)
    assert list(found) == [{"role": [None, "viewer"]}, {"role": ["viewer", "admin"]}, {"role": ["admin", None]}]
    assert sentence(last("set-role")) == "ada set the role grace: role from admin to nothing."
    update_defaults(world.actor, project, {"heal": True}, other_approver=True)
    assert changes("update-sync-policy-defaults") == {"policy.heal": [None, True], "otherApprover": [False, True]}
    user.email = "grace@example.com"
    services.save_user(world.actor, user, ["email"])
    assert changes("update-user") == {"email": ["", "grace@example.com"]}


def test_models_declare_nothing_secret() -> None:
    declared = {model: model.AUDITED for model in apps.get_models() if hasattr(model, "AUDITED")}
    assert len(declared) == 8
    for model, names in declared.items():
        fields = {field.name: field for field in model._meta.fields}
        assert set(names) <= set(fields), model
        secret = ("sealed", "hash", "password", "mac", "token", "secret", "credential")
        assert not [name for name in names if any(word in name for word in secret)], model
        assert not [name for name in names if fields[name].get_internal_type() == "BinaryField"], model


# -- the page, the API, the command ----------------------------------------------------------------------------


IN_ROOT = {"environment": "dev", "secretPath": "/"}


@pytest.mark.parametrize(
    ("event", "metadata", "expected"),
    [
        ("create-secret-sync", {"name": "shop"}, "created the sync shop."),
        ("update-secrets", {"numberOfSecrets": 2, **IN_ROOT}, "changed 2 secrets in dev:/."),
        ("get-secret", {"secretKey": "A", **IN_ROOT}, "read the secret A in dev:/."),
        ("approve-run", {"name": "shop", "keys": ["A"], "comment": "ok"}, "approved a run of shop: A. Comment: ok"),
        ("approve-run", {"name": "shop", "writesOnly": True}, "approved a run of shop without its deletes."),
        ("hold-run", {"name": "shop", "deletes": 3}, "held a run of shop, which would delete 3 keys."),
        ("pause-everything", {}, "paused all syncs."),
        ("delete-folder", {"folderPath": "/api", "folderName": "api"}, "deleted the folder /api."),
        ("invent-something-new", {"changes": "odd"}, "invent the something new."),
    ],
)
def test_sentences(event: str, metadata: dict[str, Any], expected: str) -> None:
    assert sentence(AuditEvent(actor_name="ada", event=event, metadata=metadata)) == f"ada {expected}"


def test_the_page_has_sentences_with_folded_json(world: World, browser: Client) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    update_sync(world.actor, sync, SyncInput(description="<b>bold</b>"))
    page = browser.get(LOG).content.decode()
    assert "ada changed the sync shop-dev: description from nothing to &lt;b&gt;bold&lt;/b&gt;." in page
    assert "<details" in page
    event = last("update-secret-sync")
    detail = browser.get(reverse("admin:access_auditevent_change", args=[event.pk])).content.decode()
    assert "ada changed the sync shop-dev" in detail


def test_events_of_one_object(world: World, browser: Client, api: Api) -> None:
    one = world.sync("one", is_auto_sync_enabled=False)
    world.sync("two", {**ENVIRONMENT}, is_auto_sync_enabled=False)
    world.run(one)
    update_policy(world.actor, syncs().get(pk=one.pk), {"heal": True})
    expected = ["update-sync-policy", "secret-sync-sync-secrets", "sync-secret-sync", "create-secret-sync"]
    found = browser.get(LOG, {"object": str(one.pk)})
    assert [row.event for row in found.context["cl"].result_list] == expected
    assert (str(one.pk), "one") in found.context["cl"].filter_specs[0].lookup_choices
    status, answer = api("GET", f"/v1/projects/{world.project.pk}/audit-logs", objectId=str(one.pk))
    assert (status, [each["eventType"] for each in answer["auditLogs"]]) == (200, expected)
    code, text = call("audit_log", "--object", str(one.pk))
    assert (code, text.count("\n")) == (0, 4)
    nothing = browser.get(LOG, {"object": "nonsense"})
    assert list(nothing.context["cl"].result_list) == []


def test_the_filter_shows_no_object_of_another_project(world: World) -> None:
    sync = world.sync(is_auto_sync_enabled=False)
    stranger = signed_in(world, None)
    assert stranger.get(LOG).status_code == 403
    admin = signed_in(world, Role.ADMIN)
    other = folders.create_project(world.actor, "Other", slug="other-project")
    audit.record(world.actor, "create-tag", other.pk, tag="3f0c2a9e-5b1d-4c7e-9a64-0d2b8f6e1c35", slug="tag-of-another")
    page = admin.get(LOG)
    assert "tag-of-another" not in page.content.decode()
    assert (str(sync.pk), "shop-dev") in page.context["cl"].filter_specs[0].lookup_choices


def test_the_page_takes_a_fixed_number_of_queries(world: World, browser: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(LOG).status_code == 200
        return len(captured)

    world.sync(is_auto_sync_enabled=False)
    few = queries()
    for number in range(5):
        world.sync(f"s{number}", {**ENVIRONMENT, "env": f"e{number}"}, is_auto_sync_enabled=False)
    assert queries() == few
