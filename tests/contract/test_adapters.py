"""Laws on adapters themselves, asked directly: what `Destination` and `Provider` promise to planner and runner.

Each is one request or two over HTTP on loopback, so that a broken adapter is caught in a moment; `mutants` holds the
broken ones that each law must catch.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from connections.credentials import open_client
from connections.errors import Conflict, IntegrationError, NotFound
from connections.provider import Rights, providers
from syncs.destination.base import Destination
from syncs.engine.types import Action, Outcome, Remote, Write
from syncs.planning.ledger_rows import RECORDED
from tests.connections.logins import login
from tests.fixtures.contract import Case

NAMES = [f"KEY_{number}" for number in range(7)]


@contextmanager
def adapter(case: Case) -> Iterator[Destination]:
    """The opened destination of the case, with the options that its fake names."""
    with case.opened(case.sync()) as destination:
        yield destination


def write(destination: Destination, action: Action, key: str, value: str = "", remote: Remote | None = None) -> Write:
    return Write(action, key, destination.normalize_key(key), value, remote=remote)


def apply(destination: Destination, *writes: Write) -> list[Outcome]:
    return list(destination.apply(iter(writes)))


def listed(destination: Destination, keys: Sequence[str]) -> dict[str, Remote]:
    """The listing as the planner has it, own keys read as far as it takes to know them, by normalized key.

    Of a destination that cannot list, what the ledger would have of `keys`.
    """
    if not destination.capabilities.lists:
        assert destination.listing() == ()
        return {destination.normalize_key(key): Remote(key, object_id=RECORDED) for key in keys}
    wanted = {destination.normalize_key(key) for key in keys}
    found = destination.resolve_listing(destination.listing(), wanted)
    return {destination.normalize_key(remote.key): remote for remote in found if not remote.inherited}


def test_a_list_of_several_pages_is_read_to_its_end(case: Case) -> None:
    for name in NAMES:
        case.put(name, "x")
    case.fake.limit_pages(3)
    with adapter(case) as destination:
        assert {destination.normalize_key(name) for name in NAMES} <= listed(destination, NAMES).keys()


def test_create_never_overwrites(case: Case) -> None:
    with adapter(case) as destination:
        assert not case.can.lists or listed(destination, ["A"]) == {}
        case.put("A", "theirs")
        (outcome,) = apply(destination, write(destination, Action.CREATE, "A", "ours"))
    assert isinstance(outcome.error, Conflict)
    assert case.holds(A="theirs")


def test_update_never_creates(case: Case) -> None:
    case.put("A", "1")
    with adapter(case) as destination:
        remote = listed(destination, ["A"])[destination.normalize_key("A")]
        case.drop("A")
        (outcome,) = apply(destination, write(destination, Action.UPDATE, "A", "2", remote))
    assert isinstance(outcome.error, NotFound | Conflict)
    assert case.holds()


def test_a_delete_of_a_missing_key_succeeds(case: Case) -> None:
    case.put("A", "1")
    with adapter(case) as destination:
        remote = listed(destination, ["A"])[destination.normalize_key("A")]
        case.drop("A")
        (outcome,) = apply(destination, write(destination, Action.DELETE, "A", remote=remote))
    assert outcome.error is None
    assert case.holds()


def test_writes_change_their_own_keys_only(case: Case) -> None:
    for name in NAMES:
        case.put(name, "x")
    with adapter(case) as destination:
        remotes = listed(destination, NAMES)
        outcomes = apply(
            destination,
            write(destination, Action.CREATE, "NEW", "1"),
            write(destination, Action.UPDATE, NAMES[0], "2", remotes[destination.normalize_key(NAMES[0])]),
        )
        # The runner reads a document again before its deletes.
        remotes = listed(destination, NAMES)
        outcomes += apply(
            destination, write(destination, Action.DELETE, NAMES[1], "", remotes[destination.normalize_key(NAMES[1])])
        )
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert case.holds(NEW="1", **{NAMES[0]: "2"}, **dict.fromkeys(NAMES[2:], "x"))


def test_the_result_of_a_write_matches_the_next_list(case: Case) -> None:
    """Etag and object id of the response to a write go to the ledger: others in the next list would be drift."""
    with adapter(case) as destination:
        (outcome,) = apply(destination, write(destination, Action.CREATE, "A", "1"))
        remote = listed(destination, ["A"])[destination.normalize_key("A")]
        assert outcome.written.object_id in (None, remote.object_id)
        assert outcome.written.etag in (None, remote.etag)
        (outcome,) = apply(destination, write(destination, Action.UPDATE, "A", "2", remote))
        after = listed(destination, ["A"])[destination.normalize_key("A")]
        assert after.object_id == remote.object_id
        assert outcome.written.object_id in (None, after.object_id)
        assert outcome.written.etag in (None, after.etag)
        if case.can.has_etag:
            assert after.etag != remote.etag


def test_targets_share_a_location_only_if_they_hold_the_same_keys(case: Case) -> None:
    """And what is seen in another target's list is known to overlap with it."""
    with adapter(case) as destination:
        case.put("A", "1")
        for name, config in case.fake.configs.items():
            other = case.found(destination.client, config, case.fake.options)
            sees = destination.normalize_key("A") in {other.normalize_key(each.key) for each in other.listing()}
            if other.location() == destination.location():
                assert sees or not case.can.lists, f"{name} has the same location, and does not list what is there"
            elif sees:
                assert other.overlaps(destination.location()), f"{name} lists what is there, and says nothing of it"


