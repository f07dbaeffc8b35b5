"""Signing in, machine identities, roles in projects, the audit log, and the API's own description."""

from django.urls import path

from config.api import audit, auth, identities, members, pause, universal_auth
from config.api.documents import SchemaPage, SchemaView

urlpatterns = [
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs/json", SchemaView.as_view()),
    path("docs", SchemaPage.as_view(), name="docs"),
    *audit.urlpatterns,
    *auth.urlpatterns,
    *identities.urlpatterns,
    *members.urlpatterns,
    *pause.urlpatterns,
    *universal_auth.urlpatterns,
]
