"""The project is consistent: system checks pass and the migrations match the models."""

import pytest
from django.conf import settings
from django.core.management import call_command


@pytest.mark.django_db
def test_migrations_match_the_models() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_system_checks_pass() -> None:
    call_command("check", fail_level="WARNING")


def test_tests_have_a_data_directory_of_their_own() -> None:
    assert "keyferry-test-" in str(settings.DATA_DIR)
    assert "keyferry-test-" in str(settings.KEYSET_FILE)
