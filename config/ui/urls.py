"""The documentation, and pages that replace Django's own at the same URL."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from config.ui import docs_views, sign_in

urlpatterns = [
    path("docs", RedirectView.as_view(pattern_name="documentation", permanent=True)),
    path("docs/", docs_views.page, name="documentation"),
    path("docs/search", docs_views.results, name="documentation_search"),
    path("docs/<path:slug>", docs_views.page, name="documentation_page"),
    path("admin/login/", sign_in.login),
    path("admin/password_change/", admin.site.admin_view(sign_in.change_password, cacheable=True)),
]
