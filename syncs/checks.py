"""System checks: problems of adapters and settings are reported at start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from connections.provider import providers
from syncs.destination.base import destinations


@register()
def check_adapters(**_: Any) -> list[CheckMessage]:
    """A broken adapter does not prevent the others from working."""
    found: list[CheckMessage] = []
    known = {provider.slug for provider in providers}
    for destination in destinations:
        if destination.provider not in known:
            hint = f"Add connections/providers/{destination.provider.replace('-', '_')}.py."
            needed = f"The destination {destination.slug} needs the provider {destination.provider}"
            problem = f"{needed}, which is not installed."
            found.append(Error(problem, hint=hint, id="keyferry.E002"))
    for problem in (*providers.errors, *destinations.errors):
        found.append(Error(problem, hint="One module, one adapter, named by its slug.", id="keyferry.E001"))
    return found


@register()
def check_deadlines(**_: Any) -> list[CheckMessage]:
    """A run renews its lease before each request, so no request may outlast a lease that was just renewed."""
    if 0 < settings.REQUEST_DEADLINE < settings.LEASE_SECONDS:
        return []
    problem = "KEYFERRY_REQUEST_DEADLINE must be more than 0 and less than KEYFERRY_LEASE_SECONDS."
    hint = f"They are {settings.REQUEST_DEADLINE:g} and {settings.LEASE_SECONDS:g} seconds now."
    return [Error(problem, hint=hint, id="keyferry.E003")]
