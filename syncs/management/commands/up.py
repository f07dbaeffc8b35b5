"""Start Keyferry: web server, task workers and dispatcher as one group; a first start sets up what they need."""

from __future__ import annotations

import json
import secrets
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections, connections

from config import encryption
from config.access.models import User
from config.access.roles import PLATFORM, actor_of_user
from config.access.services import instance, save_user
from config.environment import inherited
from syncs.engine.addresses import child_path
from syncs.engine.types import Action
from syncs.history.serialize import outcomes
from syncs.models import SecretSync, Status, SyncRun
from syncs.operations import demo
from syncs.operations.supervisor import Child, Supervisor
from syncs.planning.preview import preview
from syncs.running import dispatcher
from syncs.services.triggers import trigger

START_WITHIN = 180.0  # seconds: a busy machine takes long to start three processes
SANDBOX_PORT = 9100


class Command(BaseCommand):
    help = "Set up what is missing, then run web server and workers until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, help="task workers; default: KEYFERRY_WORKERS")
        parser.add_argument("--demo", action="store_true", help="with an example project and a Humanitec sandbox")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        workers = worker_count(options["workers"])
        _require_free(host, port)
        self._prepare()
        supervisor = Supervisor(self._say)
        supervisor.install_signals()
        env = inherited(KEYFERRY_DATA_DIR=str(settings.DATA_DIR), KEYFERRY_WORKERS=str(workers))
        # The web server accepts the host it listens on, in addition to ALLOWED_HOSTS.
        if host not in ("0.0.0.0", "::"):  # noqa: S104
            env["ALLOWED_HOSTS"] = ",".join(dict.fromkeys([*settings.ALLOWED_HOSTS, host]))
        dispatching = threading.Thread(target=self._dispatch, args=(supervisor.stop,), name="dispatcher")
        try:
            if options["demo"]:
                self._start_sandbox(supervisor, env)
            supervisor.add(Child("task workers", [*_manage(), "qcluster"], env))
            supervisor.add(Child("web server", _gunicorn(host, port), env))
            dispatching.start()
            url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104
            if not _responds(f"{url}/healthz", supervisor):
                if not supervisor.stop.is_set():
                    raise CommandError(f"The web server did not respond at {url} within {START_WITHIN:.0f} s.")
                return
            self._say(f"Keyferry is up. Admin: {url}/admin/  API: {url}/api/docs/  Stop with Ctrl-C.")
            if options["demo"]:
                self._demo(supervisor, url)
            supervisor.watch()
        finally:
            supervisor.stop.set()
            supervisor.end()
            if dispatching.is_alive():
                dispatching.join(timeout=2)
        self._say("Stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    # -- first start -------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Tables, keyset, instance and an admin. Refuses a keyset that is not the database's."""
        Path(settings.DATA_DIR).mkdir(parents=True, exist_ok=True, mode=0o700)
        call_command("migrate", interactive=False, verbosity=0)
        try:
            encryption.seal(None, "start", "")
        except encryption.WrongKeyset as error:
            raise CommandError(str(error)) from None
        instance()
        if User.objects.filter(is_superuser=True).exists():
            return
        name, password = settings.FIRST_ADMIN_USERNAME, settings.FIRST_ADMIN_PASSWORD
        initial = password or secrets.token_urlsafe(12)
        email = User.objects.normalize_email(settings.FIRST_ADMIN_EMAIL)
        user = User(username=User.normalize_username(name), email=email, is_staff=True, is_superuser=True)
        user.set_password(initial)
        save_user(PLATFORM, user, ["username"])
        if password:
            self._say(f"Created the admin account '{name}' with the password from DJANGO_SUPERUSER_PASSWORD.")
        else:
            self._say(f"Created the admin account: user '{name}', password '{initial}'. It is shown only once.")

    # -- children ----------------------------------------------------------------------------------------------

    def _dispatch(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                dispatcher.serve(stop)
            except Exception as error:  # noqa: BLE001 - the dispatcher must run again after any error
                self.stderr.write(f"The dispatcher failed ({type(error).__name__}) and starts again.")
                stop.wait(1.0)
            finally:
                connections.close_all()

    def _start_sandbox(self, supervisor: Supervisor, env: dict[str, str]) -> None:
        """Unless the operator configured another Humanitec."""
        if "humanitec" in settings.BASE_URLS:
            return
        port = SANDBOX_PORT if _is_free("127.0.0.1", SANDBOX_PORT) else _any_port()
        url = f"http://127.0.0.1:{port}"
        settings.BASE_URLS = {**settings.BASE_URLS, "humanitec": url}
        env["KEYFERRY_BASE_URLS"] = json.dumps(settings.BASE_URLS)
        supervisor.add(Child("Humanitec sandbox", [*_manage(), "sandbox", "--port", str(port)], env))
        if not _responds(f"{url}/orgs", supervisor):
            raise CommandError(f"The Humanitec sandbox did not start at {url}.")

    # -- demo --------------------------------------------------------------------------------------------------

    def _demo(self, supervisor: Supervisor, url: str) -> None:
        admin = User.objects.filter(is_superuser=True).order_by("date_joined").first()
        assert admin
        actor = actor_of_user(admin)
        sync = demo.load(actor)
        waiting = SyncRun.objects.filter(sync=sync, status__in=(Status.PENDING, Status.RUNNING)).first()
        plan = preview(sync)
        self._say(f"Plan of {sync}:")
        for change in plan.changes:
            if change.action is not Action.UNCHANGED:
                self._say(f"  {change.action.value:10} {change.key:20} {change.reason}")
        self._say("  " + (", ".join(f"{n} {name}" for name, n in plan.counts.items() if n) or "nothing to do"))
        run = _ended(waiting or trigger(actor, SecretSync.objects.get(pk=sync.pk), "sync"), supervisor)
        self._say(f"Run of {sync}: {run.status}" + (f" - {run.message}" if run.message else ""))
        for one in outcomes(run):
            self._say(f"  {one['outcome']:10} {one['key']:20} {one['why']}")
        if folder := sync.folder:
            path = f"{sync.project.slug}/{folder.environment.slug}{child_path(folder.path, '')}"
            self._say(f"Change a secret in {url}/admin/secrets/{path} and see it synced.")


def worker_count(option: int | None) -> int:
    """`--workers`, else KEYFERRY_WORKERS. Raises CommandError if it is less than 1."""
    count: int = settings.Q_CLUSTER["workers"] if option is None else option
    if count < 1:
        raise CommandError("There must be at least 1 task worker: see --workers and KEYFERRY_WORKERS", returncode=1)
    return count


def _manage() -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py")]


def _gunicorn(host: str, port: int) -> list[str]:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    options = ["--worker-class", "gthread", "--workers", "2", "--threads", "8", "--graceful-timeout", "5"]
    options += ["--limit-request-line", "8190"]  # names of secrets and paths of folders can be long
    options += ["--bind", bind, "--chdir", str(settings.BASE_DIR), "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", "config.wsgi", *options, "--log-level", "warning"]


def _ended(run: SyncRun, supervisor: Supervisor) -> SyncRun:
    deadline = time.monotonic() + START_WITHIN
    while run.status in (Status.PENDING, Status.RUNNING) and time.monotonic() < deadline:
        if supervisor.stop.wait(0.05):
            break
        close_old_connections()
        run = SyncRun.objects.get(pk=run.pk)
    return run


def _responds(url: str, supervisor: Supervisor) -> bool:
    """Whether the URL responds within START_WITHIN."""
    deadline = time.monotonic() + START_WITHIN
    with httpx.Client(timeout=2, trust_env=False) as client:
        while time.monotonic() < deadline and not supervisor.stop.is_set():
            try:
                client.get(url)
            except httpx.TransportError:
                supervisor.stop.wait(0.1)
            else:
                return True
    return False


def _require_free(host: str, port: int) -> None:
    if not _is_free(host, port):
        raise CommandError(f"{host}:{port} is in use or not an address here. Choose another with --port.", returncode=1)


def _is_free(host: str, port: int) -> bool:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
