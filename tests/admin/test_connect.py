"""The wizard "Connect and sync" with Django's test client: every step, refusal and permission."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from django.test import Client
from django.urls import reverse
from pydantic import SecretStr
from pytest_django import DjangoAssertNumQueries

from config.access.models import Membership, Project, Role, User
from config.access.roles import actor_of_user
from config.errors import Invalid, PermissionDenied
from config.schemas import types
from config.schemas.member import About
from config.schemas.model import Model
from config.schemas.types import Flag, Items, Text, Whole
from config.schemas.unions import OneOf
from connections.models import AppConnection
from connections.providers.humanitec import Humanitec as Vendor
from connections.services import create_connection, pause_connection
from syncs.destinations.humanitec import Humanitec
from syncs.models import RunChange, Secret, SecretSync, SyncDraft, SyncRun
from syncs.services.defaults import update_defaults
from syncs.services.folders import create_project, ensure_folder
from syncs.services.syncs import SyncInput, draft_sync
from tests.fixtures.world import OPTIONS, TOKEN, World

START = "/admin/syncs/syncdraft/"
SECRET = "mArKeR-31cc"
PLACE = {"scope": "environment", "org": "acme", "app": "shop", "env": "development"}


class Walk:
    """One person's way through one draft. `asked` counts the fields that a person had to fill."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.draft: SyncDraft | None = None

    def start(self, destination: str = "humanitec") -> Walk:
        known = set(SyncDraft.objects.values_list("pk", flat=True))
        assert self.client.post(START, {"destination": destination}).status_code == 302
        self.draft = SyncDraft.objects.exclude(pk__in=known).get()
        return self

    def url(self, step: str) -> str:
        assert self.draft
        name, args = ("run", [self.draft.pk]) if step == "run" else ("step", [self.draft.pk, step])
        return reverse(f"admin:syncs_syncdraft_{name}", args=args)

    def get(self, step: str) -> Any:
        return self.client.get(self.url(step))

    def page(self, step: str) -> str:
        found = self.get(step)
        assert found.status_code == 200, found
        return str(found.content.decode())

    def post(self, step: str, given: Mapping[str, Any], **headers: str) -> Any:
        return self.client.post(self.url(step), given, headers=headers)

    def pass_(self, step: str, given: Mapping[str, Any], to: str) -> None:
        answer = self.post(step, given)
        assert answer.status_code == 302, said(answer)
        assert answer["Location"] == self.url(to)

    def kept(self) -> SyncDraft:
        assert self.draft
        return SyncDraft.objects.get(pk=self.draft.pk)

    def to_plan(self, world: World, location: Mapping[str, str] = PLACE, **options: str) -> Walk:
        """Through all steps before the plan, with what is offered."""
        self.start()
        self.pass_("connection", {"connection": str(world.connection.pk)}, "source")
        self.pass_("source", source(world), "target")
        self.pass_("target", config(**location), "options")
        self.pass_("options", {"name": "shop-dev", "auto": "on", "policy__maxDeletions": "10", **options}, "plan")
        return self

    def digest(self) -> str:
        found = re.search(r'name="digest" value="(\w+)"', self.page("plan"))
        assert found
        return found[1]


def source(world: World, environment: str = "dev", path: str = "/") -> dict[str, str]:
    return {"project": str(world.project.pk), "environment": environment, "path": path}


def config(**given: str) -> dict[str, str]:
    return {f"destinationConfig__{name}": value for name, value in given.items()}


def said(answer: Any) -> str:
    """What the page says is wrong."""
    step = answer.context["step"]
    return " ".join([*step.problems, step.form.errors.as_text()])


@pytest.fixture
def ada(world: World) -> Walk:
    return Walk(signed_in(User.objects.get(username="ada")))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def person(world: World, role: Role | None) -> Walk:
    user = User.objects.create_user(f"person-{role}", password="x", is_staff=True)
    if role:
        Membership.objects.create(project=world.project, user=user, role=role)
    return Walk(signed_in(user))


# -- the whole way ---------------------------------------------------------------------------------------------


