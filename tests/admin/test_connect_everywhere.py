"""The wizard with every destination and every variant of its config, none of which it knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.test import Client
from django.urls import reverse

from config.access.models import User
from config.ui.model_forms import JOINT
from syncs.models import SecretSync, SyncDraft
from tests.fixtures.contract import Case


def as_typed(prefix: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a browser sends the fields that hold them."""
    sent: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, bool):
            sent |= {f"{prefix}{JOINT}{name}": "on"} if value else {}
        else:
            sent[f"{prefix}{JOINT}{name}"] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
    return sent


def test_the_wizard_creates_a_sync(case: Case) -> None:
    case.set(A="1", B="2")
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    client.post("/admin/syncs/syncdraft/", {"destination": case.slug})
    draft = SyncDraft.objects.get()

    def page(step: str) -> str:
        shown = client.get(reverse("admin:syncs_syncdraft_step", args=[draft.pk, step]))
        assert shown.status_code == 200
        return str(shown.content.decode())

    def pass_(step: str, given: Mapping[str, Any]) -> None:
        page(step)
        answer = client.post(reverse("admin:syncs_syncdraft_step", args=[draft.pk, step]), given)
        shown = answer.context and answer.context["step"]
        assert answer.status_code == 302, [*shown.refusals, shown.form.errors]

    pass_("connection", {"connection": str(case.connection.pk)})
    pass_("source", {"project": str(case.project.pk), "environment": "dev", "path": "/"})
    pass_("target", as_typed("destinationConfig", case.config))
    behavior = {"initialSyncBehavior": "overwrite-destination", **case.fake.options}
    pass_("options", {"name": "there", **as_typed("syncOptions", behavior), "policy__maxDeletions": "10"})
    digest = re.search(r'name="digest" value="(\w+)"', page("plan"))
    assert digest
    pass_("plan", {"digest": digest[1]})
    sync = SecretSync.objects.get()
    assert sync.destination_config == case.config
    assert sync.sync_options.items() >= behavior.items()
    case.later()
    assert sync.runs.get().status == "succeeded"
    assert case.holds(A="1", B="2")
    assert (
        "Your secrets are synced" in client.get(reverse("admin:syncs_syncdraft_run", args=[draft.pk])).content.decode()
    )
