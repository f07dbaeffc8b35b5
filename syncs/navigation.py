"""Sidebar entries for secrets and syncs."""

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from config.access.roles import Right
from config.ui.base import actor_of, any_project
from config.ui.sidebar import entry, section
from syncs.services.approvals import held_runs


def _reads_secrets(request: HttpRequest) -> bool:
    return actor_of(request).may_anywhere(Right.SEE)


def _runs_syncs(request: HttpRequest) -> bool:
    return any_project(actor_of(request), Right.RUN_SYNCS)


def _held(request: HttpRequest) -> int:
    return held_runs(actor_of(request)).count()


section("delivery", 10, _("Syncs"))
entry("delivery", 10, _("Overview"), "home", "admin:index")
entry("delivery", 20, _("Connect and sync"), "add_link", "syncs.syncdraft")
entry("delivery", 30, _("Syncs"), "sync", "syncs.secretsync")
entry("delivery", 40, _("Runs"), "history", "syncs.syncrun")
entry("delivery", 45, _("Approvals"), "approval", "admin:syncs_syncrun_approvals", _runs_syncs, _held)
entry("delivery", 50, _("Ledger"), "fact_check", "syncs.managedsecret")
entry("delivery", 70, _("Destinations"), "cloud_upload", "admin:destinations")
entry("delivery", 80, _("Notifications"), "notifications", "syncs.notificationtarget")
section("source", 20, _("Source"))
entry("source", 10, _("Secrets"), "key", "secrets", _reads_secrets)
entry("source", 20, _("All secrets"), "list_alt", "syncs.secret")
entry("source", 30, _("Folders"), "folder", "syncs.folder")
entry("source", 40, _("Imports"), "input", "syncs.secretimport")
entry("source", 50, _("Tags"), "sell", "syncs.tag")
entry("source", 60, _("Environments"), "layers", "syncs.environment")
entry("internals", 10, _("Keys of runs"), "list", "syncs.runchange")
entry("internals", 20, _("Versions"), "restore", "syncs.secretversion")
entry("internals", 30, _("References"), "link", "syncs.secretreference")
entry("internals", 40, _("Initial sets"), "flag", "syncs.initialset")
entry("internals", 45, _("Owed actions"), "pending_actions", "syncs.owedaction")
entry("internals", 50, _("Drift"), "difference", "syncs.driftcheck")
entry("internals", 60, _("Messages"), "mail", "syncs.notice")
entry("internals", 70, _("Leases"), "lock_clock", "syncs.lease")
