"""What only some vendors do, through whole runs: no law of all, and no matter of one adapter alone."""

from __future__ import annotations

from typing import Any

import pytest

from connections.services import open_client
from syncs.models import ManagedSecret
from syncs.planning.builder import open_destination
from syncs.planning.preview import preview
from syncs.services.syncs import SyncInput, update_sync
from syncs.source.selectors import syncs
from tests.contract.test_laws import Place, location
from tests.destinations import gcp_secret_manager as gcp
from tests.destinations import vercel

__all__ = ["location"]

google = pytest.mark.parametrize("location", [("gcp-secret-manager", "global")], indirect=True, ids=["gcp"])
project = pytest.mark.parametrize("location", [("vercel", "production")], indirect=True, ids=["vercel"])
laggards = pytest.mark.parametrize(
    "location",
    [("aws-secrets-manager", "one-to-one"), ("gcp-secret-manager", "global"), ("gcp-secret-manager", "region")],
    indirect=True,
    ids=["aws-secrets", "gcp", "gcp-region"],
)
unlinked = pytest.mark.parametrize(
    "location", [("vercel", "team-unlinked")], indirect=True, ids=["vercel-team-unlinked"]
)
team = pytest.mark.parametrize("location", [("vercel", "team")], indirect=True, ids=["vercel-team"])


def fails_once(fake: Any, part: str, status: int, code: str) -> None:
    """The next request with that in its address is refused."""
    left = [True]
    fake.fault = lambda ask: gcp.error(status, code, "no") if part in ask.path and left and left.pop() else None


@google
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "leave", "mirror"])
@pytest.mark.parametrize(("status", "code"), [(503, "UNAVAILABLE"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")])
def test_a_secret_that_got_no_value_is_finished_by_the_next_attempt(
    location: Place, unmanaged: str, status: int, code: str
) -> None:
    location.set(A="1", B="2")
    sync = location.sync()
    location.policy(sync, unmanaged=unmanaged)
    fails_once(location.fake, "A:addVersion", status, code)
    location.run(sync)
    assert location.holds(B="2")
    location.later()
    location.run(sync)
    assert location.holds(A="1", B="2")
    assert set(ManagedSecret.objects.values_list("key", "state")) == {("A", "owned"), ("B", "owned")}


@google
def test_an_old_version_that_cannot_be_taken_away_is_not_answered_with_ever_new_ones(location: Place) -> None:
    location.set(A="1")
    sync = location.sync(oldVersions="destroy")
    location.run(sync)
    location.set(A="2")
    location.fake.fault = lambda ask: gcp.error(403, "PERMISSION_DENIED", "no") if ":destroy" in ask.path else None  # type: ignore[attr-defined]
    location.run(sync)
    location.later()
    run = location.run(sync)
    assert run.status == "succeeded"
    versions = location.fake.of(location.config)["A"]["versions"]  # type: ignore[attr-defined]
    assert [version["state"] for version in versions] == ["ENABLED", "ENABLED"]


@google
def test_no_secret_that_a_sync_has_nothing_to_do_with_is_read(location: Place) -> None:
    location.put("STRANGERS", "x")
    location.set(A="1")
    sync = location.sync()
    location.policy(sync, unmanaged="leave")
    for _ in range(2):
        location.run(sync)
        preview(syncs().get(pk=sync.pk))
    assert not any("STRANGERS" in path for _, path in location.fake.asked())


@project
def test_a_sync_that_is_told_to_be_sensitive_makes_its_variables_anew(location: Place) -> None:
    location.set(A="1", B="2")
    sync = location.sync()
    location.run(sync)
    update_sync(location.actor, sync, SyncInput(destination_config={**location.config, "sensitive": True}))
    location.later()
    run = location.run(syncs().get(pk=sync.pk))
    assert run.status == "succeeded"
    records = location.fake.records["prj_shop"].values()  # type: ignore[attr-defined]
    assert {(one["key"], one["type"], one["value"]) for one in records} == {
        ("A", "sensitive", "1"),
        ("B", "sensitive", "2"),
    }
    location.fake.asked()
    location.run(syncs().get(pk=sync.pk))
    assert location.writes() == []


@project
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "mirror"])
def test_what_an_integration_owns_is_blocked_by_name_and_never_deleted(location: Place, unmanaged: str) -> None:
    for key in ("POSTGRES_URL", "BLOB_TOKEN"):
        location.fake.add(location.config, key, "theirs", configurationId="icfg_1")  # type: ignore[attr-defined]
    location.set(A="1", POSTGRES_URL="ours")
    sync = location.sync()
    location.policy(sync, unmanaged=unmanaged)
    run = location.run(sync)
    assert run.status == "failed"
    (blocked,) = run.changes.filter(outcome="blocked")
    assert (blocked.key, blocked.error_code) == ("POSTGRES_URL", "locked")
    assert "integration" in blocked.reason
    assert location.holds(A="1", POSTGRES_URL="theirs", BLOB_TOKEN="theirs")


@project
def test_a_variable_of_several_environments_is_left_where_the_policy_is_to_leave(location: Place) -> None:
    location.fake.add(location.config, "A", "theirs", target=["production", "preview"])  # type: ignore[attr-defined]
    location.set(A="ours", B="ours")
    sync = location.sync()
    location.policy(sync, unmanaged="leave")
    location.run(sync)
    assert location.holds(A="theirs", B="ours")
    location.policy(sync, unmanaged="overwrite-initially")
    location.run(sync)
    assert location.holds(A="ours", B="ours")
    preview_config = {**location.config, "env": "preview"}
    assert location.fake.held(preview_config) == {"A": "theirs"}


@project
def test_values_that_the_list_leaves_encrypted_are_read_by_an_import_and_by_nothing_else(location: Place) -> None:
    location.fake.sealed = True  # type: ignore[attr-defined]
    location.put("THEIRS", "x")
    location.set(OURS="1")
    sync = location.sync()
    location.run(sync, "import")
    assert location.source() == {"THEIRS": "x", "OURS": "1"}
    location.run(sync)
    location.fake.asked()
    location.run(sync)
    assert location.fake.asked() == [("GET", "/v10/projects/prj_shop/env")]


@team
def test_what_a_team_shares_in_another_way_is_blocked_by_name(location: Place) -> None:
    location.fake.add(location.config, "WIDE", "theirs", target=["production"])  # type: ignore[attr-defined]
    location.set(A="1", WIDE="ours")
    run = location.run(location.sync())
    assert [(row.key, row.error_code) for row in run.changes.filter(outcome="blocked")] == [("WIDE", "locked")]
    assert location.holds(A="1")


@unlinked
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "mirror"])
def test_a_shared_variable_that_people_link_stays_its_syncs_and_theirs_stay_theirs(
    location: Place, unmanaged: str
) -> None:
    fake: Any = location.fake
    for key in ("THEIRS", "WANTED"):
        fake.add(location.config, key, "theirs", projectId=["prj_blog"])
    location.set(A="1", B="1", WANTED="ours")
    sync = location.sync()
    location.policy(sync, unmanaged=unmanaged)
    run = location.run(sync)
    assert [(row.key, row.error_code) for row in run.changes.filter(outcome="blocked")] == [("WANTED", "locked")]
    for one in fake.records[""].values():
        if one["key"] in "AB":
            one["projectId"] = ["prj_shop"]
    location.set(A="2")
    location.unset("B", "WANTED")
    assert location.run(sync).status == "succeeded"
    assert location.holds(A="2", THEIRS="theirs", WANTED="theirs")
    (ours,) = (one for one in fake.records[""].values() if one["key"] == "A")
    assert ours["projectId"] == ["prj_shop"]
    location.run(sync, "remove")
    assert location.holds(THEIRS="theirs", WANTED="theirs")


