"""The product's scripts are linted and type-checked."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.running import ROOT

HERE = Path(__file__).parent
TOOLS = HERE / "node_modules" / ".bin"
SCRIPTS = ROOT / "config" / "static" / "keyferry"
pytestmark = [
    pytest.mark.javascript,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed"),
    pytest.mark.skipif(not TOOLS.exists(), reason="eslint is not installed (npm ci in tests/javascript)"),
]


def test_scripts_are_linted_and_type_checked() -> None:
    ran = subprocess.run(["npm", "run", "--silent", "check"], cwd=HERE, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    unchecked = [str(script) for script in SCRIPTS.rglob("*.js") if not script.read_text().startswith("// @ts-check\n")]
    assert not unchecked
