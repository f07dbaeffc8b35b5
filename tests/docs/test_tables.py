"""Tables and lists of the documentation that claim to be complete match the code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable

from django.conf import settings
from django.test import Client

import config.errors
import connections.errors
from config.environment import DECLARED
from config.schemas import member
from config.schemas import types as members
from connections import provider
from connections.http import responses
from connections.http.client import ApiClient
from syncs.destination import (
    base,
    capabilities,
    document,
    dotenv_text,
    key_value,
    location,
    patch,
    reading,
    shared_objects,
    upsert,
    waiting,
    write,
)
from syncs.destinations.humanitec import Humanitec
from syncs.engine import types
from syncs.engine.types import Action
from syncs.models import SyncPolicy
from syncs.services.policy import policy_as_json
from tests.destinations import fake, serving

from .reading import PAGES, ROOT, fences, spans, tables

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text()


def first(rows: Iterable[list[str]]) -> list[str]:
    return [row[0] for row in rows]


def test_every_variable() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", page("operating"), re.MULTILINE)
    assert listed == list(DECLARED)


def test_every_metric(client: Client, db: None) -> None:
    answered = re.findall(r"^# TYPE (\w+)", client.get("/metrics").content.decode(), re.MULTILINE)
    _, metrics = tables(page("operating"), "Monitor")
    assert first(metrics) == answered


def test_every_action() -> None:
    (actions,) = tables(page("concepts"), "Actions of a plan")
    assert sorted(first(actions)) == sorted(Action)


def test_every_member_of_the_policy_with_its_default() -> None:
    (members,) = tables(page("syncs"), "The policy")
    words = {"[]": "empty", "{}": "empty", "False": "off", "None": "null"}
    now = {name: words.get(str(value), str(value)) for name, value in policy_as_json(SyncPolicy(), Humanitec).items()}
    assert {row[0]: row[2] for row in members} == now


def test_the_layers_are_those_that_ci_checks() -> None:
    (block,) = fences(page("architecture"), "text")
    top, *containers = block.strip().split("\n\n")
    shown = {"": [[each] for each in top.split(" > ")]}
    for container in containers:
        name, *lines = container.splitlines()
        shown[name] = [line.strip().split(", ") for line in lines]
    checked = {
        "".join(contract.get("containers", [])): [layer.split(" | ") for layer in contract["layers"]]
        for contract in PROJECT["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    }
    assert shown == checked


def test_the_packages_of_syncs() -> None:
    _, packages = tables(page("architecture"), "Layout")
    shown = {name.strip("` ") for row in packages for name in row[0].split(",")}
    found = {path.name for path in (ROOT / "syncs").iterdir() if (path / "__init__.py").exists()}
    assert shown == found - {"migrations", "templatetags"}


def test_the_classes_of_errors() -> None:
    section = page("architecture").partition("## Errors")[2]
    again, never, unknown = (set(re.findall(r"`([A-Z]\w+)`", line)) for line in section.splitlines() if line[:1] == "-")
    classes = {name: found for name, found in vars(connections.errors).items() if isinstance(found, type)}
    below = {name for name, found in classes.items() if issubclass(found, connections.errors.IntegrationError)}
    assert again == {name for name in below if classes[name].retryable}
    assert again | never | unknown == below - {"IntegrationError"}


def test_the_guide_names_parts_that_exist() -> None:
    """Methods, members and classes that the page on adding a destination names by `name()` or `Class.member`."""
    modules = (
        base,
        key_value,
        upsert,
        patch,
        shared_objects,
        waiting,
        location,
        reading,
        dotenv_text,
        document,
        capabilities,
        write,
        types,
        provider,
        connections.errors,
        config.errors,
        member,
        members,
        responses,
        serving,
    )
    classes = {name: found for module in modules for name, found in vars(module).items() if isinstance(found, type)}
    homes = (
        *(
            classes[name]
            for name in ("UpsertDestination", "PatchDestination", "DocumentDestination", "Provider", "Served")
        ),
        *(ApiClient, fake.Fake, provider, write, waiting, dotenv_text, capabilities.Capabilities),
    )
    known = {name for home in homes for name in dir(home)} | {"quote", *classes}
    for span in spans(page("adding-a-destination")):
        if found := re.fullmatch(r"([A-Z]\w+)\.(\w+)", span):
            assert found[2] in classes[found[1]].__dataclass_fields__, span
        elif found := re.match(r"(?:self\.)?(\w+)\(", span):
            assert found[1] in known, span
        elif re.fullmatch(r"[A-Z][a-z]+[A-Za-z]*", span):
            assert span in {*known, "ApiClient", "Link", "Date", "SecretStr"}, span


def test_one_version() -> None:
    changelog = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert PROJECT["project"]["version"] == settings.SPECTACULAR_SETTINGS["VERSION"] == changelog[0]
