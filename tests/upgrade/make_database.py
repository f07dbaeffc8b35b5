"""Makes the data that `test_upgrade.py` upgrades. Run in a checkout of 0.1.0 (commit f4b88ea), whose modules it uses:

    KEYFERRY_DATA_DIR=$(mktemp -d) DJANGO_SETTINGS_MODULE=config.settings python <this file> <directory of this file>

It does through 0.1.0's own services what people do: a sync that ran twice, the second time with lost responses, so that
two claims are open; a second sync whose first run waits in the task queue; a draft in the middle of the wizard; a
machine identity. It writes the tables as SQL, and as JSON all else: keys, logins and the state of the vendor.
"""

# ruff: noqa: E402 - Django is set up before its models are imported
from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, "")

import django

django.setup()

from config.forms import JOINT
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from syncs.runner import execute
from syncs.selectors import folder_by_path
from syncs.services.source import create_project

from config.access.identities import create_identity
from config.access.models import User
from config.access.roles import PLATFORM, actor_of_user
from connections.sandbox import Drop, HumanitecSandbox
from connections.services import create_connection
from syncs.models import SecretSync, SyncDraft
from syncs.services.secrets import SecretInput, set_secrets
from syncs.services.syncs import SyncInput, create_sync
from syncs.services.triggers import trigger

PORT = 28613  # the address of the vendor is part of what is stored
APPLICATION = {"scope": "application", "org": "acme", "app": "shop"}
ENVIRONMENT = {"scope": "environment", "org": "acme", "app": "shop", "env": "development"}


def make(into: Path) -> None:
    call_command("migrate", verbosity=0)
    with HumanitecSandbox(PORT, token="upgrade-token") as vendor:
        settings.BASE_URLS = {"humanitec": vendor.url}
        settings.ALLOWED_HOSTS = ["testserver"]
        user = User.objects.create_superuser("ada", "ada@example.com", "a long password")
        project = create_project(actor_of_user(user), "Shop", slug="shop-project")
        actor = actor_of_user(user)
        folder = folder_by_path(project.environments.get(slug="dev"), "/")

        def put(**values: str) -> None:
            set_secrets(actor, folder, [SecretInput(key, value) for key, value in values.items()], resolved=False)

        put(A="1", B="1", C="${A}", D="1")
        vendor.put(("acme", "shop", ""), "D", "of somebody else")
        login = create_connection(
            actor, "humanitec", name="humanitec-dev", method="api-token", credentials={"apiToken": "upgrade-token"}
        )

        def sync(name: str, config: dict[str, str]) -> SecretSync:
            given = SyncInput(
                name=name,
                connection_id=login.pk,
                environment="dev",
                secret_path="/",
                is_auto_sync_enabled=False,
                sync_options={"initialSyncBehavior": "overwrite-destination"},
                destination_config=config,
            )
            return create_sync(actor, project, "humanitec", given)

        first = sync("first", APPLICATION)
        execute(trigger(actor, first, "sync").pk)
        put(A="2", B="2", C="3")

        def lost(method: str, path: str) -> None:
            raise Drop

        # The update of A is lost before the vendor does it, that of B afterwards.
        vendor.fault = lambda method, path: lost(method, path) if (method, path[-1]) == ("PATCH", "A") else None
        vendor.late_fault = lambda method, path: lost(method, path) if (method, path[-1]) == ("PATCH", "B") else None
        execute(trigger(actor, first, "sync").pk)
        vendor.fault = vendor.late_fault = None

        browser = Client()
        browser.force_login(user)
        browser.post("/admin/syncs/syncdraft/", {"destination": "humanitec"})
        draft = SyncDraft.objects.get()

        def walk(name: str, given: dict[str, str]) -> None:
            answer = browser.post(reverse("admin:syncs_syncdraft_step", args=[draft.pk, name]), given)
            assert answer.status_code == 302, name

        walk("connection", {"connection": str(login.pk)})
        walk("source", {"project": str(project.pk), "environment": "dev", "path": "/"})
        place = {"scope": "application", "org": "acme", "app": "blog"}
        walk("place", {f"destinationConfig{JOINT}{name}": value for name, value in place.items()})

        second = sync("second", ENVIRONMENT)
        trigger(actor, second, "sync")
        made = create_identity(PLATFORM, "machine", role="admin", project=project)
        data = Path(settings.DATA_DIR)
        state = {
            "port": PORT,
            "token": "upgrade-token",
            "values": [[*scope, values] for scope, values in vendor.values.items()],
            "login": {"clientId": str(made.identity.client_id), "clientSecret": made.client_secret},
            "project": str(project.pk),
            "draft": str(draft.pk),
            "files": {name: (data / name).read_text() for name in ("keyset.json", "secret_key")},
        }
    (into / "keyferry_0_1_0.json").write_text(json.dumps(state, indent=1) + "\n")
    with sqlite3.connect(data / "keyferry.sqlite3") as database:
        (into / "keyferry_0_1_0.sql").write_text("\n".join(database.iterdump()) + "\n")


make(Path(sys.argv[1]))
