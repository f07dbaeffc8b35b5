from django.apps import AppConfig


class UiConfig(AppConfig):
    """No models: template tags, and the admin pages of the app below (`config.access`)."""

    name = "config.ui"
    label = "ui"