def test_the_wizard_from_an_empty_installation_to_synced_secrets(sandbox: Any, db: None) -> None:
    """Counts what a person has to fill or choose: five fields, well under ten."""
    sandbox.token = TOKEN
    walk = Walk(signed_in(User.objects.create_superuser("root", password="a long password")))
    filled = 0
    walk.start()
    page = walk.page("connection")
    assert "API token" in page
    assert 'value="humanitec"' in page
    walk.pass_("connection", {"connection": "new", "name": "humanitec", "credentials__apiToken": TOKEN}, "source")
    filled += 1
    assert "Name of your first project" in walk.page("source")
    walk.pass_("source", {"create_project": "1", "project_name": "Shop"}, "source")
    filled += 1
    project = Project.objects.get()
    assert "This folder is empty" in walk.page("source")
    chosen = {"project": str(project.pk), "environment": "dev", "path": "/"}
    walk.pass_("source", {**chosen, "add_secrets": "1", "pasted": f"A={SECRET}\nB='two words'\n"}, "source")
    filled += 1
    wrong = said(walk.post("source", {**chosen, "add_secrets": "1", "pasted": f"C={SECRET}\nC=again"}))
    assert "Nothing was stored. line 2" in wrong
    assert SECRET not in wrong
    page = walk.page("source")
    assert "<strong>2</strong>" in page
    assert SECRET not in page
    walk.pass_("source", chosen, "target")
    page = walk.page("target")
    assert '<option value="acme" selected>' in page, "the only organisation is chosen already"
    assert re.search(r'value="application"[^>]* checked', page)
    walk.pass_("target", config(scope="application", org="acme", app="shop"), "options")
    filled += 1
    suggested = re.search(r'name="name" value="([\w-]+)"', walk.page("options"))
    assert suggested
    walk.pass_("options", {"name": suggested[1], "auto": "on", "policy__maxDeletions": "10"}, "plan")
    walk.pass_("plan", {"digest": walk.digest()}, "run")
    assert filled <= 10
    sync = SecretSync.objects.get()
    from syncs.running.runner import execute

    execute(SyncRun.objects.get(sync=sync).pk)
    assert "Your secrets are synced" in walk.page("run")
    assert {key: one["value"] for key, one in sandbox.values["acme", "shop", ""].items()} == {
        "A": SECRET,
        "B": "two words",
    }
    assert SECRET not in str(SyncDraft.objects.values())
    assert TOKEN not in str(SyncDraft.objects.values())


def test_a_finished_draft_redirects_to_its_run(world: World, ada: Walk) -> None:
    world.set(A="1")
    ada.to_plan(world)
    digest = ada.digest()
    for _ in range(2):
        ada.pass_("plan", {"digest": digest}, "run")
    assert SecretSync.objects.count() == 1
    for step in ("destination", "connection", "source", "target", "options", "plan"):
        assert ada.get(step)["Location"] == ada.url("run")
    assert "Waiting to start" in ada.page("run")
    world.due()
    page = ada.page("run")
    assert "Your secrets are synced" in page
    assert 'hx-trigger="every 1s"' not in page
    assert START in page
    assert ada.client.get(START).context["drafts"] == []


def test_failures_are_listed_on_the_last_page(world: World, ada: Walk) -> None:
    world.set(A="1", **{"B C": "2"})
    ada.to_plan(world)
    page = ada.page("plan")
    assert "1 key cannot be written (B C): Humanitec takes only letters" in page
    ada.pass_("plan", {"digest": ada.digest()}, "run")
    world.due()
    page = ada.page("run")
    assert "1 key was not synced" in page
    assert "Rename the secret" in page


def test_without_auto_sync_it_runs_once_and_stores_the_policy(world: World, ada: Walk) -> None:
    world.set(A="1", DB_X="2")
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", {**source(world), "recursive": "on"}, "target")
    ada.pass_("target", config(**PLACE), "options")
    given = {"name": "quiet", "syncOptions__keySchema": "X_{{secretKey}}", "syncOptions__disableSecretDeletion": "on"}
    rules = {"policy__unmanaged": "leave", "policy__maxDeletions": "", "policy__exclude": "DB_*, Q"}
    ada.pass_("options", {**given, **rules}, "plan")
    ada.pass_("plan", {"digest": ada.digest()}, "run")
    sync = SecretSync.objects.select_related("policy").get()
    assert (sync.is_auto_sync_enabled, sync.policy.recursive, sync.policy.max_deletions) == (False, True, None)
    assert (sync.policy.unmanaged, sync.policy.exclude) == ("leave", ["DB_*", "Q"])
    assert sync.sync_options == {
        "initialSyncBehavior": "overwrite-destination",
        "keySchema": "X_{{secretKey}}",
        "disableSecretDeletion": True,
    }
    world.due()
    assert world.held(("acme", "shop", "development")) == {"X_A": "1"}
    assert SyncRun.objects.get().trigger == "manual"


