"""Signing in and changing one's password: Django's pages, recorded in the audit log."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from config.access import audit
from config.access.addresses import client_ip
from config.access.models import User
from config.access.roles import PLATFORM, Actor, actor_of_user


def login(request: HttpRequest) -> HttpResponseBase:
    """Unknown user names are not recorded, because people type passwords into the wrong field."""
    response = admin.site.login(request)
    if request.method == "POST":
        # After a failed attempt an earlier session stays signed in; only a redirect means success.
        if isinstance(response, HttpResponseRedirect) and isinstance(request.user, User):
            audit.record(actor_of_user(request.user, client_ip(request)), "login-user", user=request.user.pk)
        else:
            user = User.objects.filter(username=request.POST.get("username", "")).first()
            platform = Actor("platform", name=PLATFORM.name, ip=client_ip(request))
            audit.record(platform, "fail-login-user", user=user and user.pk)
    return response


def change_password(request: HttpRequest) -> HttpResponseBase:
    """Change the password of the signed-in person."""
    before = request.user.password if isinstance(request.user, User) else ""
    response = admin.site.password_change(request)
    if isinstance(request.user, User):
        record_password_change(actor_of_user(request.user, client_ip(request)), request.user.pk, before)
    return response


def record_password_change(actor: Actor, user_id: UUID, before: str) -> None:
    """If the password differs from `before` (its hash)."""
    user = User.objects.filter(pk=user_id).exclude(password=before).first()
    if user:
        audit.record(actor, "change-password", user=user.pk, name=user.get_username())
