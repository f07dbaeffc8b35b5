"""System checks: what is wrong with an adapter or with the settings is named at start."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from connections.provider import providers
from syncs.destination.base import destinations


@register()
def check_adapters(**_: Any) -> list[CheckMessage]:
    """An adapter that is not right does not keep the others from working."""
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


@register()
def check_deadlines(**_: Any) -> list[CheckMessage]:
    """A run renews its lease before each request, so no request may outlast a lease that was just renewed."""
    if 0 < settings.REQUEST_DEADLINE < settings.LEASE_SECONDS:
        return []
    said = "KEYFERRY_REQUEST_DEADLINE must be more than 0 and less than KEYFERRY_LEASE_SECONDS."
    hint = f"They are {settings.REQUEST_DEADLINE:g} and {settings.LEASE_SECONDS:g} seconds now."
    return [Error(said, hint=hint, id="keyferry.E003")]
