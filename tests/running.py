"""`manage.py up` as a process, for tests of the whole product."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx
import psutil

ROOT = Path(__file__).parents[1]
PATIENCE = 300.0  # seconds to wait for what must happen; a busy machine may need many
_started: dict[Path, list[subprocess.Popen[bytes]]] = {}
T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], pause: float = 0.05) -> T:
    """The first true result of `condition`. Raises TimeoutError after `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still false after {PATIENCE:.0f} s")
        time.sleep(pause)
    return result


class Up:
    """A running `up`, and its output. Whoever starts one calls `end_all` at the end."""

    def __init__(self, data_dir: Path, *extra: str, env: dict[str, str] | None = None) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.env = {
            **{
                name: value
                for name, value in os.environ.items()
                # A new shell does not set PYTHONUNBUFFERED either, so the product must flush what it prints.
                if not name.startswith(("KEYFERRY_", "DJANGO_", "DATABASE_", "PYTHONUNBUFFERED"))
            },
            "KEYFERRY_DATA_DIR": str(data_dir),
            **(env or {}),
        }
        self.log = data_dir / "up.log"
        with self.log.open("w") as log:
            command = [sys.executable, "manage.py", "up", "--port", str(self.port), *extra]
            self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT)
        _started.setdefault(data_dir, []).append(self.process)

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """The first match in its output, once there is one. Fails when it ended without it."""

        def found() -> re.Match[str] | None:
            match = re.search(pattern, self.log.read_text())
            assert match or self.process.poll() is None, self.log.read_text()
            return match

        try:
            return wait_until(found)
        except TimeoutError:
            raise AssertionError(f"no line {pattern!r} in:\n{self.log.read_text()}") from None

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *args], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE, trust_env=False)

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> None:
        """As Ctrl-C does. Fails unless it ends in order."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=PATIENCE) == 0, self.log.read_text()


def end_all(data_dir: Path) -> None:
    """End and reap every process of a data directory, however its test ended."""
    running = []
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("KEYFERRY_DATA_DIR") == str(data_dir):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                running.append(process)
    for started in _started.pop(data_dir, []):
        started.wait(timeout=PATIENCE)
    psutil.wait_procs(running, timeout=PATIENCE)
