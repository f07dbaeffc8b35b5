"""A local stand-in for Humanitec."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connections.sandbox import HumanitecSandbox


class Command(BaseCommand):
    help = "Start a local stand-in for Humanitec on 127.0.0.1, to try Keyferry without an account."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=9100)
        parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="delay of every response")

    def handle(self, *args: Any, **options: Any) -> None:
        port, latency = options["port"], options["latency"]
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            sandbox = HumanitecSandbox(port, latency=latency)
        except OSError as error:
            raise CommandError(f"Port {port} cannot be used ({error.strerror}). Choose another with --port.") from None
        with sandbox:
            self.stdout.write(f"Humanitec sandbox at {sandbox.url} (any token). Point Keyferry at it with")
            self.stdout.write(f'  KEYFERRY_BASE_URLS=\'{{"humanitec": "{sandbox.url}"}}\'')
            self.stdout.flush()
            stop.wait()
