"""A project's variables against `emulate`, a stand-in that others wrote.

It takes any token, does not say what it made, decrypts without saying so, and has no shared variables, no custom
environments and no batch deletes: the adapter's own stand-in has those.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from connections.errors import Conflict, NotFound
from connections.http.client import ApiClient
from connections.providers.vercel import Vercel as Login
from syncs.destinations.vercel import Vercel
from syncs.engine.types import Action, Outcome, Remote, Write
from tests.connections.logins import login

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed"),
    pytest.mark.skipif(
        not (HERE / "node_modules/emulate").exists(), reason="emulate is not installed (npm ci in tests/clients)"
    ),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["node", "vercel_emulator.mjs", str(port)]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert "ready" in process.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture
def client(url: str) -> Iterator[ApiClient]:
    with Login(url).client("api-token", login(Login, "api-token", {"apiToken": "test_token_admin"})) as client:
        yield client


@pytest.fixture(params=["production", "preview"])
def destination(client: ApiClient, request: pytest.FixtureRequest) -> Iterator[Vercel]:
    """An empty environment, chosen as a person would choose it."""
    login = Login()
    team = next(one.value for one in login.choices(client, "teamId", {}) if one.label == "Acme")
    (app,) = login.choices(client, "app", {"teamId": team})
    chosen = {"scope": "project", "teamId": team, "app": app.value, "appName": app.label, "env": request.param}
    destination = Vercel(client, Vercel.Config.parse(chosen))
    yield destination
    apply(destination, *(Write(Action.DELETE, one.key, one.key, remote=one) for one in destination.listing()))
    assert destination.listing() == ()


def apply(destination: Vercel, *writes: Write) -> dict[str, Outcome]:
    return {outcome.write.key: outcome for outcome in destination.apply(iter(writes))}


def create(*keys: str) -> list[Write]:
    return [Write(Action.CREATE, key, key, f"value of {key}", "why") for key in keys]


def listed(destination: Vercel) -> dict[str, Remote]:
    return {remote.key: remote for remote in destination.listing()}


def value(destination: Vercel, remote: Remote) -> str:
    """As the emulator's own endpoint for one variable gives it."""
    path = f"/v10/projects/{destination.config.app}/env/{remote.object_id}"
    params = {"teamId": destination.config.teamId, "decrypt": "true"}
    return str(destination.client.request("GET", path, params=params)["value"])


def test_a_token_is_checked(client: ApiClient) -> None:
    Login().check(client)


def test_variables_are_created_changed_and_deleted(destination: Vercel) -> None:
    assert not any(outcome.error for outcome in apply(destination, *create("A", "B", "C")).values())
    made = listed(destination)
    assert {key: value(destination, one) for key, one in made.items()} == {key: f"value of {key}" for key in "ABC"}
    assert {one.comment for one in made.values()} == {"why"}

    outcome = apply(destination, Write(Action.UPDATE, "A", "A", "one", remote=made["A"]))["A"]
    assert outcome.written.object_id == made["A"].object_id
    both = [Write(Action.UPDATE, key, key, "two", remote=made[key]) for key in "BC"]
    assert not any(outcome.error for outcome in apply(destination, *both).values())
    changed = listed(destination)
    assert {key: value(destination, one) for key, one in changed.items()} == {"A": "one", "B": "two", "C": "two"}
    for key, one in changed.items():
        assert one.object_id == made[key].object_id
        assert one.etag != made[key].etag

    apply(destination, Write(Action.DELETE, "A", "A", remote=changed["A"]))
    assert listed(destination).keys() == {"B", "C"}


def test_an_existing_name_is_a_conflict_and_not_overwritten(destination: Vercel) -> None:
    apply(destination, *create("A"))
    outcome = apply(destination, Write(Action.CREATE, "A", "A", "ours"))["A"]
    assert isinstance(outcome.error, Conflict)
    assert value(destination, listed(destination)["A"]) == "value of A"


def test_an_update_of_a_missing_secret_creates_nothing(destination: Vercel) -> None:
    apply(destination, *create("A"))
    gone = listed(destination)["A"]
    apply(destination, Write(Action.DELETE, "A", "A", remote=gone))
    assert isinstance(apply(destination, Write(Action.UPDATE, "A", "A", "x", remote=gone))["A"].error, NotFound)
    assert listed(destination) == {}


def test_a_variable_of_two_environments_is_narrowed_not_lost(destination: Vercel) -> None:
    other = "preview" if destination.config.env == "production" else "production"
    path = f"/v10/projects/{destination.config.app}/env"
    body = {"key": "BOTH", "value": "theirs", "type": "encrypted", "target": ["production", "preview"]}
    destination.client.request("POST", path, params={"teamId": destination.config.teamId}, json=body)
    apply(destination, Write(Action.UPDATE, "BOTH", "BOTH", "ours", remote=listed(destination)["BOTH"]))
    beside = Vercel(destination.client, {**destination.config.stored(), "env": other})
    assert value(destination, listed(destination)["BOTH"]) == "ours"
    assert value(beside, listed(beside)["BOTH"]) == "theirs"
    apply(beside, Write(Action.DELETE, "BOTH", "BOTH", remote=listed(beside)["BOTH"]))


def test_all_pages_of_a_list_are_read(destination: Vercel) -> None:
    """The emulator gives 20 a page, by the millisecond that each was made in."""
    keys = [f"K{number}" for number in range(45)]
    for key in keys:
        apply(destination, *create(key))
    assert listed(destination).keys() == set(keys)
