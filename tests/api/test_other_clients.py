"""What clients that are not run here send and read: the Go SDK, which operators embed, and the Terraform provider."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api
from tests.syncs.conftest import World


@pytest.mark.parametrize("known", ["workspaceId", "workspaceSlug"])
def test_of_a_projects_two_names_the_unknown_one_is_sent_empty(api: Api, world: World, known: str) -> None:
    world.set(A="1")
    names = {"workspaceId": str(world.project.pk), "workspaceSlug": world.project.slug}
    query = {**dict.fromkeys(names, ""), known: names[known], "environment": "dev", "secretPath": "/"}
    status, answer = api("GET", "/v3/secrets/raw", **query)
    assert (status, [one["secretKey"] for one in answer["secrets"]]) == (200, ["A"])
    status, answer = api("GET", "/v3/secrets/raw", **{**query, known: ""})
    assert (status, answer["message"]) == (400, "Missing project id or environment")
