"""What deleting something means elsewhere: apps register it by model, and the page that confirms the deletion shows it.

So a page of this package or of `connections` can name syncs, which those do not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from django.db.models import Model
from django.utils.translation import gettext as _

from config.access.roles import Actor
from config.errors import BadRequest


class Impact(Protocol):
    @property
    def needs_name(self) -> bool:
        """Whether the person has to type the name of what is deleted."""


ImpactOf = Callable[[Actor, Any], Impact]
_registered: dict[type[Model], ImpactOf] = {}


def register(model: type[Model], of: ImpactOf) -> None:
    _registered[model] = of


def is_registered(model: type[Model]) -> bool:
    return model in _registered


def confirmed(actor: Actor, obj: Model, posted: Mapping[str, Any]) -> dict[str, Any]:
    """The context of the page that deletes `obj`; {} if nothing is registered for its model.

    Raises BadRequest for a confirmation without the name that it needs.
    """
    if (of := _registered.get(type(obj))) is None:
        return {}
    found, name = of(actor, obj), str(getattr(obj, "name", obj))
    if posted:
        require_name(found, name, posted)
    return {"impact": found, "typed_name": name if found.needs_name else ""}


def require_name(found: Impact, name: str, posted: Mapping[str, Any]) -> None:
    """Raises BadRequest if the change has to be confirmed by a name, and it is not in `posted`."""
    if found.needs_name and str(posted.get("confirmation", "")).strip() != name:
        raise BadRequest(
            _("Nothing was changed. Type %(name)s to confirm: more keys are concerned than a run may delete.")
            % {"name": name}
        )
