"""The admin pages of projects, secrets, syncs and runs. Importing the modules registers them."""

from django.contrib import admin

from . import connect, impact, internals, notification, project, run, secret, sync

__all__ = ["connect", "impact", "internals", "notification", "project", "run", "secret", "sync"]

admin.site.index_template = "syncs/dashboard.html"
