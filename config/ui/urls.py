"""Pages that stand before Django's own of the same address."""

from django.contrib import admin
from django.urls import path

from config.ui import sign_in

urlpatterns = [
    path("admin/login/", sign_in.login),
    path("admin/password_change/", admin.site.admin_view(sign_in.change_password, cacheable=True)),
]
