"""`manage.py up` as a process of its own: what the tests of the whole product drive."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[1]


class Up:
    """A running `up`, with what it has printed."""

    def __init__(self, data_dir: Path, *extra: str, env: dict[str, str] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.env = {
            **{
                name: value
                for name, value in os.environ.items()
                # Nor whether Python holds back what it prints: a shell of one's own may say so, a new one does not.
                if not name.startswith(("KEYFERRY_", "DJANGO_", "DATABASE_", "PYTHONUNBUFFERED"))
            },
            "KEYFERRY_DATA_DIR": str(data_dir),
            **(env or {}),
        }
        self.log = data_dir / "up.log"
        with self.log.open("w") as log:
            command = [sys.executable, "manage.py", "up", "--port", str(self.port), *extra]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT)

    def said(self, pattern: str, within: float = 60.0) -> re.Match[str]:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.log.read_text()):
                return found
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"{pattern} was not said:\n{self.log.read_text()}")

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *args], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10, trust_env=False)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> float:
        """Seconds until it was gone."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        return time.monotonic() - began


def end_all(data_dir: Path) -> None:
    """Whatever still runs on a data directory, however its test ended."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("KEYFERRY_DATA_DIR") == str(data_dir):
            process.kill()
