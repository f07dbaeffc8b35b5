"""Sidebar entries for app connections."""

from django.utils.translation import gettext_lazy as _

from config.ui.sidebar import entry

entry("delivery", 60, _("Connections"), "cable", "connections.appconnection")
