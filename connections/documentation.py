"""Which parts of the documentation explain the pages of connections."""

from config.ui.help import register_help

register_help({"connections.appconnection": "syncs#connections"})
