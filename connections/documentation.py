"""Which parts of the documentation explain the pages of connections."""

from config.ui.help import explained

explained({"connections.appconnection": "syncs#connections"})
