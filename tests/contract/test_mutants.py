"""Each broken adapter is caught by its law; the whole adapter that it is made of passes the same law elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from connections.provider import providers
from syncs.destination.base import destinations
from tests.fixtures.contract import Case, fake_of, opened

from .mutants.destinations import DESTINATIONS
from .mutants.providers import PROVIDERS
from .mutants.shapes import SHAPES


def caught(mutant: Any, case: Case) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        mutant.caught_by(case)


@pytest.mark.parametrize("mutant", [*DESTINATIONS, *SHAPES], ids=lambda mutant: mutant.__name__)
def test_a_broken_destination_is_caught(mutant: Any, db: None, settings: Settings, no_pace: None) -> None:
    fake = fake_of(mutant.slug)()
    fake.serves(fake.configs[mutant.variant])
    with opened(fake, mutant.slug, mutant.variant, settings) as case, destinations.override(mutant):
        case.found, case.can = mutant, mutant.limits_of(case.config)
        caught(mutant, case)


@pytest.mark.parametrize("mutant", PROVIDERS, ids=lambda mutant: mutant.__name__)
def test_a_broken_login_is_caught(mutant: Any, db: None, settings: Settings, no_pace: None) -> None:
    (slug,) = [found.slug for found in destinations if found.provider == mutant.slug]
    fake = fake_of(slug)()
    fake.serves(fake.configs[mutant.variant])
    with providers.override(mutant), opened(fake, slug, mutant.variant, settings) as case:
        caught(mutant, case)