@pytest.mark.parametrize("role", [Role.MEMBER, Role.ADMIN])
def test_defaults_of_the_project_are_offered_and_stored(world: World, role: Role) -> None:
    world.set(A="1", B_LOCAL="2")
    policy = {"exclude": ["*_LOCAL"], "recursive": True, "max_deletions": 3, "heal": True}
    update_defaults(world.actor, world.project, policy)
    walk = person(world, role).start()
    walk.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    walk.pass_("source", {**source(world), **({"recursive": "on"} if role == Role.ADMIN else {})}, "target")
    walk.pass_("target", config(**PLACE), "options")
    offered = {
        name: field.initial
        for name, field in walk.get("options").context["form"].fields.items()
        if name.startswith("policy__")
    }
    rules = {}
    if role == Role.ADMIN:
        assert (offered["policy__maxDeletions"], offered["policy__exclude"]) == (3, "*_LOCAL")
        rules = {name: str(value) for name, value in offered.items() if value}
    else:
        assert offered == {}
    walk.pass_("options", {"name": "shop-dev", **rules}, "plan")
    page = walk.page("plan")
    assert "B_LOCAL" not in page
    walk.pass_("plan", {"digest": walk.digest()}, "run")
    kept = SecretSync.objects.select_related("policy").get().policy
    assert {name: getattr(kept, name) for name in policy} == policy


# -- deletes above the limit -----------------------------------------------------------------------------------


def test_deletes_above_the_limit_are_confirmed_by_the_syncs_name(world: World, ada: Walk) -> None:
    world.set(A="1")
    for number in range(12):
        world.sandbox.put(("acme", "shop", "development"), f"OLD_{number}", "x")
    ada.to_plan(world)
    page = ada.page("plan")
    assert "it would delete 12 keys; the limit is 10" in page
    assert "OLD_11" in page
    digest = ada.digest()
    for typed in ("", "shop", "SHOP-DEV"):
        refused = ada.post("plan", {"digest": digest, "confirm": typed})
        assert "Type the name of the sync to confirm the deletes: shop-dev" in said(refused)
    assert not SecretSync.objects.exists()
    ada.pass_("plan", {"digest": digest, "confirm": "shop-dev"}, "run")
    world.due()
    assert world.held(("acme", "shop", "development")) == {"A": "1"}
    assert "12 deleted" in ada.page("run")
    assert SyncRun.objects.get().trigger == "approval"


def test_confirmed_deletes_are_held_where_somebody_else_has_to_approve(world: World, ada: Walk) -> None:
    world.set(A="1")
    for number in range(12):
        world.sandbox.put(("acme", "shop", "development"), f"OLD_{number}", "x")
    update_defaults(world.actor, world.project, {}, other_approver=True)
    ada.to_plan(world)
    ada.pass_("plan", {"digest": ada.digest(), "confirm": "shop-dev"}, "run")
    world.due()
    assert SyncRun.objects.get().status == "held"
    assert len(world.held(("acme", "shop", "development"))) == 12


def test_a_changed_plan_is_shown_again(world: World, ada: Walk) -> None:
    world.set(A="1")
    ada.to_plan(world)
    digest = ada.digest()
    world.set(B="2")
    refused = ada.post("plan", {"digest": digest})
    assert "The plan has changed in the meantime" in said(refused)
    assert "2</strong> to create" in refused.content.decode()
    assert not SecretSync.objects.exists()
    ada.pass_("plan", {"digest": ada.digest()}, "run")


def test_overwrites_and_deletes_are_red_and_come_first(world: World, ada: Walk) -> None:
    world.set(A="1", B="2")
    world.sandbox.put(("acme", "shop", "development"), "A", "other")
    world.sandbox.put(("acme", "shop", "development"), "OLD", "other")
    ada.to_plan(world)
    groups = ada.get("plan").context["groups"]
    assert [(each["kind"], each["tone"], each["count"]) for each in groups] == [
        ("delete", "danger", 1),
        ("overwrite", "danger", 1),
        ("create", "success", 1),
    ]
    assert world.writes() == []


def test_the_wizard_proposes_to_leave_keys_that_no_sync_wrote(world: World, ada: Walk) -> None:
    world.set(A="1")
    world.sandbox.put(("acme", "shop", "development"), "A", "another's")
    world.sandbox.put(("acme", "shop", "development"), "FOREIGN", "x")
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", source(world), "target")
    ada.pass_("target", config(**PLACE), "options")
    assert ada.get("options").context["form"]["policy__unmanaged"].value() == "leave"
    ada.pass_("options", {"name": "shop-dev", "auto": "on", "policy__unmanaged": "leave"}, "plan")
    page = ada.get("plan")
    assert page.context["overwriting"] == {"delete": ["FOREIGN"], "overwrite": ["A"]}
    text = page.content.decode()
    assert "If they were overwritten, this run would" in text
    assert re.search(r"delete <span[^>]*>FOREIGN</span>", text)
    assert not page.context["deletes"]


