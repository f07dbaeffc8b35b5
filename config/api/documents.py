"""OpenAPI, and a page to read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.permissions import AllowAny


class CompactRenderer(OpenApiJsonRenderer):
    """Without indentation: programs read it."""

    def get_indent(self, accepted_media_type: str, renderer_context: Mapping[str, Any]) -> None:
        return None


class SchemaView(SpectacularAPIView):
    """OpenAPI 3.0 as JSON."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [CompactRenderer]


class SchemaPage(SpectacularSwaggerView):
    authentication_classes = []
    permission_classes = [AllowAny]
    url_name = "schema"
