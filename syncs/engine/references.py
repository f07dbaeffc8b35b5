"""The secrets of a folder once imports and `${...}` references are followed. Pure, over plain data.

A folder's own secrets win over its imports, and among imports the last position wins. A value that cannot be resolved
(unreadable, a missing reference, a cycle) is never guessed: its entry has the problem and no value. Only where people
read values (`Reader`) an unresolved reference stays as it was typed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .addresses import Address, SecretAddress, child_path
from .types import Entry, Pairs, Source

MAX_DEPTH = 10  # levels of imports, and of references within references
MAX_VALUE = 1024 * 1024  # bytes of an expanded value: a few lines could otherwise expand to gigabytes
MAX_TOTAL = 64 * MAX_VALUE  # of all expanded values of one read
MAX_NODES = 500  # secrets in one tree of references
MAX_TREE = 16 * MAX_VALUE  # of the values in one tree
REFERENCE = re.compile(r"\$\{([A-Za-z0-9_.@-]+)\}", re.ASCII)
PART = re.compile(r"[A-Za-z0-9_@-]+", re.ASCII)  # of a reference


@dataclass(frozen=True, slots=True)
class SecretData:
    """A secret as stored. `value` is None if it could not be decrypted."""

    key: str
    value: str | None = field(repr=False)
    comment: str = field(default="", repr=False)
    tags: frozenset[str] = frozenset()
    secret_id: str = ""
    version: int = 0
    skip_multiline: bool = False
    metadata: Pairs = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class FolderData:
    """A folder as stored; `imports` in the order of their positions."""

    secrets: Mapping[str, SecretData]
    imports: tuple[Address, ...] = ()


Graph = Mapping[Address, FolderData]
"""Every folder that the resolved one reaches; a folder that is not in it does not exist."""


@dataclass(frozen=True, slots=True)
class Node:
    """A secret in the tree of references; `value` is None if it does not exist or cannot be read."""

    key: str
    address: Address
    value: str | None = field(repr=False)
    children: list[Node] = field(default_factory=list)


class TooMuch(Exception):
    """The values of one read are larger than MAX_TOTAL once their references are followed."""


class _Unresolved(Exception):
    """Why a value cannot be resolved."""


class _TooDeep(_Unresolved):
    """Of the requested value. A value on the way to it may resolve when it is requested by itself."""


def target_of(name: str, folder: Address) -> tuple[Address, str]:
    """The folder and the key that `${name}` refers to, written in a secret of `folder`."""
    first, *rest = name.split(".")
    if not rest:
        return folder, first
    *folders, key = rest
    return (first, "/" + "/".join(folders)), key


def references_in(value: str, folder: Address) -> set[SecretAddress]:
    """Every secret that a value refers to, written in a secret of `folder`."""
    if "${" not in value:
        return set()  # most values: no need to scan them
    targets = (target_of(match[1], folder) for match in REFERENCE.finditer(value))
    return {SecretAddress(*address, key) for address, key in targets}


def references_to_folders(value: str) -> set[SecretAddress]:
    """As `references_in`, without bare names: those refer to the secret's own folder, even after it moves."""
    nowhere = ("", "")
    return {target for target in references_in(value, nowhere) if target.folder != nowhere}


def precedence(folder: Address, imports_of: Callable[[Address], Sequence[Address] | None]) -> Iterator[Address]:
    """The folder, then its imports by precedence, depth first; each folder once, so cycles are cut.

    `imports_of`: a folder's imports by position; None for one that does not exist.
    """
    seen: set[Address] = set()
    pending = [(folder, 0)]
    while pending:
        address, depth = pending.pop()
        imports = imports_of(address)
        if imports is None or address in seen:
            continue
        seen.add(address)
        yield address
        if depth < MAX_DEPTH:
            pending.extend((target, depth + 1) for target in imports)


class Reader:
    """Values as people read them, from one graph.

    An unresolved reference stays as typed, and so does every value of a cycle; None: it cannot be read. Raises TooMuch.
    """

    def __init__(self, graph: Graph) -> None:
        self._resolver = _Resolver(graph, as_typed=True)
        self._left = MAX_NODES
        self._budget = MAX_TREE

    def value(self, owner: Address, secret: SecretData) -> str | None:
        try:
            return self._resolver.value(owner, secret)
        except _Unresolved:
            return secret.value

    def tree(self, folder: Address, key: str) -> Node | None:
        """The secret that a folder has under this name, the secrets it refers to, and so on; a cycle is cut."""
        self._left, self._budget = MAX_NODES, MAX_TREE
        return self._node(folder, key, ())

    def _node(self, folder: Address, key: str, trail: tuple[tuple[Address, str], ...]) -> Node | None:
        self._left -= 1
        effective = self._resolver.secrets(folder).get(key)
        if effective is None:
            return None
        secret, owner = effective
        node = Node(secret.key, owner, self.value(owner, secret))
        self._budget -= len(node.value or "")
        if (owner, key) in trail or len(trail) >= MAX_DEPTH or secret.value is None:
            return node
        for match in REFERENCE.finditer(secret.value):
            if self._left <= 0 or self._budget <= 0:
                break
            address, name = target_of(match[1], owner)
            child = self._node(address, name, (*trail, (owner, key)))
            node.children.append(child or Node(name, address, None))
        return node