def test_the_first_run_deletes_no_key_that_appeared_after_its_plan(world: World, ada: Walk) -> None:
    world.set(A="1")
    world.sandbox.put(("acme", "shop", "development"), "SHOWN", "x")
    ada.to_plan(world)
    ada.pass_("plan", {"digest": ada.digest()}, "run")
    world.sandbox.put(("acme", "shop", "development"), "SINCE", "x")
    world.due()
    assert SyncRun.objects.get().status == "held"
    assert world.held(("acme", "shop", "development")).keys() == {"SHOWN", "SINCE"}


def test_a_projects_default_for_unmanaged_keys_is_proposed(world: World, ada: Walk) -> None:
    update_defaults(world.actor, world.project, {"unmanaged": "mirror"})
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", source(world), "target")
    ada.pass_("target", config(**PLACE), "options")
    assert ada.get("options").context["form"]["policy__unmanaged"].value() == "mirror"


def test_deletes_that_wait_for_the_source_are_red(world: World, ada: Walk) -> None:
    world.set(A="1", **{"B C": "2"})
    for number in range(12):
        world.sandbox.put(("acme", "shop", "development"), f"OLD_{number}", "x")
    ada.to_plan(world)
    page = ada.page("plan")
    assert "12</strong> to delete, when the source is complete" in page
    assert "The run deletes none of them" in page
    assert "Save, run and delete these keys" not in page
    ada.pass_("plan", {"digest": ada.digest(), "confirm": "shop-dev"}, "run")
    world.due()
    assert len(world.held(("acme", "shop", "development"))) == 13


def test_overlaps_are_reported_before_the_sync_exists(world: World, ada: Walk) -> None:
    world.set(A="1")
    world.sync("first", {"scope": "environment", "org": "acme", "app": "shop", "env": "development"})
    assert "The sync first writes the same key: A" in ada.to_plan(world).page("plan")


# -- the vendor ------------------------------------------------------------------------------------------------


def test_pickers_load_one_after_the_other(world: World, ada: Walk) -> None:
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", source(world), "target")
    world.sandbox.orgs["zeta"] = {"web": ["live"]}
    world.sandbox.asked.clear()
    page = ada.page("target")
    assert world.sandbox.asked == [("GET", "/orgs")]
    assert "Choose the field above first" in page
    assert re.search(r'value="application"[^>]* checked', page)
    world.sandbox.asked.clear()
    live = {"live": "1", **config(scope="environment", org="zeta")}
    swapped = ada.post("target", live, HX_Trigger_Name="destinationConfig__org").content.decode()
    assert world.sandbox.asked == [("GET", "/orgs/zeta/apps"), ("GET", "/orgs/zeta/apps/web/envs")]
    assert '<option value="web" selected>' in swapped
    assert '<option value="live" selected>' in swapped
    assert ada.kept().steps.get("target") is None, "a live look keeps nothing"
    world.sandbox.asked.clear()
    ada.pass_("target", config(scope="application", org="zeta", app="web"), "options")
    assert world.sandbox.asked == [], "continuing sends no request"


def test_without_the_vendor_everything_can_be_typed(world: World, ada: Walk) -> None:
    world.set(A="1")
    ada.start()
    world.sandbox.fault = lambda method, path: (503, {"error": "x", "message": "maintenance"})
    refused = ada.post("connection", {"connection": str(world.connection.pk)})
    assert "answered 503" in said(refused)
    assert "Continue anyway" in refused.content.decode()
    ada.pass_("connection", {"connection": str(world.connection.pk), "anyway": "1"}, "source")
    ada.pass_("source", source(world), "target")
    page = ada.page("target")
    assert "The choices cannot be loaded from Humanitec. Enter the values" in page
    assert "answered 503" in page
    assert '<input type="text" name="destinationConfig__org"' in page
    ada.pass_("target", config(**PLACE), "options")
    world.sandbox.asked.clear()
    ada.page("target")
    assert {path for _, path in world.sandbox.asked} == {"/orgs"}, "after a failure no further choices are requested"
    ada.pass_("options", {"name": "shop-dev", "auto": "on", "policy__maxDeletions": "10"}, "plan")
    page = ada.page("plan")
    assert "The plan could not be made" in page
    assert "Save and run" not in page
    assert "answered 503" in said(ada.post("plan", {"digest": "x"}))
    world.sandbox.fault = None
    ada.pass_("plan", {"digest": ada.digest()}, "run")


