"""Addresses, subtrees and sealed members: each rule once, for the database and for Python."""

from __future__ import annotations

import uuid

import pytest

from config.encryption import Undecryptable
from syncs.engine.addresses import SecretAddress, child_path, is_below, is_within
from syncs.models import Folder
from syncs.services.folders import ensure_folder
from syncs.source.paths import below, within
from syncs.source.sealed import COMMENT, VALUE, metadata_member, open_member, open_or_none, seal_member
from tests.fixtures.world import World

PATHS = ["/", "/a", "/a/b", "/a/b/c", "/A/b", "/ab", "/a_b", "/a-b/c"]


@pytest.mark.parametrize(
    ("root", "subfolders"),
    [("/", set(PATHS) - {"/"} | {"/A", "/a-b"}), ("/a", {"/a/b", "/a/b/c"}), ("/A", {"/A/b"}), ("/ab", set())],
)
def test_a_subtree_is_the_same_in_the_database_and_in_python(world: World, root: str, subfolders: set[str]) -> None:
    for path in PATHS:
        ensure_folder(world.actor, world.environment(), path)
    rows = Folder.objects.filter(environment=world.environment())
    assert set(rows.filter(below(root)).values_list("path", flat=True)) == subfolders
    assert set(rows.filter(within(root)).values_list("path", flat=True)) == subfolders | {root}
    assert {path for path in rows.values_list("path", flat=True) if is_below(path, root)} == subfolders
    assert is_within(root, root)


def test_an_address_reads_as_environment_path_and_key() -> None:
    address = SecretAddress("dev", "/services/api", "API_KEY")
    assert str(address) == "dev:/services/api API_KEY"
    assert address.folder == ("dev", "/services/api")
    assert (child_path("/", "A"), child_path("/a", "A")) == ("/A", "/a/A")


def test_a_sealed_member_opens_as_that_member_of_that_secret_only(world: World) -> None:
    project, secret = world.project.pk, uuid.uuid4()
    sealed = seal_member(project, secret, VALUE, "hunter2")
    assert open_member(project, secret, VALUE, sealed) == "hunter2"
    assert open_member(project, secret, COMMENT, None) == ""
    for other, member in ((secret, COMMENT), (secret, metadata_member("value")), (uuid.uuid4(), VALUE)):
        assert open_or_none(project, other, member, sealed) is None
        with pytest.raises(Undecryptable):
            open_member(project, other, member, sealed)
