"""The source and its syncs over HTTP: the modelled endpoints, and Keyferry's own beside them.

Source: https://infisical.com/docs/api-reference/endpoints/secret-syncs/list
"""

from django.urls import path

from . import defaults, environments, folders, imports, notifications, projects, secret_relations, secrets, tags
from .syncs import CodesView, ListView, OptionsView, routes

urlpatterns = [
    path("v1/secret-syncs", ListView.as_view()),
    path("v1/secret-syncs/options", OptionsView.as_view()),
    path("v1/secret-syncs/error-codes", CodesView.as_view()),
    *routes(),
    *environments.urlpatterns,
    *projects.urlpatterns,
    *tags.urlpatterns,
    *defaults.urlpatterns,
    *folders.urlpatterns,
    *secret_relations.urlpatterns,  # before secrets, which may have any name
    *secrets.urlpatterns,
    *imports.urlpatterns,
    *notifications.urlpatterns,
]
