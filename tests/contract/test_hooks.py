"""Laws on the optional methods of adapters, and on what options and metadata add to a request.

The requests of an adapter are compared as data: what differs between two equal rounds, such as a sealed value or a
request token, is left out.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import pytest

from connections.credentials import open_client
from connections.errors import IntegrationError
from connections.provider import providers
from syncs.destination.base import Destination
from syncs.destination.options import PlainOptions, SyncOptions
from syncs.engine.types import Action, Write
from tests.contract.test_adapters import adapter, apply, listed, write
from tests.destinations.fake import Fake
from tests.fixtures.contract import Case

SHARED = {*PlainOptions.model_fields, *SyncOptions.model_fields}
VOLATILE = object()
Leaves = dict[str, Any]
MANY = 3

_numbers = itertools.count(1)


@contextmanager
def opened(case: Case, options: Mapping[str, Any]) -> Iterator[Destination]:
    with open_client(case.connection) as client:
        yield case.found(client, case.config, {**case.fake.options, **options})


def requests_of(case: Case, options: Mapping[str, Any], **more: Any) -> dict[Action, Leaves]:
    """What creating a key sends, and updating and deleting one that was created without the options, by action.

    `more` is sent along with each write.
    """
    key = f"HOOK_{next(_numbers)}"
    with opened(case, {}) as plain, opened(case, options) as destination:
        created = sent_by(destination, Action.CREATE, key, **more)
        sent_by(destination, Action.DELETE, key)
        key += "_2"
        sent_by(plain, Action.CREATE, key)
        updated = sent_by(destination, Action.UPDATE, key, **more)
        return {
            Action.CREATE: created,
            Action.UPDATE: updated,
            Action.DELETE: sent_by(destination, Action.DELETE, key),
        }


def sent_by(destination: Destination, action: Action, key: str, **more: Any) -> Leaves:
    name = destination.normalize_key(key)
    remote = listed(destination, [key]).get(name)
    with recorded(destination) as calls:
        (outcome,) = apply(destination, Write(action, key, name, f"{action} it", remote=remote, **more))
    assert outcome.error is None, action
    return leaves_of(calls, {key: "KEY", name: "KEY"})


@contextmanager
def recorded(destination: Destination) -> Iterator[list[Any]]:
    """The requests that an adapter sends, as the arguments of `ApiClient.send`."""
    client, calls = destination.client, list[Any]()
    send = client.send

    def recording(method: str, path: str, **arguments: Any) -> Any:
        sent = {name: arguments.get(name) for name in ("params", "json", "headers", "form", "content")}
        calls.append({"method": method, "path": path, **sent})
        return send(method, path, **arguments)  # type: ignore[arg-type]

    with patch.object(client, "send", recording):
        yield calls


def leaves_of(value: Any, names: Mapping[str, str]) -> Leaves:
    """Each text and number in a request by the way to it. JSON within a text is looked into."""
    found: Leaves = {}

    def walk(at: str, part: Any) -> None:
        if isinstance(part, bytes):
            part = part.decode()
        if isinstance(part, str) and part[:1] in ("{", "["):
            with suppress(ValueError):
                part = json.loads(part)
        if isinstance(part, Mapping):
            for name, each in part.items():
                walk(f"{at}/{renamed(str(name), names)}", each)
        elif isinstance(part, list | tuple):
            for number, each in enumerate(part):
                walk(f"{at}/{number}", each)
        else:
            found[at] = renamed(part, names) if isinstance(part, str) else part

    walk("", value)
    return found


def renamed(text: str, names: Mapping[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


class Rounds:
    """Rounds of create, update and delete, compared with one that sends nothing special."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.base = requests_of(case, {})
        again = requests_of(case, {})
        for action, leaves in self.base.items():
            for at in leaves.keys() | again[action].keys():
                if leaves.get(at) != again[action].get(at):
                    leaves[at] = VOLATILE

    def changed(self, options: Mapping[str, Any], **more: Any) -> set[Action]:
        """The actions that send something else with these options, or with a write like this."""
        changed = set()
        for action, leaves in requests_of(self.case, options, **more).items():
            base = self.base[action]
            if any(base.get(at) is not VOLATILE and base.get(at) != leaves.get(at) for at in base.keys() | leaves):
                changed.add(action)
        return changed


def test_each_option_reaches_a_request_and_the_fingerprint(case: Case) -> None:
    """An option that does nothing is a promise broken; one that is not in the fingerprint leaves old keys behind."""
    own = case.found.Options.model_fields.keys() - SHARED
    assert own <= case.fake.other_options.keys() | case.fake.unsent_options.keys(), "the fake has a value for each"
    if not own:
        return
    rounds = Rounds(case)
    with opened(case, {}) as destination:
        fingerprint = destination.write_fingerprint()
    for name in sorted(own - case.fake.unsent_options.keys()):
        options = {name: case.fake.other_options[name]}
        with opened(case, options) as destination:
            if name in case.fake.metadata_options:
                assert destination.sends_metadata() or case.fake.holds_document(case.config), name
                continue
            changed = rounds.changed(options)
            assert changed, f"{name} does not reach a request"
            described = name not in case.fake.conduct_options and Action.UPDATE in changed
            assert (destination.write_fingerprint() != fingerprint) == described, f"{name} in the fingerprint"


