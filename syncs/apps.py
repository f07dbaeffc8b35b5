"""What is synced, and how."""

from django.apps import AppConfig


class SyncsConfig(AppConfig):
    name = "syncs"
    verbose_name = "Secret syncs"

    def ready(self) -> None:
        from syncs import checks  # noqa: F401 - registers them
