"""Two projects with one of everything, made over the API, and the vendors that their syncs write to.

This is the only module of the recorder that knows the product or the other tests: two commands, one task, the settings
that a test changes, and the stand-ins of the vendors.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from uuid import UUID

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.management import call_command
from django.test import Client, override_settings

from syncs.tasks import run as run_task
from tests.destinations.fake import Fake

PROVIDERS_URLS = "BASE_URLS"
ROLES, TOKEN_FILE = "AWS_ROLES", "AWS_WEB_IDENTITY_TOKEN_FILE"
CALLER_LIMIT, LOGIN_LIMIT = "RATE_LIMIT", "LOGIN_RATE_LIMIT"
HOOK = "json://192.0.2.1/hook"
ROLE = "arn:aws:iam::210987654321:role/keyferry"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDSERVER",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-server",
}
"""The server's own identity, which assumes a role."""

Json = dict[str, Any]


@dataclass
class Project:
    """`names`: what a caller sends, by the names of the API's members and parameters. `syncs`: more, by destination."""

    names: dict[str, str] = field(default_factory=dict)
    syncs: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class World:
    """`tokens` by caller; `shop` is what requests are about, `other` the project of somebody else.

    `configs` and `options` by destination, `logins` by provider and method.
    """

    tokens: dict[str, str] = field(default_factory=dict)
    shop: Project = field(default_factory=Project)
    other: Project = field(default_factory=Project)
    configs: dict[str, dict[str, Json]] = field(default_factory=dict)
    options: dict[str, Json] = field(default_factory=dict)
    logins: dict[str, dict[str, Json]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    """Texts that differ in each world, with what is written in their place."""
    shapeless: list[tuple[str, str]] = field(default_factory=list)
    """Those of them that are no ids."""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))
    """One for all requests: a new one looks for every static file."""

    def learn(self, project: Project, prefix: str, **names: str) -> None:
        project.names |= names
        for name, value in names.items():
            if _is_id(value):
                self.known.setdefault(value, f"<{prefix}{name}>")

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Json:
        """As the instance admin who makes everything; whatever is refused fails the test."""
        data = "" if body is None else json.dumps(body)
        answer = self.client.generic(
            method,
            f"/api{path}",
            data,
            content_type="application/json",
            headers={"authorization": f"Bearer {self.tokens['root']}"} if "root" in self.tokens else {},
            query_params=query or None,
        )
        assert answer.status_code == 200, (method, path, answer.content)
        found: Json = answer.json()
        return found


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


def fake_of(slug: str) -> Fake:
    module = importlib.import_module(f"tests.destinations.{slug.replace('-', '_')}")
    (found,) = (
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Fake) and member.__module__ == module.__name__ and not inspect.isabstract(member)
    )
    fake: Fake = found()
    fake.serves(next(iter(fake.configs.values())))
    return fake


@contextmanager
def made(destinations: Sequence[str]) -> Iterator[World]:
    """A world with syncs to these destinations of one provider, each with a run that ended and one that is held."""
    world = World()
    world.tokens["root"] = _login(world, *_identity("root", "admin", None)[1:])
    names = {each["destination"]: each for each in world.send("GET", "/v1/secret-syncs/options")["secretSyncOptions"]}
    provider = names[destinations[0]]["connection"]
    fakes = {slug: fake_of(slug) for slug in destinations}
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, ENVIRONMENT))
        # One server for all destinations of a provider: AWS has one state in the process anyway.
        url = stack.enter_context(fakes[destinations[0]].running())
        world.known |= {url: "<vendor>", url.removeprefix("http://"): "<vendor>"}
        operator = {ROLES: [ROLE], TOKEN_FILE: __file__}  # any text is a token there
        stack.enter_context(override_settings(**{PROVIDERS_URLS: {provider: url}, **operator}))
        for slug, fake in fakes.items():
            world.configs[slug] = {name: dict(config) for name, config in fake.configs.items()}
            world.options[slug] = dict(fake.options)
        fake = fakes[destinations[0]]
        world.logins[provider] = {fake.method: dict(fake.credentials), **_more_logins(provider, fake)}
        call_command("createsuperuser", username="grace", email="grace@example.com", interactive=False, verbosity=0)
        for project, slug, prefix in ((world.shop, "shop", ""), (world.other, "other", "other ")):
            _furnish(world, project, slug, prefix)
            _connect(world, project, provider, prefix)
        for slug in destinations:
            _sync(world, slug)
        _hold(world, destinations)
        world.shapeless = [(text, name) for text, name in world.known.items() if not _is_id(text)]
        yield world


