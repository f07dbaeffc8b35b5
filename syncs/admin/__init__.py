"""The admin pages of projects, secrets, syncs and runs. Importing the modules registers them."""

from django.contrib import admin

from . import connect, internals, notification, project, run, secret, sync

__all__ = ["connect", "internals", "notification", "project", "run", "secret", "sync"]

admin.site.index_template = "syncs/dashboard.html"
