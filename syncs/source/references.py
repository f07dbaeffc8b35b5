"""Which secrets refer to which, in both directions: trees, referrers, and the addresses a key is visible at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from config.errors import BadRequest, NotFound
from syncs.engine.references import Address, Node, Reader, TooMuch, precedence, references_in
from syncs.models import Folder, Secret, SecretReference
from syncs.source.loader import imports_of, load_graph


def tree_of(folder: Folder, key: str) -> Node:
    """What a secret refers to, and what those refer to. Raises NotFound."""
    here = folder.address
    graph = load_graph(folder.environment.project_id, {here})
    try:
        found = Reader(graph).tree(here, key)
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
    """Who refers to a folder's secrets: each with the key it refers to. As `referrers`, of many at once."""
    project_id = folder.environment.project_id
    seen = sight_of(folder, keys)
    named = SecretReference.objects.filter(
        secret__folder__environment__project_id=project_id, path__in={path for _, path in seen.addresses}
    )
    found = {
        (pk, key)
        for pk, slug, path, key in named.values_list("secret_id", "environment", "path", "key")
        if seen.leads((slug, path), key)
    }
    # References to a folder's own secrets by their bare names are not in the index.
    for address, data in load_graph(project_id, set(seen.addresses)).items():
        if address in seen.addresses:
            found |= {
                (UUID(each.secret_id), key)
                for each in data.secrets.values()
                for slug, path, key in references_in(each.value or "", address)
                if (slug, path) == address and seen.leads(address, key)
            }
    secrets = Secret.objects.select_related("folder__environment__project").in_bulk([pk for pk, _ in found])
    pairs = [(secrets[pk], key) for pk, key in found]
    return sorted(pairs, key=lambda pair: (*pair[0].folder.address, pair[0].key, pair[1]))


@dataclass(frozen=True, slots=True)
class Sight:
    """From where a folder's secrets are seen: the folder, and those that import it, however far."""

    here: Address
    addresses: Mapping[Address, Sequence[Address]]
    holders: Mapping[str, set[Address]]

    def leads(self, address: Address, key: str) -> bool:
        """Whether what `address` has by this name, of its own or through its imports, is the folder's."""
        held = self.holders.get(key, ())
        return next((each for each in self.addresses.get(address, ()) if each in held), None) == self.here


def sight_of(folder: Folder, keys: Iterable[str]) -> Sight:
    """For these keys; two queries."""
    project_id = folder.environment.project_id
    here, wanted = folder.address, set(keys)
    holders: dict[str, set[Address]] = {key: set() for key in wanted}
    rows = Secret.objects.filter(folder__environment__project_id=project_id)
    rows = rows.filter(key__in=wanted) if len(wanted) <= 500 else rows
    for key, slug, path in rows.values_list("key", "folder__environment__slug", "folder__path"):
        if key in wanted:
            holders[key].add((slug, path))
    imports = imports_of(project_id)
    orders = {each: list(precedence(each, lambda one: imports.get(one, ()))) for each in {here, *imports}}
    return Sight(here, {address: order for address, order in orders.items() if here in order}, holders)


def _place(folder: Folder) -> str:
    return f"{folder.environment.slug}:{folder.path}"


def referrers_said(pairs: Iterable[tuple[Secret, str]], gone: Collection[str] = ()) -> Mapping[str, list[str]]:
    """By key, who refers to it, in words; `gone`: ids of secrets that go too, which need no warning."""
    said: dict[str, list[str]] = {}
    for secret, key in pairs:
        if str(secret.pk) not in gone:
            said.setdefault(key, []).append(f"{_place(secret.folder)} {secret.key}")
    return said
