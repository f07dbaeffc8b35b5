"""Broken logins: pickers that request another path or offer nothing, checks that accept everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connections.errors import IntegrationError
from connections.http.client import ApiClient
from connections.provider import Choice, Provider, Rights
from connections.providers.humanitec import Humanitec
from tests.contract import test_adapters, test_hooks


class WrongPicker(Humanitec):
    """Offers the applications of another organisation."""

    caught_by = staticmethod(test_adapters.test_pickers_offer_the_configured_values)
    variant = "application"

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        return super().choices(client, "org" if field == "app" else field, chosen)


class EmptyPicker(Humanitec):
    """Offers nothing."""

    caught_by = staticmethod(test_adapters.test_pickers_offer_the_configured_values)
    variant = "application"

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        return []


class HidingPicker(Humanitec):
    """Offers nothing where the vendor fails, as if there were nothing."""

    caught_by = staticmethod(test_hooks.test_choices_are_for_known_fields_and_never_hide_a_failure)
    variant = "application"

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        try:
            return super().choices(client, field, chosen)
        except IntegrationError:
            return []


class EagerPicker(Humanitec):
    """Offers organisations for every field."""

    caught_by = staticmethod(test_hooks.test_choices_are_for_known_fields_and_never_hide_a_failure)
    variant = "application"

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        return super().choices(client, field if field in ("app", "env") else "org", chosen)


class BlindCheck(Humanitec):
    """Takes every login for a good one."""

    caught_by = staticmethod(test_adapters.test_the_check_of_a_login_writes_nothing_and_fails_with_the_vendor)
    variant = "application"

    def check(self, client: ApiClient) -> Rights:
        return Rights()


PROVIDERS: tuple[type[Provider], ...] = (WrongPicker, EmptyPicker, HidingPicker, EagerPicker, BlindCheck)