def test_a_listed_value_can_be_typed_instead(world: World, ada: Walk) -> None:
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", source(world), "target")
    shown = ada.post("target", {**config(scope="application", org="acme"), "by_hand": "app"}).content.decode()
    assert '<input type="text" name="destinationConfig__app"' in shown
    assert 'name="typed" value="app"' in shown
    back = ada.post("target", {**config(scope="application", org="acme"), "typed": "app", "by_list": "app"})
    assert '<option value="blog">' in back.content.decode()
    ada.pass_("target", {**config(scope="application", org="acme", app="elsewhere"), "typed": "app"}, "options")
    ada.draft = ada.kept()
    assert ada.draft.step("target").given["app"] == "elsewhere"


def test_a_wrong_token_stores_nothing_and_is_not_shown_again(world: World, ada: Walk) -> None:
    ada.start()
    given = {"connection": "new", "name": "second", "scope": "", "credentials__apiToken": SECRET}
    refused = ada.post("connection", given)
    assert "Failed to validate credentials: Humanitec: GET /orgs answered 403" in said(refused)
    assert SECRET not in refused.content.decode()
    assert 'value="second"' in refused.content.decode()
    assert AppConnection.objects.count() == 1
    assert SECRET not in str(SyncDraft.objects.values())
    assert "API Token required" in said(ada.post("connection", {**given, "credentials__apiToken": ""}))
    assert "lowercase letters" in said(ada.post("connection", {**given, "name": "Not So"}))
    ada.pass_("connection", {**given, "scope": str(world.project.pk), "credentials__apiToken": TOKEN}, "source")
    made = AppConnection.objects.get(name="second")
    assert made.project_id == world.project.pk
    assert ada.kept().step("connection").typed == {"connection": str(made.pk)}


class Vault(Model):
    """What a destination may declare that Humanitec does not: lists, flags, numbers, lines, a choice of one."""

    kind: Annotated[Literal["vault"], About()]
    org: Annotated[str, Text("Organisation", "Which.", empty_message="Organisation required")]
    app: Annotated[list[Annotated[str, Text()]] | None, Items("Which ones.")] = None
    isStrict: Annotated[bool | None, Flag("Strict", "Refuse what is odd.")] = None
    ttl: Annotated[int | None, Whole("Seconds.", minimum=1)] = None
    note: Annotated[str | None, Text("Note", "Some lines.", multiline=True)] = None
    edition: Annotated[str, Text("Edition", choices=("first",))]


class Shelf(Model):
    kind: Annotated[Literal["shelf"], About()]
    row: Annotated[str, Text("Row", "Any.")]


class Acme(Humanitec):
    Config = OneOf("kind", Vault, Shelf)


def test_all_members_of_a_schema_are_requested_and_stored(
    world: World, ada: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Humanitec, "Config", Acme.Config)
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", source(world), "target")
    page = ada.page("target")
    assert "Edition" not in page, "it can be but one thing"
    for name, kind in (("app", "checkbox"), ("isStrict", "checkbox"), ("ttl", "number"), ("kind", "radio")):
        assert re.search(rf'<input type="{kind}" name="destinationConfig__{name}"', page), name
    assert '<textarea name="destinationConfig__note"' in page
    refused = ada.post("target", config(kind="vault", ttl="0", note="a\nb"))
    assert refused.context["step"].form.errors["destinationConfig__org"] == ["Organisation required"]
    assert "destinationConfig__ttl" in refused.context["step"].form.errors
    given = config(kind="vault", org="acme", ttl="60", note="a\nb", isStrict="on")
    ada.pass_("target", {**given, "destinationConfig__app": ["shop", "blog"]}, "options")
    kept = ada.kept().step("target").given
    assert kept == {
        "kind": "vault",
        "org": "acme",
        "app": ["shop", "blog"],
        "isStrict": True,
        "ttl": 60,
        "note": "a\nb",
        "edition": "first",
    }
    page = ada.page("target")
    assert re.search(r'value="blog"[^>]* checked', page)
    assert re.search(r'value="shop"[^>]* checked', page)
    ada.pass_("target", config(kind="shelf", row="9"), "options")
    assert ada.kept().step("target").given == {"kind": "shelf", "row": "9"}


class Account(Model):
    account: Annotated[str | None, Text("Account", "Whose.")] = None


class PrivateKey(Account):
    apiToken: Annotated[SecretStr, types.Secret("Private key", "As it is.", multiline=True)]


