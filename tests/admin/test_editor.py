"""The secrets editor with Django's test client: what is shown to whom, what is written, and what is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.access.models import AuditEvent, Project, Role, User
from config.access.roles import actor_of_user
from syncs.models import Folder, Secret
from syncs.services import folders, imports, secrets, tags
from syncs.source.selectors import comment_of, value_of
from syncs.source.validation import SecretInput
from tests.fixtures.admin import signed_in
from tests.fixtures.world import World

MARKER = "mArKeR-77aa"
PAGE = "/admin/secrets/shop-project/dev/"


def ask(client: Client, world: World, what: str, environment: str = "dev", **values: Any) -> Any:
    return client.post(f"/admin/secrets/in/{world.environment(environment).pk}/{what}/", {"path": "/", **values})


def stored(world: World, key: str, environment: str = "dev", path: str = "/") -> str | None:
    found = Secret.objects.select_related("folder__environment").filter(folder=world.folder(path, environment), key=key)
    return value_of(found[0]) if found else None


def events(response: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.headers.get("HX-Trigger", "{}"))
    return found


def shown(name: str) -> int:
    return AuditEvent.objects.filter(event="get-secret", metadata__secretKey=name, metadata__isValueShown=True).count()


# -- the page --------------------------------------------------------------------------------------------------


def test_the_grid_has_a_row_per_key_and_a_column_per_environment(world: World, member: Client) -> None:
    world.set(A=MARKER, B="2")
    world.set(environment="staging", A="3")
    folders.ensure_folder(world.actor, world.environment(), "/shared")
    world.set("/shared", C="4", D="5")
    imports.add_import(world.actor, world.folder(), world.environment(), "/shared")
    world.set(environment="staging", C="6")
    grid = member.get(PAGE).context["grid"]
    states = {row.key: [cell.state for cell in row.cells] for row in grid.rows}
    assert states == {
        "A": ["set", "set", "missing"],
        "B": ["set", "missing", "missing"],
        "C": ["imported", "set", "missing"],
    }
    assert (grid.total, grid.gaps) == (3, 3)
    below = member.get("/admin/secrets/shop-project/staging/shared/")
    assert [cell.state for cell in below.context["grid"].rows[0].cells] == ["set", "nowhere", "nowhere"]
    assert "Staging has no folder" not in below.content.decode()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER, Role.VIEWER])
def test_no_value_is_in_the_page_before_it_is_revealed(world: World, role: Role) -> None:
    world.set(A=MARKER, B=f"${{A}}{MARKER}")
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", comment="what it is for", tags=["db"])])
    client = signed_in(world, role)
    page = client.get(PAGE)
    assert "what it is for" in page.content.decode()
    assert MARKER not in page.content.decode()
    assert "no-store" in page["Cache-Control"]
    assert MARKER not in ask(client, world, "cell/show", key="A").content.decode()
    assert shown("A") == 0


def test_a_tag_s_colour_is_a_colour(world: World, member: Client) -> None:
    for slug, color in (("red", "#ff0000"), ("bad", "x;background:url(//x.example)")):
        tags.create_tag(world.actor, world.project, slug, color)
    secrets.set_secrets(world.actor, world.folder(), [SecretInput("A", "1", tags=["red", "bad"])])
    page = member.get(PAGE).content.decode()
    assert "--tag: #ff0000" in page
    assert "x.example" not in page


def test_each_reveal_is_recorded_in_the_audit_log(world: World, member: Client) -> None:
    world.set(A=MARKER)
    revealed = ask(member, world, "cell/reveal", key="A")
    assert MARKER in revealed.content.decode()
    assert "no-store" in revealed["Cache-Control"]
    event = AuditEvent.objects.get(event="get-secret")
    assert (event.actor_name, event.metadata["secretKey"]) == ("person-member", "A")
    assert MARKER not in json.dumps(event.metadata)
    assert MARKER not in ask(member, world, "cell/edit", key="A").content.decode()
    assert shown("A") == 1
    assert MARKER in ask(member, world, "cell/edit", key="A", loaded="1").content.decode()
    assert shown("A") == 2


def test_a_viewer_sees_keys_and_no_action_that_is_not_permitted(world: World) -> None:
    world.set(A=MARKER)
    viewer = signed_in(world, Role.VIEWER)
    page = viewer.get(PAGE).content.decode()
    assert "A" in page
    for control in ('data-do="show"', 'data-do="reveal"', 'data-do="edit"', "data-open", 'name="keys"'):
        assert control not in page
    for what in ("cell/reveal", "cell/edit", "cell/save", "new", "names"):
        assert ask(viewer, world, what, key="A", value="x").status_code == 403, what
    assert stored(world, "A") == MARKER
    assert shown("A") == 0


def test_another_project_is_not_found(world: World, member: Client) -> None:
    admin = User.objects.get(username="ada")
    other = folders.create_project(actor_of_user(admin), "Other", slug="other-project")
    environment = other.environments.all()[0]
    assert member.get("/admin/secrets/other-project/dev/").status_code == 404
    assert member.get(PAGE + "nowhere/").status_code == 404
    assert member.get(PAGE + "not%20a%20name/").status_code == 404
    for what in ("cell/show", "cell/reveal", "cell/edit", "cell/save", "new", "feeds", "names"):
        asked = member.post(f"/admin/secrets/in/{environment.pk}/{what}/", {"path": "/", "key": "A"})
        assert asked.status_code == 404, what
    assert "other-project" not in member.get(PAGE).content.decode()
    assert Client().get(PAGE).status_code == 302


def test_the_editor_starts_with_the_first_project_of_the_person(world: World, member: Client) -> None:
    assert member.get("/admin/secrets/")["Location"] == PAGE
    assert member.get(f"/admin/secrets/?project={world.project.pk}")["Location"] == PAGE
    nobody = signed_in(world, None)
    assert "You are not a member of any project yet" in nobody.get("/admin/secrets/").content.decode()
    Project.objects.all().delete()
    assert "You are not a member of any project yet" in member.get("/admin/secrets/").content.decode()


def test_two_thousand_keys_are_paged_and_found_in_few_queries(world: World, member: Client) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert member.get(PAGE).status_code == 200
        return len(queries)

    world.set(KEY_0000="x")
    world.sync()
    cost()
    few = cost()
    for environment in ("dev", "staging", "prod"):
        many = [SecretInput(f"KEY_{number:04}", "x", "a comment", ["db"]) for number in range(2000)]
        secrets.set_secrets(world.actor, world.folder("/", environment), many)
    for number in range(40):
        folders.ensure_folder(world.actor, world.environment(), f"/f{number}/g")
        world.sync(f"s{number}", {"scope": "application", "org": "acme", "app": f"a{number}"})
    assert cost() <= few + 1  # the tags of what has some
    assert few <= 25
    page = member.get(PAGE)
    grid = page.context["grid"]
    assert (grid.total, len(grid.rows), grid.pages) == (2000, 100, 20)
    found = member.get(PAGE + "?q=key+19&page=2", headers={"HX-Target": "ed-grid"})
    assert "<html" not in found.content.decode()
    fits = sum("19" in f"{number:04}" for number in range(2000))
    assert (found.context["grid"].found, found.context["grid"].page) == (fits, 2)
    secrets.delete_secrets(world.actor, world.folder("/", "prod"), ["KEY_0007"])
    assert [row.key for row in member.get(PAGE + "?gaps=1").context["grid"].rows] == ["KEY_0007"]
    assert member.get(PAGE + "?tag=nope&page=nine").context["grid"].found == 0


# -- editing in place ------------------------------------------------------------------------------------------


def test_a_value_is_edited_in_place_through_the_service(world: World, member: Client) -> None:
    world.set(A="1")
    sync = world.sync()
    world.run(sync)
    saved = ask(member, world, "cell/save", key="A", value="two\r\nlines", seen="1")
    assert stored(world, "A") == "two\nlines"
    assert events(saved)["ed-message"] == "A saved in Development"
    assert "two" not in saved.content.decode()
    world.due()
    assert world.held() == {"A": "two\nlines"}
    assert AuditEvent.objects.filter(event="update-secret", actor_name="person-member").count() == 1


def test_a_missing_value_is_added_and_its_folder_is_created(world: World, member: Client) -> None:
    folders.ensure_folder(world.actor, world.environment(), "/api")
    world.set("/api", A="1")
    saved = member.post(
        f"/admin/secrets/in/{world.environment('prod').pk}/cell/save/", {"path": "/api", "key": "A", "value": "p"}
    )
    assert "is-set" in saved.content.decode()
    assert stored(world, "A", "prod", "/api") == "p"


def test_a_concurrent_change_is_not_overwritten(world: World, member: Client) -> None:
    world.set(A="1")
    world.set(A="2")
    refused = ask(member, world, "cell/save", key="A", value="3", seen="1")
    assert "A was changed since you looked: ada wrote v2." in events(refused)["ed-refused"]
    assert refused["HX-Reswap"] == "none"
    assert stored(world, "A") == "2"


def test_an_untouched_input_does_not_store_an_empty_value(world: World, member: Client) -> None:
    world.set(A="1", CR="a\r\nb")
    assert "Nothing was entered" in events(ask(member, world, "cell/save", key="A", value=""))["ed-refused"]
    assert stored(world, "A") == "1"
    ask(member, world, "cell/save", key="A", value="", loaded="1")
    assert stored(world, "A") == ""
    ask(member, world, "cell/save", key="CR", value="a\r\nc", loaded="1")
    assert stored(world, "CR") == "a\r\nc"


def test_a_refusal_names_no_value(world: World, member: Client) -> None:
    world.set(A="1")
    refused = ask(member, world, "cell/save", key="A", value=MARKER + "${NOPE}")
    assert "Referenced secret(s) not found: NOPE" in events(refused)["ed-refused"]
    assert MARKER not in str(refused.headers) + refused.content.decode()
    too_much = ask(member, world, "cell/save", key="A", value="x" * (1024 * 1024 + 1))
    assert "larger than 1 MiB" in events(too_much)["ed-refused"]


def test_a_nul_is_refused_in_every_field(world: World, member: Client) -> None:
    world.set(A="1")
    for what, given in (
        ("cell/save", {"key": "A\x00", "value": "2"}),
        ("cell/save", {"key": "A", "value": "2\x00"}),
        ("cell/reveal", {"key": "A\x00"}),
        ("new", {"key": "B\x00", "value": "", "environments": str(world.environment().pk)}),
        ("details/save", {"key": "A", "name": "A", "comment": "\x00"}),
    ):
        assert "NUL" in events(ask(member, world, what, **given))["ed-refused"], what
    assert stored(world, "A") == "1"
    assert member.get(PAGE + "?tag=%00").status_code == 200


def test_a_key_is_added_to_several_environments_all_or_none(world: World, member: Client) -> None:
    ids = [str(world.environment(slug).pk) for slug in ("dev", "prod")]
    form = ask(member, world, "new").content.decode()
    assert 'autocomplete="off"' in form
    assert "Choose at least one" in events(ask(member, world, "new", key="A", value="1"))["ed-refused"]
    world.set(environment="prod", A="there")
    refused = ask(member, world, "new", key="A", value="1", environments=ids)
    assert "Secret already exist: A" in events(refused)["ed-refused"]
    assert stored(world, "A") is None
    bad = ask(member, world, "new", key="A:B", value="1", environments=ids)
    assert "cannot contain colon" in events(bad)["ed-refused"]
    done = ask(member, world, "new", key="B", value="1", comment="why", tags="db, cache", environments=ids)
    assert events(done)["ed-grid"] is True
    made = Secret.objects.filter(key="B").select_related("folder__environment")
    assert {one.folder.environment.slug for one in made} == {"dev", "prod"}
    assert {comment_of(one) for one in made} == {"why"}
    assert {tag.slug for tag in made[0].tags.all()} == {"db", "cache"}


def test_completion_offers_names_that_a_reference_can_use(world: World, member: Client) -> None:
    world.set(A="1", **{"NOT REFERABLE": "2"})
    folders.ensure_folder(world.actor, world.environment("prod"), "/a/b")
    world.set("/a/b", "prod", C="3")
    names = ask(member, world, "names").json()["names"]
    assert names == ["A", "prod.a.b.C"]


def test_nothing_is_written_without_the_token_of_the_form(world: World) -> None:
    world.set(A="1")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="ada"))
    assert ask(strict, world, "cell/save", key="A", value="2").status_code == 403
    assert ask(strict, world, "cell/reveal", key="A").status_code == 403
    assert strict.get(f"/admin/secrets/in/{world.environment().pk}/cell/reveal/").status_code == 405
    assert stored(world, "A") == "1"
    assert Folder.objects.filter(path="/").count() == 3
