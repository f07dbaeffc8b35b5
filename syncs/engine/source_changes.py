"""A project's source as it would be after folders or secrets are deleted, renamed or moved. Pure, over plain data."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .addresses import Address, SecretAddress, folder_text
from .references import REFERENCE, FolderData, Graph, precedence, references_in, target_of


@dataclass(frozen=True, slots=True)
class Changed:
    """The source after a change. `moved`: the folders that have another address now (None: deleted)."""

    graph: Graph
    moved: Mapping[Address, Address | None] = field(default_factory=dict)

    def address(self, before: Address) -> Address | None:
        return self.moved.get(before, before)


@dataclass(frozen=True, slots=True)
class BrokenReference:
    """A secret's reference that would no longer resolve, or an import of a folder (key "") that would have no target.

    `environment` and `path` are of the folder before the change; `target` is as people read it.
    """

    environment: str
    path: str
    key: str
    target: str

    def __str__(self) -> str:
        if self.key:
            return f"{SecretAddress(self.environment, self.path, self.key)}: {self.target}"
        return f"{folder_text((self.environment, self.path))} imports {self.target}"


def without_folders(graph: Graph, gone: Collection[Address], *, imports_too: bool = False) -> Changed:
    """`imports_too`: imports of these folders are deleted with them, as those of an environment are."""
    rest = {address: data for address, data in graph.items() if address not in gone}
    if imports_too:
        environments = {slug for slug, _ in gone}
        rest = {
            address: replace(data, imports=tuple(each for each in data.imports if each[0] not in environments))
            for address, data in rest.items()
        }
    return Changed(rest, dict.fromkeys(gone))


def with_moved_folders(
    graph: Graph, moved: Mapping[Address, Address], *, renamed_environment: tuple[str, str] | None = None
) -> Changed:
    """Imports name a folder by its environment and its path: they follow the environment's new slug, but no new path.

    `renamed_environment`: the slugs before and after.
    """
    before, after = renamed_environment or ("", "")

    def followed(target: Address) -> Address:
        return (after, target[1]) if target[0] == before else target

    found = {
        moved.get(address, address): replace(data, imports=tuple(map(followed, data.imports)))
        for address, data in graph.items()
    }
    return Changed(found, dict(moved))


def without_secrets(graph: Graph, folder: Address, keys: Collection[str]) -> Changed:
    data = graph[folder]
    kept = {key: secret for key, secret in data.secrets.items() if key not in keys}
    return Changed({**graph, folder: replace(data, secrets=kept)})


def with_moved_secrets(graph: Graph, folder: Address, target: Address, ids: Collection[str]) -> Changed:
    """Secrets of the target with the same names are overwritten."""
    moving = {key: secret for key, secret in graph[folder].secrets.items() if secret.secret_id in ids}
    rest = {key: secret for key, secret in graph[folder].secrets.items() if key not in moving}
    added = {**graph[target].secrets, **moving}
    return Changed(
        {
            **graph,
            folder: replace(graph[folder], secrets=rest),
            target: replace(graph[target], secrets=added),
        }
    )


def with_renamed_secret(graph: Graph, folder: Address, key: str, new_key: str) -> Changed:
    data = graph[folder]
    secrets = {each: secret for each, secret in data.secrets.items() if each not in (key, new_key)}
    secrets[new_key] = replace(data.secrets[key], key=new_key)
    return Changed({**graph, folder: replace(data, secrets=secrets)})


def reached(graph: Graph, changed: Changed) -> set[Address]:
    """The folders (before the change) that the change is in, and those that import them or refer to them, and so on."""
    touched = {
        address for address, data in graph.items() if address in changed.moved or changed.graph.get(address) is not data
    }
    into: dict[Address, set[Address]] = {}
    for address, data in graph.items():
        targets = {ref.folder for secret in data.secrets.values() for ref in references_in(secret.value or "", address)}
        for target in targets | set(data.imports):
            into.setdefault(target, set()).add(address)
    pending, found = deque(touched), set(touched)
    while pending:
        for source in into.get(pending.popleft(), set()) - found:
            found.add(source)
            pending.append(source)
    return found


class _Keys:
    """The keys that each folder has, of its own or through its imports."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[Address, set[str]] = {}

    def has(self, folder: Address, key: str) -> bool:
        if folder not in self._known:
            order = precedence(folder, lambda each: data.imports if (data := self._graph.get(each)) else None)
            self._known[folder] = {name for each in order for name in self._graph[each].secrets}
        return key in self._known[folder]


def broken_references(graph: Graph, changed: Changed) -> list[BrokenReference]:
    """The references and imports of what stays that resolve before the change, and not after it."""
    return sorted(
        {*_broken_values(graph, changed), *_broken_imports(graph, changed)},
        key=lambda each: (each.environment, each.path, each.key, each.target),
    )


def _broken_values(graph: Graph, changed: Changed) -> Iterator[BrokenReference]:
    before, after = _Keys(graph), _Keys(changed.graph)
    homes = {
        secret.secret_id: (address, secret.key)
        for address, data in graph.items()
        for secret in data.secrets.values()
        if secret.value and "${" in secret.value
    }
    for address, data in changed.graph.items():
        for secret in data.secrets.values():
            if secret.secret_id not in homes:
                continue
            home, key = homes[secret.secret_id]
            for match in REFERENCE.finditer(secret.value or ""):
                target, was = target_of(match[1], address), target_of(match[1], home)
                if before.has(*was) and not after.has(*target):
                    yield BrokenReference(*home, key, match[0])


def _broken_imports(graph: Graph, changed: Changed) -> Iterator[BrokenReference]:
    for address, data in graph.items():
        now = changed.address(address)
        present: FolderData | None = changed.graph.get(now) if now else None
        if present is None:
            continue
        for target in data.imports:
            followed = {target, changed.address(target)}
            if target in graph and not any(each in changed.graph for each in present.imports if each in followed):
                yield BrokenReference(*address, "", folder_text(target))
