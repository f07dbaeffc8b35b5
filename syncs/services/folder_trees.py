"""A batch of renames and moves of folders: applied in memory first, written in a few statements."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils import timezone

from config.errors import BadRequest, NotFound
from syncs.engine.addresses import child_path, is_within
from syncs.models import Folder
from syncs.source.paths import MAX_PATH, folder_name


class FolderTrees:
    """The folders of some environments, locked, with the changes of a batch applied."""

    def __init__(self, folders: Iterable[Folder]) -> None:
        self._by_id = {each.pk: each for each in folders}
        self._by_path = {(each.environment_id, each.path): each for each in self._by_id.values()}
        self.before = {each.pk: each.path for each in self._by_id.values()}
        self._moved: dict[UUID, Folder] = {}

    @classmethod
    def of(cls, folders: Iterable[Folder]) -> FolderTrees:
        environments = {folder.environment_id for folder in folders}
        rows = Folder.objects.select_for_update(of=("self",), no_key=True).filter(environment__in=environments)
        return cls(rows.select_related("environment__project").order_by("pk"))

    def folder(self, folder: Folder) -> Folder:
        """Raises NotFound."""
        found = self._by_id.get(folder.pk)
        if found is None:
            raise NotFound(f"Folder with ID '{folder.pk}' not found")
        return found

    def move(self, folder: Folder, name: str, to: Folder | None) -> None:
        """Change the path of a folder and of those below it. Raises BadRequest."""
        folder_name(name)
        parent = self.folder(to) if to else self._by_id[folder.parent_id] if folder.parent_id else None
        if parent is None:
            if name != folder.name:
                raise BadRequest("The root folder cannot be renamed or moved")
            return
        before = folder.path
        if parent.environment_id != folder.environment_id or is_within(parent.path, before):
            raise BadRequest("A folder can be moved to another folder of its environment, not into itself")
        after = child_path(parent.path, name)
        if after == before:
            return
        if (folder.environment_id, after) in self._by_path:
            raise BadRequest("Folder with specified name already exists")
        subtree = [
            each
            for each in self._by_id.values()
            if each.environment_id == folder.environment_id and is_within(each.path, before)
        ]
        if max(len(each.path) for each in subtree) + len(after) - len(before) > MAX_PATH:
            raise BadRequest(f"A path below it would be longer than {MAX_PATH} characters")
        for each in subtree:
            del self._by_path[each.environment_id, each.path]
            each.path = after + each.path[len(before) :]
            self._by_path[each.environment_id, each.path] = self._moved[each.pk] = each
        folder.name, folder.parent = name, parent

    @property
    def moved(self) -> list[Folder]:
        """The folders whose paths changed."""
        return list(self._moved.values())

    def store(self) -> list[Folder]:
        """Write the folders that were moved, and return them."""
        moved = self.moved
        former = {(each.environment_id, self.before[each.pk]) for each in moved}
        if any((each.environment_id, each.path) in former for each in moved):
            # One gets the former path of another: temporary paths first, or the rows violate the constraint one by one.
            Folder.objects.filter(pk__in=[each.pk for each in moved]).update(path=Cast("pk", CharField()))
        for each in moved:
            each.version += 1
            each.updated_at = timezone.now()
        Folder.objects.bulk_update(moved, ["path", "name", "parent", "version", "updated_at"])
        return moved
