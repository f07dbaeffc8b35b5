"""What stands in a sync's way, and how long it will take: looked for before it runs, and told all at once.

Pure but for `checked_plan`, which asks the destination for its list, and the login alone where that fails.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from config.access.roles import Actor
from config.encryption import Undecryptable
from config.errors import BadRequest
from connections.errors import IntegrationError, NotFound, Rejected, Unauthorized
from connections.services import open_client, provider_of
from syncs.destination.base import Destination, DocumentDestination, KeyValueDestination
from syncs.destination.capabilities import Capabilities
from syncs.engine.error_codes import Code
from syncs.engine.plan import Plan
from syncs.engine.types import Action, Desired
from syncs.models import SecretSync
from syncs.planning.builder import desired_of, destination_class, open_destination
from syncs.planning.overlaps import warnings_of
from syncs.planning.preview import EstimateJson, PlanJson, plan_as_json, preview
from syncs.source.loader import read

NAMED = 10  # keys that a problem names
SECONDS_A_REQUEST = 0.3  # of a vendor across the internet that says nothing of its pace


@dataclass(frozen=True, slots=True)
class Estimate:
    """Requests to do, and the seconds that they take if the vendor is in good health."""

    requests: int
    seconds: int

    def __str__(self) -> str:
        requests = "1 request" if self.requests == 1 else f"{self.requests} requests"
        if self.seconds <= 1:
            return f"{requests}, about a second"
        if self.seconds < 120:
            return f"{requests}, about {self.seconds} seconds"
        return f"{requests}, about {math.ceil(self.seconds / 60)} minutes"


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan, what is wrong with it or around it, in words, and what it costs."""

    plan: Plan
    warnings: tuple[str, ...]
    estimate: Estimate

    def as_json(self) -> PlanJson:
        """The `plan` object of the API."""
        estimate = EstimateJson(requests=self.estimate.requests, seconds=self.estimate.seconds)
        return plan_as_json(self.plan, self.warnings, estimate)


def checked_plan(actor: Actor, sync: SecretSync, operation: str = "sync", *, behavior: str = "") -> Checked:
    """What a run would do now, with every problem that can be known before it. Nothing is written anywhere.

    Raises BadRequest where the destination does not tell; then with what is wrong with login and source as well.
    """
    found = destination_class(sync.destination)
    try:
        plan = preview(sync, operation, behavior=behavior)
    except BadRequest as refusal:
        if operation == "remove" or sync.folder is None:
            raise
        raise BadRequest(
            " ".join(map(_sentence, [str(refusal), *_login(sync, refusal.__context__), *_source(sync)]))
        ) from None
    concurrency = sync.policy.max_concurrency
    warnings = [*problems(plan), *warnings_of(actor, sync)]
    limits = found.limits_of(sync.destination_config)
    return Checked(plan, tuple(warnings), estimate(plan, found, limits, concurrency))


def problems(plan: Plan) -> list[str]:
    """Gaps of the source, and keys that cannot go."""
    found = [f"The source is incomplete: {gap}. Nothing is deleted until it is whole." for gap in plan.gaps]
    blocked = [change for change in plan.changes if change.action is Action.BLOCKED]
    found += grouped((change.code, change.key, change.reason) for change in blocked)
    return found


def grouped(blocked: Iterable[tuple[Code | None, str, str]]) -> list[str]:
    """Keys that cannot go, with code and reason, as one sentence a code: how many, why, which, and the way out."""
    by_code: dict[Code | None, list[tuple[str, str]]] = {}
    for code, key, reason in blocked:
        by_code.setdefault(code, []).append((key, reason))
    return [_group(code, by_code[code]) for code in sorted(by_code, key=str)]


def _group(code: Code | None, met: Sequence[tuple[str, str]]) -> str:
    keys = [key for key, _ in met]
    reasons = {reason for _, reason in met}
    why = reasons.pop() if len(reasons) == 1 else code.meaning if code else "each for its own reason"
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    named = ", ".join(keys[:NAMED]) + more
    count = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    remedy = f" {code.remedy}" if code else ""
    return f"{count} cannot go ({named}): {why.rstrip('.')}.{remedy}"


