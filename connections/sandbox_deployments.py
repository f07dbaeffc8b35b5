"""The deployments of the stand-in for Humanitec: each environment has one that succeeded, and new ones begin at once.

Source of each response: Humanitec's published OpenAPI description, operations "Deployment".
"""

from __future__ import annotations

import re
import uuid
from typing import Any

ADDRESS = re.compile(r"/orgs/([^/]+)/apps/([^/]+)/envs/([^/]+)/deploys", re.ASCII)
AT = "2026-01-01T00:00:00.000Z"

Answer = tuple[int, object]


class Deployments:
    """`made` maps (org, app, env) to its deployments, the newest first."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str, str], list[dict[str, Any]]] = {}

    def of(self, scope: tuple[str, str, str]) -> list[dict[str, Any]]:
        return self.made.setdefault(scope, [_deployment(scope[2], {"set_id": f"set-of-{scope[2]}"}, "")])

    def answer(self, method: str, scope: tuple[str, str, str], body: dict[str, Any]) -> Answer:
        listed = self.of(scope)
        if method == "GET":
            return 200, listed
        if body.get("set_id") not in {each["set_id"] for each in listed}:
            return 400, {"error": "API-400", "message": "the deployment set does not exist"}
        if listed[0]["status"] not in ("succeeded", "failed"):
            return 409, {"error": "API-409", "message": "there is an active deployment in the environment"}
        listed.insert(0, _deployment(scope[2], body, listed[0]["id"]))
        return 201, listed[0]


def _deployment(env: str, body: dict[str, Any], before: str) -> dict[str, Any]:
    return {
        "id": uuid.uuid4().hex[:16],
        "env_id": env,
        "set_id": body["set_id"],
        "comment": body.get("comment", ""),
        "created_at": AT,
        "created_by": "sandbox",
        "status": "succeeded",
        "status_changed_at": AT,
        "from_id": before,
        "export_status": "",
        "export_file": "",
    }
