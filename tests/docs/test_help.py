"""Pages of the admin and the parts of the documentation that explain them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from config.access.models import User
from config.ui import docs, help
from syncs.admin.connect.pages import STEPS

OURS = ("access.", "connections.", "syncs.")
PARTS = {"run.held", "sync.policy", "sync.drift"}
"""Names that templates ask for."""


def views(resolver: URLResolver, space: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern, f"{space}{pattern.namespace}:" if pattern.namespace else space)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield f"{space}{pattern.name}"


def test_every_target_is_a_heading() -> None:
    for name, target in help.targets().items():
        assert docs.library().heading(target), name


def test_every_name_is_a_page() -> None:
    known = {*views(get_resolver()), *PARTS}
    for name in set(help.targets()) - PARTS:
        view, _, step = name.partition("/")
        if ":" not in view and "." in view:
            apps.get_model(view)  # raises LookupError
            continue
        assert view in known, name
        assert not step or step in {"destination", *STEPS}, name


def test_every_model_and_every_step_has_help() -> None:
    models = {f"{model._meta.app_label}.{model._meta.model_name}" for model in admin.site._registry}
    steps = {f"admin:syncs_syncdraft_step/{step}" for step in STEPS}
    assert {name for name in models if name.startswith(OURS)} | steps <= set(help.targets())


@pytest.fixture
def ada(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def help_of(client: Client, path: str) -> str:
    """Where the page's own link to the documentation leads."""
    (found,) = re.findall(
        r'<a class="kf-icon-button" href="([^"]+)"[^>]*aria-label="Help: ', client.get(path).content.decode()
    )
    return str(found)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("admin:index", "/docs/concepts#how-they-get-there"),
        ("admin:destinations", "/docs/destinations"),
        ("admin:syncs_syncdraft_changelist", "/docs/syncs#choose-a-destination"),
        ("admin:syncs_secretsync_changelist", "/docs/syncs"),
        ("admin:connections_appconnection_changelist", "/docs/syncs#connections"),
        ("admin:access_auditevent_changelist", "/docs/security#audit-log"),
        ("admin:password_change", "/docs/"),
        ("secrets", "/docs/secrets#the-editor"),
    ],
)
def test_a_page_links_to_its_documentation(ada: Client, name: str, target: str) -> None:
    assert help_of(ada, reverse(name)) == target


def test_the_sign_in_page_links_to_the_documentation(client: Client, db: None) -> None:
    assert help_of(client, "/admin/login/") == "/docs/"


def test_the_sidebar_links_to_the_documentation(ada: Client) -> None:
    shown = ada.get("/admin/").content.decode()
    assert 'href="/docs/"' in shown
    assert 'href="/api/docs"' in shown


def test_every_list_and_form_of_the_admin_has_help(ada: Client) -> None:
    for view in sorted(set(views(get_resolver()))):
        if re.fullmatch(r"admin:(access|connections|syncs)_\w+_(changelist|add)", view):
            path = reverse(view)
            if ada.get(path).status_code == 200:  # some can only be read
                assert help_of(ada, path).startswith("/docs/"), path
