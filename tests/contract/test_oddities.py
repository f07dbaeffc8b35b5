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
from tests.contract.test_laws import Place, place
from tests.destinations import gcp_secret_manager as gcp
from tests.destinations import vercel

__all__ = ["place"]

google = pytest.mark.parametrize("place", [("gcp-secret-manager", "global")], indirect=True, ids=["gcp"])
project = pytest.mark.parametrize("place", [("vercel", "production")], indirect=True, ids=["vercel"])
laggards = pytest.mark.parametrize(
    "place",
    [("aws-secrets-manager", "one-to-one"), ("gcp-secret-manager", "global"), ("gcp-secret-manager", "region")],
    indirect=True,
    ids=["aws-secrets", "gcp", "gcp-region"],
)
unlinked = pytest.mark.parametrize("place", [("vercel", "team-unlinked")], indirect=True, ids=["vercel-team-unlinked"])
team = pytest.mark.parametrize("place", [("vercel", "team")], indirect=True, ids=["vercel-team"])


def fails_once(fake: Any, part: str, status: int, code: str) -> None:
    """The next request with that in its address is refused."""
    left = [True]
    fake.fault = lambda ask: gcp.error(status, code, "no") if part in ask.path and left and left.pop() else None


@google
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "leave", "mirror"])
@pytest.mark.parametrize(("status", "code"), [(503, "UNAVAILABLE"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")])
def test_a_secret_that_got_no_value_is_finished_by_the_next_attempt(
    place: Place, unmanaged: str, status: int, code: str
) -> None:
    place.set(A="1", B="2")
    sync = place.sync()
    place.policy(sync, unmanaged=unmanaged)
    fails_once(place.fake, "A:addVersion", status, code)
    place.run(sync)
    assert place.holds(B="2")
    place.later()
    place.run(sync)
    assert place.holds(A="1", B="2")
    assert set(ManagedSecret.objects.values_list("key", "state")) == {("A", "owned"), ("B", "owned")}


@google
def test_an_old_version_that_cannot_be_taken_away_is_not_answered_with_ever_new_ones(place: Place) -> None:
    place.set(A="1")
    sync = place.sync(oldVersions="destroy")
    place.run(sync)
    place.set(A="2")
    place.fake.fault = lambda ask: gcp.error(403, "PERMISSION_DENIED", "no") if ":destroy" in ask.path else None  # type: ignore[attr-defined]
    place.run(sync)
    place.later()
    run = place.run(sync)
    assert run.status == "succeeded"
    versions = place.fake.of(place.config)["A"]["versions"]  # type: ignore[attr-defined]
    assert [version["state"] for version in versions] == ["ENABLED", "ENABLED"]


@google
def test_no_secret_that_a_sync_has_nothing_to_do_with_is_read(place: Place) -> None:
    place.put("STRANGERS", "x")
    place.set(A="1")
    sync = place.sync()
    place.policy(sync, unmanaged="leave")
    for _ in range(2):
        place.run(sync)
        preview(syncs().get(pk=sync.pk))
    assert not any("STRANGERS" in path for _, path in place.fake.asked())


@project
def test_a_sync_that_is_told_to_be_sensitive_makes_its_variables_anew(place: Place) -> None:
    place.set(A="1", B="2")
    sync = place.sync()
    place.run(sync)
    update_sync(place.actor, sync, SyncInput(destination_config={**place.config, "sensitive": True}))
    place.later()
    run = place.run(syncs().get(pk=sync.pk))
    assert run.status == "succeeded"
    records = place.fake.records["prj_shop"].values()  # type: ignore[attr-defined]
    assert {(one["key"], one["type"], one["value"]) for one in records} == {
        ("A", "sensitive", "1"),
        ("B", "sensitive", "2"),
    }
    place.fake.asked()
    place.run(syncs().get(pk=sync.pk))
    assert place.writes() == []


@project
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "mirror"])
def test_what_an_integration_owns_is_blocked_by_name_and_never_deleted(place: Place, unmanaged: str) -> None:
    for key in ("POSTGRES_URL", "BLOB_TOKEN"):
        place.fake.add(place.config, key, "theirs", configurationId="icfg_1")  # type: ignore[attr-defined]
    place.set(A="1", POSTGRES_URL="ours")
    sync = place.sync()
    place.policy(sync, unmanaged=unmanaged)
    run = place.run(sync)
    assert run.status == "failed"
    (blocked,) = run.changes.filter(outcome="blocked")
    assert (blocked.key, blocked.error_code) == ("POSTGRES_URL", "locked")
    assert "integration" in blocked.reason
    assert place.holds(A="1", POSTGRES_URL="theirs", BLOB_TOKEN="theirs")


@project
def test_a_variable_of_several_environments_is_left_where_the_policy_is_to_leave(place: Place) -> None:
    place.fake.add(place.config, "A", "theirs", target=["production", "preview"])  # type: ignore[attr-defined]
    place.set(A="ours", B="ours")
    sync = place.sync()
    place.policy(sync, unmanaged="leave")
    place.run(sync)
    assert place.holds(A="theirs", B="ours")
    place.policy(sync, unmanaged="overwrite-initially")
    place.run(sync)
    assert place.holds(A="ours", B="ours")
    preview_config = {**place.config, "env": "preview"}
    assert place.fake.held(preview_config) == {"A": "theirs"}


@project
def test_values_that_the_list_leaves_encrypted_are_read_by_an_import_and_by_nothing_else(place: Place) -> None:
    place.fake.sealed = True  # type: ignore[attr-defined]
    place.put("THEIRS", "x")
    place.set(OURS="1")
    sync = place.sync()
    place.run(sync, "import")
    assert place.source() == {"THEIRS": "x", "OURS": "1"}
    place.run(sync)
    place.fake.asked()
    place.run(sync)
    assert place.fake.asked() == [("GET", "/v10/projects/prj_shop/env")]


@team
def test_what_a_team_shares_in_another_way_is_blocked_by_name(place: Place) -> None:
    place.fake.add(place.config, "WIDE", "theirs", target=["production"])  # type: ignore[attr-defined]
    place.set(A="1", WIDE="ours")
    run = place.run(place.sync())
    assert [(row.key, row.error_code) for row in run.changes.filter(outcome="blocked")] == [("WIDE", "locked")]
    assert place.holds(A="1")


@unlinked
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "mirror"])
def test_a_shared_variable_that_people_link_stays_its_syncs_and_theirs_stay_theirs(
    place: Place, unmanaged: str
) -> None:
    fake: Any = place.fake
    for key in ("THEIRS", "WANTED"):
        fake.add(place.config, key, "theirs", projectId=["prj_blog"])
    place.set(A="1", B="1", WANTED="ours")
    sync = place.sync()
    place.policy(sync, unmanaged=unmanaged)
    run = place.run(sync)
    assert [(row.key, row.error_code) for row in run.changes.filter(outcome="blocked")] == [("WANTED", "locked")]
    for one in fake.records[""].values():
        if one["key"] in "AB":
            one["projectId"] = ["prj_shop"]
    place.set(A="2")
    place.unset("B", "WANTED")
    assert place.run(sync).status == "succeeded"
    assert place.holds(A="2", THEIRS="theirs", WANTED="theirs")
    (ours,) = (one for one in fake.records[""].values() if one["key"] == "A")
    assert ours["projectId"] == ["prj_shop"]
    place.run(sync, "remove")
    assert place.holds(THEIRS="theirs", WANTED="theirs")


