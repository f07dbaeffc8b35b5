"""Environment variables: declared once, read by the settings only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from pytest_django import Settings

from config.environment import DECLARED, VARIABLES, Environment
from syncs.checks import check_deadlines
from syncs.management.commands.up import worker_count

ROOT = Path(__file__).parents[2]
PRODUCT = [
    ROOT / "manage.py",
    *(file for app in ("config", "connections", "syncs") for file in (ROOT / app).rglob("*.py")),
]
FOR_DJANGO = {"manage.py", "config/asgi.py", "config/wsgi.py"}
"""Django takes the name of the settings module from the environment alone."""


def test_nothing_else_reads_the_environment() -> None:
    found = set()
    for file in PRODUCT:
        name = file.relative_to(ROOT).as_posix()
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for_django = name in FOR_DJANGO and 'os.environ.setdefault("DJANGO_SETTINGS_MODULE"' in line
            reads = re.search(r"\b(environb?|getenvb?|putenv)\b", line)
            if reads and name != "config/environment.py" and not for_django:
                found.add(f"{name}:{number}: {line.strip()}")
    assert not found


def test_every_variable_is_read_by_the_settings_and_every_one_read_is_declared() -> None:
    read = re.findall(r'\benv\("(\w+)"\)', (ROOT / "config/settings.py").read_text())
    assert sorted(read) == sorted(DECLARED), "each once"
    assert len(DECLARED) == sum(map(len, VARIABLES.values()))


def test_every_name_of_a_variable_in_the_code_is_declared() -> None:
    for file in PRODUCT:
        named = set(re.findall(r"\bKEYFERRY_[A-Z_]+\b", file.read_text()))
        assert named <= set(DECLARED), file


def test_every_variable_has_a_meaning() -> None:
    for variable in DECLARED.values():
        assert variable.meaning.endswith("."), variable.name
        assert variable.described_default, variable.name


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("KEYFERRY_WORKERS", "", 2),
        ("KEYFERRY_WORKERS", "5", 5),
        ("KEYFERRY_LEASE_SECONDS", "20", 20.0),
        ("DJANGO_DEBUG", "true", True),
        ("DJANGO_DEBUG", "0", False),
        ("ALLOWED_HOSTS", "", ["localhost", "127.0.0.1", "[::1]"]),
        ("ALLOWED_HOSTS", "a.example.com, b.example.com", ["a.example.com", "b.example.com"]),
        ("KEYFERRY_BASE_URLS", '{"humanitec": "http://127.0.0.1:9100"}', {"humanitec": "http://127.0.0.1:9100"}),
        ("EMAIL_HOST_PASSWORD", "$HOME", "$HOME"),
        ("DATABASE_URL", "", None),
    ],
)
def test_values_are_read_by_their_kind(name: str, text: str, expected: object) -> None:
    assert Environment({name: text})(name) == expected


def test_urls_become_what_django_takes() -> None:
    database = Environment({"DATABASE_URL": "postgresql://ada:pa%20ss@db:5433/keyferry"})("DATABASE_URL")
    assert (database["ENGINE"], database["HOST"], database["PASSWORD"]) == (
        "django.db.backends.postgresql",
        "db",
        "pa ss",
    )
    email = Environment({"EMAIL_URL": "smtp+tls://ada:secret@mail.example.com:587"})("EMAIL_URL")
    assert (email["EMAIL_HOST"], email["EMAIL_PORT"], email["EMAIL_USE_TLS"]) == ("mail.example.com", 587, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KEYFERRY_WORKERS", "canary"),
        ("KEYFERRY_LEASE_SECONDS", "canary"),
        ("KEYFERRY_BASE_URLS", '["canary"]'),
        ("KEYFERRY_BASE_URLS", "{canary"),
        ("DATABASE_URL", "canary://x"),
        ("EMAIL_URL", "canary://x"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name_and_not_shown(name: str, text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=name) as refused:
        Environment({name: text})(name)
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(Environment({name: text}))


def test_up_starts_as_many_workers_as_the_environment_says(settings: Settings) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "workers": 5}
    assert (worker_count(None), worker_count(1)) == (5, 1)
    with pytest.raises(CommandError, match="at least 1"):
        worker_count(0)


@pytest.mark.parametrize(("deadline", "refused"), [(10.0, []), (15.0, ["keyferry.E003"]), (0.0, ["keyferry.E003"])])
def test_a_request_must_end_before_its_lease(settings: Settings, deadline: float, refused: list[str]) -> None:
    settings.LEASE_SECONDS, settings.REQUEST_DEADLINE = 15.0, deadline
    assert [each.id for each in check_deadlines()] == refused
