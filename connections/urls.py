"""Addresses of app connections."""

from django.urls import include, path

urlpatterns = [path("api/", include("connections.api"))]
