"""Vercel over real HTTP on loopback: vendor-specific behaviour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config.errors import BadRequest, Invalid
from connections.errors import BadResponse, Conflict, NotFound, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from connections.http.client import ApiClient
from connections.providers.vercel import Vercel as Login
from syncs.destinations.vercel import Vercel
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.logins import login

from . import vercel
from .serving import Answer

CONFIGS = vercel.Vercel.configs
PRODUCTION, SENSITIVE, BRANCH, TEAM, UNLINKED = (
    CONFIGS[name] for name in ("production", "production-sensitive", "preview-branch", "team", "team-unlinked")
)
PREVIEW = {**vercel.Vercel.PROJECT, "env": "preview", "sensitive": False}


@pytest.fixture
def vendor() -> Iterator[vercel.Vercel]:
    fake = vercel.Vercel()
    with fake.running():
        yield fake


@pytest.fixture
def client(vendor: vercel.Vercel) -> Iterator[ApiClient]:
    with Login(vendor.url, deadline=2).client("api-token", login(Login, "api-token", vendor.credentials)) as client:
        yield client


def create(key: str, value: str = "v", comment: str = "") -> Write:
    return Write(Action.CREATE, key, key, value, comment)


def change(remote: Remote, value: str = "new") -> Write:
    return Write(Action.UPDATE, remote.key, remote.key, value, remote=remote)


def remove(remote: Remote) -> Write:
    return Write(Action.DELETE, remote.key, remote.key, remote=remote)


def apply(destination: Vercel, *writes: Write) -> dict[str, Outcome]:
    return {outcome.write.key: outcome for outcome in destination.apply(iter(writes))}


def listed(destination: Vercel) -> dict[str, Remote]:
    return {remote.key: remote for remote in destination.listing()}


def of(vendor: vercel.Vercel, key: str) -> list[dict[str, Any]]:
    return [one for held in vendor.records.values() for one in held.values() if one["key"] == key]


# -- several environments in one variable --------------------------------------------------------------------------


def test_an_update_narrows_a_variable_of_several_environments(vendor: vercel.Vercel, client: ApiClient) -> None:
    both = vendor.add(PRODUCTION, "KEY", "theirs", target=["production", "preview"])
    destination = Vercel(client, PRODUCTION)
    outcome = apply(destination, change(listed(destination)["KEY"], "ours"))["KEY"]
    assert outcome.error is None
    assert {one["id"]: (one["target"], one["value"]) for one in of(vendor, "KEY")} == {
        both["id"]: (["preview"], "theirs"),
        outcome.written.object_id: (["production"], "ours"),
    }


def test_a_delete_narrows_a_variable_of_several_environments(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PRODUCTION, "KEY", "theirs", target=["production", "preview"], customEnvironmentIds=["env_staging"])
    vendor.add(PRODUCTION, "OWN", "x")
    destination = Vercel(client, PRODUCTION)
    outcomes = apply(destination, *map(remove, listed(destination).values()))
    assert [outcome.error for outcome in outcomes.values()] == [None, None]
    (left,) = of(vendor, "KEY")
    assert (left["target"], left["customEnvironmentIds"]) == (["preview"], ["env_staging"])
    assert of(vendor, "OWN") == []


def test_a_variable_of_another_environment_is_not_listed(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PREVIEW, "KEY", "preview")
    assert listed(Vercel(client, PRODUCTION)) == {}


# -- branches ------------------------------------------------------------------------------------------------------


def test_a_branch_overrides_the_variables_of_all_previews(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PREVIEW, "WIDE", "all")
    vendor.add(PREVIEW, "BOTH", "all")
    vendor.add(BRANCH, "BOTH", "branch")
    vendor.add({**BRANCH, "branch": "other"}, "ELSE", "other")
    branch, preview = Vercel(client, BRANCH), Vercel(client, PREVIEW)
    assert {key: (one.inherited, one.value) for key, one in listed(branch).items()} == {
        "WIDE": (True, "all"),
        "BOTH": (False, "branch"),
    }
    assert {key: one.value for key, one in listed(preview).items()} == {"WIDE": "all", "BOTH": "all"}
    apply(branch, create("WIDE", "ours"))
    assert sorted(one["value"] for one in of(vendor, "WIDE")) == ["all", "ours"]


def test_a_branch_and_all_previews_overlap_two_branches_do_not(client: ApiClient) -> None:
    branch, preview = Vercel(client, BRANCH), Vercel(client, PREVIEW)
    other = Vercel(client, {**BRANCH, "branch": "other"})
    assert branch.overlaps(preview.location())
    assert preview.overlaps(branch.location())
    assert not branch.overlaps(other.location())
    assert not preview.overlaps(Vercel(client, PRODUCTION).location())


def test_a_project_is_one_location_with_or_without_team(client: ApiClient) -> None:
    here = Vercel(client, PRODUCTION).location()
    assert {Vercel(client, {**PRODUCTION, "teamId": team}).location() for team in ("", "usr_me", "team_x")} == {here}


def test_a_project_name_belongs_to_its_team_and_an_account_is_no_team(client: ApiClient) -> None:
    def location(team: str) -> str:
        return Vercel(client, {**PRODUCTION, "app": "shop", "teamId": team}).location()

    assert location("") == location("usr_me") != location("team_a") != location("team_b")


# -- types ---------------------------------------------------------------------------------------------------------


def test_readable_and_unreadable_values_are_in_one_list(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PRODUCTION, "OPEN", "1")
    vendor.add(SENSITIVE, "SHUT", "2")
    vendor.add(PRODUCTION, "PLAIN", "3", type="plain")
    shown = {key: (one.value, one.is_secret) for key, one in listed(Vercel(client, PRODUCTION)).items()}
    assert shown == {"OPEN": ("1", True), "SHUT": (None, True), "PLAIN": ("3", False)}


def test_an_encrypted_value_is_not_read_as_the_value(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.sealed = True
    vendor.add(PRODUCTION, "A", "1")
    vendor.add(SENSITIVE, "B", "2")
    destination = Vercel(client, PRODUCTION)
    remotes = destination.listing()
    assert [one.value for one in remotes] == [None, None]
    vendor.asked()
    destination.read_values(remotes, values=False)
    assert vendor.asked() == []
    assert {one.key: one.value for one in destination.read_values(remotes, values=True)} == {"A": "1", "B": None}
    assert len(vendor.asked()) == 1


def test_a_variable_of_another_type_is_recreated(vendor: vercel.Vercel, client: ApiClient) -> None:
    before = vendor.add(PRODUCTION, "KEY", "open")
    destination = Vercel(client, SENSITIVE)
    outcome = apply(destination, change(listed(destination)["KEY"], "shut"))["KEY"]
    (after,) = of(vendor, "KEY")
    assert (after["type"], after["value"]) == ("sensitive", "shut")
    assert after["id"] == outcome.written.object_id != before["id"]


def test_a_variable_of_another_type_that_was_deleted_is_not_recreated(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PRODUCTION, "KEY", "open")
    destination = Vercel(client, SENSITIVE)
    remote = listed(destination)["KEY"]
    vendor.drop(PRODUCTION, "KEY")
    assert isinstance(apply(destination, change(remote, "shut"))["KEY"].error, NotFound)
    assert of(vendor, "KEY") == []


def test_the_visibility_overrides_the_type(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PRODUCTION, "CONFIG", "1", visibility="config")
    vendor.add(PRODUCTION, "SECRET", "2", visibility="secret")
    vendor.add(PRODUCTION, "PLAIN", "3", visibility="config", type="plain")
    remotes = listed(Vercel(client, PRODUCTION))
    assert {key: (one.value, one.is_secret) for key, one in remotes.items()} == {
        "CONFIG": ("1", True),
        "SECRET": (None, True),
        "PLAIN": ("3", False),
    }


@pytest.mark.parametrize(("config", "recreated"), [(PRODUCTION, "SECRET"), (SENSITIVE, "CONFIG")])
def test_a_variable_of_another_visibility_is_recreated(
    vendor: vercel.Vercel, client: ApiClient, config: dict[str, Any], recreated: str
) -> None:
    before = {name: vendor.add(PRODUCTION, name, "old", visibility=name.lower())["id"] for name in ("CONFIG", "SECRET")}
    destination = Vercel(client, config)
    outcomes = apply(destination, *map(change, listed(destination).values()))
    assert [one.error for one in outcomes.values()] == [None, None]
    after = {name: of(vendor, name)[0]["id"] for name in before}
    assert [name for name in before if after[name] != before[name]] == [recreated]


def test_the_name_of_a_sensitive_variable_is_not_sent_again(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(SENSITIVE, "KEY", "old")
    destination = Vercel(client, SENSITIVE)
    assert apply(destination, change(listed(destination)["KEY"]))["KEY"].error is None
    assert of(vendor, "KEY")[0]["value"] == "new"


def test_what_an_integration_owns_is_locked(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PRODUCTION, "POSTGRES_URL", "x", configurationId="icfg_1")
    assert "integration" in listed(Vercel(client, PRODUCTION))["POSTGRES_URL"].locked


# -- incomplete lists ----------------------------------------------------------------------------------------------


def test_a_list_with_hidden_production_variables_is_unexpected(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.hidden = 3
    with pytest.raises(Unauthorized, match="hides 3 production variables"):
        Vercel(client, PRODUCTION).listing()
    assert listed(Vercel(client, PREVIEW)) == {}


def test_every_page_of_a_list_is_read_and_duplicates_are_merged(vendor: vercel.Vercel, client: ApiClient) -> None:
    for number in range(60):
        vendor.add(TEAM, f"K{number}", "x")
    vendor.asked()
    assert len(listed(Vercel(client, TEAM))) == 60
    assert len(vendor.asked()) == 3
    vendor.page = 7
    for number in range(20):
        vendor.add(PRODUCTION, f"K{number}", "x")
    assert len(listed(Vercel(client, PRODUCTION))) == 20


def test_endless_pages_are_unexpected(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(TEAM, "KEY", "x")
    page = {"data": list(vendor.records[""].values()), **vercel.paging(1, 5)}
    vendor.fault = lambda ask: Answer(200, page)
    with pytest.raises(BadResponse, match="same page came twice"):
        Vercel(client, TEAM).listing()


@pytest.mark.parametrize("body", [{"key": "A", "value": "", "type": "plain"}, {"envs": [{"key": "A"}]}, [], "text"])
def test_a_list_of_another_shape_is_unexpected(vendor: vercel.Vercel, client: ApiClient, body: object) -> None:
    vendor.fault = lambda ask: Answer(200, body)
    with pytest.raises(BadResponse):
        Vercel(client, PRODUCTION).listing()


# -- shared variables ----------------------------------------------------------------------------------------------


def test_variables_shared_differently_are_locked(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(TEAM, "OURS", "1")
    vendor.add(TEAM, "WIDER", "2", target=["production", "preview", "development"])
    vendor.add(TEAM, "OTHER", "3", projectId=["prj_blog"])
    vendor.add(TEAM, "ASIDE", "4", target=["development"], applyToAllCustomEnvironments=False)
    remotes = listed(Vercel(client, TEAM))
    assert {key: bool(one.locked) for key, one in remotes.items()} == {"OURS": False, "WIDER": True, "OTHER": True}


def test_linked_projects_are_reported_and_other_environments_locked(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(UNLINKED, "FREE", "1")
    vendor.add(UNLINKED, "LINKED", "2", projectId="prj_blog")
    vendor.add(UNLINKED, "WIDER", "3", target=["preview", "development"], projectId=["prj_blog"])
    remotes = listed(Vercel(client, UNLINKED))
    assert {key: (bool(one.shared), bool(one.locked)) for key, one in remotes.items()} == {
        "FREE": (False, False),
        "LINKED": (True, False),
        "WIDER": (False, True),
    }


def test_a_recreated_shared_variable_keeps_its_linked_projects(vendor: vercel.Vercel, client: ApiClient) -> None:
    config = {**UNLINKED, "targetEnvironments": ["production"]}
    before = vendor.add(config, "KEY", "open", projectId=["prj_blog", "prj_shop"])
    destination = Vercel(client, {**config, "sensitive": True})
    apply(destination, change(listed(destination)["KEY"], "shut"))
    (after,) = of(vendor, "KEY")
    assert (after["type"], after["value"]) == ("sensitive", "shut")
    assert after["projectId"] == ["prj_blog", "prj_shop"]
    assert after["id"] != before["id"]


def test_shared_variables_of_one_environment_overlap_whatever_their_projects(client: ApiClient) -> None:
    team = Vercel(client, TEAM)
    others = {**TEAM, "targetProjects": ["prj_blog"], "targetEnvironments": ["preview"]}
    aside = {**TEAM, "targetEnvironments": ["development"], "applyToAllCustomEnvironments": False}
    assert team.overlaps(Vercel(client, others).location())
    assert not team.overlaps(Vercel(client, aside).location())
    assert not team.overlaps(Vercel(client, PRODUCTION).location())


def test_a_sensitive_shared_variable_leaves_development_out(vendor: vercel.Vercel, client: ApiClient) -> None:
    config = {**TEAM, "targetEnvironments": ["development", "production"], "sensitive": True}
    destination = Vercel(client, config)
    apply(destination, create("KEY"))
    assert of(vendor, "KEY")[0]["target"] == ["production"]
    assert not listed(destination)["KEY"].locked


def test_a_missing_shared_variable_fails_an_update_and_not_a_delete(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(TEAM, "KEY", "x")
    destination = Vercel(client, TEAM)
    remote = listed(destination)["KEY"]
    vendor.drop(TEAM, "KEY")
    assert isinstance(apply(destination, change(remote))["KEY"].error, NotFound)
    assert apply(destination, remove(remote))["KEY"].error is None


# -- many at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [PRODUCTION, TEAM], ids=["project", "team"])
def test_a_partly_failing_create_reports_each_key(
    vendor: vercel.Vercel, client: ApiClient, config: dict[str, Any]
) -> None:
    vendor.add(config, "B", "theirs")
    outcomes = apply(Vercel(client, config), create("A"), create("B", "canary-value"), create("C"))
    assert {key: type(outcome.error) for key, outcome in outcomes.items()} == {
        "A": type(None),
        "B": Conflict,
        "C": type(None),
    }
    assert "canary-value" not in str(outcomes["B"].error)
    assert [one["value"] for one in of(vendor, "B")] == ["theirs"]


def test_an_existing_name_is_a_conflict_despite_status_403(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.add(PRODUCTION, "KEY", "theirs")
    assert isinstance(apply(Vercel(client, PRODUCTION), create("KEY"))["KEY"].error, Conflict)


def test_a_conflict_of_a_batch_leaves_outcomes_unknown(vendor: vercel.Vercel, client: ApiClient) -> None:
    vendor.fault = lambda ask: vercel.error(403, "ENV_CONFLICT", "taken") if ask.method == "POST" else None
    outcomes = apply(Vercel(client, PRODUCTION), create("A"), create("B"))
    assert [type(outcome.error) for outcome in outcomes.values()] == [OutcomeUnknown, OutcomeUnknown]


def test_one_name_that_is_refused_does_not_stop_the_rest_of_its_batch(vendor: vercel.Vercel, client: ApiClient) -> None:
    outcomes = apply(Vercel(client, PRODUCTION), create("A"), create("bad-name"), create("C"))
    assert [key for key, outcome in outcomes.items() if outcome.error] == ["bad-name"]
    assert isinstance(outcomes["bad-name"].error, Rejected)


def test_many_updates_are_one_request_that_never_overwrites_a_recreated_key(
    vendor: vercel.Vercel, client: ApiClient
) -> None:
    for key in "ABC":
        vendor.add(PRODUCTION, key, "old")
    destination = Vercel(client, PRODUCTION)
    remotes = listed(destination)
    vendor.drop(PRODUCTION, "B")
    vendor.add(PRODUCTION, "B", "theirs")
    vendor.asked()
    outcomes = apply(destination, *map(change, remotes.values()))
    assert {key: type(one.error) for key, one in outcomes.items() if one.error} == {"B": NotFound}
    assert vendor.held(PRODUCTION) == {"A": "new", "B": "theirs", "C": "new"}
    assert [method for method, _ in vendor.asked()] == ["GET", "POST"]


def test_an_update_keeps_the_object_id_and_changes_the_etag(vendor: vercel.Vercel, client: ApiClient) -> None:
    destination = Vercel(client, PRODUCTION)
    made = apply(destination, create("A"), create("B"))
    before = listed(destination)
    assert {key: one.written.object_id for key, one in made.items()} == {k: r.object_id for k, r in before.items()}
    apply(destination, *map(change, before.values()))
    for key, after in listed(destination).items():
        assert after.object_id == before[key].object_id
        assert after.etag != before[key].etag


def test_an_unconfirmed_delete_is_not_applied(vendor: vercel.Vercel, client: ApiClient) -> None:
    destination = Vercel(client, PRODUCTION)
    apply(destination, create("A"), create("B"))
    remotes = listed(destination)
    vendor.fault = lambda ask: Answer(200, {"deleted": 1, "ids": [remotes["A"].object_id]})
    outcomes = apply(destination, *map(remove, remotes.values()))
    assert outcomes["A"].error is None
    assert isinstance(outcomes["B"].error, OutcomeUnknown)


def test_comments_are_truncated_to_the_vendors_limit(vendor: vercel.Vercel, client: ApiClient) -> None:
    apply(Vercel(client, PRODUCTION), create("KEY", comment="x" * 600))
    assert len(of(vendor, "KEY")[0]["comment"]) == 500


def test_a_rate_limit_may_be_given_by_its_end(vendor: vercel.Vercel, client: ApiClient) -> None:
    body = {"error": {"code": "rate_limited", "message": "slow down"}}
    vendor.fault = lambda ask: Answer(429, body, {"X-RateLimit-Reset": "9999999999"})
    with pytest.raises(RateLimited) as caught:
        Vercel(client, PRODUCTION).listing()
    assert caught.value.retry_after
    assert caught.value.retry_after > 1_000_000


# -- redeployment --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PRODUCTION, {"deploymentId": "dpl_served", "target": "production"}),
        (CONFIGS["custom"], {"deploymentId": "dpl_custom", "customEnvironmentSlugOrId": "env_staging"}),
        (BRANCH, {"deploymentId": "dpl_next"}),
    ],
    ids=["production", "custom", "branch"],
)
def test_what_is_deployed_now_is_deployed_again(
    vendor: vercel.Vercel, client: ApiClient, config: dict[str, Any], expected: dict[str, str]
) -> None:
    """After a rollback production is not the newest deployment."""
    Vercel(client, config).after(["KEY"])
    assert vendor.redeployed == [], "nothing is deployed yet"
    vendor.current = "dpl_served"
    vendor.deployments = [
        {"uid": "dpl_newest", "name": "shop", "target": "production"},
        {"uid": "dpl_other", "name": "shop", "target": "preview", "branch": "other"},
        {"uid": "dpl_next", "name": "shop", "target": "preview", "branch": "next"},
        {"uid": "dpl_custom", "name": "shop", "target": "env_staging"},
    ]
    Vercel(client, config).after(["KEY"])
    assert vendor.redeployed == [{"name": "shop", "meta": {"action": "redeploy"}, **expected}]


@pytest.mark.parametrize("config", [PREVIEW, {**PREVIEW, "env": "development"}, TEAM])
def test_what_has_no_single_deployment_is_not_redeployed(
    vendor: vercel.Vercel, client: ApiClient, config: dict[str, Any]
) -> None:
    with pytest.raises(Rejected, match="by hand"):
        Vercel(client, config).after(["KEY"])
    assert vendor.asked() == []


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_redeploying_is_refused_when_saved_where_a_run_would_refuse_it(
    vendor: vercel.Vercel, client: ApiClient, config: dict[str, Any]
) -> None:
    destination = Vercel(client, config)
    destination.check_together(destination.config, destination.options, destination.policy, "off")
    try:
        destination.after(["KEY"])
    except Rejected:
        with pytest.raises(BadRequest, match="by hand"):
            destination.check_together(destination.config, destination.options, destination.policy, "deploy")
    else:
        destination.check_together(destination.config, destination.options, destination.policy, "deploy")


# -- the config ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_every_variant_is_stored_unchanged(config: dict[str, Any]) -> None:
    assert Vercel.Config.parse(config).stored() == config


def test_a_config_without_scope_belongs_to_a_project() -> None:
    old = {"teamId": "team_acme", "app": "prj_shop", "appName": "shop", "env": "production"}
    assert Vercel.Config.parse(old).stored() == {**old, "scope": "project", "sensitive": False}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({**PRODUCTION, "branch": "next"}, "branch"),
        ({**SENSITIVE, "env": "development"}, "sensitive"),
        ({**TEAM, "targetEnvironments": [], "applyToAllCustomEnvironments": False}, "targetEnvironments"),
        (
            {
                **TEAM,
                "targetEnvironments": ["development"],
                "applyToAllCustomEnvironments": False,
                "sensitive": True,
            },
            "targetEnvironments",
        ),
    ],
)
def test_incompatible_members_are_refused(config: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest, match=f"^{field}: "):
        Vercel.Config.parse(config)


def test_an_unknown_environment_is_refused() -> None:
    with pytest.raises(Invalid):
        Vercel.Config.parse({**TEAM, "targetEnvironments": ["staging"]})


def test_a_personal_account_is_not_sent_as_team(vendor: vercel.Vercel, client: ApiClient) -> None:
    seen = []
    vendor.fault = lambda ask: seen.append(dict(ask.query)) or Answer(200, {"envs": []})  # type: ignore[func-returns-value]
    Vercel(client, {**PRODUCTION, "teamId": "u1"}).listing()
    Vercel(client, PRODUCTION).listing()
    assert [query.get("teamId") for query in seen] == [None, "team_acme"]
