"""The plan of a proposed change of a sync: what its first run would do, and which keys stay at a former target."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from django.utils import timezone

from config.access import audit
from config.access.roles import Actor
from config.errors import BadRequest
from syncs.engine.plan import Plan, State
from syncs.models import ManagedSecret, SecretSync, Status, SyncRun
from syncs.planning.preflight import Checked, checked_plan
from syncs.planning.preview import KEEP, PlanJson

from .approvals import approval_options


@dataclass(frozen=True)
class Leaving:
    """The keys that a sync owns at the location that it would leave."""

    location: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Proposal:
    """`sync` as it would be stored, what its run would do, and what it would leave (None: its location stays)."""

    sync: SecretSync
    checked: Checked
    leaving: Leaving | None

    @property
    def digest(self) -> str:
        """Identifies what was shown: where the run writes, its plan, and the keys at the former location."""
        left = [self.leaving.location, *self.leaving.keys] if self.leaving else []
        text = json.dumps([self.sync.location, self.checked.plan.digest, left])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def deletes(self) -> dict[str, str | None]:
        """The deletes that the plan shows, normalized key -> object id."""
        return dict(approval_options(self.checked.plan, 0).approved or {})

    def as_json(self, choice: str = KEEP) -> PlanJson:
        """The `plan` object of the API; `choice`: what happens to the keys at the former location."""
        found: PlanJson = {**self.checked.as_json(), "digest": self.digest}
        if self.leaving:
            found["leaving"] = {"location": self.leaving.location, "keys": list(self.leaving.keys), "choice": choice}
        return found

    def require(self, digest: str) -> None:
        """Raises BadRequest if another plan was shown."""
        if digest != self.digest:
            raise BadRequest(
                "Nothing was changed: the plan of this change is not the one with this digest. Plan the change again, "
                "review it, and repeat the request with the digest of the new plan."
            )


def plan_change(actor: Actor, stored: SecretSync, draft: SecretSync) -> Proposal:
    """What the run of `draft`, a changed copy of `stored`, would do. Raises BadRequest if it cannot be planned."""
    leaving = None
    if draft.location != stored.location:
        rows = ManagedSecret.objects.filter(sync=stored, location=stored.location).exclude(state=State.MISSING)
        leaving = Leaving(stored.location, tuple(rows.order_by("normalized_key").values_list("key", flat=True)))
    return Proposal(draft, checked_plan(actor, draft), leaving)


def approve_waiting(actor: Actor, sync: SecretSync, plan: Plan) -> None:
    """Approve the deletes of a plan that a person has confirmed, for the automatic run that waits.

    Call it in the transaction that schedules the run, after the last change of the generation; without auto-sync there
    may be no run.
    """
    waiting = SyncRun.objects.filter(sync=sync, operation="sync", status=Status.PENDING, started_at=None)
    run = waiting.exclude(trigger="manual").first()
    generation = SecretSync.objects.values_list("generation", flat=True).get(pk=sync.pk)
    options = approval_options(plan, generation)
    if run is None or not options.approved:
        return
    keys = list(options.approved)[:100]
    audit.record(actor, "approve-run", sync.project_id, run=run.pk, writesOnly=False, keys=keys)
    SyncRun.objects.filter(pk=run.pk).update(
        trigger="approval",
        actor_kind=actor.kind,
        actor_id=str(actor.id or ""),
        actor_name=actor.name,
        options=options,
        due_at=timezone.now(),
        queued_at=None,
    )
