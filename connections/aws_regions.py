"""The regions of AWS and the partitions that they belong to, such as AWS China, from the data that botocore brings.

A partition has accounts, roles and addresses of its own: keys of one are unknown in all others.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Partition:
    """`suffix` ends the names of its hosts, `dual_stack` those that IPv6 reaches too; `main` is its main region."""

    name: str
    suffix: str
    dual_stack: str
    main: str
    pattern: str
    regions: tuple[str, ...]


@functools.cache
def partitions() -> tuple[Partition, ...]:
    """Read from botocore's file without importing botocore, which takes long."""
    found = importlib.util.find_spec("botocore")
    assert found
    assert found.submodule_search_locations
    file = Path(found.submodule_search_locations[0]) / "data" / "partitions.json"
    return tuple(_partition(each) for each in json.loads(file.read_text(encoding="utf-8"))["partitions"])


def _partition(data: dict[str, Any]) -> Partition:
    outputs = data["outputs"]
    return Partition(
        name=data["id"],
        suffix=outputs["dnsSuffix"],
        dual_stack=outputs["dualStackDnsSuffix"],
        main=outputs["implicitGlobalRegion"],
        pattern=data["regionRegex"],
        regions=tuple(region for region in data["regions"] if not region.endswith("-global")),
    )


def partition_of(region: str) -> Partition:
    """The partition of a region; of one that botocore does not know yet by its name."""
    known = (each for each in partitions() if region in each.regions or re.match(each.pattern, region))
    return next(known, partitions()[0])


def partition_named(name: str) -> Partition:
    return next((each for each in partitions() if each.name == name), partitions()[0])


def regions() -> tuple[str, ...]:
    """Of all partitions, sorted within each."""
    return tuple(region for each in partitions() for region in sorted(each.regions))


def host_suffixes() -> str:
    """A regular expression of what the names of AWS's hosts end with."""
    found = {re.escape(suffix) for each in partitions() for suffix in (each.suffix, each.dual_stack)}
    return "|".join(sorted(found, key=lambda each: (-len(each), each)))


def is_of_aws(address: str) -> bool:
    """Whether the host of an address is one of AWS."""
    return re.search(rf"\.({host_suffixes()})/?$", address) is not None
