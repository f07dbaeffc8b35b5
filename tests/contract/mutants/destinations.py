"""Broken destinations: truncated lists, writes that do more or less than their verb, confused locations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping

from connections.errors import BadResponse, Conflict, NotFound
from connections.http.client import quote
from syncs.destination.base import Destination
from syncs.destinations.github import GitHub
from syncs.destinations.humanitec import Humanitec
from syncs.engine.types import Action, Remote, Write, Written
from tests.contract import test_adapters, test_laws
from tests.fixtures.contract import Case


def another_shape(case: Case) -> None:
    test_laws.test_an_unexpected_list_writes_nothing(case, {"not": "a list"})


class FirstPageOnly(GitHub):
    """Takes the first page for the complete list."""

    caught_by = staticmethod(test_adapters.test_a_list_of_several_pages_is_read_to_its_end)
    variant = "repository"

    def fetch(self) -> Iterable[Remote]:
        return itertools.islice(super().fetch(), 3)


class EmptyOnAnotherShape(Humanitec):
    """Takes a response that is no list for an empty one."""

    caught_by = staticmethod(another_shape)
    variant = "application"

    def fetch(self) -> Iterable[Remote]:
        try:
            return super().fetch()
        except BadResponse:
            return []


class OverwritingCreate(Humanitec):
    """Turns a refused create into an update."""

    caught_by = staticmethod(test_adapters.test_create_never_overwrites)
    variant = "application"

    def create(self, write: Write) -> Written:
        try:
            return super().create(write)
        except Conflict:
            return self.update(write)


class RecreatingUpdate(Humanitec):
    """Turns a refused update into a create."""

    caught_by = staticmethod(test_adapters.test_update_never_creates)
    variant = "application"

    def update(self, write: Write) -> Written:
        try:
            return super().update(write)
        except NotFound:
            return self.create(write)


class FailingDelete(Humanitec):
    """Fails to delete a key that is already deleted."""

    caught_by = staticmethod(test_adapters.test_a_delete_of_a_missing_key_succeeds)
    variant = "application"

    def delete(self, write: Write) -> None:
        self.client.request("DELETE", f"/orgs/acme/apps/shop/values/{quote(write.key)}")


class ConstantLocation(Humanitec):
    """Gives every target the same location."""

    caught_by = staticmethod(test_adapters.test_targets_share_a_location_only_if_they_hold_the_same_keys)
    variant = "environment"

    def location(self) -> str:
        return f"humanitec|{self.client.base_url}"


class SilentOverlap(Humanitec):
    """Says nothing of the application's values that it lists in an environment."""

    caught_by = staticmethod(test_adapters.test_targets_share_a_location_only_if_they_hold_the_same_keys)
    variant = "application"

    def overlaps(self, location: str) -> bool:
        return location == self.location()


class TokenInLocation(Humanitec):
    """Distinguishes two logins to one target."""

    caught_by = staticmethod(test_adapters.test_the_location_names_the_vendors_address_and_no_credential)
    variant = "application"

    def location(self) -> str:
        return f"{super().location()}|contract-token"


class WriteOutsideThePlan(Humanitec):
    """Cleans up beside the key that it was asked to create."""

    caught_by = staticmethod(test_adapters.test_writes_change_their_own_keys_only)
    variant = "application"

    def create(self, write: Write) -> Written:
        self.client.request("DELETE", "/orgs/acme/apps/shop/values/KEY_3")
        return super().create(write)


class InventedEtag(Humanitec):
    """Makes an etag up that no list ever has."""

    caught_by = staticmethod(test_adapters.test_the_result_of_a_write_matches_the_next_list)
    variant = "application"

    def create(self, write: Write) -> Written:
        return Written(super().create(write).object_id, etag="1")


class CheapEstimate(Humanitec):
    """Counts ten writes as one request."""

    caught_by = staticmethod(test_adapters.test_writes_take_as_many_requests_as_estimated)
    variant = "application"

    def requests(self, writes: Mapping[Action, int]) -> int:
        return math.ceil(super().requests(writes) / 10)


DESTINATIONS: tuple[type[Destination], ...] = (
    FirstPageOnly,
    EmptyOnAnotherShape,
    OverwritingCreate,
    RecreatingUpdate,
    FailingDelete,
    ConstantLocation,
    SilentOverlap,
    TokenInLocation,
    WriteOutsideThePlan,
    InventedEtag,
    CheapEstimate,
)