@project
def test_a_batch_that_is_refused_for_one_taken_name_ends_with_each_key_where_it_belongs(place: Place) -> None:
    """As if the vendor had made some of a batch and then refused all of it."""
    fake = place.fake
    place.set(A="1", B="2", C="3")
    left = [True]

    def half(ask: Any) -> Any:
        if ask.method != "POST" or not left:
            return None
        left.pop()
        place.put("A", "1")  # what became of ours, in the vendor's hands
        return vercel.error(403, "ENV_CONFLICT", "taken")

    fake.fault = half  # type: ignore[attr-defined]
    sync = place.sync()
    place.run(sync)
    place.later()
    place.run(sync)
    assert place.holds(A="1", B="2", C="3")
    assert {row.state for row in ManagedSecret.objects.all()} == {"owned"}
    with open_client(place.connection) as client:
        assert len(open_destination(syncs().get(pk=sync.pk), client).listing()) == 3


@laggards
@pytest.mark.parametrize("ending", ["change", "unset", "remove"])
def test_a_secret_that_the_list_does_not_show_yet_is_neither_made_again_nor_taken_for_gone(
    place: Place, ending: str
) -> None:
    """Lists of AWS and Google may lag behind a create by minutes."""
    fake: Any = place.fake
    place.set(A="1", B="1")
    sync = place.sync()
    assert place.run(sync).status == "succeeded"
    if place.slug == "gcp-secret-manager":
        fake.unlisted = {"A", "B"}
    else:
        fake.change = lambda operation, _, answer: answer.update(SecretList=[]) if operation == "ListSecrets" else None
    if ending == "change":
        place.set(B="2")
    elif ending == "unset":
        place.unset("B")
    assert place.run(sync, "remove" if ending == "remove" else "sync").status == "succeeded"
    assert place.held == {"change": {"A": "1", "B": "2"}, "unset": {"A": "1"}, "remove": {}}[ending]
