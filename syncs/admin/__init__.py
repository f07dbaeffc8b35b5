"""The admin of the source, the syncs and their runs. Importing the modules registers them."""

from django.contrib import admin

from . import connect, internals, notification, run, source, sync

__all__ = ["connect", "internals", "notification", "run", "source", "sync"]

admin.site.index_template = "syncs/dashboard.html"
