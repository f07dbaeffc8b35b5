"""Which secrets refer to which, in both directions: trees, referrers, and the addresses a key is visible at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from config.errors import BadRequest, NotFound
from syncs.engine.addresses import Address, SecretAddress
from syncs.engine.references import Node, Reader, TooMuch, precedence, references_in
from syncs.models import Folder, Secret, SecretReference
from syncs.source.loader import imports_of, load_graph


def tree_of(folder: Folder, key: str) -> Node:
    """The secrets that a secret refers to, and so on. Raises NotFound."""
    graph = load_graph(folder.environment.project_id, {folder.address})
    try:
        found = Reader(graph).tree(folder.address, key)
    except TooMuch as error:
        raise BadRequest(f"The tree cannot be shown: {error}") from None
    if found is None:
        raise NotFound(f"Secret with name '{key}' not found")
    return found


def referrers(folder: Folder, key: str) -> list[Secret]:
    """The secrets whose values refer to a folder's secret, also through a folder that imports it."""
    if not Secret.objects.filter(folder=folder, key=key).exists():
        raise NotFound(f"Secret with name '{key}' not found")
    return [secret for secret, _ in referrers_of(folder, [key])]


def referrers_of(folder: Folder, keys: Iterable[str]) -> list[tuple[Secret, str]]:
    """Secrets that refer to a folder's secrets, each with the key it refers to. As `referrers`, of many at once."""
    project_id = folder.environment.project_id
    visibility = visibility_of(folder, keys)
    indexed = SecretReference.objects.filter(
        secret__folder__environment__project_id=project_id, path__in={path for _, path in visibility.addresses}
    )
    found = {
        (pk, key)
        for pk, slug, path, key in indexed.values_list("secret_id", "environment", "path", "key")
        if visibility.resolves((slug, path), key)
    }
    # References to a folder's own secrets by their bare names are not in the index.
    for address, data in load_graph(project_id, set(visibility.addresses)).items():
        if address in visibility.addresses:
            found |= {
                (UUID(each.secret_id), target.key)
                for each in data.secrets.values()
                for target in references_in(each.value or "", address)
                if target.folder == address and visibility.resolves(address, target.key)
            }
    secrets = Secret.objects.select_related("folder__environment__project").in_bulk([pk for pk, _ in found])
    pairs = [(secrets[pk], key) for pk, key in found]
    return sorted(pairs, key=lambda pair: (*pair[0].folder.address, pair[0].key, pair[1]))


@dataclass(frozen=True, slots=True)
class Visibility:
    """Where a folder's secrets are visible: the folder, and those that import it, directly or not."""

    folder: Address
    addresses: Mapping[Address, Sequence[Address]]
    holders: Mapping[str, set[Address]]

    def resolves(self, address: Address, key: str) -> bool:
        """Whether the secret that `address` has by this name, of its own or by import, is the folder's."""
        holders = self.holders.get(key, ())
        return next((each for each in self.addresses.get(address, ()) if each in holders), None) == self.folder


def visibility_of(folder: Folder, keys: Iterable[str]) -> Visibility:
    """For these keys; two queries."""
    project_id = folder.environment.project_id
    names = set(keys)
    holders: dict[str, set[Address]] = {key: set() for key in names}
    rows = Secret.objects.filter(folder__environment__project_id=project_id)
    rows = rows.filter(key__in=names) if len(names) <= 500 else rows
    for key, slug, path in rows.values_list("key", "folder__environment__slug", "folder__path"):
        if key in names:
            holders[key].add((slug, path))
    imports = imports_of(project_id)
    own = folder.address
    orders = {each: list(precedence(each, lambda one: imports.get(one, ()))) for each in {own, *imports}}
    return Visibility(own, {address: order for address, order in orders.items() if own in order}, holders)


def referrers_as_text(pairs: Iterable[tuple[Secret, str]], removed: Collection[str] = ()) -> Mapping[str, list[str]]:
    """By key, addresses of secrets that refer to it; `removed`: ids of secrets deleted too, which need no warning."""
    texts: dict[str, list[str]] = {}
    for secret, key in pairs:
        if str(secret.pk) not in removed:
            texts.setdefault(key, []).append(str(SecretAddress(*secret.folder.address, secret.key)))
    return texts
