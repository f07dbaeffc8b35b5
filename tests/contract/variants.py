"""On which variants of the destinations a law runs: on all of them, unless it is said here.

The variants of a destination differ in addresses and members of requests. What a law of whole runs is about may be the
same for several of them; then the first variant, or one of those that are alike, stands for the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.fixtures.contract import SLUGS, VARIANTS, fake_of

DISTINCT = [(slug, variant) for slug, variant in VARIANTS if variant not in fake_of(slug).alike]

distinct = pytest.mark.parametrize("case", DISTINCT, indirect=True, ids=[f"{slug}-{name}" for slug, name in DISTINCT])
"""For a law of whole runs: not on variants whose requests another variant sends too."""


def in_turn(names: Sequence[str], *values: Sequence[Any]) -> pytest.MarkDecorator:
    """For a law with values of its own: all of them in the first variant, and one in each of the others, in turn."""
    return pytest.mark.parametrize(("case", *names), [*_turns(values)], indirect=["case"])


def _turns(values: Sequence[Sequence[Any]]) -> Iterator[Any]:
    for slug in SLUGS:
        variants = [name for of, name in DISTINCT if of == slug]
        for number, variant in enumerate(variants):
            for value in values if number == 0 else [values[number % len(values)]]:
                yield pytest.param((slug, variant), *value, id=f"{slug}-{variant}-{value[0]}")


def faults(statuses: Sequence[int]) -> Iterator[Any]:
    """Every status of every method in the first variant of a destination. Its others meet each status and each method,
    not each pair: their requests differ in address and members, not in how an adapter reads a status.
    """
    for slug in SLUGS:
        variants = [name for of, name in DISTINCT if of == slug]
        for number, variant in enumerate(variants):
            methods = fake_of(slug).methods(fake_of(slug).configs[variant])
            for (at, method), (place, status) in itertools.product(enumerate(methods), enumerate(statuses)):
                if number == 0 or (place + number) % len(methods) == at:
                    yield pytest.param((slug, variant), method, status, id=f"{slug}-{variant}-{method}-{status}")
