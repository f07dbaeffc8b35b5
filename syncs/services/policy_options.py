"""Options of the modelled API that a sync's policy holds: requests name them in `syncOptions`.

The modelled object has them for some destinations only. Where it lacks one, that is accepted and not returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import create_model, model_validator

from config.errors import BadRequest
from config.schemas.model import Model
from config.schemas.types import Flag
from syncs.destination.base import Destination, destinations
from syncs.models import NO_ACTION, SecretSync, SyncPolicy

RECURSIVE = Flag("Folders below", "Include the folders below; only with overwrite-destination.")
REDEPLOY = Flag("Redeploy", "Do what makes new values take effect after a run that changed a key.")


class _Requested(Model):
    """What the options of all requests share."""

    @model_validator(mode="after")
    def _import_is_not_recursive(self) -> _Requested:
        if getattr(self, "recursive", None) and getattr(self, "initialSyncBehavior", "") != "overwrite-destination":
            raise BadRequest("syncOptions.recursive: with folders below, the first sync can only overwrite")
        return self


@cache
def requested_options(found: type[Destination]) -> type[Any]:
    """The options of a request: those of the destination, and the names that its policy holds.

    `autoRedeployServices` only where something can be done after the writes.
    """
    held: dict[str, Any] = {"recursive": (Annotated[bool | None, RECURSIVE], None)}
    if found.after_writes:
        held["autoRedeployServices"] = (Annotated[bool | None, REDEPLOY], None)
    missing = {name: member for name, member in held.items() if name not in found.Options.model_fields}
    return create_model(found.Options.__name__, __base__=(found.Options, _Requested), **missing)


def policy_of_options(found: type[Destination], options: Mapping[str, Any]) -> dict[str, Any]:
    """The members of the policy (model field names) that requested options set."""
    changes: dict[str, Any] = {}
    if "recursive" in options:
        changes["recursive"] = options["recursive"]
    if "autoRedeployServices" in options:
        changes["after_writes"] = found.after_writes[0] if options["autoRedeployServices"] else NO_ACTION
    return changes


def without_policy(options: Mapping[str, Any]) -> dict[str, Any]:
    """Requested options as they are stored with the sync."""
    return {name: value for name, value in options.items() if name not in _HELD}


def shown_options(sync: SecretSync) -> dict[str, Any]:
    """`syncOptions` as the modelled object has them. The sync's policy must be loaded."""
    found = destinations.get(sync.destination)
    names = _HELD.keys() & found.Options.model_fields.keys() if found else ()
    return {**sync.sync_options, **{name: _HELD[name](sync.policy) for name in names}}


def _redeploys(policy: SyncPolicy) -> bool:
    return policy.after_writes != NO_ACTION


def _is_recursive(policy: SyncPolicy) -> bool:
    return policy.recursive


_HELD = {"recursive": _is_recursive, "autoRedeployServices": _redeploys}