def test_a_secret_of_several_lines_keeps_its_lines_and_is_not_shown_again(
    world: World, ada: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Vendor, "methods", {"key": PrivateKey, "other-way": Account})
    ada.start()
    given = {"connection": "new", "method": "key", "name": "lines", "credentials__account": "me"}
    refused = ada.post("connection", {**given, "credentials__apiToken": f"{SECRET}\nsecond"})
    page = refused.content.decode()
    assert SECRET not in page
    assert '<textarea name="credentials__apiToken"' in page
    assert 'value="me"' in page
    ada.post("connection", {**given, "credentials__apiToken": SECRET, "back": "1"})
    assert ada.kept().step("connection").typed["credentials__account"] == "me"
    assert SECRET not in str(SyncDraft.objects.values())
    other = ada.post("connection", {**given, "method": "other-way", "live": "1"}).content.decode()
    assert "Private key" not in other


# -- what is typed ---------------------------------------------------------------------------------------------


def test_every_problem_is_shown_at_its_field(world: World, ada: Walk) -> None:
    world.set(A="1")
    world.sync("taken")
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    assert "Choose a folder" in said(ada.post("source", source(world, path="/nowhere")))
    assert "Choose an environment" in said(ada.post("source", source(world, environment="nowhere")))
    ada.pass_("source", source(world), "target")
    errors = ada.post("target", config(scope="environment")).context["step"].form.errors
    assert list(errors["destinationConfig__app"]) == ["App ID required"]
    assert list(errors["destinationConfig__env"]) == ["Env ID required"]
    ada.pass_("target", config(**PLACE), "options")
    wrong = {"name": "Not So", "syncOptions__keySchema": "{{secretKey", "policy__maxDeletions": "-1"}
    errors = ada.post("options", wrong).context["step"].form.errors
    assert sorted(errors) == ["name", "policy__maxDeletions", "syncOptions__keySchema"]
    taken = ada.post("options", {"name": "taken"})
    assert "The project has a sync named taken already" in said(taken)


def test_going_back_keeps_the_input(world: World, ada: Walk) -> None:
    world.set(A="1")
    ada.to_plan(world)
    typed = {"name": "half a na", "syncOptions__keySchema": "{{secret", "policy__maxDeletions": "7"}
    back = ada.post("options", {**typed, "back": "1"})
    assert back["Location"] == ada.url("target")
    page = ada.page("options")
    assert 'value="half a na"' in page
    assert 'value="{{secret"' in page
    assert "Key schema must include exactly one" in page, "the preview shows the problem instead of the names"
    assert '<option value="shop" selected>' in ada.page("target")


def test_the_preview_shows_names_at_the_destination(world: World, ada: Walk) -> None:
    world.set(A="1", SKIPPED="2", **{"not good": "3"})
    ada.to_plan(world)
    given = {"live": "1", "name": "x", "syncOptions__keySchema": "DEV-{{secretKey}}", "policy__exclude": "SKIP*"}
    shown = ada.post("options", given)
    page = shown.content.decode()
    assert [(key.key, bool(key.blocked)) for key in shown.context["keys"]] == [
        ("DEV-not good", True),
        ("DEV-A", False),
    ]
    assert "Names: letters, digits, underscores, dots and dashes." in page
    assert "1 key is blocked." in page
    assert ada.kept().step("options").typed["name"] == "shop-dev", "a live look keeps nothing"


def test_reloading_is_harmless_and_steps_cannot_be_skipped(world: World, ada: Walk) -> None:
    ada.start()
    for step in ("source", "target", "options", "plan"):
        assert ada.get(step)["Location"] == ada.url("connection")
    assert ada.get("run")["Location"] == ada.url("connection")
    for _ in range(2):
        assert ada.get("connection").status_code == 200
    assert ada.get("nonsense").status_code == 404
    assert SyncDraft.objects.count() == 1


def test_deleted_objects_lead_back_with_a_message(world: World, ada: Walk) -> None:
    ensure_folder(world.actor, world.environment(), "/api")
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    ada.pass_("source", source(world, path="/api"), "target")
    ada.pass_("target", config(**PLACE), "options")
    ada.pass_("options", {"name": "shop-dev", "policy__maxDeletions": "10"}, "plan")
    world.folder("/api").delete()
    again = ada.client.get(ada.url("options"), follow=True)
    assert again.redirect_chain[-1][0] == ada.url("connection")
    assert "Folder with path &#x27;/api&#x27;" in again.content.decode()
    assert "The plan could not be made" in ada.page("plan")
    world.connection.delete()
    again = ada.client.get(ada.url("target"), follow=True)
    assert "Could not find App Connection" in again.content.decode()