@project
def test_a_batch_that_is_refused_for_one_taken_name_ends_with_each_key_where_it_belongs(location: Place) -> None:
    """As if the vendor had made some of a batch and then refused all of it."""
    fake = location.fake
    location.set(A="1", B="2", C="3")
    left = [True]

    def half(ask: Any) -> Any:
        if ask.method != "POST" or not left:
            return None
        left.pop()
        location.put("A", "1")  # what became of ours, in the vendor's hands
        return vercel.error(403, "ENV_CONFLICT", "taken")

    fake.fault = half  # type: ignore[attr-defined]
    sync = location.sync()
    location.run(sync)
    location.later()
    location.run(sync)
    assert location.holds(A="1", B="2", C="3")
    assert {row.state for row in ManagedSecret.objects.all()} == {"owned"}
    with open_client(location.connection) as client:
        assert len(open_destination(syncs().get(pk=sync.pk), client).listing()) == 3


@laggards
@pytest.mark.parametrize("ending", ["change", "unset", "remove"])
def test_a_secret_that_the_list_does_not_show_yet_is_neither_made_again_nor_taken_for_gone(
    location: Place, ending: str
) -> None:
    """Lists of AWS and Google may lag behind a create by minutes."""
    fake: Any = location.fake
    location.set(A="1", B="1")
    sync = location.sync()
    assert location.run(sync).status == "succeeded"
    if location.slug == "gcp-secret-manager":
        fake.unlisted = {"A", "B"}
    else:
        fake.change = lambda operation, _, answer: answer.update(SecretList=[]) if operation == "ListSecrets" else None
    if ending == "change":
        location.set(B="2")
    elif ending == "unset":
        location.unset("B")
    assert location.run(sync, "remove" if ending == "remove" else "sync").status == "succeeded"
    assert location.held == {"change": {"A": "1", "B": "2"}, "unset": {"A": "1"}, "remove": {}}[ending]
