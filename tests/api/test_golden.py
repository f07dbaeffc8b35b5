"""The OpenAPI document and responses equal the recording in `tests/api/golden`, which says how to record again."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from .golden import answers, document, hand, recorded, world

CORE = {
    "secrets": r"/api/v\d/secrets?/|/api/v4/secrets$",
    "folders": r"/api/v\d/(folders|secret-imports)",
    "projects": r"/api/v\d/(projects|workspace)",
}
"""Paths by group; what is of no group and of no vendor is of `others`."""


def vendors() -> dict[str, tuple[str, ...]]:
    """The destinations of each provider, as the recorded document has them."""
    found: dict[str, tuple[str, ...]] = {}
    for name, operation in document.read()["operations"].items():
        if slug := re.fullmatch(r"POST /api/v1/secret-syncs/([^/]+)", name):
            answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
            connection = answer["properties"]["secretSync"]["properties"]["connection"]
            (provider,) = connection["properties"]["app"]["enum"]
            found[provider] = (*found.get(provider, ()), slug[1])
    return found


VENDORS = vendors()
GROUPS = (*sorted(VENDORS), *CORE, "others")


def group_of(operation: str) -> str:
    path = operation.partition(" ")[2]
    for name, slugs in VENDORS.items():
        if re.match(rf"/api/v1/(app-connections/{name}|secret-syncs/({'|'.join(slugs)}))(/|$)", path):
            return name
    return next((name for name, pattern in CORE.items() if re.match(pattern, path)), "others")


def operations() -> dict[str, Any]:
    """Those of the recorded document, and those that it hides."""
    found = document.read()["operations"]
    hidden = {}
    for name, given in hand.HIDDEN.items():
        like = found.get(given.get("like"), {})
        hidden[name] = {"parameters": like.get("parameters", [])}
    return dict(sorted({**found, **hidden}.items(), key=lambda each: each[0].split(" ")[::-1]))


def served() -> dict[str, Any]:
    return document.normalized(Client(headers={"host": "localhost"}).get("/api/schema").json())


def test_the_document_is_the_recorded_one() -> None:
    now = served()
    if recorded.recording():
        document.write(now)
    known = document.PATH.read_text().splitlines()
    lines = list(document.lines(now))
    if known != lines:
        pytest.fail(document.difference(known, lines), pytrace=False)


def test_every_operation_is_in_one_group_with_responses() -> None:
    known = {line["operation"] for line in recorded.read()}
    wanted = operations()
    if not recorded.recording():
        assert set(wanted) <= known
        assert {name for name in known - set(wanted) if not name.startswith("PUT ")} == set()
    assert {group_of(name) for name in wanted} == set(GROUPS)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Without a line in the log for each of thousands of refusals."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("group", GROUPS)
def test_the_responses_are_the_recorded_ones(db: None, quiet: None, group: str) -> None:
    mine = {name: operation for name, operation in operations().items() if group_of(name) == group}
    with world.made(VENDORS.get(group, VENDORS["humanitec"])) as made:
        now = list(answers.lines(mine, made))
    before = recorded.read()
    if recorded.recording():
        recorded.write([*(line for line in before if group_of(line["operation"]) != group), *now])
        return
    difference = recorded.differences([line for line in before if group_of(line["operation"]) == group], now)
    if difference:
        pytest.fail(difference, pytrace=False)
