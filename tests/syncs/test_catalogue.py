"""The catalogue of destinations follows from their declarations, in the command and on the page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from config.access.models import User
from config.schemas.json_schema import openapi
from syncs.destination.base import Destination, destinations
from syncs.destination.catalogue import catalogue, facts_of
from syncs.planning.preflight import rules_of
from tests.contract.bases import Batches, Checked
from tests.contract.rare_shapes import Unlisted

ALL = list(destinations)


@pytest.mark.parametrize("found", ALL, ids=[found.slug for found in ALL])
def test_every_destination_describes_itself(found: type[Destination]) -> None:
    facts = facts_of(found)
    assert facts.methods, "how to sign in"
    assert facts.drift
    assert facts.pace
    assert facts.rights, "what the login needs (Capabilities.rights)"
    assert facts.verified, "against what it was checked, and when (Capabilities.verified)"
    assert facts.docs.startswith("https://"), "where the vendor says so (Capabilities.docs_url)"
    assert facts.imports == ("import" in str(openapi(found.Options)["properties"]["initialSyncBehavior"]["enum"]))


def test_limits_and_drift_are_described() -> None:
    facts = facts_of(Batches)
    assert facts.limits == (
        "Names: letters, digits and underscores.",
        "Names of at most 100 bytes.",
        "Reserved names: OWN_*.",
        "No empty values.",
        "At most 600 keys.",
        "Comments are not written.",
    )
    assert facts.drift.startswith("Missing keys only; a changed value is not detected.")
    assert facts_of(Checked).drift.startswith("Exact: values are compared.")
    assert facts_of(Checked).limits[0] == "At most 1000000 bytes in all keys and values together."


def test_what_cannot_be_listed_is_said_wherever_limits_are() -> None:
    facts = facts_of(Unlisted)
    assert facts.limits[0].startswith("It cannot be listed: only keys that Keyferry wrote are known.")
    assert facts.drift == "Unknown: it cannot be listed."
    assert rules_of(Unlisted.capabilities)[0] == facts.limits[0]
    assert not any("drift is detected" in sentence for sentence in rules_of(Unlisted.capabilities))


def test_a_limit_that_differs_by_scope_names_the_scope() -> None:
    github = destinations.get("github")
    assert github
    assert {"At most 1000 keys. (organization)", "At most 100 keys. (repository)"} <= set(facts_of(github).limits)


def test_the_page_shows_every_destination(db: None) -> None:
    User.objects.create_user("eve", password="x", is_staff=True)
    browser = Client()
    browser.force_login(User.objects.get())
    shown = browser.get(reverse("admin:destinations")).content.decode()
    for facts in catalogue():
        assert f'id="{facts.slug}"' in shown
    assert Client().get(reverse("admin:destinations")).status_code == 302
