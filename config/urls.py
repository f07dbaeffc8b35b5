"""Every address that the web process answers. Those of the API have no slash at their end; see SlashMiddleware."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health
from config.api import base
from config.ui import sign_in
from syncs.history.metrics import metrics

handler404 = base.not_found
handler500 = base.server_error

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/secrets/", include("syncs.admin.editor.urls")),
    *sign_in.urlpatterns,  # before Django's own of the same address
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics),
    path("api/", include("config.api.urls")),
    path("api/", include("connections.api")),
    path("api/", include("syncs.api")),
]
