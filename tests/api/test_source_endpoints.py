"""A row per endpoint of the source: its exact response, the role it needs, and what it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from config.access.identities import create_identity, register_identity
from config.access.models import AuditEvent, Role, User
from config.access.roles import PLATFORM
from config.access.services import set_role
from syncs.models import Secret
from syncs.notifications.targets import TargetInput, create_target
from syncs.services.folders import create_project, ensure_folder
from syncs.services.imports import add_import
from syncs.services.secrets import set_secrets
from syncs.services.tags import create_tag
from syncs.source.validation import SecretInput
from tests.api.openapi import operation_of, operations, require_fit
from tests.fixtures.api import Api, api_for
from tests.fixtures.world import World

ROLES = ("viewer", "member", "admin")
NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Row:
    """`least`: viewer, member, admin (of the project), or instance. `errors`: changes of the request -> answer."""

    method: str
    path: str
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)
    least: str = "viewer"
    key: str = ""  # that the response must have
    errors: tuple[tuple[dict[str, Any], int, str], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.method} {self.path}"


V3 = {"workspaceId": "{project}", "environment": "dev", "secretPath": "/api"}
V3_SLUG = {"projectSlug": "shop-project", "environment": "dev", "secretPath": "/api"}
V4 = {"projectId": "{project}", "environment": "dev", "secretPath": "/api"}
F1 = {"workspaceId": "{project}", "environment": "dev", "path": "/"}
F2 = {"projectId": "{project}", "environment": "dev", "path": "/"}
NO_ENVIRONMENT = ({"environment": "nowhere"}, 404, "Environment with slug 'nowhere'")
NO_PROJECT = ({"projectId": NOBODY}, 404, f"Project with ID '{NOBODY}' not found")
NO_WORKSPACE = ({"workspaceId": NOBODY}, 404, f"Project with ID '{NOBODY}' not found")
NO_FOLDER = ({"secretPath": "/nowhere"}, 404, "Folder with path '/nowhere' in environment with slug 'dev' not found")
BAD_PATH = ({"secretPath": "/a/../b"}, 422, "Invalid folder name")
NO_SECRET = ({"@": "A>NOPE"}, 404, "NOPE")
COMMON3 = (NO_ENVIRONMENT, NO_WORKSPACE, NO_FOLDER, BAD_PATH)
COMMON4 = (NO_ENVIRONMENT, NO_PROJECT, NO_FOLDER, BAD_PATH)
DEFAULTS = "/v1/projects/{project}/sync-policy-defaults"
TARGETS = "/v1/projects/{project}/notification-targets"
NOT_A_UUID = ({"@": "last>nonsense"}, 422, "Invalid uuid")
UNKNOWN_ID = ({"@": f"last>{NOBODY}"}, 404, NOBODY)


def secret_rows(base: str, by_id: str, batch: str, location: dict[str, str], common: Any) -> list[Row]:
    new = {**location, "secretValue": "x", "secretComment": None, "tagIds": None, "type": "shared"}
    personal = ({"type": "personal"}, 400, "Personal secrets are not supported")
    tagged = ({"tagIds": [NOBODY]}, 404, "Tag not found")
    refers = ({"secretValue": "${NOPE}"}, 400, "Referenced secret(s) not found: NOPE")
    many = {"A": {"secretKey": "B", "secretValue": "1"}, "C": {"secretKey": "C", "secretValue": "2"}}
    items = list(many.values())
    return [
        Row(
            "GET",
            base,
            query={**location, "recursive": "true", "include_imports": "true", "tagSlugs": "db"},
            key="secrets",
            errors=(
                *common,
                ({"viewSecretValue": "yes"}, 422, "Invalid enum value"),
                ({"metadataFilter": "nonsense"}, 400, "metadataFilter is written as"),
            ),
        ),
        Row(
            "GET",
            f"{base}/A",
            query={**location, "expandSecretReferences": "true"},
            key="secret",
            errors=(*common, NO_SECRET, ({"version": "99"}, 404, "has no version 99")),
        ),
        Row("GET", f"{by_id}/{{secret}}", key="secret", errors=(NOT_A_UUID, UNKNOWN_ID)),
        Row(
            "POST",
            f"{base}/NEW",
            new,
            least="member",
            key="secret",
            errors=(
                *common,
                personal,
                tagged,
                refers,
                ({"@": "NEW>A"}, 400, "Secret already exist: A"),
                ({"@": "NEW>A:B"}, 422, "Secret name cannot contain colon or forward slash."),
                ({"secretValue": 5}, 422, "Expected string, received number"),
                ({"secretValue": None}, 422, "Expected string, received null"),
                ({"secretValue": "a\x00b"}, 422, "NUL"),
                ({"secretValue": "x" * (1024 * 1024 + 1)}, 422, "larger than 1 MiB"),
                ({"secretReminderNote": "x" * 1025}, 422, "at most 1024"),
                ({"secretMetadata": [{"value": "x"}]}, 422, "Required"),
            ),
        ),
        Row(
            "PATCH",
            f"{base}/A",
            {**location, "secretComment": "why", "newSecretName": "Z", "tagIds": ["{tag}"]},
            least="member",
            key="secret",
            errors=(
                *common,
                personal,
                tagged,
                refers,
                NO_SECRET,
                ({"newSecretName": "REFERS"}, 400, "Secret with the new name already exist"),
                ({"newSecretName": " "}, 400, "New secret name cannot be empty"),
                ({"newSecretName": "A/B"}, 422, "cannot contain colon"),
            ),
        ),
        Row("DELETE", f"{base}/A", location, least="member", key="secret", errors=(*common, personal, NO_SECRET)),
        Row(
            "POST",
            batch,
            {**location, "secrets": items},
            least="member",
            key="secrets",
            errors=(
                *common,
                ({"secrets": []}, 422, "at least 1"),
                ({"secrets": None}, 422, "Expected array"),
                ({"secrets": [{"secretKey": "A", "secretValue": "1"}, *items]}, 400, "Secret already exist: A"),
                ({"secrets": [*items, items[0]]}, 422, "B occurs twice"),
                ({"secrets": [{"secretKey": "A:B", "secretValue": "\x00"}, *items]}, 422, "cannot contain colon"),
            ),
        ),
        Row(
            "PATCH",
            batch,
            {**location, "secrets": [{"secretKey": "A", "secretValue": "2"}]},
            least="member",
            key="secrets",
            errors=(*common, ({"secrets": [{"secretKey": "A"}, items[0]]}, 404, "Secret with name 'B' not found")),
        ),
        Row(
            "DELETE",
            batch,
            {**location, "secrets": [{"secretKey": "A"}]},
            least="member",
            key="secrets",
            errors=(*common, ({"secrets": [{"secretKey": "A"}, {"secretKey": "NOPE"}]}, 404, "NOPE")),
        ),
    ]


def folder_rows(base: str, location: dict[str, str], missing: Any) -> list[Row]:
    bad_name = ({"name": "a b"}, 422, "Invalid folder name")
    return [
        Row("GET", base, query={**location, "recursive": "True"}, key="folders", errors=(NO_ENVIRONMENT, missing)),
        Row(
            "POST",
            base,
            {**location, "name": "new", "path": "/api/deep", "description": None},
            least="member",
            key="folder",
            errors=(NO_ENVIRONMENT, missing, bad_name, ({"path": "/a/../b"}, 422, "Invalid folder name")),
        ),
        Row("GET", f"{base}/{{folder}}", key="folder", errors=(NOT_A_UUID, UNKNOWN_ID)),
        Row(
            "PATCH",
            f"{base}/{{folder}}",
            {**location, "name": "renamed", "description": "why"},
            least="member",
            key="folder",
            errors=(
                NOT_A_UUID,
                UNKNOWN_ID,
                NO_ENVIRONMENT,
                bad_name,
                ({"name": "other"}, 400, "Folder with specified name already exists"),
            ),
        ),
        Row(
            "PATCH",
            f"{base}/batch",
            {"projectSlug": "shop-project", "folders": [{"id": "{folder}", "name": "renamed", "environment": "dev"}]},
            least="member",
            key="folders",
            errors=(
                ({"projectSlug": "nowhere"}, 404, "Project with slug 'nowhere' not found"),
                ({"folders": [{"id": NOBODY, "name": "x"}]}, 404, "not found"),
            ),
        ),
        Row("DELETE", f"{base}/other", location, least="member", key="folder", errors=(NO_ENVIRONMENT, UNKNOWN_ID)),
    ]


def import_rows(base: str, location: dict[str, str], missing: Any) -> list[Row]:
    into = {**location, "path": "/api"}
    return [
        Row("GET", base, query=into, key="secretImports", errors=(NO_ENVIRONMENT, missing)),
        Row("GET", f"{base}/secrets", query=into, key="secrets", errors=(NO_ENVIRONMENT, missing)),
        Row("GET", f"{base}/{{import}}", key="secretImport", errors=(NOT_A_UUID, UNKNOWN_ID)),
        Row(
            "POST",
            base,
            {**into, "import": {"environment": "prod", "path": "/nowhere-yet"}},
            least="member",
            key="secretImport",
            errors=(
                NO_ENVIRONMENT,
                missing,
                ({"import": {"environment": "nowhere", "path": "/"}}, 404, "'nowhere'"),
                ({"import": {"environment": "staging", "path": "/"}}, 400, "already exist"),
                ({"import": {"environment": "dev", "path": "/api"}}, 400, "Cyclic import not allowed"),
                ({"isReplication": True}, 400, "Replication is not supported"),
                ({"import": None}, 422, "Expected object"),
            ),
        ),
        Row(
            "PATCH",
            f"{base}/{{import}}",
            {**into, "import": {"environment": "prod", "path": "/", "position": 1}},
            least="member",
            key="secretImport",
            errors=(NOT_A_UUID, ({"@": f"last>{NOBODY}"}, 400, "Secret import not found")),
        ),
        Row(
            "DELETE",
            f"{base}/{{import}}",
            into,
            least="member",
            key="secretImport",
            errors=(NOT_A_UUID, ({"@": f"last>{NOBODY}"}, 400, "Secret import not found")),
        ),
    ]


def environment_rows(base: str) -> list[Row]:
    taken = ({"slug": "prod"}, 400, "Environment with slug already exist")
    bad_slug = ({"slug": "Not A Slug"}, 422, "Slug field can only contain lowercase letters, numbers, and hyphens")
    return [
        Row(
            "POST",
            f"{base}/environments",
            {"name": "QA", "slug": "qa", "position": 1},
            least="admin",
            key="environment",
            errors=(taken, bad_slug, ({"name": ""}, 422, "at least 1 character")),
        ),
        Row("GET", f"{base}/environments/{{environment}}", key="environment", errors=(NOT_A_UUID, UNKNOWN_ID)),
        Row(
            "PATCH",
            f"{base}/environments/{{environment}}",
            {"name": "Development!", "position": 2},
            least="admin",
            key="environment",
            errors=(NOT_A_UUID, UNKNOWN_ID, taken, bad_slug),
        ),
        Row(
            "DELETE",
            f"{base}/environments/{{environment}}",
            least="admin",
            key="environment",
            errors=(NOT_A_UUID, UNKNOWN_ID),
        ),
    ]


def tag_rows(base: str, one: str, many: str) -> list[Row]:
    taken = ({"slug": "db"}, 400, "Tag with slug 'db' already exists")
    return [
        Row("GET", f"{base}/tags", key=many),
        Row(
            "POST",
            f"{base}/tags",
            {"slug": "web", "color": ""},
            least="member",
            key=one,
            errors=(taken, ({"slug": "A B"}, 422, "lowercase letters")),
        ),
        Row("GET", f"{base}/tags/{{tag}}", key=one, errors=(NOT_A_UUID, UNKNOWN_ID)),
        Row("GET", f"{base}/tags/slug/db", key=one, errors=(({"@": "last>nope"}, 404, "Tag 'nope' not found"),)),
        Row(
            "PATCH",
            f"{base}/tags/{{tag}}",
            {"slug": "database", "color": "#fff"},
            least="member",
            key=one,
            errors=(NOT_A_UUID, UNKNOWN_ID),
        ),
        Row("DELETE", f"{base}/tags/{{tag}}", least="member", key=one, errors=(NOT_A_UUID, UNKNOWN_ID)),
    ]


def project_rows(path: str, key: str, unknown: tuple[dict[str, Any], int, str]) -> list[Row]:
    taken = ({"slug": "other-project"}, 400, "already exists")
    return [
        Row("GET", path, key=key, errors=(unknown,)),
        Row(
            "PATCH",
            path,
            {"name": "Shop!", "description": "why", "pitVersionLimit": 20},
            least="admin",
            key=key,
            errors=(unknown, taken, ({"name": "x" * 65}, 422, "at most 64")),
        ),
        Row("DELETE", path, least="admin", key=key, errors=(unknown,)),
    ]


NEW_PROJECT = {"projectName": "New", "projectDescription": "", "slug": "new-project", "kmsKeyId": None, "type": None}
BAD_PROJECTS: Any = (
    ({"slug": "shop-project"}, 400, "already exists"),
    ({"slug": "tiny"}, 422, "at least 5"),
    ({"projectName": "x" * 65}, 422, "at most 64"),
    ({"projectName": None}, 422, "Expected string, received null"),
)
MISSING4 = (*COMMON4, ({"@": "A>N"}, 404, "N"))
NOT_FOUND = ({"@": f"last>{NOBODY}"}, 404, "not found")
UA = "/v1/auth/universal-auth/identities/{identity}"
MEMBER = "/v2/workspace/{project}/identity-memberships/{identity}"
ROWS = [
    *secret_rows("/v3/secrets/raw", "/v3/secrets/raw/id", "/v3/secrets/batch/raw", V3, COMMON3),
    *secret_rows("/v4/secrets", "/v4/secrets/id", "/v4/secrets/batch", V4, COMMON4),
    Row("POST", "/v3/secrets/raw/SLUG", {**V3_SLUG, "secretValue": ""}, least="member", key="secret"),
    Row("GET", "/v3/secrets/raw", query={"workspaceSlug": "shop-project", "environment": "dev"}, key="secrets"),
    Row(
        "POST",
        "/v3/secrets/tags/A",
        {**V3_SLUG, "tagSlugs": ["extra"]},
        least="member",
        key="secret",
        errors=(({"tagSlugs": ["nope"]}, 404, "Tag not found: nope"), NO_SECRET),
    ),
    Row("DELETE", "/v3/secrets/tags/A", {**V3_SLUG, "tagSlugs": ["db"]}, least="member", key="secret"),
    Row(
        "POST",
        "/v4/secrets/move",
        {
            "projectId": "{project}",
            "sourceEnvironment": "dev",
            "sourceSecretPath": "/api",
            "destinationEnvironment": "prod",
            "destinationSecretPath": "/",
            "secretIds": ["{secret}"],
        },
        least="member",
        key="isSourceUpdated",
        errors=(
            NO_PROJECT,
            ({"secretIds": ["x"]}, 422, "Invalid uuid"),
            ({"secretIds": [NOBODY]}, 404, NOBODY),
            ({"destinationEnvironment": "dev", "destinationSecretPath": "/api"}, 400, "in that folder already"),
            ({"destinationEnvironment": "staging"}, 400, "already exist in the destination: A"),
        ),
    ),
    Row(
        "GET",
        "/v4/secrets/A/secret-references",
        query=V4,
        key="references",
        errors=MISSING4,
    ),
    Row("GET", "/v4/secrets/A/secret-reference-tree", query=V4, key="tree", errors=MISSING4),
    Row("GET", "/v1/secret/{secret}/secret-versions", key="secretVersions"),
    *folder_rows("/v1/folders", F1, NO_WORKSPACE),
    *folder_rows("/v2/folders", F2, NO_PROJECT),
    *import_rows("/v1/secret-imports", F1, NO_WORKSPACE),
    *import_rows("/v2/secret-imports", F2, NO_PROJECT),
    *environment_rows("/v1/projects/{project}"),
    *environment_rows("/v1/workspace/{project}"),
    Row("GET", "/v1/projects/{project}/environments/slug/dev", key="slug", errors=(({"@": "last>x"}, 404, "'x'"),)),
    Row("GET", "/v1/workspace/environments/{environment}", key="environment", errors=(NOT_A_UUID, UNKNOWN_ID)),
    *tag_rows("/v1/projects/{project}", "tag", "tags"),
    *tag_rows("/v1/workspace/{project}", "workspaceTag", "workspaceTags"),
    *project_rows("/v1/projects/{project}", "project", NOT_FOUND),
    *project_rows("/v1/workspace/{project}", "workspace", NOT_FOUND),
    *project_rows("/v2/workspace/shop-project", "slug", NOT_FOUND),
    Row("GET", "/v1/projects/slug/shop-project", key="slug", errors=(NOT_FOUND,)),
    Row("GET", "/v1/projects", query={"includeRoles": "true", "type": "secret-manager"}, key="projects"),
    Row("GET", "/v1/workspace", key="workspaces"),
    Row("POST", "/v1/projects", NEW_PROJECT, least="instance", key="project", errors=BAD_PROJECTS),
    Row("POST", "/v2/workspace", NEW_PROJECT, least="instance", key="project", errors=BAD_PROJECTS),
    Row(
        "PUT",
        "/v1/workspace/shop-project/audit-logs-retention",
        {"auditLogsRetentionDays": 30},
        least="admin",
        key="workspace",
        errors=(({"auditLogsRetentionDays": -1}, 422, "greater than or equal to 0"),),
    ),
    Row(
        "POST",
        "/v2/workspace/{project}/memberships",
        {"emails": ["grace@example.com"], "roleSlugs": ["viewer"]},
        least="admin",
        key="memberships",
        errors=(
            ({"emails": ["nobody@example.com"]}, 400, "No account for: nobody@example.com"),
            ({"roleSlugs": ["king"]}, 422, "Invalid enum value"),
        ),
    ),
    Row("GET", "/v2/workspace/{project}/identity-memberships", key="identityMemberships"),
    Row("POST", MEMBER, {"roles": [{"role": "viewer"}]}, least="admin", key="identityMembership", errors=(NOT_A_UUID,)),
    Row("GET", "/v2/workspace/{project}/identity-memberships/{member}", key="identityMembership", errors=(UNKNOWN_ID,)),
    Row(
        "PATCH",
        "/v2/workspace/{project}/identity-memberships/{member}",
        {"role": "admin"},
        least="admin",
        key="identityMembership",
        errors=(UNKNOWN_ID, ({"role": "no-access"}, 400, "A member needs a role")),
    ),
    Row(
        "DELETE",
        "/v2/workspace/{project}/identity-memberships/{member}",
        least="admin",
        key="identityMembership",
        errors=(UNKNOWN_ID,),
    ),
    Row(
        "GET",
        "/v1/projects/{project}/audit-logs",
        query={"eventType": "create-secret, create-secrets", "actor": "ada", "limit": "5"},
        least="admin",
        key="auditLogs",
        errors=(({"startDate": "yesterday"}, 422, "Invalid datetime"), ({"limit": "1001"}, 422, "less than or equal")),
    ),
    Row(
        "GET", TARGETS, query={"limit": "1"}, key="notificationTargets", errors=(({"limit": "101"}, 422, "less than"),)
    ),
    Row(
        "POST",
        TARGETS,
        {"name": "chat", "recipients": None, "url": "json://hooks.example.com/x", "states": ["failed"]},
        least="admin",
        key="notificationTarget",
        errors=(
            ({"name": "people"}, 400, 'A notification target with the name "people" already exists in this project'),
            ({"url": "nonsense://x"}, 400, "This is no URL that apprise can send to"),
            ({"url": None}, 400, "Give an apprise URL, or recipients for e-mail"),
            ({"recipients": "admins"}, 400, "not both"),
            ({"states": []}, 400, "Some of failed, held, drifted, recovered"),
            ({"states": ["asleep"]}, 422, "Invalid enum value"),
        ),
    ),
    Row("GET", f"{TARGETS}/{{target}}", key="notificationTarget", errors=(NOT_A_UUID, UNKNOWN_ID)),
    Row(
        "PATCH",
        f"{TARGETS}/{{target}}",
        {"isEnabled": False, "states": ["held", "failed"]},
        least="admin",
        key="notificationTarget",
        errors=(UNKNOWN_ID, ({"name": " "}, 422, "at least 1")),
    ),
    Row("DELETE", f"{TARGETS}/{{target}}", least="admin", key="notificationTarget", errors=(UNKNOWN_ID,)),
    Row("POST", f"{TARGETS}/{{target}}/test", least="admin", key="notificationTarget"),
    Row("GET", DEFAULTS, key="syncPolicyDefaults"),
    Row(
        "PATCH",
        DEFAULTS,
        {"unmanaged": "leave", "maxDeletions": None, "tags": ["db"], "refuseOverlaps": True},
        least="admin",
        key="syncPolicyDefaults",
        errors=(
            ({"unmanaged": "burn"}, 422, "Invalid enum value"),
            ({"maxConcurrency": 33}, 422, "less than or equal"),
        ),
    ),
    Row("GET", "/v1/organization/pause", least="instance", key="pause"),
    Row(
        "PATCH",
        "/v1/organization/pause",
        {"isPaused": True},
        least="instance",
        key="pause",
        errors=(({"isPaused": "yes"}, 422, "Expected boolean"), ({"isPaused": None}, 422, "received null")),
    ),
    Row("GET", "/v1/organization/audit-logs", least="instance", key="auditLogs"),
    Row("POST", "/v1/identities", {"name": "x", "organizationId": "y", "role": None}, least="instance", key="identity"),
    Row("GET", "/v1/identities", key="identities"),
    Row("GET", "/v1/identities/{identity}", least="instance", key="identity", errors=(NOT_A_UUID, UNKNOWN_ID)),
    Row("PATCH", "/v1/identities/{identity}", {"name": "y", "role": "viewer"}, least="instance", key="identity"),
    Row("DELETE", "/v1/identities/{identity}", least="instance", key="identity", errors=(UNKNOWN_ID,)),
    Row("GET", UA, least="instance", key="identityUniversalAuth", errors=(NOT_A_UUID, UNKNOWN_ID)),
    Row(
        "PATCH",
        UA,
        {"accessTokenTTL": 60, "accessTokenTrustedIps": [{"ipAddress": "10.0.0.0/8"}]},
        least="instance",
        key="identityUniversalAuth",
        errors=(
            ({"accessTokenTTL": 60, "accessTokenMaxTTL": 30}, 400, "cannot be greater than max TTL"),
            ({"accessTokenTrustedIps": [{"ipAddress": "here"}]}, 400, "neither an address nor a range"),
            ({"lockoutThreshold": 0}, 422, "greater than or equal to 1"),
        ),
    ),
    Row("POST", "/v1/auth/universal-auth/identities/{bare}", {}, least="instance", key="identityUniversalAuth"),
    Row("DELETE", UA, least="instance", key="identityUniversalAuth"),
    Row("POST", f"{UA}/clear-lockouts", least="instance", key="deleted"),
    Row(
        "POST",
        f"{UA}/client-secrets",
        {"description": "", "numUsesLimit": 0, "ttl": 0},
        least="instance",
        key="clientSecret",
    ),
    Row("GET", f"{UA}/client-secrets", least="instance", key="clientSecretData"),
    Row("GET", f"{UA}/client-secrets/{{clientSecret}}", least="instance", key="clientSecretData", errors=(UNKNOWN_ID,)),
    Row("POST", f"{UA}/client-secrets/{{clientSecret}}/revoke", least="instance", key="clientSecretData"),
]


@dataclass
class Scene:
    """Ids by name."""

    names: dict[str, str]

    def filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, str):
            for name, found in self.names.items():
                value = value.replace(f"{{{name}}}", found)
        return value

    def ask(self, api: Api, row: Row, change: dict[str, Any] | None = None) -> tuple[int, Any, str]:
        path, change = row.path, dict(change or {})
        if at := change.pop("@", None):
            old, new = at.split(">")
            head, _, last = path.rpartition("/")
            path = f"{head}/{new}" if old == "last" else f"{head}/{last}".replace(f"/{old}", f"/{new}")
        body = row.body
        query = dict(row.query)
        if row.method == "GET":
            query |= change
        elif change:
            body = {**(body or {}), **change}
        path = self.filled(path)
        status, answer = api(row.method, path, self.filled(body), **self.filled(query))
        return status, answer, f"/api{path}"


@pytest.fixture
def scene(world: World) -> Scene:
    create_project(world.actor, "Other", slug="other-project")
    tag = create_tag(world.actor, world.project, "db", "#ff0000")
    create_tag(world.actor, world.project, "extra")
    folder = ensure_folder(world.actor, world.environment(), "/api")
    ensure_folder(world.actor, world.environment(), "/other")
    ensure_folder(world.actor, world.environment("staging"), "/deep")
    given = [
        SecretInput("A", "one", "why", ["db"], [{"key": "team", "value": "core"}, {"key": "pin", "isEncrypted": True}]),
        SecretInput("REFERS", "<${A}>"),
    ]
    set_secrets(world.actor, folder, given)
    world.set(environment="staging", A="other", SHARED="yes")
    row = add_import(world.actor, folder, world.environment("staging"), "/")
    identity = create_identity(PLATFORM, "of-the-instance", role="viewer").identity
    bare = register_identity(PLATFORM, "cannot-sign-in", "no-access")
    member = register_identity(PLATFORM, "a-member", "no-access")
    set_role(PLATFORM, world.project, member, Role.VIEWER)
    User.objects.create_user("grace", "grace@example.com", "a long password")
    names = {
        "project": world.project,
        "folder": folder,
        "secret": Secret.objects.get(folder=folder, key="A"),
        "import": row,
        "tag": tag,
        "environment": world.environment(),
        "identity": identity,
        "bare": bare,
        "member": member,
        "target": create_target(world.actor, world.project, TargetInput("people", recipients="members")),
        "clientSecret": identity.client_secrets.get(),
    }
    return Scene({name: str(found.pk) for name, found in names.items()})


def least_api(row: Row, world: World) -> Api:
    return api_for("admin", None) if row.least == "instance" else api_for(row.least, world)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_answer(world: World, scene: Scene, row: Row) -> None:
    api = least_api(row, world)
    before = AuditEvent.objects.count()
    status, answer, path = scene.ask(api, row)
    assert status == 200, answer
    assert row.key in answer
    require_fit(row.method, path, 200, answer)
    assert AuditEvent.objects.count() - before <= 1, "more than one audit event a request"
    if '"secretValue": "one"' in json.dumps(answer):
        assert AuditEvent.objects.count() - before == 1, "a value that was shown, and nobody wrote it down"
    if row.method != "GET":
        assert AuditEvent.objects.count() - before == 1, "a change that nobody wrote down"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_who_may(world: World, scene: Scene, row: Row) -> None:
    """Roles below the required one are refused; for people who are not members nothing exists."""
    assert scene.ask(Api(None), row)[0] == 401
    weaker = ROLES if row.least == "instance" else ROLES[: ROLES.index(row.least)]
    for role in weaker:
        status, answer, path = scene.ask(api_for(role, world), row)
        assert status in ((403, 404) if row.least == "instance" else (403,)), answer
        require_fit(row.method, path, status, answer)
    if (
        "identit" in row.path
        or row.least == "instance"
        or row.path in ("/v1/projects", "/v1/workspace", "/v2/workspace")
    ):
        return
    outsider = api_for("member", None)
    assert scene.ask(outsider, row)[0] == 404


@pytest.mark.parametrize("row", [row for row in ROWS if row.errors], ids=lambda row: row.id)
def test_refusals(world: World, scene: Scene, row: Row) -> None:
    api = least_api(row, world)
    before = list(Secret.objects.order_by("pk").values_list("pk", "key", "version"))
    for change, status, said in row.errors:
        found, answer, path = scene.ask(api, row, change)
        assert (found, said in str(answer["message"])) == (status, True), (change, answer)
        assert answer["statusCode"] == status
        require_fit(row.method, path, status, answer)
    assert list(Secret.objects.order_by("pk").values_list("pk", "key", "version")) == before


def test_signed_in_people_may_do_the_same(world: World, scene: Scene) -> None:
    browser = Client()
    assert browser.login(username="ada", password="a long password")
    query = {"projectId": scene.names["project"], "environment": "dev", "secretPath": "/api"}
    answer = browser.get("/api/v4/secrets", query_params=query)
    assert {each["secretKey"]: each["secretValue"] for each in answer.json()["secrets"]} == {
        "A": "one",
        "REFERS": "<one>",
    }


# Those have tables of their own, beside this file; so have the impacts of deletions and moves.
ELSEWHERE = {"Secret Syncs", "App Connections", "Status"}
BY_THEMSELVES = {"loginUniversalAuth", "renewAccessToken", "revokeAccessToken"}


def test_no_endpoint_is_forgotten() -> None:
    covered = {operation_of(row.method, "/api" + re.sub(r"\{\w+\}", NOBODY, row.path))["operationId"] for row in ROWS}
    known = {
        operation["operationId"]
        for _, _, operation in operations()
        if not set(operation["tags"]) & ELSEWHERE
        and operation["operationId"] not in BY_THEMSELVES
        and "Impact" not in operation["operationId"]
    }
    assert known == covered
