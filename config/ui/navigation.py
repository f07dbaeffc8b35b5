"""The sidebar: what there is, and of it only what the person may open."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from config.access.roles import Right

BEHIND = _("Behind the scenes")
GROUPS: tuple[tuple[Any, tuple[tuple[Any, str, str], ...]], ...] = (
    (
        _("Syncs"),
        (
            (_("Overview"), "home", "index"),
            (_("Connect and sync"), "add_link", "syncs_syncdraft"),
            (_("Syncs"), "sync", "syncs_secretsync"),
            (_("Runs"), "history", "syncs_syncrun"),
            (_("Ledger"), "fact_check", "syncs_managedsecret"),
            (_("Connections"), "cable", "connections_appconnection"),
            (_("Destinations"), "cloud_upload", "destinations"),
            (_("Notifications"), "notifications", "syncs_notificationtarget"),
        ),
    ),
    (
        _("Source"),
        (
            (_("Secrets"), "key", "secrets"),
            (_("All secrets"), "list_alt", "syncs_secret"),
            (_("Folders"), "folder", "syncs_folder"),
            (_("Imports"), "input", "syncs_secretimport"),
            (_("Tags"), "sell", "syncs_tag"),
            (_("Environments"), "layers", "syncs_environment"),
            (_("Projects"), "workspaces", "access_project"),
        ),
    ),
    (
        _("People and machines"),
        (
            (_("Users"), "person", "access_user"),
            (_("Identities"), "smart_toy", "access_identity"),
            (_("Roles"), "badge", "access_membership"),
            (_("Client secrets"), "password", "access_clientsecret"),
            (_("Access tokens"), "token", "access_accesstoken"),
            (_("Audit log"), "policy", "access_auditevent"),
        ),
    ),
    (
        BEHIND,
        (
            (_("Keys of runs"), "list", "syncs_runchange"),
            (_("Versions"), "restore", "syncs_secretversion"),
            (_("References"), "link", "syncs_secretreference"),
            (_("First listings"), "flag", "syncs_initialset"),
            (_("Drift"), "difference", "syncs_driftcheck"),
            (_("Messages"), "mail", "syncs_notice"),
            (_("Leases"), "lock_clock", "syncs_lease"),
            (_("Rate limits"), "speed", "access_requestwindow"),
            (_("Keysets"), "vpn_key", "access_datakeyset"),
            (_("Instance"), "dns", "access_instance"),
        ),
    ),
)
"""Title, and of each item title, symbol and page: a model's list, or the name of an address."""


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """As unfold wants it."""
    return [
        {
            "title": title,
            "separator": True,
            "collapsible": title is BEHIND,
            "items": [
                {"title": name, "icon": symbol, "link": reverse(_address(page))}
                for name, symbol, page in items
                if _may_open(request, page)
            ],
        }
        for title, items in GROUPS
    ]


def _address(page: str) -> str:
    if page in ("index", "destinations"):
        return f"admin:{page}"
    return page if page == "secrets" else f"admin:{page}_changelist"


def _may_open(request: HttpRequest, page: str) -> bool:
    if page in ("index", "destinations"):
        return True
    if page == "secrets":
        from config.ui.base import actor_of  # the settings name this module before there are models

        return actor_of(request).may_anywhere(Right.SEE)
    label, name = page.split("_", 1)
    return bool(admin.site._registry[apps.get_model(label, name)].has_view_permission(request))
