"""System checks: an adapter that is not right is named at start, and the others still work."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, register

from connections.provider import providers
from syncs.destination.base import destinations


@register()
def check_adapters(**_: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    known = {provider.slug for provider in providers}
    for destination in destinations:
        if destination.provider not in known:
            hint = f"Add connections/providers/{destination.provider.replace('-', '_')}.py."
            said = f"The destination {destination.slug} needs the provider {destination.provider}, which is not here."
            found.append(Error(said, hint=hint, id="keyferry.E002"))
    for said in (*providers.errors, *destinations.errors):
        found.append(Error(said, hint="One module, one adapter, named by its slug.", id="keyferry.E001"))
    return found
