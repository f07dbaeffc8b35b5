"""Keeps the processes of `manage.py up` alive, and stops them together.

Each child leads a process group of its own, so that Ctrl-C reaches the supervisor alone and the supervisor can end a
child with all processes that it started. Written by hand because `up` has to run from a plain `pip install`, and
process managers (supervisord, honcho) bring a configuration of their own and do not stop what a child left behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

GRACE = 7.0  # seconds between SIGTERM and SIGKILL, so that everything ends within ten
RESTART_PAUSE = 1.0


@dataclass
class Child:
    """A process that is kept running: `command` starts it again whenever it has ended."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, env=dict(self.env), start_new_session=True)  # noqa: S603
        self.started = time.monotonic()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def terminate(self) -> None:
        """Only the leader, which ends the others in order."""
        if self.process is not None and self.alive:
            self.process.terminate()

    def kill(self) -> None:
        """The process group, even if its leader has ended already."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Supervisor:
    """Runs children until `stop` is set."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.children: list[Child] = []
        self.stop = threading.Event()
        self._say = say

    def add(self, child: Child) -> None:
        child.start()
        self.children.append(child)

    def install_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop.set())

    def watch(self) -> None:
        """Restart children that die, until `stop` is set."""
        while not self.stop.wait(0.2):
            for child in self.children:
                if not child.alive and time.monotonic() - child.started > RESTART_PAUSE:
                    self._say(f"{child.name} ended; starting it again")
                    child.kill()  # processes that it may have left behind
                    child.start()

    def end(self) -> None:
        """Stop every child: with SIGTERM first, then with SIGKILL."""
        for child in self.children:
            child.terminate()
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(child.alive for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            child.kill()
            if child.process is not None:
                child.process.wait(timeout=30)