def _more_logins(provider: str, fake: Fake) -> dict[str, Json]:
    """Those of other methods that the stand-ins take too."""
    module = importlib.import_module(type(fake).__module__)
    if provider == "aws":
        return {"assume-role": {"roleArn": ROLE}, "web-identity": {"roleArn": ROLE}}
    if provider == "gcp":
        return {"service-account-impersonation": {**fake.credentials, "serviceAccountEmail": module.TARGET}}
    if provider == "hashicorp-vault":
        address = fake.credentials["instanceUrl"]
        return {"app-role": {"instanceUrl": address, "roleId": module.ROLE, "secretId": module.SECRET}}
    if provider == "github":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
        pem = private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none).decode()
        public = private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        fake.app_key = public.decode()  # type: ignore[attr-defined]
        return {"github-app": {"privateKey": pem, "appId": module.APP_ID, "installationId": module.INSTALLATION}}
    return {}


def _identity(name: str, role: str, project: str | None) -> tuple[str, str, str]:
    """Id, client id and client secret."""
    out = io.StringIO()
    more = {"project": project} if project else {}
    call_command("create_identity", name, role=role, json=True, stdout=out, **more)
    made = json.loads(out.getvalue())
    return made["id"], made["clientId"], made["clientSecret"]


def _login(world: World, client_id: str, client_secret: str) -> str:
    given = {"clientId": client_id, "clientSecret": client_secret}
    token = str(world.send("POST", "/v1/auth/universal-auth/login", given)["accessToken"])
    _, claims, _ = token.split(".")
    for value in json.loads(base64.urlsafe_b64decode(claims + "==")).values():
        if isinstance(value, str) and _is_id(value):
            world.known.setdefault(value, "<of a token>")
    world.known[token] = "<token>"
    return token


def _furnish(world: World, project: Project, slug: str, prefix: str) -> None:
    """A project with one of everything that needs no vendor."""
    made = world.send("POST", "/v1/projects", {"projectName": slug.title(), "slug": f"{slug}-project"})["project"]
    pid = made["id"]
    world.known[made["orgId"]] = "<organization>"
    world.learn(project, prefix, projectId=pid, workspaceId=pid, organizationId=made["orgId"])
    project.names |= {"projectSlug": made["slug"], "workspaceSlug": made["slug"]}
    for each in made["environments"]:
        world.known[each["id"]] = f"<{prefix}{each['slug']}>"
    spare = world.send("POST", f"/v1/projects/{pid}/environments", {"name": "Spare", "slug": "spare"})
    world.learn(project, prefix, environmentId=spare["environment"]["id"])
    at = {"projectId": pid, "environment": "dev"}
    for name in ("api", "spare"):
        folder = world.send("POST", "/v2/folders", {**at, "path": "/", "name": name})["folder"]
        world.learn(project, prefix, **{f"{name}FolderId": folder["id"]})
    project.names |= {"folderId": project.names["spareFolderId"]}
    tag = world.send("POST", f"/v1/projects/{pid}/tags", {"slug": "db", "color": "#00ff00"})["tag"]
    world.learn(project, prefix, tagId=tag["id"])
    metadata = [{"key": "team", "value": "core"}, {"key": "pin", "value": "1234", "isEncrypted": True}]
    given = [
        {"secretKey": "DB_URL", "secretValue": "postgres://one", "tagIds": [tag["id"]], "secretMetadata": metadata},
        *({"secretKey": f"KEY_{number}", "secretValue": f"value {number}"} for number in range(1, 5)),
        {"secretKey": "REFERS", "secretValue": "to ${DB_URL}", "secretComment": "refers to the other"},
    ]
    secrets = world.send("POST", "/v4/secrets/batch", {**at, "secretPath": "/api", "secrets": given})["secrets"]
    for each in secrets:
        world.known[each["id"]] = f"<{prefix}{each['secretKey']}>"
        if each["secretKey"] == "DB_URL":
            world.learn(project, prefix, secretId=each["id"])
    world.send("PATCH", "/v4/secrets/DB_URL", {**at, "secretPath": "/api", "secretValue": "postgres://two"})
    source = {"environment": "dev", "path": "/api"}
    link = world.send("POST", "/v2/secret-imports", {**at, "path": "/", "import": source})["secretImport"]
    world.learn(project, prefix, secretImportId=link["id"])
    target = world.send("POST", f"/v1/projects/{pid}/notification-targets", {"name": "ops", "url": HOOK})
    world.learn(project, prefix, targetId=target["notificationTarget"]["id"])
    _people(world, project, slug, prefix)