def test_comments_and_metadata_are_sent_where_the_adapter_says_so(case: Case) -> None:
    rounds = Rounds(case)
    with adapter(case) as destination:
        if destination.sends_metadata():
            assert rounds.changed({}, metadata=(("team", "boats"),)) >= {Action.CREATE, Action.UPDATE}
    if case.can.holds_comments:
        assert rounds.changed({}, comment="what it is for") >= {Action.CREATE, Action.UPDATE}
    else:
        assert rounds.changed({}, comment="what it is for") == set()


def test_the_pace_counts_what_the_vendor_counts(case: Case) -> None:
    """No more than all requests of the writes, and no less than those that change something."""
    names = [f"PACE_{number}" for number in range(MANY)]
    with adapter(case) as destination:
        for action in (Action.CREATE, Action.UPDATE, Action.DELETE):
            remotes = listed(destination, names)
            each = [remotes.get(destination.normalize_key(name)) for name in names]
            case.fake.asked()
            writes = [write(destination, action, name, action, one) for name, one in zip(names, each, strict=True)]
            assert not any(outcome.error for outcome in apply(destination, *writes))
            asked = case.fake.asked()
            changing = sum(case.fake.is_write(*one) for one in asked)
            size = destination.batch_size(action)
            paced = destination.request_cost(action) * math.ceil(MANY / size) * size
            if paced:  # 0: the vendor has no pace for this action
                assert changing <= round(paced, 6) <= 2 * len(asked), action  # some vendors count a delete twice


def test_a_key_that_the_list_omits_is_found_before_it_is_written(case: Case) -> None:
    """Such as a secret that waits for its deletion: creating it would fail, or change what is not ours."""
    if case.found.find_unlisted is not Destination.find_unlisted:
        assert type(case.fake).hide is not Fake.hide, "the adapter looks for such keys, so the fake has one"
    with adapter(case) as destination:
        assert [*destination.find_unlisted({destination.normalize_key("KNOWN")})] == []
        if key := case.fake.hide(case.config):
            name = destination.normalize_key(key)
            assert name not in {destination.normalize_key(one.key) for one in destination.listing()}
            assert name in listed(destination, [key])


def test_keys_of_other_targets_are_known_by_their_names_here(case: Case) -> None:
    """A key that another target puts into this list is never deleted from here while a sync writes it there."""
    with opened(case, case.fake.deep_options) as destination:
        kind = type(destination)
        here = destination.location()
        for name, config in case.fake.neighbours(case.config).items():
            other = kind(destination.client, config, case.fake.options)
            there = other.location()
            if there == here:
                continue
            before = {destination.normalize_key(one.key) for one in destination.listing()}
            case.fake.put(config, "SEEN", "x")
            shown = [one for one in destination.listing() if destination.normalize_key(one.key) not in before]
            own = {destination.normalize_key(one.key) for one in shown if not one.inherited}
            found = destination.visible_as(there)
            nested = set(destination.nested_locations(there)) if there.startswith(here) else set()
            named = {found(other.normalize_key("SEEN"))} - {None} if found else set()
            shared = {destination.normalize_key(one.key) for one in shown if one.shared or one.locked}
            assert own - shared <= named | nested, f"what is at {name} is listed here, and would be deleted"
            assert destination.overlaps(there) == other.overlaps(here), name
            case.fake.drop(config, "SEEN")


def test_a_version_of_the_vendors_history_is_found_and_restored(case: Case) -> None:
    with adapter(case) as destination:
        (made,) = apply(destination, write(destination, Action.CREATE, "A", "first"))
        name = destination.normalize_key("A")
        first = listed(destination, ["A"])[name]
        if not case.can.keeps_versions:
            assert destination.version_of("A", first.etag or "") is None
            return
        apply(destination, write(destination, Action.UPDATE, "A", "second", first))
        second = listed(destination, ["A"])[name]
        versions = [destination.version_of("A", etag) for etag in (first.etag, second.etag, "another")]
        assert versions[0]
        assert versions[0] != versions[1]
        assert versions[2] is None
        (back,) = apply(destination, Write(Action.UPDATE, "A", name, "", remote=second, version=versions[0]))
        assert back.error is made.error is None
    assert case.holds(A="first")


def test_a_purge_removes_what_was_ours_from_the_history(case: Case) -> None:
    overridden = case.found.purge is not Destination.purge
    assert overridden == case.can.keeps_versions
    if not overridden:
        return
    with adapter(case) as destination:
        apply(destination, write(destination, Action.CREATE, "A", "first"))
        for value in ("second", ""):
            remote = listed(destination, ["A"])[destination.normalize_key("A")]
            action = Action.UPDATE if value else Action.DELETE
            apply(destination, write(destination, action, "A", value, remote))
        case.put("A", "theirs")
        assert {"first", "second", "theirs"} <= case.fake.history(case.config, "A")
        assert remote.object_id
        destination.purge("A", remote.object_id)
        assert case.fake.history(case.config, "A") == {"theirs"}
    assert case.holds(A="theirs")


def test_choices_are_for_known_fields_and_never_hide_a_failure(case: Case) -> None:
    provider = providers.get(case.found.provider)
    assert provider
    opened = provider(case.url)
    with open_client(case.connection) as client:
        case.fake.asked()
        assert opened.choices(client, "no such field", case.config) == []
        assert case.fake.asked() == []
        for member in case.fake.picked(case.config):
            case.fake.fail("GET", 500)  # a plan without such things may answer 403 or 404: that is an empty list
            with pytest.raises(IntegrationError):
                opened.choices(client, member, case.config)
            case.fake.fail(None)
