"""A second server of ours as a destination: values are read by the official SDK, and two servers converge."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.running import PATIENCE, Up, end_all, wait_until

sdk = pytest.importorskip("infisical_sdk", reason="infisicalsdk is not installed (extra `clients`)")
pytestmark = pytest.mark.clients

QUIET = 2.0  # seconds without a run, done or waiting, after which servers have come to rest


class Hub:
    """A running server with a project of one environment `dev`, spoken to as its admin."""

    def __init__(self, up: Up) -> None:
        up.wait_for_line("Keyferry is up")
        self.up, self.url = up, f"http://127.0.0.1:{up.port}"
        made = json.loads(up.manage("create_identity", "admin", "--role", "admin", "--json").stdout)
        self.login = {key: made[key] for key in ("clientId", "clientSecret")}
        self.http = httpx.Client(base_url=f"{self.url}/api", trust_env=False, timeout=PATIENCE)
        self.http.headers["authorization"] = (
            f"Bearer {self.send('POST', '/v1/auth/universal-auth/login', **self.login)['accessToken']}"
        )
        self.project = self.send("POST", "/v1/projects", projectName="Shop")["project"]["id"]

    def send(self, method: str, path: str, /, **body: Any) -> Any:
        answer = self.http.request(method, path, json=body or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def folder(self, name: str) -> dict[str, Any]:
        self.send("POST", "/v2/folders", projectId=self.project, environment="dev", path="/", name=name)
        return {"projectId": self.project, "environment": "dev", "secretPath": f"/{name}"}

    def write(self, folder: dict[str, Any], **values: str) -> None:
        secrets = [{"secretKey": key, "secretValue": value} for key, value in values.items()]
        self.send("PATCH", "/v4/secrets/batch", **folder, secrets=secrets, mode="upsert")

    def held(self, folder: dict[str, Any]) -> dict[str, str]:
        found = self.http.get("/v4/secrets", params=folder).json()["secrets"]
        return {each["secretKey"]: each["secretValue"] for each in found}

    def connect(self, other: Hub, name: str) -> httpx.Response:
        credentials = {
            "instanceUrl": other.url,
            "machineIdentityClientId": other.login["clientId"],
            "machineIdentityClientSecret": other.login["clientSecret"],
        }
        given = {"name": name, "method": "machine-identity", "credentials": credentials}
        return self.http.post("/v1/app-connections/external-infisical", json=given)

    def sync(
        self, connection: str, folder: dict[str, Any], location: dict[str, Any], *, auto: bool = False, **more: Any
    ) -> str:
        made = self.send(
            "POST",
            "/v1/secret-syncs/external-infisical",
            name=f"to-{location['secretPath'].strip('/')}",
            projectId=self.project,
            connectionId=connection,
            environment="dev",
            secretPath=folder["secretPath"],
            isAutoSyncEnabled=auto,
            syncOptions={"initialSyncBehavior": "overwrite-destination", **more},
            destinationConfig=location,
        )
        return str(made["secretSync"]["id"])

    def state(self, sync: str) -> dict[str, Any]:
        found: dict[str, Any] = self.send("GET", f"/v1/secret-syncs/external-infisical/{sync}")["secretSync"]
        return found

    def run(self, sync: str, operation: str = "sync") -> dict[str, Any]:
        self.send("POST", f"/v1/secret-syncs/external-infisical/{sync}/{operation}-secrets")
        status = f"{operation}Status"
        wait_until(lambda: self.state(sync)[status] in ("succeeded", "failed"))
        return self.state(sync)


@pytest.fixture(scope="module")
def hubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Hub]]:
    dirs = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    env = {"KEYFERRY_ALLOWED_PRIVATE_CIDRS": "127.0.0.0/8", "KEYFERRY_LOGIN_RATE_LIMIT": "0"}
    ups = [Up(data_dir, env=env) for data_dir in dirs]
    made: list[Hub] = []
    try:
        made += (Hub(up) for up in ups)
        yield made[0], made[1]
    finally:
        for hub in made:
            hub.http.close()
        for up, data_dir in zip(ups, dirs, strict=True):
            up.stop()
            end_all(data_dir)


@pytest.fixture(scope="module")
def connections(hubs: tuple[Hub, Hub]) -> tuple[str, str]:
    one, other = hubs
    made = [each.connect(to, "there").json()["appConnection"]["id"] for each, to in ((one, other), (other, one))]
    return made[0], made[1]


def test_written_values_are_read_by_the_official_sdk(hubs: tuple[Hub, Hub], connections: tuple[str, str]) -> None:
    one, other = hubs
    here, there = one.folder("sdk"), other.folder("sdk")
    values = {
        "URL": "postgres://ä:${NAME}/x",
        "NAME": "shop",
        "CERT": "-----BEGIN-----\nx\n",
        "EMPTY": "",
        "ODD": "'\"\\ $HOME",
    }
    one.write(here, **values)
    other.write(there, FOREIGN="theirs")
    sync = one.sync(connections[0], here, there)
    assert one.run(sync)["syncStatus"] == "succeeded"
    with sdk.InfisicalSDKClient(host=other.url, cache_ttl=None) as client:
        client.auth.universal_auth.login(other.login["clientId"], other.login["clientSecret"])
        listed = client.secrets.list_secrets(project_id=other.project, environment_slug="dev", secret_path="/sdk")
    assert {each.secretKey: each.secretValue for each in listed.secrets} == {**values, "URL": "postgres://ä:shop/x"}
    versions = {each.secretKey: each.version for each in listed.secrets}
    assert one.run(sync)["syncStatus"] == "succeeded"
    again = other.http.get("/v4/secrets", params=there).json()["secrets"]
    assert {each["secretKey"]: each["version"] for each in again} == versions


def test_a_thousand_secrets_are_written_and_deleted(hubs: tuple[Hub, Hub], connections: tuple[str, str]) -> None:
    one, other = hubs
    here, there = one.folder("many"), other.folder("many")
    one.write(here, **{f"K{number}": f"value {number}" for number in range(1000)})
    sync = one.sync(connections[0], here, there)
    one.run(sync)
    assert other.held(there) == one.held(here)
    one.run(sync, "remove")
    assert other.held(there) == {}


def test_secrets_are_imported_from_there(hubs: tuple[Hub, Hub], connections: tuple[str, str]) -> None:
    one, other = hubs
    here, there = one.folder("import"), other.folder("import")
    one.write(here, BOTH="ours")
    other.write(there, BOTH="theirs", NEW="theirs\n")
    sync = one.sync(connections[0], here, there, initialSyncBehavior="import-prioritize-source")
    assert one.run(sync)["syncStatus"] == "succeeded"
    assert one.held(here) == other.held(there) == {"BOTH": "ours", "NEW": "theirs\n"}


def test_a_value_changed_back_each_time_becomes_contested(hubs: tuple[Hub, Hub], connections: tuple[str, str]) -> None:
    one, other = hubs
    here, there = one.folder("contested"), other.folder("contested")
    one.write(here, A="ours", B="ours")
    sync = one.sync(connections[0], here, there)
    one.run(sync)
    for _ in range(4):
        other.write(there, A="theirs")
        found = one.run(sync)
    assert found["syncStatus"] == "failed"
    assert "changed back externally 3 times" in found["lastSyncMessage"]
    assert other.held(there) == {"A": "theirs", "B": "ours"}


def test_a_server_cannot_sync_to_itself(hubs: tuple[Hub, Hub]) -> None:
    one, _ = hubs
    answer = one.connect(one, "self")
    assert answer.status_code == 400
    assert "this very server" in answer.json()["message"]


def test_two_hubs_that_sync_to_each_other_converge(hubs: tuple[Hub, Hub], connections: tuple[str, str]) -> None:
    one, other = hubs
    here, there = one.folder("both"), other.folder("both")
    one.write(here, A="1", B="1")
    both = mutual(hubs, connections, here, there)
    assert one.held(here) == other.held(there) == {"A": "1", "B": "1"}
    other.write(there, A="2")
    wait_until(lambda: one.held(here)["A"] == "2")
    rest(*both)
    assert one.held(here) == other.held(there) == {"A": "2", "B": "1"}


def test_two_hubs_changed_concurrently_converge(hubs: tuple[Hub, Hub], connections: tuple[str, str]) -> None:
    one, other = hubs
    here, there = one.folder("race"), other.folder("race")
    one.write(here, A="0")
    both = mutual(hubs, connections, here, there)
    for number in range(1, 6):
        one.write(here, A=f"one {number}")
        other.write(there, A=f"other {number}")
    rest(*both)
    assert one.held(here) == other.held(there)


Going = tuple[Hub, str]


def mutual(
    hubs: tuple[Hub, Hub], connections: tuple[str, str], here: dict[str, Any], there: dict[str, Any]
) -> tuple[Going, Going]:
    """A sync each way; the way back begins once the first has arrived, else it would begin with an empty folder."""
    one, other = hubs
    first = (one, one.sync(connections[0], here, there, auto=True))
    rest(first)
    second = (other, other.sync(connections[1], there, here, auto=True))
    rest(first, second)
    return first, second


def rest(*going: Going) -> None:
    """Wait until no sync has started a run for some seconds. Endless runs fail here."""
    deadline = time.monotonic() + PATIENCE
    before: object = None
    since = time.monotonic()
    while time.monotonic() - since < QUIET:
        states = [hub.state(sync) for hub, sync in going]
        now = [(found["lastSyncJobId"], found["syncStatus"]) for found in states]
        if now != before or "pending" in str(now):
            before, since = now, time.monotonic()
        assert time.monotonic() < deadline, "they go round and round"
        time.sleep(0.2)
    assert {found["syncStatus"] for found in states} == {"succeeded"}, [found["lastSyncMessage"] for found in states]
