"""Accounts of people: sign-ins, new accounts and changed passwords are recorded in the audit log."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from config.access import audit
from config.access.models import AuditEvent, User
from tests.fixtures.world import World

PASSWORD = "mArKeR-a long password"


@pytest.fixture
def browser(world: World) -> Client:
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    return client


def last() -> tuple[str, str, Any]:
    found = AuditEvent.objects.first()
    assert found
    return found.event, found.actor_name, {key: value for key, value in found.metadata.items() if key != "project"}


def test_sign_ins_are_recorded(world: World) -> None:
    ada = User.objects.get(username="ada")
    page = reverse("admin:login")
    client = Client(REMOTE_ADDR="192.0.2.7")
    assert client.get(page).status_code == 200
    before = AuditEvent.objects.count()
    assert client.post(page, {"username": "ada", "password": PASSWORD}).status_code == 200
    assert last() == ("fail-login-user", "Keyferry", {"user": str(ada.pk)})
    assert client.post(page, {"username": PASSWORD, "password": "ada"}).status_code == 200
    assert last() == ("fail-login-user", "Keyferry", {"user": None})
    answer = client.post(page, {"username": "ada", "password": "a long password", "next": "/admin/"})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert last() == ("login-user", "ada", {"user": str(ada.pk)})
    assert {event.ip for event in AuditEvent.objects.all()[:3]} == {"192.0.2.7"}
    assert client.get(page).status_code == 302
    assert AuditEvent.objects.count() == before + 3
    assert PASSWORD not in str(list(AuditEvent.objects.values()))


def test_failed_sign_ins_with_another_account_are_recorded(world: World, browser: Client) -> None:
    grace = User.objects.create_user("grace", is_staff=True, password="a long password too")
    page = reverse("admin:login")
    assert browser.post(page, {"username": "grace", "password": PASSWORD}).status_code == 200
    assert last() == ("fail-login-user", "Keyferry", {"user": str(grace.pk)})
    assert browser.post(page, {"username": "grace", "password": "a long password too"}).status_code == 302
    assert last() == ("login-user", "grace", {"user": str(grace.pk)})


def test_a_new_person_can_sign_in_and_a_new_role_is_viewer(world: World, browser: Client) -> None:
    def chosen(name: str, field: str) -> Any:
        form = browser.get(reverse(f"admin:access_{name}_add")).context["adminform"].form
        return form.get_initial_for_field(form.fields[field], field)

    assert chosen("user", "is_staff")
    assert not chosen("user", "is_superuser")
    assert (chosen("membership", "role"), chosen("identity", "role")) == ("viewer", "viewer")


def test_times_of_people_and_events_are_relative(world: World, browser: Client) -> None:
    world.set(A="1")
    for page in (User.objects.get(username="ada"), AuditEvent.objects.first()):
        assert page
        shown = browser.get(reverse(f"admin:access_{page._meta.model_name}_change", args=[page.pk])).content.decode()
        assert '<time class="kf-when"' in shown


def test_accounts(world: World, browser: Client) -> None:
    add = reverse("admin:access_user_add")
    passwords = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert browser.post(add, {"username": "grace", **passwords}).status_code == 302
    grace = User.objects.get(username="grace")
    rights = {"isActive": True, "isStaff": False, "isSuperuser": False}
    event, actor, said = last()
    assert (event, actor, said["name"]) == ("create-user", "ada", "grace")
    assert rights.items() <= said.items()
    page = reverse("admin:access_user_change", args=[grace.pk])
    given = {"username": "grace", "is_active": "on", "is_staff": "on", "is_superuser": "on"}
    assert browser.post(page, given).status_code == 302
    event, _, said = last()
    assert (event, said["changed"]) == ("update-user", ["is_staff", "is_superuser"])
    assert said["isSuperuser"] is True
    before = AuditEvent.objects.count()
    change = reverse("admin:auth_user_password_change", args=[grace.pk])
    assert browser.post(change, {**passwords, "password2": "other"}).status_code == 200
    assert AuditEvent.objects.count() == before
    new = {"password1": f"{PASSWORD}-2", "password2": f"{PASSWORD}-2", "usable_password": "true"}
    assert browser.post(change, new).status_code == 302
    assert last() == ("change-password", "ada", {"user": str(grace.pk), "name": "grace"})
    assert browser.post(reverse("admin:access_user_delete", args=[grace.pk]), {"post": "yes"}).status_code == 302
    assert last() == ("delete-user", "ada", {"user": str(grace.pk), "name": "grace"})
    assert PASSWORD not in str(list(AuditEvent.objects.values()))
    assert list(audit.broken_links()) == []


def test_ones_own_password(world: World, browser: Client) -> None:
    page = reverse("admin:password_change")
    assert browser.get(page).status_code == 200
    given = {"old_password": "wrong", "new_password1": PASSWORD, "new_password2": PASSWORD}
    before = AuditEvent.objects.count()
    browser.post(page, given)
    assert AuditEvent.objects.count() == before
    assert browser.post(page, {**given, "old_password": "a long password"}).status_code == 302
    event, actor, said = last()
    assert (event, actor, said["name"]) == ("change-password", "ada", "ada")
    assert Client().get(page).status_code == 302


def test_accounts_are_an_instance_admins(world: World) -> None:
    User.objects.create_user("staff", password=PASSWORD, is_staff=True)
    client = Client()
    client.force_login(User.objects.get(username="staff"))
    assert client.get(reverse("admin:access_user_add")).status_code == 403
    assert client.post(reverse("admin:access_user_add"), {"username": "x"}).status_code == 403
