"""`python -m tests.screenshots [NAME...]`: the pages that README shows, as they are, over the demo's data and a month
of made-up history. Needs Chromium (extra `browser`).
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connections.sandbox import HumanitecSandbox
from tests.running import ROOT, Up, end_all

if TYPE_CHECKING:
    from playwright.sync_api import Page

INTO = ROOT / ".github" / "screenshots"
SIZE = {"width": 1440, "height": 900}
PASSWORD = "for-the-screenshots"  # of an installation that lives as long as this command


def main(names: list[str]) -> None:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with tempfile.TemporaryDirectory() as directory, HumanitecSandbox() as sandbox:
        data_dir = Path(directory)
        env = {
            "KEYFERRY_BASE_URLS": f'{{"humanitec": "{sandbox.url}"}}',
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "DJANGO_SUPERUSER_EMAIL": "ada@example.com",
            "DJANGO_SUPERUSER_USERNAME": "ada",
        }
        os.environ.update({**env, "KEYFERRY_DATA_DIR": directory, "DJANGO_SETTINGS_MODULE": "config.settings"})
        up = Up(data_dir, "--demo", env=env)
        try:
            up.wait_for_line("Change a secret in")
            import django

            django.setup()
            pages = filled(sandbox)
            with signed_in(f"http://127.0.0.1:{up.port}") as page:
                for name, (path, prepare, given) in pages.items():
                    if not names or name in names:
                        taken(page, name, path, prepare, **given)
        finally:
            up.stop()
            end_all(data_dir)


@contextmanager
def signed_in(base: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGS, CHROMIUM

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_context(base_url=base, viewport=SIZE, reduced_motion="reduce").new_page()  # type: ignore[arg-type]
        page.goto("/admin/")
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/admin/")
        yield page
        browser.close()


def taken(
    page: Page, name: str, path: str, prepare: Callable[[Page], None] | None, dark: bool = False, **size: int
) -> None:
    page.set_viewport_size({**SIZE, **size})  # type: ignore[typeddict-item]
    page.evaluate("theme => localStorage.setItem('adminTheme', JSON.stringify(theme))", "dark" if dark else "light")
    page.goto(path)
    if prepare:
        prepare(page)
    page.wait_for_load_state("networkidle")
    INTO.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=INTO / f"{name}.png")
    print(f"{name}: {(INTO / f'{name}.png').stat().st_size // 1024} KiB")


Shot = tuple[str, "Callable[[Page], None] | None", dict[str, Any]]


def filled(sandbox: HumanitecSandbox) -> dict[str, Shot]:
    """More of the demo: teams, syncs in every state, a month of runs. Name -> path, what to do there, size."""
    from django.urls import reverse

    from config.access.models import User
    from config.access.roles import actor_of_user
    from syncs.models import SecretSync, SyncRun

    ada = User.objects.get(username="ada")
    syncs = teams(lambda: actor_of_user(User.objects.get(pk=ada.pk)), sandbox)
    history(SecretSync.objects.all())
    failing = SyncRun.objects.filter(sync=syncs["failing"], status="failed").order_by("-created_at").first()
    held = SyncRun.objects.get(status="held")
    assert failing

    def change(sync: SecretSync) -> str:
        return reverse("admin:syncs_secretsync_change", args=[sync.pk])

    def run(found: SyncRun) -> str:
        return reverse("admin:syncs_syncrun_change", args=[found.pk])

    return {
        "dashboard": ("/admin/", None, {}),
        "dashboard-dark": ("/admin/", None, {"dark": True}),
        "secrets": (reverse("secrets_at", args=["demo-shop", "dev", "shop"]), None, {}),
        "connect": (reverse("admin:syncs_syncdraft_changelist"), None, {"height": 620}),
        "plan": (reverse("admin:syncs_secretsync_plan", args=[syncs["held"].pk]), None, {}),
        "syncs": (reverse("admin:syncs_secretsync_changelist"), None, {}),
        "sync": (change(syncs["good"]), None, {"height": 1040}),
        "run-held": (run(held), None, {}),
        "run-failed": (run(failing), None, {"height": 820}),
        "phone": (change(syncs["failing"]), None, {"width": 390, "height": 844}),
    }


def teams(actor: Callable[[], Any], sandbox: HumanitecSandbox) -> dict[str, Any]:
    """Projects with a sync in each state. `actor` reads the roles afresh, as making a project gives one."""
    from connections.services import create_connection
    from syncs.models import Environment, Folder, SecretSync
    from syncs.services.folders import create_project, ensure_folder
    from syncs.services.secrets import delete_secrets, set_secrets
    from syncs.services.syncs import SyncInput, create_sync, update_policy
    from syncs.source.validation import SecretInput

    sandbox.orgs = {"acme": {app: ["development", "staging", "production"] for app in ("shop", "billing", "search")}}
    made: dict[str, SecretSync] = {"good": SecretSync.objects.get(name="shop-development")}
    connection = create_connection(
        actor(), "humanitec", name="humanitec-acme", method="api-token", credentials={"apiToken": "demo"},
        description="Service user of the platform team, Developer on three applications.",
    )  # fmt: skip

    def sync(project: Any, name: str, slug: str, path: str, app: str, env: str, keys: list[str]) -> SecretSync:
        environment = Environment.objects.select_related("project").get(project=project, slug=slug)
        ensure_folder(actor(), environment, path)
        folder = Folder.objects.select_related("environment__project").get(environment=environment, path=path)
        set_secrets(actor(), folder, [SecretInput(key, f"value of {key}") for key in keys])
        return create_sync(
            actor(),
            project,
            "humanitec",
            SyncInput(
                name=name,
                connection_id=connection.pk,
                environment=slug,
                secret_path=path,
                sync_options={"initialSyncBehavior": "overwrite-destination"},
                destination_config={"scope": "environment", "org": "acme", "app": app, "env": env},
            ),
        )

    billing = create_project(actor(), "Billing", slug="billing")
    search = create_project(actor(), "Search", slug="search-team")
    sandbox.put(("acme", "billing", "production"), "LOG_LEVEL", "info", is_secret=False)
    sandbox.put(("acme", "billing", "production"), "FEATURE_FLAGS", "none", is_secret=False)
    keys = ["STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "DATABASE_URL", "JWT_SIGNING_KEY", "SENTRY_DSN", "SMTP_PASSWORD"]
    made["failing"] = sync(
        billing,
        "billing-production",
        "prod",
        "/billing",
        "billing",
        "production",
        [*keys, "LOG_LEVEL", "FEATURE_FLAGS"],
    )
    made["staging"] = sync(billing, "billing-staging", "staging", "/billing", "billing", "staging", keys)
    many = [f"SHARD_{number}_PASSWORD" for number in range(1, 15)]
    made["held"] = sync(search, "search-production", "prod", "/cluster", "search", "production", [*many, "ROOT_CA"])
    made["drifted"] = sync(search, "search-staging", "staging", "/cluster", "search", "staging", many[:6])
    made["paused"] = sync(search, "search-development", "dev", "/cluster", "search", "development", many[:3])
    ended()
    folder = Folder.objects.select_related("environment__project").get(pk=made["held"].folder_id)
    delete_secrets(actor(), folder, many[2:])
    set_secrets(actor(), folder, [SecretInput("ROOT_CA", "renewed"), SecretInput("QUERY_TOKEN", "new")])
    sandbox.put(("acme", "search", "staging"), "SHARD_2_PASSWORD", "by hand")
    ended()
    from syncs.running.drift import check
    from syncs.source.selectors import syncs

    for name in ("drifted", "good", "staging"):
        check(syncs().get(pk=made[name].pk))
    update_policy(actor(), syncs().get(pk=made["paused"].pk), {"paused": True})
    update_policy(actor(), syncs().get(pk=made["good"].pk), {"drift_check_minutes": 15, "heal": True})
    return made


def ended() -> None:
    """When the workers have nothing more to do."""
    from syncs.models import SyncRun

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.5)
        if not SyncRun.objects.filter(status__in=("pending", "running")).exclude(trigger="retry").exists():
            return
    raise AssertionError("the runs do not end")


def history(syncs: Any) -> None:
    """Runs of the last month, as they would have gone."""
    from django.utils import timezone

    from syncs.models import RunChange, SyncRun

    luck = random.Random(7)
    now = timezone.now()
    for sync in syncs:
        runs = []
        for _ in range(48):
            at = now - timedelta(minutes=luck.randint(90, 1400) if luck.random() < 0.06 else luck.randint(1400, 43_000))
            failed = luck.random() < (0.22 if "production" in sync.name else 0.04)
            run = SyncRun(
                sync=sync,
                operation="sync",
                trigger=luck.choice(["change", "change", "schedule", "manual"]),
                actor_kind="user",
                actor_name=luck.choice(["ada", "grace", "linus"]),
                status="failed" if failed else "succeeded",
                location=sync.location,
                counts={"create": luck.randint(0, 2), "update": luck.randint(0, 5), "delete": luck.randint(0, 1)},
                started_at=at + timedelta(milliseconds=60),
                ended_at=at + timedelta(milliseconds=luck.randint(300, 2600)),
                message="Humanitec: the service is down for now (503). It is tried again." if failed else None,
            )
            run.created_at = at
            runs.append(run)
        SyncRun.objects.bulk_create(runs)
        for run in runs:
            SyncRun.objects.filter(pk=run.pk).update(created_at=run.started_at)
            numbers = enumerate(action for action, count in run.counts.items() for _ in range(count))
            RunChange.objects.bulk_create(
                RunChange(run=run, key=f"KEY_{n}", normalized_key=f"KEY_{n}", action=action, outcome="applied")
                for n, action in numbers
            )


if __name__ == "__main__":
    main(sys.argv[1:])
