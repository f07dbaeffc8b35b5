"""The OpenAPI of each operation, for drf-spectacular."""

from __future__ import annotations

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema


class AutoSchema(SpectacularAutoSchema):
    def get_description(self) -> str:
        """Nothing: docstrings are for who reads the code; an operation has its summary."""
        return ""
