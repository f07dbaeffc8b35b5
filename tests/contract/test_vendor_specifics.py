"""Behaviour that only some vendors have, through complete runs."""

from __future__ import annotations

from typing import Any

import pytest

from connections.credentials import open_client
from syncs.models import ManagedSecret
from syncs.planning.opening import open_destination
from syncs.planning.preview import preview
from syncs.services.secrets import set_secrets
from syncs.services.syncs import SyncInput, update_sync
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.destinations import gcp_secret_manager as gcp
from tests.destinations import vercel
from tests.fixtures.contract import VARIANTS, Case

google = pytest.mark.parametrize("case", [("gcp-secret-manager", "global")], indirect=True, ids=["gcp"])
project = pytest.mark.parametrize("case", [("vercel", "production")], indirect=True, ids=["vercel"])
laggards = pytest.mark.parametrize(
    "case",
    [("aws-secrets-manager", "one-to-one"), ("gcp-secret-manager", "global"), ("gcp-secret-manager", "region")],
    indirect=True,
    ids=["aws-secrets", "gcp", "gcp-region"],
)
unlinked = pytest.mark.parametrize("case", [("vercel", "team-unlinked")], indirect=True, ids=["vercel-team-unlinked"])
team = pytest.mark.parametrize("case", [("vercel", "team")], indirect=True, ids=["vercel-team"])


def fails_once(fake: Any, part: str, status: int, code: str) -> None:
    """The next request with that in its address is refused."""
    left = [True]
    fake.fault = lambda ask: gcp.error(status, code, "no") if part in ask.path and left and left.pop() else None


@pytest.mark.parametrize(
    "case",
    [("aws-secrets-manager", "one-to-one"), next(one for one in VARIANTS if one[0] == "aws-parameter-store")],
    indirect=True,
    ids=["aws-secrets", "aws-parameters"],
)
def test_metadata_that_cannot_be_tags_block_their_key_before_the_run(case: Case) -> None:
    refused = {"key": "a?", "value": "canary", "isEncrypted": False}
    set_secrets(case.actor, case.folder, [SecretInput("BAD", "1", metadata=[refused]), SecretInput("GOOD", "2")])
    sync = case.sync(syncSecretMetadataAsTags=True)
    run = case.run(sync)
    (blocked,) = run.changes.filter(outcome="blocked")
    assert (blocked.key, blocked.error_code) == ("BAD", "metadata-refused")
    assert "a?" in blocked.reason
    assert "canary" not in blocked.reason
    assert case.holds(GOOD="2")
    update_sync(case.actor, sync, SyncInput(sync_options={"initialSyncBehavior": "overwrite-destination"}))
    assert case.run(syncs().get(pk=sync.pk)).status == "succeeded", "nothing of it is sent without the option"