def resolve(graph: Graph, *folders: Address) -> Source:
    """The folders' entries, each folder's sorted by key, and a gap for each imported folder that does not exist.

    A secret that several of them reach through imports is one entry.
    """
    resolver = _Resolver(graph)
    found = {
        (owner, key): secret for folder in folders for key, (secret, owner) in sorted(resolver.secrets(folder).items())
    }
    entries = [resolver.entry(secret, owner) for (owner, _), secret in found.items()]
    return Source(tuple(entries), tuple(gap for folder in folders for gap in resolver.gaps(folder)))


class _Resolver:
    def __init__(self, graph: Graph, *, as_typed: bool = False) -> None:
        self._graph = graph
        self._as_typed = as_typed
        self._secrets: dict[Address, dict[str, tuple[SecretData, Address]]] = {}
        self._values: dict[tuple[Address, str], tuple[str, int] | _Unresolved] = {}
        self._budget = MAX_TOTAL

    def secrets(self, folder: Address) -> Mapping[str, tuple[SecretData, Address]]:
        """By key, the folder's own and imported secrets, with the folder each is from."""
        if folder not in self._secrets:
            effective: dict[str, tuple[SecretData, Address]] = {}
            for address in self._imported(folder):
                for key, secret in self._graph[address].secrets.items():
                    effective.setdefault(key, (secret, address))
            self._secrets[folder] = effective
        return self._secrets[folder]

    def gaps(self, folder: Address) -> Iterator[str]:
        seen = set()
        for address in self._imported(folder):
            for target in self._graph[address].imports:
                if target not in self._graph and target not in seen:
                    seen.add(target)
                    yield f"the imported folder {target[1]} of {target[0]} does not exist"

    def _imported(self, folder: Address) -> Iterator[Address]:
        return precedence(folder, lambda address: data.imports if (data := self._graph.get(address)) else None)

    def value(self, owner: Address, secret: SecretData) -> str:
        """Raises _Unresolved, TooMuch."""
        return self._value(owner, secret.key, secret, ())[0]

    def entry(self, secret: SecretData, owner: Address) -> Entry:
        value, problem = None, None
        try:
            value, _ = self._value(owner, secret.key, secret, ())
        except (_Unresolved, TooMuch) as error:
            problem = str(error)
        if value is not None and secret.skip_multiline and "\n" in value:
            value = '"' + value.replace("\n", "\\n") + '"'
        return Entry(
            key=secret.key,
            value=value,
            comment=secret.comment,
            tags=secret.tags,
            secret_id=secret.secret_id,
            version=secret.version,
            path=owner[1],
            problem=problem,
            metadata=secret.metadata,
        )

    def _value(self, folder: Address, key: str, secret: SecretData, trail: tuple[str, ...]) -> tuple[str, int]:
        """The resolved value and how many levels of references it took. A cycle names its members.

        `trail`: the secrets on the way to this one, at most MAX_DEPTH, so that no chain is followed further.
        """
        name = f"{folder[0]}{child_path(folder[1], key)}"
        if name in trail:
            cycle = " -> ".join((*trail[trail.index(name) :], name))
            raise _Unresolved(f"its references are circular: {cycle}")
        known = self._values.get((folder, key))
        if known is None:
            known = self._expanded(folder, secret, (*trail, name))
            self._values[folder, key] = known
        if isinstance(known, _Unresolved):
            raise known
        return known

    def _expanded(self, folder: Address, secret: SecretData, trail: tuple[str, ...]) -> tuple[str, int] | _Unresolved:
        """The result to cache for the secret. Raises _TooDeep, which depends on the secret that was requested."""
        if secret.value is None:
            return _Unresolved(f"the value of {secret.key} cannot be read")
        if "${" not in secret.value:
            return secret.value, 0
        parts: list[str] = []
        size = end = depth = 0
        for match in REFERENCE.finditer(secret.value):
            address, key = target_of(match[1], folder)
            target = self.secrets(address).get(key)
            if target is None and self._as_typed:
                continue  # the text up to the next reference then includes this one
            if target is None:
                return _Unresolved(f"the reference ${{{match[1]}}} does not resolve")
            too_deep = f"the reference ${{{match[1]}}} is more than {MAX_DEPTH} levels deep"
            if len(trail) > MAX_DEPTH:
                raise _TooDeep(too_deep)
            try:
                value, below = self._value(target[1], key, target[0], trail)
            except _TooDeep:
                raise
            except _Unresolved as error:
                return error
            depth = max(depth, below + 1)
            if depth > MAX_DEPTH:
                return _Unresolved(too_deep)
            parts += (secret.value[end : match.start()], value)
            size += len(value)
            end = match.end()
            if size > MAX_VALUE:
                return _Unresolved(f"with its references, {secret.key} is larger than {MAX_VALUE // 1024**2} MiB")
        parts.append(secret.value[end:])
        expanded = "".join(parts)
        self._budget -= len(expanded)
        if self._budget < 0:
            raise TooMuch(f"the values are larger than {MAX_TOTAL // 1024**2} MiB once their references are followed")
        return expanded, depth
