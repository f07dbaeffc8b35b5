"""What is owed after writes: an action of the destination, such as a deployment, for the keys that were changed.

It is stored in the transaction that records a key as changed, so a worker that is killed before the action still owes
it: whatever run comes next does it, also one that has nothing to write.
"""

from __future__ import annotations

from collections.abc import Iterable

from syncs.models import NO_ACTION, OwedAction, SecretSync


def owe(sync: SecretSync, location: str, normalized_keys: Iterable[str]) -> None:
    """The action of the sync's policy, if it has one. Within the transaction that records the keys."""
    changed = set(normalized_keys)
    if not changed or sync.policy.after_writes == NO_ACTION:
        return
    owed, _ = OwedAction.objects.get_or_create(sync=sync, location=location)
    owed.keys = sorted({*owed.keys, *changed})
    owed.save(update_fields=["keys"])