def _people(world: World, project: Project, slug: str, prefix: str) -> None:
    """Callers of each role; an identity that is a member, and one that is not and cannot sign in yet."""
    for role in ("admin", "member", "viewer"):
        made, client_id, secret = _identity(f"{slug}-{role}", role, f"{slug}-project")
        world.known[made] = f"<{prefix}{role}>"
        world.tokens[f"{prefix}{role}"] = _login(world, client_id, secret)
    identity, client_id, secret = _identity(f"{slug}-ci", "member", f"{slug}-project")
    world.learn(project, prefix, identityId=identity, clientId=client_id)
    rows = world.send("GET", f"/v1/auth/universal-auth/identities/{identity}/client-secrets")["clientSecretData"]
    world.learn(project, prefix, clientSecretId=rows[0]["id"])
    token = _login(world, client_id, secret)
    project.names |= {"clientSecret": secret, "accessToken": token}
    organization = project.names["organizationId"]
    given = {"name": f"{slug}-fresh", "organizationId": organization, "role": "no-access"}
    world.learn(project, prefix, freshIdentityId=world.send("POST", "/v1/identities", given)["identity"]["id"])


def _connect(world: World, project: Project, provider: str, prefix: str) -> None:
    """A connection that syncs use and one that none does: of the organization, or of the project of somebody else."""
    method, credentials = next(iter(world.logins[provider].items()))
    scope = {"projectId": project.names["projectId"]} if prefix else {}
    for name in ("main", "spare"):
        given = {"name": f"{prefix.strip() or 'shop'}-{name}", "method": method, "credentials": credentials, **scope}
        made = world.send("POST", f"/v1/app-connections/{provider}", given)["appConnection"]
        world.learn(project, prefix, **{f"{name}ConnectionId": made["id"]})
    project.names |= {"connectionId": project.names["mainConnectionId"]}


def _sync(world: World, slug: str) -> None:
    """In the shop's project a sync with a run that ended, in the other one a sync that never ran."""
    configs = list(world.configs[slug].values())
    options = {"initialSyncBehavior": "overwrite-destination", **world.options[slug]}
    for project, prefix, config in ((world.shop, "", configs[0]), (world.other, "other ", configs[-1])):
        given = {
            "name": f"{prefix.strip() or 'shop'}-{slug}",
            "projectId": project.names["projectId"],
            "connectionId": project.names["connectionId"],
            "environment": "dev",
            "secretPath": "/api",
            "isAutoSyncEnabled": False,
            "syncOptions": options,
            "destinationConfig": config,
        }
        sync = world.send("POST", f"/v1/secret-syncs/{slug}", given)["secretSync"]["id"]
        world.known[sync] = f"<{prefix}{slug} sync>"
        project.syncs[slug] = {"syncId": sync, "runId": sync, "heldRunId": sync}
    _run(world, slug, "runId", "succeeded")


def _hold(world: World, destinations: Sequence[str]) -> None:
    """Deletes that the policy does not let pass without an approval."""
    at = {"projectId": world.shop.names["projectId"], "environment": "dev", "secretPath": "/api"}
    gone = [{"secretKey": f"KEY_{number}"} for number in (2, 3, 4)]
    world.send("DELETE", "/v4/secrets/batch", {**at, "secrets": gone})
    for slug in destinations:
        sync = world.shop.syncs[slug]
        world.send("PATCH", f"/v1/secret-syncs/{slug}/{sync['syncId']}/policy", {"maxDeletions": 0})
        _run(world, slug, "heldRunId", "held")


def _run(world: World, slug: str, name: str, status: str) -> None:
    """Triggered, and done here and now."""
    base = f"/v1/secret-syncs/{slug}/{world.shop.syncs[slug]['syncId']}"
    world.send("POST", f"{base}/sync-secrets")
    (run,) = world.send("GET", f"{base}/runs", limit="1")["runs"]
    run_task(run["id"])
    ended = world.send("GET", f"{base}/runs/{run['id']}")["run"]
    assert ended["status"] == status, ended
    world.shop.syncs[slug][name] = run["id"]
    world.known[run["id"]] = f"<{slug} {name}>"
