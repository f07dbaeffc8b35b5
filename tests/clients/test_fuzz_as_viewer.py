"""As `test_fuzz`, by one who may see and not do; a file of its own, so that the two run side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import Server
from tests.clients.test_fuzz import fuzz

pytestmark = [pytest.mark.clients, pytest.mark.slow]


def test_every_operation_as_viewer(server: Server, tmp_path: Path) -> None:
    fuzz(server, tmp_path, "viewer")
