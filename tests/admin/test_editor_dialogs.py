"""The dialogs of the secrets editor: files, details and versions, bulk actions, folders and imports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.access.models import AuditEvent, Role, User
from config.access.roles import actor_of_user
from syncs.models import Folder, Secret, SecretImport
from syncs.services import folders, imports, secrets
from syncs.source.selectors import comment_of, value_of
from syncs.source.validation import SecretInput
from tests.admin.test_editor import MARKER, PAGE, ask, events, shown, stored
from tests.fixtures.admin import signed_in
from tests.fixtures.world import World

ALL = (
    "details",
    "details/save",
    "details/version",
    "details/restore",
    "bulk/delete",
    "bulk/move",
    "bulk/copy",
    "bulk/tag",
    "file",
    "export",
    "folder/new",
    "folder/change",
    "folder/delete",
    "imports/new",
    "imports/move",
    "imports/delete",
)


def test_another_project_and_a_viewer_get_nothing_from_any_dialog(world: World, member: Client) -> None:
    world.set(A=MARKER)
    other = folders.create_project(actor_of_user(User.objects.get(username="ada")), "Other", slug="other-project")
    there = other.environments.all()[0]
    viewer = signed_in(world, Role.VIEWER)
    for what in ALL:
        given = {"path": "/", "key": "A", "keys": "A", "kind": "json", "text": "A=2", "version": "1"}
        assert member.post(f"/admin/secrets/in/{there.pk}/{what}/", given).status_code == 404, what
        answer = viewer.post(f"/admin/secrets/in/{world.environment().pk}/{what}/", given)
        assert answer.status_code == (200 if what == "details" else 403), what
        assert MARKER not in answer.content.decode()
    assert stored(world, "A") == MARKER
    assert not AuditEvent.objects.filter(event__startswith="get-secret").exists()


# -- files -----------------------------------------------------------------------------------------------------


def bring(client: Client, world: World, text: str, **given: Any) -> Any:
    return ask(client, world, "file", text=text, **given)


def test_a_file_is_compared_before_anything_is_stored(world: World, member: Client) -> None:
    world.set(A="1", B="2", C="3", D="${C}")
    text = f"A='1'\nB='{MARKER}'\nNEW='{MARKER}'\n"
    preview = bring(member, world, text, prune="1")
    found = preview.context["found"]
    assert [(each.key, each.action) for each in found.differences] == [
        ("A", "unchanged"),
        ("B", "update"),
        ("NEW", "create"),
        ("C", "delete"),
        ("D", "delete"),
    ]
    assert MARKER not in preview.content.decode()
    assert stored(world, "NEW") is None
    done = bring(member, world, text, prune="1", digest=found.digest)
    assert events(done)["ed-message"] == "4 keys changed"
    assert (stored(world, "B"), stored(world, "NEW"), stored(world, "C")) == (MARKER, MARKER, None)
    told = json.dumps(list(AuditEvent.objects.values_list("metadata", flat=True)))
    assert MARKER not in told


def test_existing_keys_can_be_kept(world: World, member: Client) -> None:
    world.set(A="1", X="9")
    found = bring(member, world, '{"A": "2", "B": "3"}', existing="keep").context["found"]
    assert [(each.key, each.action) for each in found.differences] == [("A", "keep"), ("B", "create")]
    bring(member, world, '{"A": "2", "B": "3"}', existing="keep", digest=found.digest)
    assert (stored(world, "A"), stored(world, "B"), stored(world, "X")) == ("1", "3", "9")


def test_the_preview_lists_references_to_deleted_keys(world: World, member: Client) -> None:
    world.set(A="1", B="2")
    world.set(environment="staging", REFERS="${dev.B}")
    preview = bring(member, world, "A=1", prune="1")
    assert "referenced by staging:/ REFERS" in preview.content.decode()


def test_all_problems_are_reported_at_once_and_nothing_is_stored(world: World, member: Client) -> None:
    world.set(A="1")
    text = (
        "A=2\nB:C=1\nD/E=1\nnot a pair\nF=${NOPE}\nG=1\nG=2\n"
        + "H="
        + "x" * (1024 * 1024 + 1)
        + "\n"
        + "K" * 513
        + "=1"
    )
    preview = bring(member, world, text)
    lines = [each.number for each in preview.context["found"].problems]
    assert lines == [2, 3, 4, 5, 7, 8, 9]
    assert "digest" not in preview.content.decode()
    refused = bring(member, world, text, digest=preview.context["found"].digest)
    assert "Nothing was stored. line 2:" in events(refused)["ed-refused"]
    assert stored(world, "A") == "1"
    assert "There is no secret in it" in bring(member, world, " \n").content.decode()
    assert "NUL" in bring(member, world, "A=\x00").content.decode()


def test_a_file_may_refer_to_its_own_secrets(world: World, member: Client) -> None:
    text = "URL=db://${USER}\nUSER=me\n"
    found = bring(member, world, text).context["found"]
    assert not found.problems
    bring(member, world, text, digest=found.digest)
    assert stored(world, "URL") == "db://${USER}"


def test_only_what_was_shown_is_stored(world: World, member: Client) -> None:
    world.set(A="1")
    digest = bring(member, world, "A=2").context["found"].digest
    world.set(A="3")
    refused = bring(member, world, "A=2", digest=digest)
    assert "has changed since it was shown" in events(refused)["ed-refused"]
    assert stored(world, "A") == "3"


def test_importing_a_file_creates_a_missing_folder(world: World, member: Client) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/api")
    where = f"/admin/secrets/in/{world.environment('prod').pk}/file/"
    given = {"path": "/api", "text": "A: |\r\n  two\r\n  lines\r\n", "kind": "yaml"}
    preview = member.post(where, given)
    assert not Folder.objects.filter(path="/api", environment__slug="prod").exists()
    member.post(where, {**given, "text": "A: 1\nB: [", "digest": "x"})
    assert not Folder.objects.filter(path="/api", environment__slug="prod").exists()
    member.post(where, {**given, "digest": preview.context["found"].digest})
    assert stored(world, "A", "prod", "/api") == "two\nlines\n"


def test_comparing_costs_the_same_for_any_number(world: World, member: Client) -> None:
    def cost(count: int) -> int:
        text = "".join(f"K{number}=${{K0}}\n" for number in range(1, count)) + "K0=1"
        with CaptureQueriesContext(connection) as queries:
            assert not bring(member, world, text, prune="1").context["found"].problems
        return len(queries)

    world.set(**{f"OLD{number}": "1" for number in range(50)})
    few = cost(3)
    assert cost(1500) == few
    assert few <= 25


@pytest.mark.parametrize("kind", ["dotenv", "json", "yaml"])
def test_an_export_is_recorded_and_can_be_imported_unchanged(world: World, member: Client, kind: str) -> None:
    values = {"A": "two\nlines", "B": "it's ${A}", "C": ""}
    world.set(**values)
    got = ask(member, world, "export", kind=kind)
    assert got["Content-Disposition"].startswith('attachment; filename="shop-project-dev.')
    event = AuditEvent.objects.get(event="get-secrets")
    assert (event.actor_name, event.metadata["numberOfSecrets"]) == ("person-member", 3)
    preview = bring(member, world, got.content.decode(), prune="1", kind=kind)
    assert {each.action for each in preview.context["found"].differences} == {"unchanged"}


def test_an_export_may_follow_references_and_imports(world: World, member: Client) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/shared")
    world.set("/shared", S="shared", A="lost")
    world.set(A="1", B="${A}-${S}")
    imports.add_import(world.actor, world.folder(), world.environment(), "/shared")
    got = ask(member, world, "export", kind="json", whole="1")
    assert json.loads(got.content) == {"A": "1", "B": "1-shared", "S": "shared"}
    world.set(**{"it's two": "x"})
    refused = ask(member, world, "export", kind="dotenv")
    assert refused["Location"] == PAGE
    assert "does not support the names" in member.get(PAGE).content.decode()


def test_a_folder_is_edited_as_text(world: World, member: Client) -> None:
    world.set(A="1", B="2")
    form = ask(member, world, "file", whole="1").content.decode()
    assert "A=&#x27;1&#x27;" in form
    assert AuditEvent.objects.filter(event="get-secrets").count() == 1


# -- one secret ------------------------------------------------------------------------------------------------


def test_details_are_changed_and_broken_references_need_a_decision(world: World, member: Client) -> None:
    world.set(A=MARKER, B="${A}")
    world.set(environment="staging", C="${dev.A}")
    page = ask(member, world, "details", key="A").content.decode()
    assert MARKER not in page
    assert "2 secrets refer to this name" in page
    given = {"key": "A", "name": "Z", "comment": "why", "tags": "db", "seen": "1"}
    refused = events(ask(member, world, "details/save", **given))["ed-refused"]
    assert "A is referenced by dev:/ B, staging:/ C" in refused
    saved = ask(member, world, "details/save", **given, follow="no", multiline="1")
    assert stored(world, "B") == "${A}"
    secret = Secret.objects.select_related("folder__environment").get(key="Z")
    assert (comment_of(secret), secret.skip_multiline_encoding, value_of(secret)) == ("why", True, MARKER)
    assert [tag.slug for tag in secret.tags.all()] == ["db"]
    assert MARKER not in saved.content.decode()
    later = ask(member, world, "details/save", key="Z", name="Z", comment="", tags="", seen="1")
    assert "was changed since you looked" in events(later)["ed-refused"]
    ask(member, world, "details/save", key="Z", name="Z", comment="", tags="", seen="2")
    assert not secret.tags.exists()


def test_a_rename_updates_every_reference(world: World, member: Client) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/app")
    imports.add_import(world.actor, world.folder("/app"), world.environment(), "/")
    world.set(A="1", B="${A}${A}-${dev.A}-${AA}", AA="2")
    world.set("/app", THROUGH="${A} ${dev.app.A}")
    world.set(environment="staging", C="${dev.A} ${A}", A="mine")
    given = {"key": "A", "name": "Z", "comment": "", "tags": "", "seen": "1", "follow": "yes"}
    assert (
        "cannot be written in a reference"
        in events(ask(member, world, "details/save", **{**given, "name": "Z Z"}))["ed-refused"]
    )
    world.set("/app", Z="another")
    assert (
        "THROUGH in dev:/app would then refer to another secret named Z"
        in events(ask(member, world, "details/save", **given))["ed-refused"]
    )
    assert stored(world, "B") == "${A}${A}-${dev.A}-${AA}"
    world.unset("Z", path="/app")
    assert events(ask(member, world, "details/save", **given))["ed-message"] == "Z saved"
    assert stored(world, "B") == "${Z}${Z}-${dev.Z}-${AA}"
    assert stored(world, "THROUGH", path="/app") == "${Z} ${dev.app.Z}"
    assert stored(world, "C", "staging") == "${dev.Z} ${A}"
    assert stored(world, "Z") == "1"


def test_a_version_is_revealed_recorded_and_restored(world: World, member: Client) -> None:
    world.set(A=MARKER)
    world.set(A="2")
    old = ask(member, world, "details/version", key="A", version="1")
    assert MARKER in old.content.decode()
    assert shown("A") == 1
    assert AuditEvent.objects.get(event="get-secret").metadata["secretVersion"] == 1
    restored = ask(member, world, "details/restore", key="A", version="1")
    assert stored(world, "A") == MARKER
    assert events(restored)["ed-message"] == "Version 1 of A restored"
    assert Secret.objects.get(key="A").version == 3
    assert ask(member, world, "details/restore", key="A", version="9").status_code == 404


# -- many ------------------------------------------------------------------------------------------------------


def test_bulk_delete_lists_references_first(world: World, member: Client) -> None:
    world.set(A="1", B="${A}", C="3")
    world.set(environment="staging", D="${dev.A}")
    page = ask(member, world, "bulk/delete", keys=["A", "B"]).content.decode()
    assert "staging:/ D" in page
    assert "dev:/ B" not in page  # it goes too
    assert stored(world, "A") == "1"
    done = ask(member, world, "bulk/delete", keys=["A", "B", "NOT HERE"], confirmed="1")
    assert events(done)["ed-message"] == "2 keys deleted"
    assert set(world.folder().secrets.values_list("key", flat=True)) == {"C"}
    assert (
        "None of the selected keys" in events(ask(member, world, "bulk/delete", keys="A", confirmed="1"))["ed-refused"]
    )


def test_bulk_move(world: World, member: Client) -> None:
    target = folders.ensure_folder(world.actor, world.environment(), "/api")
    world.set(A="1", B="2")
    world.set("/api", A="other")
    assert "/api" in ask(member, world, "bulk/move", keys=["A", "B"]).content.decode()
    refused = ask(member, world, "bulk/move", keys=["A", "B"], target=str(target.pk))
    assert "already exist in the destination: A" in events(refused)["ed-refused"]
    ask(member, world, "bulk/move", keys=["A", "B"], target=str(target.pk), overwrite="1")
    assert stored(world, "A", "dev", "/api") == "1"
    assert "Choose a folder" in events(ask(member, world, "bulk/move", keys="A", target="x", path="/api"))["ed-refused"]


def test_bulk_copy_to_other_environments(world: World, member: Client) -> None:
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", "1", "why", ["db"]), SecretInput("B", "2")])
    world.set(environment="prod", B="mine")
    ids = [str(world.environment(slug).pk) for slug in ("staging", "prod")]
    refused = ask(member, world, "bulk/copy", keys=["A", "B"], environments=ids, copying="1")
    assert "Production has another value of: B" in events(refused)["ed-refused"]
    assert stored(world, "A", "staging") is None
    ask(member, world, "bulk/copy", keys=["A", "B"], environments=ids, copying="1", overwrite="1")
    copied = Secret.objects.select_related("folder__environment").get(key="A", folder__environment__slug="staging")
    assert (value_of(copied), comment_of(copied), copied.tags.get().slug) == ("1", "why", "db")
    assert stored(world, "B", "prod") == "2"
    assert not AuditEvent.objects.filter(event__startswith="get-secret").exists()


def test_bulk_tag(world: World, member: Client) -> None:
    secrets.set_secrets(
        world.actor, world.folder(), [SecretInput("A", "1", tags=["old", "kept"]), SecretInput("B", "2")]
    )
    ask(member, world, "bulk/tag", keys=["A", "B"], add="new", remove="old")
    tags = {one.key: sorted(tag.slug for tag in one.tags.all()) for one in Secret.objects.all()}
    assert tags == {"A": ["kept", "new"], "B": ["new"]}
    bad = ask(member, world, "bulk/tag", keys=["A"], add="Not_A_Slug!", remove="")
    assert "ed-refused" in events(bad)


# -- folders and imports ---------------------------------------------------------------------------------------


def test_folders_are_created_renamed_moved_and_deleted(world: World, member: Client) -> None:
    made = ask(member, world, "folder/new", name="api")
    assert made["HX-Redirect"] == PAGE + "api/"
    assert "already" in events(ask(member, world, "folder/new", name="api"))["ed-refused"]
    assert "Invalid folder name" in events(ask(member, world, "folder/new", name="a b"))["ed-refused"]
    parent = folders.ensure_folder(world.actor, world.environment(), "/services")
    world.set("/api", A="1")
    world.set(REFERS="${dev.api.A}")
    sync = world.sync(secret_path="/api")
    form = ask(member, world, "folder/change", path="/api").content.decode()
    assert "dev:/ REFERS: ${dev.api.A}" in form
    assert "shop-dev</strong>, Humanitec acme / shop: 0 keys stay; it no longer syncs" in form
    given = {"path": "/api", "name": "web", "parent": str(parent.pk)}
    question = ask(member, world, "folder/change", **given)
    assert "dev:/ REFERS: ${dev.api.A}" in question.content.decode()
    assert ("name", "web") in question.context["given"]
    sync.refresh_from_db()
    assert sync.folder
    assert sync.folder.path == "/api"
    moved = ask(member, world, "folder/change", **given, confirmed="1")
    assert moved["HX-Redirect"] == PAGE + "services/web/"
    sync.refresh_from_db()
    assert sync.folder
    assert sync.folder.path == "/services/web"
    assert "Type the folder" in events(ask(member, world, "folder/delete", path="/services/web"))["ed-refused"]
    gone = ask(member, world, "folder/delete", path="/services/web", confirmation="web")
    assert gone["HX-Redirect"] == PAGE + "services/"
    assert not Secret.objects.filter(key="A").exists()


def test_imports_are_added_reordered_and_deleted(world: World, member: Client) -> None:
    for path in ("/one", "/two"):
        folder = folders.ensure_folder(world.actor, world.environment(), path)
        world.set(path, A=path)
        ask(member, world, "imports/new", source=str(folder.pk))
    first, second = SecretImport.objects.order_by("position")
    assert (first.import_path, second.import_path) == ("/one", "/two")
    strip = ask(member, world, "imports/move", **{"import": str(second.pk), "position": "1"})
    assert events(strip)["ed-message"] == "/two moved to position 1"
    assert [row.import_path for row, _count, _link in strip.context["imports"]] == ["/two", "/one"]
    grid = member.get(PAGE).context
    assert [count for _row, count, _link in grid["imports"]] == [1, 1]
    itself = ask(member, world, "imports/new", source=str(world.folder().pk))
    assert "Cyclic import" in events(itself)["ed-refused"]
    world.sync()
    sure = ask(member, world, "imports/delete", **{"import": str(second.pk)}).content.decode()
    assert "shop-dev" in sure
    ask(member, world, "imports/delete", confirmed="1", **{"import": str(second.pk)})
    assert SecretImport.objects.get() == first
    assert (
        "Secret import not found"
        in events(ask(member, world, "imports/delete", **{"import": str(second.pk)}))["ed-refused"]
    )


def test_the_page_lists_the_syncs_that_the_folder_reaches(world: World, member: Client) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/shared")
    world.set("/shared", S="1")
    world.set(A="1")
    sync = world.sync()
    assert "No sync takes these secrets yet" in ask(member, world, "feeds", path="/shared").content.decode()
    imports.add_import(world.actor, world.folder(), world.environment(), "/shared")
    feeds = ask(member, world, "feeds", path="/shared")
    assert [(fed.sync.pk, fed.way) for fed, *_ in feeds.context["feeds"]] == [(sync.pk, "through")]
    assert "data-running" in feeds.content.decode()
    world.due()
    after = ask(member, world, "feeds").content.decode()
    assert "Up to date" in after
    assert "data-running" not in after
