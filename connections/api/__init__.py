"""App connections over HTTP."""

from .views import urlpatterns

__all__ = ["urlpatterns"]
