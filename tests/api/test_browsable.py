"""The API in a browser for signed-in people: a page for every endpoint, with forms for its requests."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from syncs.models import Secret, SecretSync, Tag
from tests.api.openapi import operations
from tests.fixtures.world import APPLICATION, World

HTML = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def browser(world: World) -> Client:
    client = Client(headers=HTML, raise_request_exception=False)
    assert client.login(username="ada", password="a long password")
    return client


def send(browser: Client, path: str, method: str = "POST", **fields: str) -> Any:
    data = "&".join(f"{name}={value}" for name, value in fields.items())
    return browser.generic(method, f"/api{path}", data, content_type="application/x-www-form-urlencoded")


def test_every_endpoint_has_a_page(browser: Client, world: World) -> None:
    """Also an endpoint with required parameters or an unknown id: its page shows the error and the form."""
    forms = 0
    for path in sorted({path for _, path, _ in operations()}):
        filled = path.replace("{projectId}", str(world.project.pk)).replace("{destination}", "humanitec")
        page = browser.get(re.sub(r"\{\w+\}", str(world.connection.pk), filled))
        assert page.status_code < 500, path
        assert page["Content-Type"].startswith("text/html"), path
        forms += page.content.count(b"<form class")
    assert forms > 100


def test_a_page_has_the_forms_of_its_methods(browser: Client) -> None:
    text = browser.get("/api/v4/secrets/A").content.decode()
    for method in ("POST", "PATCH", "DELETE"):
        assert f'data-method="{method}"' in text
    assert 'name="secretValue"' in text
    assert 'name="viewSecretValue"' in text  # of the question


def test_typing_a_question(browser: Client, world: World) -> None:
    world.set(A="<b>bold</b>")
    query = {"projectId": str(world.project.pk), "environment": "dev", "secretPath": "/", "tagSlugs": ""}
    text = browser.get("/api/v4/secrets", query_params=query).content.decode()
    assert "&lt;b&gt;bold" in text
    assert "<b>bold" not in text
    assert f'value="{world.project.pk}"' in text  # what was typed is still there


def test_typing_a_secret(browser: Client, world: World) -> None:
    location = {"projectId": str(world.project.pk), "environment": "dev"}
    made = send(browser, "/v4/secrets/A", **location, secretValue="one%0D%0Atwo%0D%0A", skipMultilineEncoding="true")
    assert made.status_code == 200, made.content
    secret = Secret.objects.get(key="A")
    assert secret.skip_multiline_encoding
    query = {**location}
    value = browser.get("/api/v4/secrets/A", query_params=query, headers={"accept": "application/json"}).json()
    assert value["secret"]["secretValue"] == "one\ntwo\n"
    # What was typed is not typed in again by the page that answers.
    again = send(browser, "/v4/secrets/A", **location, secretValue="mArKeR-form", secretReminderRepeatDays="x")
    assert again.status_code == 422
    assert b"mArKeR-form" not in again.content
    assert send(browser, "/v4/secrets/A", "PATCH", **location, secretComment="why").status_code == 200
    items = "[{%22secretKey%22:%22B%22,%22secretValue%22:%22x%22}]"
    assert send(browser, "/v4/secrets/batch", **location, secrets=items).status_code == 200
    assert send(browser, "/v4/secrets/batch", **location, secrets="nope").status_code == 400
    assert send(browser, "/v4/secrets/A", "DELETE", **location).status_code == 200
    assert list(Secret.objects.values_list("key", flat=True)) == ["B"]


def test_typing_a_sync_and_its_policy(browser: Client, world: World) -> None:
    made = send(
        browser,
        "/v1/secret-syncs/humanitec",
        name="typed",
        projectId=str(world.project.pk),
        connectionId=str(world.connection.pk),
        environment="dev",
        secretPath="/",
        isAutoSyncEnabled="false",
        **{"syncOptions.initialSyncBehavior": "overwrite-destination"},
        **{f"destinationConfig.{name}": value for name, value in APPLICATION.items()},
    )
    assert made.status_code == 200, made.content.decode()[-2000:]
    sync = SecretSync.objects.get(name="typed")
    assert (sync.destination_config, sync.is_auto_sync_enabled) == (APPLICATION, False)
    policy = f"/v1/secret-syncs/humanitec/{sync.pk}/policy"
    assert send(browser, policy, "PATCH", include="A*%0D%0AB*", maxDeletions="3").status_code == 200
    sync.policy.refresh_from_db()
    assert (sync.policy.include, sync.policy.max_deletions) == (["A*", "B*"], 3)


def test_a_form_from_elsewhere_is_refused(world: World) -> None:
    strict = Client(enforce_csrf_checks=True, headers=HTML)
    assert strict.login(username="ada", password="a long password")
    refused = send(strict, f"/v1/projects/{world.project.pk}/tags", slug="web", color="")
    assert refused.status_code == 403
    assert not Tag.objects.exists()
    page = strict.get(f"/api/v1/projects/{world.project.pk}/tags").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    fields = {"slug": "web", "color": "", "csrfmiddlewaretoken": token[1]}
    assert send(strict, f"/v1/projects/{world.project.pk}/tags", **fields).status_code == 200
