"""Signing in and changing one's own password: Django's pages, told to the audit log."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from config.access import audit
from config.access.addresses import client_ip
from config.access.models import User
from config.access.roles import PLATFORM, Actor, actor_of_user


def login(request: HttpRequest) -> HttpResponseBase:
    """A name that no account has is not written down: people type their passwords into the wrong field."""
    answer = admin.site.login(request)
    if request.method == "POST":
        # Who is refused stays whoever was signed in before; only who is let in is sent on.
        if isinstance(answer, HttpResponseRedirect) and isinstance(request.user, User):
            audit.record(actor_of_user(request.user, client_ip(request)), "login-user", user=request.user.pk)
        else:
            tried = User.objects.filter(username=request.POST.get("username", "")).first()
            who = Actor("platform", name=PLATFORM.name, ip=client_ip(request))
            audit.record(who, "fail-login-user", user=tried and tried.pk)
    return answer


def change_password(request: HttpRequest) -> HttpResponseBase:
    """Of the person who is signed in."""
    before = request.user.password if isinstance(request.user, User) else ""
    answer = admin.site.password_change(request)
    if isinstance(request.user, User):
        tell_changed_password(actor_of_user(request.user, client_ip(request)), request.user.pk, before)
    return answer


def tell_changed_password(actor: Actor, user_id: UUID, before: str) -> None:
    """Where the password is another than `before` (its hash)."""
    user = User.objects.filter(pk=user_id).exclude(password=before).first()
    if user:
        audit.record(actor, "change-password", user=user.pk, name=user.get_username())
