"""What a run makes besides keys is a line of its plan; tags and metadata of a secret are a part of its key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from syncs.planning.preflight import checked_plan
from syncs.services.secrets import set_secrets
from syncs.source.selectors import syncs
from syncs.source.validation import SecretInput
from tests.destinations.external_infisical import PROJECT, ExternalInfisical
from tests.fixtures.contract import Case, opened

NEW = {**ExternalInfisical.configs["folder"], "secretPath": "/new"}


@pytest.fixture
def server() -> ExternalInfisical:
    return ExternalInfisical()


@pytest.fixture
def case(server: ExternalInfisical, db: None, settings: Settings) -> Iterator[Case]:
    with opened(server, "external-infisical", "folder", settings) as case:
        case.config = NEW
        yield case


def test_a_missing_folder_is_shown_and_confirmed_before_it_is_made(server: ExternalInfisical, case: Case) -> None:
    sync = case.sync()
    assert checked_plan(case.actor, sync).warnings == (), "without a write nothing is made"
    case.set(A="1")
    checked = checked_plan(case.actor, sync)
    assert checked.warnings == ("The run makes the folder /new.",)
    assert (PROJECT, "prod", "/new") not in server.secrets
    server.secrets[PROJECT, "prod", "/new"] = {}
    there = checked_plan(case.actor, sync)
    assert there.warnings == ()
    assert there.plan.digest != checked.plan.digest
    del server.secrets[PROJECT, "prod", "/new"]
    assert case.run(sync).status == "succeeded"
    assert case.holds(A="1")


def test_a_changed_tag_or_metadata_is_a_changed_key(server: ExternalInfisical, case: Case) -> None:
    case.set(A="1", B="2")
    sync = case.sync()
    case.run(sync)
    assert case.run(sync).unchanged == ["A", "B"]
    for one in (SecretInput("A", tags=["db"]), SecretInput("B", metadata=[{"key": "team", "value": "core"}])):
        set_secrets(case.actor, case.folder, [one])
        run = case.run(syncs().get(pk=sync.pk))
        assert [(row.key, row.action) for row in run.changes.all()] == [(one.key, "update")]
    held = server.secrets[PROJECT, "prod", "/new"]
    assert [tag["slug"] for tag in held["A"]["tags"]] == ["db"]
    assert held["B"]["secretMetadata"] == [{"key": "team", "value": "core"}]
    case.policy(sync, destination={"tagsAndMetadata": False})
    set_secrets(case.actor, case.folder, [SecretInput("A", "3", tags=["db", "more"])])
    case.run(syncs().get(pk=sync.pk))
    assert case.holds(A="3", B="2")
    assert "more" not in server.tags