def test_former_members_do_not_see_the_run(world: World) -> None:
    world.set(A="1")
    walk = person(world, Role.MEMBER)
    other = create_project(world.actor, "Other", slug="other-project")
    Membership.objects.create(project=other, user=User.objects.get(username="person-member"), role=Role.MEMBER)
    walk.to_plan(world)
    walk.pass_("plan", {"digest": walk.digest()}, "run")
    assert walk.get("run").status_code == 200
    Membership.objects.filter(project=world.project, user__username="person-member").delete()
    assert walk.get("run").status_code == 404


def test_two_tabs_do_not_mix(world: World, ada: Walk) -> None:
    world.set(A="1")
    world.set(environment="staging", B="2", C="3")
    other = Walk(ada.client)
    ada.start()
    other.start()
    for walk, environment in ((ada, "dev"), (other, "staging")):
        walk.pass_("connection", {"connection": str(world.connection.pk)}, "source")
        walk.pass_("source", source(world, environment), "target")
    assert "Development" in ada.page("target")
    assert "Staging" in other.page("target")
    assert len(ada.client.get(START).context["drafts"]) == 2
    ada.client.post(START, {"discard": str(other.kept().pk)})
    assert [draft.pk for draft in SyncDraft.objects.all()] == [ada.kept().pk]


def test_the_destination_can_be_chosen_again(world: World, ada: Walk) -> None:
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    assert "is-chosen" in ada.page("destination")
    ada.pass_("destination", {"destination": "humanitec"}, "connection")
    assert ada.kept().done == ["connection"], "the same one changes nothing"
    assert ada.post("destination", {"destination": "nowhere"}).status_code == 404


def test_tiles_are_searched(world: World, ada: Walk) -> None:
    assert [tile["slug"] for tile in ada.client.get(START + "?q=human").context["tiles"]] == ["humanitec"]
    assert "No destination matches" in ada.client.get(START + "?q=xyzzy").content.decode()
    assert "1 connection ready" in ada.client.get(START).content.decode()
    unknown = ada.client.post(START, {"destination": "nowhere"}, follow=True)
    assert "There is no destination" in unknown.content.decode()


# -- who may ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.VIEWER, None])
def test_the_wizard_needs_the_right_to_save_syncs(world: World, ada: Walk, role: Role | None) -> None:
    ada.start()
    walk = person(world, role)
    assert walk.client.get(START).status_code == 403
    assert walk.client.post(START, {"destination": "humanitec"}).status_code == 403
    walk.draft = ada.draft
    assert walk.get("connection").status_code == 403
    for page in ("/admin/", reverse("admin:syncs_secretsync_changelist")):
        assert "Connect and sync" not in walk.client.get(page).content.decode()


def test_the_wizard_is_linked_only_for_people_who_may_use_it(world: World) -> None:
    walk = person(world, Role.MEMBER)
    page = walk.client.get(reverse("admin:syncs_secretsync_changelist")).content.decode()
    assert page.count("Connect and sync") == 2, "in the sidebar, and above the list"


def test_a_draft_is_private(world: World, ada: Walk) -> None:
    ada.start()
    walk = person(world, Role.ADMIN)
    walk.draft = ada.draft
    assert walk.get("connection").status_code == 404
    assert walk.post("connection", {"connection": str(world.connection.pk)}).status_code == 404
    assert walk.client.post(START, {"discard": str(ada.kept().pk)}).status_code == 404
    assert walk.client.get(reverse("admin:syncs_syncdraft_change", args=[ada.kept().pk])).status_code == 404


def test_another_project_and_its_connections_are_not_offered(world: World) -> None:
    boss = actor_of_user(User.objects.get(username="ada"))
    project = create_project(boss, "Hidden", slug="hidden-project")
    boss = actor_of_user(User.objects.get(username="ada"))
    theirs = create_connection(
        boss, "humanitec", name="theirs", method="api-token", credentials={"apiToken": TOKEN}, project=project
    )
    walk = person(world, Role.MEMBER).start()
    assert "theirs" not in walk.page("connection")
    assert walk.post("connection", {"connection": str(theirs.pk)}).status_code == 404
    walk.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    assert "Hidden" not in walk.page("source")
    assert walk.post("source", {**source(world), "project": str(project.pk)}).status_code == 404
    assert walk.post("source", {**source(world), "project": str(project.pk), "live": "1"}).status_code == 404


