"""Encryption and fingerprints: what can be decrypted, what cannot, and the messages about wrong keyset files."""

import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from config import encryption
from config.access.models import DataKeyset, Instance, Project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keyset_file(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    settings.KEYSET_FILE = tmp_path / "keyset.json"
    encryption.forget()
    yield settings.KEYSET_FILE
    encryption.forget()


def test_sealed_text_is_hidden_and_can_be_opened() -> None:
    sealed = encryption.seal(None, "secret:1:value", "canary ä\n")
    assert b"canary" not in sealed
    assert encryption.unseal(None, "secret:1:value", sealed) == "canary ä\n"


def test_a_ciphertext_moved_to_another_row_cannot_be_decrypted() -> None:
    sealed = encryption.seal(None, "secret:1:value", "x")
    with pytest.raises(encryption.Undecryptable, match="secret:2:value"):
        encryption.unseal(None, "secret:2:value", sealed)


def test_projects_have_keysets_of_their_own() -> None:
    one, two = (Project.objects.create(name=name, slug=name) for name in ("one", "two"))
    sealed = encryption.seal(one.id, "c", "x")
    with pytest.raises(encryption.Undecryptable):
        encryption.unseal(two.id, "c", sealed)
    assert DataKeyset.objects.count() == 2


def test_fingerprints_match_only_text_and_context() -> None:
    made = encryption.fingerprint(None, "a", "text")
    assert encryption.fingerprint_matches(None, "a", "text", made)
    assert not encryption.fingerprint_matches(None, "b", "text", made)
    assert not encryption.fingerprint_matches(None, "a", "other", made)
    assert not encryption.fingerprint_matches(None, "a", "text", "not base64!")


def test_the_keyset_file_is_private_and_survives_a_restart(keyset_file: Path) -> None:
    sealed = encryption.seal(None, "c", "x")
    assert stat.S_IMODE(keyset_file.stat().st_mode) == 0o600
    encryption.forget()
    assert encryption.unseal(None, "c", sealed) == "x"


def test_another_keyset_is_refused_with_the_expected_fingerprint(keyset_file: Path, tmp_path: Path) -> None:
    encryption.seal(None, "c", "x")
    known = Instance.objects.get().keyset_fingerprint
    shutil.move(keyset_file, tmp_path / "right.json")
    encryption.forget()
    with pytest.raises(encryption.WrongKeyset, match=known):
        encryption.seal(None, "c", "x")
    encryption._create_root(keyset_file)
    with pytest.raises(encryption.WrongKeyset, match=known):
        encryption.seal(None, "c", "x")
