"""Google Secret Manager against drongo, a stand-in that others wrote.

It asks for no token, has no regions, no pages and no etags that matter: the adapter's own stand-in has those.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connections.errors import Conflict, NotFound
from connections.http.client import ApiClient
from connections.provider import Session
from connections.providers.gcp import Gcp
from syncs.destinations.gcp_secret_manager import GcpSecretManager
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.logins import login
from tests.running import PATIENCE

DRONGO = Path(sys.executable).with_name("drongo")
GLOBAL = {"scope": "global", "projectId": "shop-prod"}
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not DRONGO.exists(), reason="drongo is not installed (extra `clients`)"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(DRONGO), "server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.fixture
def client(url: str) -> Iterator[ApiClient]:
    session = Session("drongo-asks-for-none", datetime(2099, 1, 1, tzinfo=UTC))
    with Gcp(url).client(
        "service-account-key", login(Gcp, "service-account-key", {"serviceAccountKey": ""}), session
    ) as client:
        yield client


@pytest.fixture
def destination(client: ApiClient) -> Iterator[GcpSecretManager]:
    """An empty project."""
    destination = GcpSecretManager(client, GLOBAL)
    yield destination
    apply(destination, *(Write(Action.DELETE, one.key, one.key, remote=one) for one in destination.listing()))
    assert destination.listing() == ()


def apply(destination: GcpSecretManager, *writes: Write) -> dict[str, Outcome]:
    return {outcome.write.key: outcome for outcome in destination.apply(iter(writes))}


def looked(destination: GcpSecretManager) -> dict[str, Remote]:
    listing = destination.listing()
    return {one.key: one for one in destination.resolve_listing(listing, {one.key for one in listing})}


def states(destination: GcpSecretManager, key: str) -> list[str]:
    path = f"/v1/projects/shop-prod/secrets/{key}/versions"
    return [one["state"] for one in destination.client.request("GET", path)["versions"]]


def test_secrets_are_created_changed_and_deleted(destination: GcpSecretManager) -> None:
    values = {"A": "1", "B": "line 1\nline 2\n", "C": "ä ✓ '\"\\ $HOME", "x" * 255: "long"}
    made = apply(destination, *(Write(Action.CREATE, key, key, value) for key, value in values.items()))
    seen = looked(destination)
    assert {key: one.value for key, one in seen.items()} == values
    for key, outcome in made.items():
        assert (outcome.error, outcome.written.object_id) == (None, seen[key].object_id)
        assert outcome.written.etag == seen[key].etag
    outcome = apply(destination, Write(Action.UPDATE, "A", "A", "2", remote=seen["A"]))["A"]
    after = looked(destination)["A"]
    assert (after.value, after.etag, after.object_id) == ("2", outcome.written.etag, seen["A"].object_id)
    apply(destination, Write(Action.DELETE, "A", "A", remote=after))
    assert looked(destination).keys() == values.keys() - {"A"}


@pytest.mark.parametrize(("policy", "left"), [("keep", "ENABLED"), ("disable", "DISABLED"), ("destroy", "DESTROYED")])
def test_old_versions_are_kept_or_disabled(destination: GcpSecretManager, policy: str, left: str) -> None:
    other = GcpSecretManager(destination.client, GLOBAL, {"oldVersions": policy})
    apply(other, Write(Action.CREATE, "KEY", "KEY", "old"))
    assert apply(other, Write(Action.UPDATE, "KEY", "KEY", "new", remote=looked(other)["KEY"]))["KEY"].error is None
    assert states(other, "KEY") == [left, "ENABLED"]
    assert looked(other)["KEY"].value == "new"


def test_an_existing_name_is_a_conflict_and_an_update_of_a_missing_one_creates_nothing(
    destination: GcpSecretManager,
) -> None:
    apply(destination, Write(Action.CREATE, "KEY", "KEY", "first"))
    remote = looked(destination)["KEY"]
    assert isinstance(apply(destination, Write(Action.CREATE, "KEY", "KEY", "x"))["KEY"].error, Conflict)
    apply(destination, Write(Action.DELETE, "KEY", "KEY", remote=remote))
    assert isinstance(apply(destination, Write(Action.UPDATE, "KEY", "KEY", "x", remote=remote))["KEY"].error, NotFound)
    assert looked(destination) == {}


def test_an_own_secret_without_value_is_completed(destination: GcpSecretManager) -> None:
    body = {"replication": {"automatic": {}}, "labels": {"managed-by": "keyferry"}}
    destination.client.request("POST", "/v1/projects/shop-prod/secrets", params={"secretId": "HALF"}, json=body)
    assert looked(destination) == {}
    assert apply(destination, Write(Action.CREATE, "HALF", "HALF", "late"))["HALF"].error is None
    assert looked(destination)["HALF"].value == "late"
