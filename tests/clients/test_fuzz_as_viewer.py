"""As `test_fuzz`, with the role viewer; a separate file, so that both run in parallel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import Server
from tests.clients.test_fuzz import fuzz

pytestmark = [pytest.mark.clients, pytest.mark.slow]


def test_every_operation_as_viewer(server: Server, tmp_path: Path) -> None:
    """Not each member's limits again: that is the admin's part, and most requests of a viewer are refused before."""
    fuzz(server, tmp_path, "viewer", "examples,fuzzing")
