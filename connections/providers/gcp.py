"""A login at Google Cloud: the key of a service account, or a service account that is impersonated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connections.errors import Forbidden, NotFound
from connections.gcp import SECRETS, projects_of, read_list
from connections.http.client import ApiClient, quote
from connections.http.responses import Response, Text
from connections.provider import Choice, Rights, Session, secrets_of

from ._gcp_credentials import Impersonation, MetadataServer, ServiceAccountKey, WorkloadIdentity
from ._gcp_rights import rights_of
from ._gcp_sign_in import GcpSignIn

Credentials = Impersonation | ServiceAccountKey | WorkloadIdentity | MetadataServer


class Location(Response):
    locationId: Text
    displayName: str = ""


class Gcp(GcpSignIn):
    slug = "gcp"
    label = "GCP"
    base_url = SECRETS
    docs_url = "https://cloud.google.com/iam/docs/service-account-overview"
    methods = {
        "service-account-impersonation": Impersonation,
        "service-account-key": ServiceAccountKey,
        "workload-identity-federation": WorkloadIdentity,
        "metadata-server": MetadataServer,
    }
    pickers = ("secret-manager-projects",)
    operator_settings = (
        "GCP_SERVICE_ACCOUNT_FILE",
        "GCP_IMPERSONATED",
        "GCP_TOKEN_FILES",
        "GCP_METADATA_SERVER",
    )

    def renew(self, method: str, credentials: Credentials) -> Session:
        match credentials:
            case ServiceAccountKey():
                return self.by_key(credentials.key)
            case WorkloadIdentity():
                return self.federated(credentials.federation)
            case MetadataServer():
                return self.of_machine()
        email = credentials.serviceAccountEmail
        return self.impersonated(self.by_key(credentials.key) if credentials.key else self.as_operator(email), email)

    def client(self, method: str, credentials: Credentials, session: Session | None = None) -> ApiClient:
        return self.with_token(session.token if session else "", *secrets_of(credentials))

    def check(self, client: ApiClient) -> Rights:
        """Signing in is the check: a token is issued only to an existing account.

        Its rights are those on the projects that it sees; none where it may not list them.
        """
        try:
            return rights_of(client, [one.projectId for one in projects_of(client)])
        except (Forbidden, NotFound):
            return Rights()

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        if field == "projectId":
            return [Choice(one.projectId, one.name or one.projectId) for one in projects_of(client)]
        if field in ("locationId", "userReplicaLocationIds"):
            path = f"/v1/projects/{quote(chosen['projectId'])}/locations"
            places = [(one.locationId, one.displayName) for one in read_list(client, path, Location, "locations")]
            return [Choice(id, f"{id} ({name})" if name else id) for id, name in places]
        return []

    def pick(self, client: ApiClient, picker: str) -> list[dict[str, str]]:
        """Projects, each `{id, name}`."""
        return [{"id": one.value, "name": one.label} for one in self.choices(client, "projectId", {})]
