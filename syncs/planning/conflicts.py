"""Keys that several folders of a recursive sync have: they would get one name at the destination."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from typing_extensions import TypedDict

from config.errors import BadRequest
from config.responses import text
from syncs.engine.types import Entry
from syncs.models import Folder, SecretSync, SyncPolicy
from syncs.source.loader import read

from .desired import filter_of

MAX_LISTED = 5  # conflicts that a refusal names


class Conflict(TypedDict):
    """A key and the folders that have it."""

    key: Annotated[str, text(example="DB_URL")]
    paths: list[str]


def conflicts_below(folder: Folder) -> list[Conflict]:
    """What a sync of a folder and all folders below it would refuse, by key. `folder.environment` must be loaded."""
    draft = SecretSync(project_id=folder.environment.project_id, folder=folder)
    draft.policy = SyncPolicy(sync=draft, recursive=True)
    return _conflicts(read(draft).source.entries)


def refuse_conflicts(sync: SecretSync) -> None:
    """Raises BadRequest that lists the conflicts of a recursive sync, of the keys that its policy takes."""
    if not sync.policy.recursive or sync.folder is None:
        return
    found = _conflicts(filter(filter_of(sync), read(sync).source.entries))
    if not found:
        return
    listed = [f"{each['key']} in {' and '.join(each['paths'])}" for each in found[:MAX_LISTED]]
    more = f"; and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    keys = "1 key is" if len(found) == 1 else f"{len(found)} keys are"
    raise BadRequest(
        f"With the folders below {sync.folder.path}, {keys} in more than one folder: {'; '.join(listed)}{more}."
        " Rename the secrets, exclude the keys, or sync the folders apart."
    )


def _conflicts(entries: Iterable[Entry]) -> list[Conflict]:
    paths: dict[str, list[str]] = {}
    for entry in entries:
        paths.setdefault(entry.key, []).append(entry.path)
    return [{"key": key, "paths": sorted(found)} for key, found in sorted(paths.items()) if len(found) > 1]