def test_the_location_names_the_vendors_address_and_no_credential(case: Case) -> None:
    with adapter(case) as destination:
        location = destination.location()
        assert destination.client.base_url in location
        assert not any(secret in location for secret in case.secrets())
        assert destination.overlaps(location)
        assert len(location) <= 512


def test_pickers_offer_the_configured_values(case: Case) -> None:
    provider = providers.get(case.found.provider)
    assert provider
    opened = provider(case.url)
    with open_client(case.connection) as client:
        for member in case.fake.picked(case.config):
            choices = opened.choices(client, member, case.config)
            offered = {choice.value for choice in choices}
            wanted = case.config[member]
            assert {str(one) for one in (wanted if isinstance(wanted, list) else [wanted])} <= offered, member
            assert all(choice.label for choice in choices)
            assert len(offered) == len(choices), "a choice is offered once"


def test_the_check_of_a_login_writes_nothing_and_fails_with_the_vendor(case: Case) -> None:
    provider = providers.get(case.found.provider)
    assert provider
    opened, method = provider(case.url), case.fake.method
    credentials = login(provider, method, case.fake.credentials)

    def check() -> None:
        session = opened.renew(method, credentials)
        case.fake.asked()
        with opened.client(method, credentials, session) as client:
            assert isinstance(opened.check(client), Rights)

    check()
    assert not any(case.fake.is_write(*one) for one in case.fake.asked())
    refused = []
    for verb in ("GET", "POST"):  # one of them is the vendor's read, or its sign-in
        case.fake.fail(verb, 401)
        with contextlib.suppress(IntegrationError):
            check()
            continue
        refused.append(verb)
    assert refused


def test_one_changeset_is_one_write(case: Case) -> None:
    for name in ("CHANGED", "GONE"):
        case.put(name, "1")
    with adapter(case) as destination:
        assert destination.one_write or not case.fake.holds_document(case.config)
        if not destination.one_write:
            return
        remotes = listed(destination, ["CHANGED", "GONE"])
        changed, gone = (remotes[destination.normalize_key(name)] for name in ("CHANGED", "GONE"))
        case.fake.asked()
        outcomes = apply(
            destination,
            write(destination, Action.CREATE, "MADE", "2"),
            write(destination, Action.UPDATE, "CHANGED", "2", changed),
            write(destination, Action.DELETE, "GONE", remote=gone),
        )
        asked = case.fake.asked()
        estimated = destination.requests({Action.CREATE: 1, Action.UPDATE: 1, Action.DELETE: 1})
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert sum(case.fake.is_write(*one) for one in asked) == case.fake.writes_an_update
    assert len(asked) == estimated
    assert case.holds(MADE="2", CHANGED="2")


def test_a_delete_is_not_in_a_changeset_without_the_write_it_waits_for(case: Case) -> None:
    case.put("OLD", "1")
    with adapter(case) as destination:
        if not destination.one_write:
            return
        remote = listed(destination, ["OLD"])[destination.normalize_key("OLD")]
        case.put("NEW", "theirs")
        moved = write(destination, Action.CREATE, "NEW", "1")
        waiting = replace(write(destination, Action.DELETE, "OLD", remote=remote), after=moved.normalized_key)
        outcomes = apply(destination, moved, waiting)
    assert case.holds(OLD="1", NEW="theirs")
    assert [(outcome.write.key, type(outcome.error)) for outcome in outcomes] == [("NEW", Conflict)]


def test_writes_take_as_many_requests_as_estimated(case: Case) -> None:
    with adapter(case) as destination:
        for action, count in itertools.product((Action.CREATE, Action.UPDATE, Action.DELETE), (1, 4)):
            names = [f"{action.name}_{count}_{number}" for number in range(count)]
            if action is not Action.CREATE:
                for name in names:
                    case.put(name, "x")
            remotes = listed(destination, names)
            writes = [
                write(destination, action, name, "1", remotes.get(destination.normalize_key(name))) for name in names
            ]
            case.fake.asked()
            outcomes = apply(destination, *writes)
            assert [outcome.error for outcome in outcomes] == [None] * count
            estimated = destination.requests({action: count})
            assert estimated - 1 <= len(case.fake.asked()) <= estimated, (action, count)  # one may be cached
