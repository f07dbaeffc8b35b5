"""Checks before a sync runs: its plan, every problem that can be known beforehand, and the requests it will take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from config.access.roles import Actor
from config.encryption import Undecryptable
from config.errors import BadRequest
from connections.credentials import open_client, provider_of
from connections.errors import IntegrationError, NotFound, Rejected, Unauthorized
from syncs.destination.base import Destination
from syncs.destination.capabilities import Capabilities
from syncs.destination.limits_text import limits_as_text
from syncs.engine.error_codes import Code
from syncs.engine.plan import Plan
from syncs.engine.types import Action, Desired
from syncs.models import SecretSync
from syncs.source.loader import Sources

from .desired import desired_of
from .opening import destination_class, opened
from .overlaps import overlaps_at
from .preview import EstimateJson, PlanJson, opened_for_plan, plan_as_json, planned

MAX_LISTED = 10  # keys that a problem names
SECONDS_PER_REQUEST = 0.3  # to a vendor across the internet


@dataclass(frozen=True, slots=True)
class Estimate:
    """Requests of a run, and the seconds that they take if the vendor responds as usual."""

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
    """A plan, warnings about it, and its cost."""

    plan: Plan
    warnings: tuple[str, ...]
    estimate: Estimate

    def as_json(self) -> PlanJson:
        """The `plan` object of the API."""
        estimate = EstimateJson(requests=self.estimate.requests, seconds=self.estimate.seconds)
        return plan_as_json(self.plan, self.warnings, estimate)


def checked_plan(actor: Actor, sync: SecretSync, operation: str = "sync", *, behavior: str = "") -> Checked:
    """What a run would do now, with every problem that can be known beforehand. Nothing is written.

    Raises BadRequest if the destination cannot be listed; then with the problems of connection and source as well.
    """
    sources = Sources()
    try:
        with opened_for_plan(sync, operation) as destination:
            plan = planned(sync, destination, operation, behavior=behavior, sources=sources)
            overlaps = overlaps_at(actor, sync, destination, sources) if sync.folder else []
            return Checked(
                plan, (*problems(plan), *map(str, overlaps)), estimate(plan, destination, sync.policy.pace_percent)
            )
    except BadRequest as refusal:
        if operation == "remove" or sync.folder is None:
            raise
        sentences = [str(refusal), *_connection_problems(sync, refusal.__cause__), *_source_problems(sync, sources)]
        raise BadRequest(" ".join(map(_sentence, sentences))) from None


def problems(plan: Plan) -> list[str]:
    """What is made besides keys, gaps of the source, and blocked keys."""
    found = [f"The run makes {thing}." for thing in plan.makes]
    found += [f"The source is incomplete: {gap}. Nothing is deleted until it is complete." for gap in plan.gaps]
    blocked = [change for change in plan.changes if change.action is Action.BLOCKED]
    found += grouped((change.code, change.key, change.reason) for change in blocked)
    return found


def grouped(blocked: Iterable[tuple[Code | None, str, str]]) -> list[str]:
    """Blocked keys, each with code and reason, as one sentence per code: how many, why, which, and the remedy."""
    by_code: dict[Code | None, list[tuple[str, str]]] = {}
    for code, key, reason in blocked:
        by_code.setdefault(code, []).append((key, reason))
    return [_group(code, by_code[code]) for code in sorted(by_code, key=str)]


def _group(code: Code | None, blocked: Sequence[tuple[str, str]]) -> str:
    keys = [key for key, _ in blocked]
    reasons = {reason for _, reason in blocked}
    why = reasons.pop() if len(reasons) == 1 else code.meaning if code else "each for its own reason"
    more = f" and {len(keys) - MAX_LISTED} more" if len(keys) > MAX_LISTED else ""
    names = ", ".join(keys[:MAX_LISTED]) + more
    count = "1 key" if len(keys) == 1 else f"{len(keys)} keys"
    remedy = f" {code.remedy}" if code else ""
    return f"{count} cannot be written ({names}): {why.rstrip('.')}.{remedy}"


def rules_of(limits: Capabilities) -> list[str]:
    """Demands of the vendor and facts to know about it, a sentence each."""
    sentences = [
        *limits_as_text({"": limits}),
        f"About {limits.pace:g} requests per second." if limits.pace else "",
        f"{limits.quota[0]} requests in {limits.quota[1]:g} seconds." if limits.quota else "",
        "Values can be read, so drift is detected exactly."
        if limits.can_read_values
        else "Values cannot be read: drift is detected by etags."
        if limits.lists
        else "",
        limits.note,
        f"The login needs: {limits.rights.rstrip('.')}." if limits.rights else "",
    ]
    return [sentence for sentence in sentences if sentence]


def estimate(plan: Plan, destination: Destination, pace_percent: int | None = None) -> Estimate:
    """The list request and those of the changes: at the vendor's pace, with the allowed number side by side."""
    writes = Counter(change.write.action for change in plan.changes if change.write)
    requests = destination.requests(writes)
    limits = destination.limits(destination.config).paced(pace_percent)
    lists = int(limits.lists)
    seconds = SECONDS_PER_REQUEST * (lists + math.ceil(requests / destination.concurrency))
    paced = sum(number * destination.request_cost(action) for action, number in writes.items())
    if limits.pace:
        seconds = max(seconds, (lists + paced) / limits.pace)
    if limits.quota:
        number, period = limits.quota
        seconds = max(seconds, (math.ceil(paced / number) - 1) * period)
    return Estimate(lists + requests, math.ceil(seconds))


def _connection_problems(sync: SecretSync, error: BaseException | None) -> list[str]:
    """Whether the login itself fails or only the target, if the vendor refused to list it."""
    connection = sync.connection
    if not isinstance(error, Unauthorized | NotFound | Rejected):
        return []
    try:
        with open_client(connection) as client:
            provider_of(connection.app).check(client)
    except IntegrationError as refusal:
        return [f"The connection {connection.name} does not work any more: {refusal}"]
    rights = destination_class(sync.destination).capabilities.rights
    needs = f" It needs: {rights.rstrip('.')}." if rights else ""
    return [
        f"The connection {connection.name} is accepted, but its target does not exist or it may not list it.{needs}"
    ]


def naming(sync: SecretSync, sources: Sources | None = None) -> list[Desired]:
    """The keys as they would be named at the destination, each with what blocks it. Nothing is sent.

    Raises Undecryptable if the connection cannot be opened.
    """
    with opened(sync) as destination:
        desired = desired_of(sync, destination, (sources or Sources()).read(sync))
    count = Counter(each.normalized_key for each in desired)
    return [
        replace(each, blocked=f"{count[each.normalized_key]} secrets would have this name", blocked_code=Code.COLLISION)
        if count[each.normalized_key] > 1 and not each.blocked
        else each
        for each in desired
    ]


def _source_problems(sync: SecretSync, sources: Sources) -> list[str]:
    """Problems of the source and its names, whatever the destination holds."""
    try:
        desired = naming(sync, sources)
    except Undecryptable:
        return []
    return grouped((each.blocked_code, each.key, each.blocked) for each in desired if each.blocked)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
