"""All URLs: those of the platform, and those of each app.

URLs of the API have no trailing slash; see `config.api.middleware.SlashMiddleware`.
"""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health

handler404 = "config.api.errors.not_found"
handler500 = "config.api.errors.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("config.ui.urls")),
    path("api/", include("config.api.urls")),
    *(path("", include(f"{app}.urls")) for app in settings.PRODUCT_APPS),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
]