@google
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "leave", "mirror"])
@pytest.mark.parametrize(("status", "code"), [(503, "UNAVAILABLE"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL")])
def test_a_secret_without_value_is_completed_by_the_next_attempt(
    case: Case, unmanaged: str, status: int, code: str
) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.policy(sync, unmanaged=unmanaged)
    fails_once(case.fake, "A:addVersion", status, code)
    case.run(sync)
    assert case.holds(B="2")
    case.later()
    case.run(sync)
    assert case.holds(A="1", B="2")
    assert set(ManagedSecret.objects.values_list("key", "state")) == {("A", "owned"), ("B", "owned")}


@google
def test_an_undeletable_old_version_does_not_cause_more_versions(case: Case) -> None:
    case.set(A="1")
    sync = case.sync(oldVersions="destroy")
    case.run(sync)
    case.set(A="2")
    case.fake.fault = lambda ask: gcp.error(403, "PERMISSION_DENIED", "no") if ":destroy" in ask.path else None  # type: ignore[attr-defined]
    case.run(sync)
    case.later()
    run = case.run(sync)
    assert run.status == "succeeded"
    versions = case.fake.of(case.config)["A"]["versions"]  # type: ignore[attr-defined]
    assert [version["state"] for version in versions] == ["ENABLED", "ENABLED"]


@google
def test_a_key_whose_value_may_not_be_read_is_blocked_and_the_others_go_on(case: Case) -> None:
    case.set(A="1", B="2", C="3")
    sync = case.sync()
    case.run(sync)
    case.set(B="new")
    case.unset("C")
    case.fake.fault = lambda ask: gcp.error(403, "PERMISSION_DENIED", "no") if "A/versions" in ask.path else None  # type: ignore[attr-defined]
    run = case.run(sync)
    assert run.status == "failed"
    (blocked,) = run.changes.filter(outcome="blocked")
    assert (blocked.key, blocked.error_code) == ("A", "read-refused")
    assert case.holds(A="1", B="new", C="3")


@google
def test_unrelated_secrets_are_never_read(case: Case) -> None:
    case.put("STRANGERS", "x")
    case.set(A="1")
    sync = case.sync()
    case.policy(sync, unmanaged="leave")
    for _ in range(2):
        case.run(sync)
        preview(syncs().get(pk=sync.pk))
    assert not any("STRANGERS" in path for _, path in case.fake.asked())


@project
def test_a_sensitive_sync_recreates_its_variables(case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    update_sync(case.actor, sync, SyncInput(destination_config={**case.config, "sensitive": True}))
    case.later()
    run = case.run(syncs().get(pk=sync.pk))
    assert run.status == "succeeded"
    records = case.fake.records["prj_shop"].values()  # type: ignore[attr-defined]
    assert {(one["key"], one["type"], one["value"]) for one in records} == {
        ("A", "sensitive", "1"),
        ("B", "sensitive", "2"),
    }
    case.fake.asked()
    case.run(syncs().get(pk=sync.pk))
    assert case.writes() == []


@project
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "mirror"])
def test_keys_of_an_integration_are_blocked_and_never_deleted(case: Case, unmanaged: str) -> None:
    for key in ("POSTGRES_URL", "BLOB_TOKEN"):
        case.fake.add(case.config, key, "theirs", configurationId="icfg_1")  # type: ignore[attr-defined]
    case.set(A="1", POSTGRES_URL="ours")
    sync = case.sync()
    case.policy(sync, unmanaged=unmanaged)
    run = case.run(sync)
    assert run.status == "failed"
    (blocked,) = run.changes.filter(outcome="blocked")
    assert (blocked.key, blocked.error_code) == ("POSTGRES_URL", "locked")
    assert "integration" in blocked.reason
    assert case.holds(A="1", POSTGRES_URL="theirs", BLOB_TOKEN="theirs")


@project
def test_leave_keeps_a_variable_of_several_environments(case: Case) -> None:
    case.fake.add(case.config, "A", "theirs", target=["production", "preview"])  # type: ignore[attr-defined]
    case.set(A="ours", B="ours")
    sync = case.sync()
    case.policy(sync, unmanaged="leave")
    case.run(sync)
    assert case.holds(A="theirs", B="ours")
    case.policy(sync, unmanaged="overwrite-initially")
    case.run(sync)
    assert case.holds(A="ours", B="ours")
    preview_config = {**case.config, "env": "preview"}
    assert case.fake.held(preview_config) == {"A": "theirs"}


@project
def test_encrypted_values_are_read_by_imports_only(case: Case) -> None:
    case.fake.sealed = True  # type: ignore[attr-defined]
    case.put("THEIRS", "x")
    case.set(OURS="1")
    sync = case.sync()
    case.run(sync, "import")
    assert case.source() == {"THEIRS": "x", "OURS": "1"}
    case.run(sync)
    case.fake.asked()
    case.run(sync)
    assert case.fake.asked() == [("GET", "/v10/projects/prj_shop/env")]


@team
def test_variables_shared_differently_are_blocked(case: Case) -> None:
    case.fake.add(case.config, "WIDE", "theirs", target=["production"])  # type: ignore[attr-defined]
    case.set(A="1", WIDE="ours")
    run = case.run(case.sync())
    assert [(row.key, row.error_code) for row in run.changes.filter(outcome="blocked")] == [("WIDE", "locked")]
    assert case.holds(A="1")


@unlinked
@pytest.mark.parametrize("unmanaged", ["overwrite-initially", "mirror"])
def test_links_of_people_to_a_shared_variable_are_kept(case: Case, unmanaged: str) -> None:
    fake: Any = case.fake
    for key in ("THEIRS", "WANTED"):
        fake.add(case.config, key, "theirs", projectId=["prj_blog"])
    case.set(A="1", B="1", WANTED="ours")
    sync = case.sync()
    case.policy(sync, unmanaged=unmanaged)
    run = case.run(sync)
    assert [(row.key, row.error_code) for row in run.changes.filter(outcome="blocked")] == [("WANTED", "locked")]
    for one in fake.records[""].values():
        if one["key"] in "AB":
            one["projectId"] = ["prj_shop"]
    case.set(A="2")
    case.unset("B", "WANTED")
    assert case.run(sync).status == "succeeded"
    assert case.holds(A="2", THEIRS="theirs", WANTED="theirs")
    (ours,) = (one for one in fake.records[""].values() if one["key"] == "A")
    assert ours["projectId"] == ["prj_shop"]
    case.run(sync, "remove")
    assert case.holds(THEIRS="theirs", WANTED="theirs")


@project
def test_a_batch_refused_for_one_existing_name_is_resolved_per_key(case: Case) -> None:
    """As if the vendor had made some of a batch and then refused all of it."""
    fake = case.fake
    case.set(A="1", B="2", C="3")
    left = [True]

    def half(ask: Any) -> Any:
        if ask.method != "POST" or not left:
            return None
        left.pop()
        case.put("A", "1")  # what became of ours, in the vendor's hands
        return vercel.error(403, "ENV_CONFLICT", "taken")

    fake.fault = half  # type: ignore[attr-defined]
    sync = case.sync()
    case.run(sync)
    case.later()
    case.run(sync)
    assert case.holds(A="1", B="2", C="3")
    assert {row.state for row in ManagedSecret.objects.all()} == {"owned"}
    with open_client(case.connection) as client:
        assert len(open_destination(syncs().get(pk=sync.pk), client).listing()) == 3


@laggards
@pytest.mark.parametrize("ending", ["change", "unset", "remove"])
def test_a_secret_not_listed_yet_is_neither_recreated_nor_missing(case: Case, ending: str) -> None:
    """Lists of AWS and Google may lag behind a create by minutes."""
    fake: Any = case.fake
    case.set(A="1", B="1")
    sync = case.sync()
    assert case.run(sync).status == "succeeded"
    if case.slug == "gcp-secret-manager":
        fake.unlisted = {"A", "B"}
    else:
        fake.change = lambda operation, _, answer: answer.update(SecretList=[]) if operation == "ListSecrets" else None
    if ending == "change":
        case.set(B="2")
    elif ending == "unset":
        case.unset("B")
    assert case.run(sync, "remove" if ending == "remove" else "sync").status == "succeeded"
    assert case.held == {"change": {"A": "1", "B": "2"}, "unset": {"A": "1"}, "remove": {}}[ending]