def test_a_connection_of_one_project_offers_only_that_project(world: World, ada: Walk) -> None:
    create_project(world.actor, "Other", slug="other-project")
    theirs = create_connection(
        world.actor, "humanitec", name="own", method="api-token", credentials={"apiToken": TOKEN}, project=world.project
    )
    ada.start()
    ada.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    assert [each.name for each in ada.get("source").context["projects"]] == ["Other", "Shop"]
    ada.pass_("connection", {"connection": str(theirs.pk)}, "source")
    assert [each.name for each in ada.get("source").context["projects"]] == ["Shop"]


def test_a_member_sees_only_fields_they_may_set(world: World) -> None:
    world.set(A="1")
    ensure_folder(world.actor, world.environment(), "/api")
    walk = person(world, Role.MEMBER)
    walk.start()
    page = walk.page("connection")
    assert "New connection" not in page
    assert "API token" not in page
    walk.pass_("connection", {"connection": str(world.connection.pk)}, "source")
    assert "Include the folders below" not in walk.page("source")
    walk.pass_("source", {**source(world), "recursive": "on"}, "target")
    walk.pass_("target", config(**PLACE), "options")
    assert "Deletes without approval" not in walk.page("options")
    walk.pass_("options", {"name": "mine", "auto": "on", "policy__unmanaged": "mirror"}, "plan")
    walk.pass_("plan", {"digest": walk.digest()}, "run")
    policy = SecretSync.objects.select_related("policy").get().policy
    assert (policy.unmanaged, policy.recursive, policy.max_deletions) == ("overwrite-initially", False, 10)


def test_a_member_without_a_connection_gets_advice(world: World) -> None:
    world.connection.delete()
    walk = person(world, Role.MEMBER).start()
    page = walk.page("connection")
    assert "only a project admin can create one" in page
    assert (
        walk.post("connection", {"connection": "new", "name": "x", "credentials__apiToken": TOKEN}).status_code == 200
    )
    assert not AppConnection.objects.exists()


def test_a_sync_can_be_saved_while_paused(world: World, ada: Walk) -> None:
    world.set(A="1")
    ada.to_plan(world)
    ada.post("options", {"name": "shop-dev", "policy__maxDeletions": "10"})
    pause_connection(world.actor, world.connection, paused=True)
    ada.pass_("plan", {"digest": ada.digest()}, "run")
    assert "Saved, not started" in ada.page("run")
    assert SecretSync.objects.count() == 1


# -- cost ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "most"), [("connection", 12), ("source", 22), ("target", 12), ("options", 24), ("plan", 45), ("run", 14)]
)
def test_the_number_of_queries_does_not_depend_on_rows(
    world: World, ada: Walk, django_assert_max_num_queries: DjangoAssertNumQueries, step: str, most: int
) -> None:
    world.set(A="1", B="2")
    ada.to_plan(world)
    if step == "run":
        ada.pass_("plan", {"digest": ada.digest()}, "run")
        world.due()
    with django_assert_max_num_queries(most) as few:
        ada.page(step)
    world.set(**{f"K{number}": "x" for number in range(60)})
    for number in range(30):
        ensure_folder(world.actor, world.environment(), f"/folder-{number}")
        world.sandbox.put(("acme", "shop", "development"), f"FOREIGN_{number}", "x")
    if step == "run":
        run = SyncRun.objects.earliest("created_at")
        names = [f"R{number}" for number in range(40)]
        RunChange.objects.bulk_create(
            [RunChange(run=run, key=name, normalized_key=name, action="create") for name in names]
        )
    with django_assert_max_num_queries(most) as many:
        ada.page(step)
    assert len(many) == len(few)
    assert Secret.objects.count() == 62


def test_a_different_policy_needs_the_right_to_write_policies(world: World) -> None:
    user = User.objects.create_user("member", password="x", is_staff=True)
    Membership.objects.create(project=world.project, user=user, role=Role.MEMBER)
    given = SyncInput("s", None, world.connection.pk, "dev", "/", True, OPTIONS, PLACE)
    made = draft_sync(actor_of_user(user), world.project, "humanitec", given, {"max_deletions": 10})
    assert made.policy.max_deletions == 10
    for policy in ({"max_deletions": None}, {"recursive": True}):
        with pytest.raises(PermissionDenied, match="edit-policy"):
            draft_sync(actor_of_user(user), world.project, "humanitec", given, policy)
    with pytest.raises(Invalid, match="It must be one of"):
        draft_sync(world.actor, world.project, "humanitec", given, {"unmanaged": "nonsense"})
