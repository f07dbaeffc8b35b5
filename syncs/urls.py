"""Addresses of the source and its syncs."""

from django.urls import include, path

from syncs.history.metrics import metrics

urlpatterns = [
    path("admin/secrets/", include("syncs.admin.editor.urls")),
    path("metrics", metrics),
    path("api/", include("syncs.api")),
]
