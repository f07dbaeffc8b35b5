"""Shared by all tests."""

import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings as django_settings
from hypothesis import settings

pytest_plugins = [
    "tests.fixtures.world",  # first: the others import it, and pytest rewrites the asserts of what it imports itself
    "tests.fixtures.admin",
    "tests.fixtures.api",
    "tests.fixtures.contract",
    "tests.fixtures.notifications",
]

settings.register_profile("quick", max_examples=1000, deadline=None)
settings.register_profile("ci", max_examples=6_000, deadline=None)
settings.load_profile("quick")


@pytest.fixture(scope="session", autouse=True)
def _own_data_dir() -> Iterator[None]:
    """The directory that `tests.settings` created is deleted after the run."""
    yield
    shutil.rmtree(django_settings.DATA_DIR, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes begins first, so that it is not what everybody waits for at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
