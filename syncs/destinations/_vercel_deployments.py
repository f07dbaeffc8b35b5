"""The redeployment of what reads the variables of an environment: a deployment keeps the values that it was built with.

Production is what its domains serve now, which after a rollback is not the newest deployment. Sources:
https://vercel.com/docs/rest-api/deployments/create-a-new-deployment, @vercel/sdk 1.28.35 (`getProject`,
`getDeployments`), and the vendor's CLI, whose `redeploy` sends the same request.
"""

from __future__ import annotations

from typing import Any

from connections.errors import Rejected
from connections.http.client import ApiClient, quote
from connections.http.pages import Single
from connections.http.responses import Identified, Response, Text
from connections.providers.vercel import in_team
from syncs.destinations._vercel_config import Project, Team


class Deployed(Response):
    name: Text
    targets: dict[str, Identified | None] | None = None


class Deployment(Response):
    uid: Text
    name: Text


NOT_REDEPLOYED = (
    "Vercel: only production, a custom environment or one branch of the previews of a project is redeployed:"
    " redeploy the others by hand, or switch the action off"
)


def is_redeployed(config: Project | Team) -> bool:
    """Whether the variables of this target belong to one deployment."""
    if not isinstance(config, Project) or config.env == "development":
        return False
    return config.env != "preview" or bool(config.branch)


def redeploy(client: ApiClient, config: Project | Team) -> None:
    """Deploy again what is deployed; nothing where nothing is, as the first deployment reads the new values."""
    if not isinstance(config, Project) or not is_redeployed(config):
        raise Rejected(NOT_REDEPLOYED)
    params, target = in_team(config.teamId), {}
    if config.env == "production":
        project = client.get(f"/v9/projects/{quote(config.app)}", Deployed, params=params)
        current = (project.targets or {}).get("production")
        found, target = [Deployment(uid=current.id, name=project.name)] if current else [], {"target": "production"}
    else:
        where = {"projectId": config.app, "target": config.env, "state": "READY", "limit": "1"}
        where |= {"branch": config.branch} if config.branch else {}
        found = client.read_list("/v7/deployments", Deployment, Single(), member="deployments", params=params | where)
        target = {} if config.branch else {"customEnvironmentSlugOrId": config.env}
    for one in found[:1]:
        body: dict[str, Any] = {"deploymentId": one.uid, "name": one.name, "meta": {"action": "redeploy"}, **target}
        visible = [one.uid, one.name, "redeploy", *target.values()]
        client.request("POST", "/v13/deployments", params={**params, "forceNew": "1"}, json=body, visible=visible)
