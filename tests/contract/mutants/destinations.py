"""Broken destinations: truncated lists, writes that do more or less than their verb, confused locations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Generator, Iterable, Mapping
from dataclasses import replace
from typing import Any

from connections.errors import BadResponse, Conflict, NotFound, Rejected
from connections.http.client import ApiClient, quote
from syncs.destination.base import Destination
from syncs.destinations._aws_secret_document import SecretDocument
from syncs.destinations.aws_parameter_store import AwsParameterStore
from syncs.destinations.aws_secrets_manager import AwsSecretsManager
from syncs.destinations.gcp_secret_manager import GcpSecretManager
from syncs.destinations.github import GitHub
from syncs.destinations.hashicorp_vault import HashicorpVault
from syncs.destinations.humanitec import Humanitec
from syncs.engine.types import Action, Outcome, Remote, Write, Written
from tests.contract import test_adapters, test_hooks, test_laws
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
        try:
            self.client.request("DELETE", f"/orgs/acme/apps/shop/values/{quote(write.key)}")
        except NotFound as gone:
            raise Rejected(str(gone)) from None


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
        super().create(write)
        return Written(etag="1")


class CheapEstimate(Humanitec):
    """Counts ten writes as one request."""

    caught_by = staticmethod(test_adapters.test_writes_take_as_many_requests_as_estimated)
    variant = "application"

    def requests(self, writes: Mapping[Action, int]) -> int:
        return math.ceil(super().requests(writes) / 10)


class IgnoredOption(GcpSecretManager):
    """Offers an option that does nothing."""

    caught_by = staticmethod(test_hooks.test_each_option_reaches_a_request_and_the_fingerprint)
    variant = "global"

    def __init__(self, client: ApiClient, config: Any, options: Mapping[str, Any] | None = None, **more: Any) -> None:
        super().__init__(client, config, {**(options or {}), "oldVersions": None}, **more)


class ConstantFingerprint(AwsParameterStore):
    """Leaves keys as they are that were written with other tags."""

    caught_by = staticmethod(test_hooks.test_each_option_reaches_a_request_and_the_fingerprint)
    variant = "path"

    def write_fingerprint(self) -> str:
        return ""


class LostComment(Humanitec):
    """Says that it holds comments, and sends none."""

    caught_by = staticmethod(test_hooks.test_comments_and_metadata_are_sent_where_the_adapter_says_so)
    variant = "application"

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        return super().apply(replace(write, comment="") for write in writes)


class CheapPace(Humanitec):
    """Counts ten requests as one of the vendor's pace."""

    caught_by = staticmethod(test_hooks.test_the_pace_counts_what_the_vendor_counts)
    variant = "application"

    def request_cost(self, action: Action) -> float:
        return 0.1


class BlindToUnlisted(GcpSecretManager):
    """Never looks for a key that the list omits."""

    caught_by = staticmethod(test_hooks.test_a_key_that_the_list_omits_is_found_before_it_is_written)
    variant = "global"

    def find_unlisted(self, keys: Collection[str]) -> Iterable[Remote]:
        return ()


class BlindToNeighbours(AwsParameterStore):
    """Takes the keys of another sync below its path for foreign keys."""

    caught_by = staticmethod(test_hooks.test_keys_of_other_targets_are_known_by_their_names_here)
    variant = "path"

    def visible_as(self, location: str) -> None:
        return None


class BlindToDocuments(AwsSecretsManager):
    """Takes the document of another sync for a foreign key."""

    caught_by = staticmethod(test_hooks.test_keys_of_other_targets_are_known_by_their_names_here)
    variant = "one-to-one"

    def nested_locations(self, location: str) -> Collection[str]:
        return ()


class LatestVersion(Humanitec):
    """Restores the latest version, whatever the etag."""

    caught_by = staticmethod(test_hooks.test_a_version_of_the_vendors_history_is_found_and_restored)
    variant = "application"

    def version_of(self, key: str, etag: str) -> str | None:
        listed = self.client.request("GET", "/orgs/acme/apps/shop/value-set-versions", params={"key_changed": key})
        return str(listed[0]["id"])


class PurgeOfAll(Humanitec):
    """Purges the values of the object that others made under the same name, too."""

    caught_by = staticmethod(test_hooks.test_a_purge_removes_what_was_ours_from_the_history)
    variant = "application"

    def purge(self, key: str, object_id: str) -> None:
        path = "/orgs/acme/apps/shop/value-set-versions"
        for version in self.client.request("GET", path, params={"key_changed": key}):
            if key in version["values"]:
                self.client.request("POST", f"{path}/{version['id']}/purge/{key}", json={})


class TwoRequests(SecretDocument):
    """Sends the writes and the deletes of a document apart, as two versions."""

    caught_by = staticmethod(test_adapters.test_one_changeset_is_one_write)
    variant = "many-to-one"
    one_write = False


class ImpatientDelete(HashicorpVault):
    """Deletes a moved key although its new one could not be written."""

    caught_by = staticmethod(test_adapters.test_a_delete_is_not_in_a_changeset_without_the_write_it_waits_for)
    variant = "version-2"

    def apply(self, writes: Iterable[Write]) -> Generator[Outcome, None, None]:
        return super().apply(replace(write, after="") for write in writes)


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
    IgnoredOption,
    ConstantFingerprint,
    LostComment,
    CheapPace,
    BlindToUnlisted,
    BlindToNeighbours,
    BlindToDocuments,
    LatestVersion,
    PurgeOfAll,
    TwoRequests,
    ImpatientDelete,
)