def rules_of(rule: Capabilities) -> list[str]:
    """What the vendor demands, and what is good to know of it, a sentence each."""
    said = [
        f"Names may have {rule.key_rule}." if rule.key_rule else "",
        f"A name may have up to {rule.max_key_length} characters." if rule.max_key_length else "",
        f"Kept by the service itself: {', '.join(rule.reserved)}." if rule.reserved else "",
        f"A value may have up to {_size(rule.max_value_bytes)}." if rule.max_value_bytes else "",
        f"At most {rule.max_keys} keys." if rule.max_keys else "",
        f"All together up to {_size(rule.max_total_bytes)}." if rule.max_total_bytes else "",
        f"About {rule.pace:g} requests a second." if rule.pace else "",
        "Values can be read back, so that drift is told exactly."
        if rule.can_read_values
        else "Values cannot be read back: changes by other hands are told by their versions.",
        rule.note,
        f"The login needs: {rule.rights.rstrip('.')}." if rule.rights else "",
    ]
    return [sentence for sentence in said if sentence]


def _size(number: int) -> str:
    return f"{number / 1024:g} KiB" if number >= 1024 else f"{number} bytes"


def estimate(plan: Plan, found: type[Destination], rule: Capabilities, concurrency: int | None = None) -> Estimate:
    """One list call and what the changes need: at the vendor's pace, and no more side by side than is allowed."""
    writes = _requests(plan, found)
    side_by_side = concurrency or rule.concurrency
    if rule.concurrency_limit:
        side_by_side = min(side_by_side, rule.concurrency_limit)
    seconds = SECONDS_A_REQUEST * (1 + math.ceil(writes / side_by_side))
    if rule.pace:
        seconds = max(seconds, (1 + writes) / rule.pace)
    return Estimate(1 + writes, math.ceil(seconds))


def _requests(plan: Plan, found: type[Destination]) -> int:
    """Those that write: one a key or a batch of keys; a document is read once more and written once."""
    writes = Counter(change.write.action for change in plan.changes if change.write)
    if issubclass(found, DocumentDestination):
        return 2 if writes else 0
    batch = found.batch if issubclass(found, KeyValueDestination) else {}
    return sum(math.ceil(number / batch.get(action, 1)) for action, number in writes.items())


def _login(sync: SecretSync, met: BaseException | None) -> list[str]:
    """Whether the login itself fails or only the place: asked where the vendor has answered, and refused the list."""
    connection = sync.connection
    if not isinstance(met, Unauthorized | NotFound | Rejected):
        return []
    try:
        with open_client(connection) as client:
            provider_of(connection.app).check(client)
    except IntegrationError as error:
        return [f"The connection {connection.name} does not work any more: {error}"]
    rights = destination_class(sync.destination).capabilities.rights
    needs = f" It needs: {rights.rstrip('.')}." if rights else ""
    return [
        f"The connection {connection.name} is accepted; it is this place that is not there or not its to list.{needs}"
    ]


def naming(sync: SecretSync) -> list[Desired]:
    """The keys as they would be named at the destination, and what bars any of them. Nothing is sent.

    Raises Undecryptable where the connection does not open.
    """
    with open_client(sync.connection) as client:
        reading = read(sync)
        wants = desired_of(sync, open_destination(sync, client), reading.source.entries, reading.environment)
    met = Counter(want.normalized_key for want in wants)
    return [
        replace(want, blocked=f"{met[want.normalized_key]} secrets would have this name", blocked_code=Code.COLLISION)
        if met[want.normalized_key] > 1 and not want.blocked
        else want
        for want in wants
    ]


def _source(sync: SecretSync) -> list[str]:
    """What is wrong with the source and its names, whatever the destination holds."""
    try:
        wants = naming(sync)
    except Undecryptable:
        return []
    return grouped((want.blocked_code, want.key, want.blocked) for want in wants if want.blocked)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
