"""Sidebar entries for people, machines and the installation."""

from django.utils.translation import gettext_lazy as _

from config.ui.sidebar import entry, section

section("access", 30, _("People and machines"))
entry("source", 70, _("Projects"), "workspaces", "access.project")
entry("access", 10, _("Users"), "person", "access.user")
entry("access", 20, _("Identities"), "smart_toy", "access.identity")
entry("access", 30, _("Roles"), "badge", "access.membership")
entry("access", 40, _("Client secrets"), "password", "access.clientsecret")
entry("access", 50, _("Access tokens"), "token", "access.accesstoken")
entry("access", 60, _("Audit log"), "policy", "access.auditevent")
section("help", 35, _("Help"))
entry("help", 10, _("Documentation"), "menu_book", "documentation")
entry("help", 20, _("API"), "api", "docs")
section("internals", 40, _("Internals"), collapsible=True)
entry("internals", 80, _("Rate limits"), "speed", "access.requestwindow")
entry("internals", 90, _("Keysets"), "vpn_key", "access.datakeyset")
entry("internals", 100, _("Instance"), "dns", "access.instance")
