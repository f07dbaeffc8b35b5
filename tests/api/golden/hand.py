"""What no description says: which requests are right where an example is not, what is hidden, what is modelled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .world import HOOK

Json = dict[str, Any]

NOWHERE = "00000000-0000-4000-8000-000000000000"
OURS = (
    r"secret-syncs/error-codes$",
    r"secret-syncs/[^/]+/plan$",
    r"secret-syncs/[^/]+/\{syncId\}/(duplicate|plan|drift|kept|runs|status|policy|why)(/|$)",
    r"app-connections/[^/]+/\{connectionId\}/(pause|check)$",
    r"/organization/",
    r"/audit-logs$",
    r"/notification-targets",
    r"/sync-policy-defaults$",
    r"/secret-versions$",
    r"/clear-lockouts$",
    r"/impact$",
    r"^/api/(schema|docs)$",
)
"""Paths that the modelled API does not have; every other one is modelled."""

HIDDEN = {
    "GET /api/schema": {},
    "GET /api/docs/json": {},
    "GET /api/docs": {},
    "GET /api/v1/secret-imports/secrets/raw": {"like": "GET /api/v1/secret-imports/secrets"},
    **{
        f"GET /api/v1/app-connections/{app}/{{connectionId}}/{picker}": {
            "like": f"GET /api/v1/app-connections/{app}/{{connectionId}}"
        }
        for app, picker in (
            ("external-infisical", "projects"),
            ("gcp", "secret-manager-projects"),
            ("github", "organizations"),
            ("github", "repositories"),
            ("humanitec", "organizations"),
            ("vercel", "projects"),
        )
    },
}
"""Operations that the document leaves out; `like`: has the parameters of that one."""

PUBLIC = ("GET /api/schema", "GET /api/docs/json", "GET /api/docs")
"""Operations that are slow and take nothing: a request with a token and one without are enough."""

PATHS: Mapping[str, Json] = {
    r"GET /api/v1/app-connections/[^/]+/connection-name/": {"name": "shop-main"},
    r"DELETE /api/v1/app-connections/[^/]+/\{connectionId\}": {"connectionId": "@spareConnectionId"},
    r"GET /api/v1/secret-syncs/[^/]+/sync-name/": {"name": "shop-@destination"},
    r"POST /api/v1/secret-syncs/.*/(approve|dismiss)$": {"runId": "@heldRunId"},
    r"POST /api/v3/secrets/raw/|POST /api/v4/secrets/\{secretName\}$": {"secretName": "NEW_KEY"},
    r"POST /api/v1/auth/universal-auth/identities/\{identityId\}$": {"identityId": "@freshIdentityId"},
    r"POST .*/identity-memberships/": {"identityId": "@freshIdentityId"},
    r"GET .*/environments/slug/": {"slug": "dev"},
}
"""Values of path parameters where they are others than those of `World`."""

QUERIES: Mapping[str, Json] = {
    r"/(list|export)\w*SecretSyncRuns": {},
    r"/why$": {"key": "DB_URL"},
    r"/folders$|/secret-imports": {"path": "/", "directory": None},
    r"GET /api/v[34]/secrets": {"includeImports": None, "include_imports": None, "version": None},
    r"GET .*/app-connections|GET .*/audit-logs$": {"projectId": None},
    r"GET .*/app-connections/[^/]+/available": {"projectId": "@projectId"},
}
"""Query parameters of the right request beside those that are required; None: left out of it."""

OPTIONAL = {
    "environment": "dev",
    "key": "DB_URL",
    "tagSlugs": "db",
    "metadataFilter": "key=team,value=core",
    "actor": "root",
    "eventType": "create-project",
    "startDate": "2020-01-01T00:00:00.000Z",
    "endDate": "2020-01-02T00:00:00.000Z",
    "lastSecretModified": "2020-01-01T00:00:00.000Z",
    "recursive": "true",
    "secretPath": "/api",
    "path": "/",
    "directory": "/",
}
"""A right value of optional query parameters, each sent in a request of its own."""

GONE = object()
_FOLDER = {"path": "/", "environment": "dev"}
_ITEM = {"secretKey": "NEW_KEY", "tagIds": ["@tagId"]}
_SOURCE = {"environment": "dev", "secretPath": "/api"}
_PROJECT = {"kmsKeyId": GONE, "template": "default"}

BODIES: tuple[tuple[str, Json], ...] = (
    (r"(POST|PATCH|DELETE) /api/v\d/(folders|secret-imports)", _FOLDER),
    (
        r"PATCH /api/v\d/folders/batch",
        {"environment": GONE, "path": GONE, "folders": [{"id": "@folderId", **_FOLDER, "name": "renamed"}]},
    ),
    (r"POST /api/v2/secret-imports|POST /api/v1/secret-imports", {"import": {"environment": "staging", "path": "/"}}),
    (r"PATCH /api/v\d/secret-imports", {"import": {"environment": "staging", "path": "/", "position": 1}}),
    (r"(POST|PATCH|DELETE) /api/v[34]/secrets/", _SOURCE),
    (r"(POST|PATCH) /api/v[34]/secrets/(raw/)?\{secretName\}", {"tagIds": ["@tagId"]}),
    (r"(POST|PATCH|DELETE) /api/v[34]/secrets/batch", {"mode": "failOnNotFound"}),
    (
        r"/secrets/move$",
        {
            "environment": GONE,
            "secretPath": GONE,
            "sourceSecretPath": "/api",
            "destinationSecretPath": "/",
            "secretIds": ["@secretId"],
        },
    ),
    (r"POST /api/v1/projects$|POST /api/v2/workspace$", _PROJECT),
    (
        r"PATCH /api/v1/projects/\{projectId\}$|PATCH /api/v./workspace/\{project\w+\}$",
        {"defaultProduct": "secret-manager"},
    ),
    (r"identities(/\{identityId\})?$", {"role": "no-access"}),
    (r"universal-auth/identities", {"role": GONE}),
    (r"/identity-memberships/", {"roles": [{"role": "viewer"}], "role": GONE}),
    (r"/memberships$", {"emails": ["grace@example.com"], "usernames": ["grace"], "roleSlugs": ["member"]}),
    (r"/notification-targets", {"url": HOOK, "recipients": GONE}),
    (r"/policy$|/sync-policy-defaults$", {"unmanaged": "leave", "maxConcurrency": 4}),
    (r"token/(renew|revoke)$", {"accessToken": "@accessToken"}),
    (r"universal-auth/login$", {"clientId": "@clientId", "clientSecret": "@clientSecret"}),
    (r"/undo$", {"digest": GONE}),
)
"""Members of right bodies that the examples do not have right, in order; GONE: left out."""

ALIKE = (
    r"POST /api/v1/secret-syncs/[^/]+/plan - body\.",
    r"/api/v1/secret-syncs/(?!humanitec)[^/]+-?.* - (query|body)\.(?!destinationConfig|syncOptions)",
    r"/api/v1/app-connections/(?!humanitec)[^/]+/?.* - (query|body)\.(?!credentials|method)",
)
"""Variants of members that another operation has too (those of Humanitec have each one), where `FEW` are enough."""
FEW = r": (missing|right|another type|of another project)( of [\w-]+)?$"

PLACES = {
    "environment": "nowhere",
    "secretPath": "/nowhere",
    "path": "/nowhere",
    "sourceEnvironment": "nowhere",
    "destinationEnvironment": "nowhere",
    "sourceSecretPath": "/nowhere",
    "destinationSecretPath": "/nowhere",
    "projectSlug": "nowhere",
    "workspaceSlug": "nowhere",
}
"""Members that name something, with a name of nothing."""

NAMES = ("cfg.json", "two words", "a%2Fb", "a:b", "größe", "batch", "..")
"""Secrets' names with something special in them, as the path has them."""


def is_sent(operation: str, variant: str) -> bool:
    """Whether the request tells more than others do."""
    name = f"{operation} - {variant}"
    return bool(re.search(FEW, variant)) or not any(re.search(pattern, name) for pattern in ALIKE)


def is_modelled(path: str) -> bool:
    return not any(re.search(pattern, path) for pattern in OURS)
