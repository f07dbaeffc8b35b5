"""The example that `up --demo` loads: a project, a connection to the sandbox, a sync. Loading it twice is harmless."""

from __future__ import annotations

from config.access.models import Membership, Project, Role
from config.access.roles import Actor
from connections.models import AppConnection
from connections.services import create_connection
from syncs.models import Environment, SecretSync
from syncs.services.folders import create_project, ensure_folder
from syncs.services.secrets import set_secrets
from syncs.services.syncs import SyncInput, create_sync
from syncs.source.selectors import folder_by_path, syncs
from syncs.source.validation import SecretInput

SLUG = "demo-shop"
TOKEN = "demo-token"  # noqa: S105 - the sandbox takes any
SYNC = "shop-development"
SECRETS = (
    SecretInput("DB_USER", "shop", "Who the shop signs in as"),
    SecretInput("DB_PASSWORD", "correct-horse-battery-staple", "Change me and watch"),
    SecretInput("DATABASE_URL", "postgres://${DB_USER}:${DB_PASSWORD}@db/shop", "Refers to the two above"),
    SecretInput("PAYMENT_API_KEY", "demo-payment-key", "", ["payment"]),
    SecretInput("SESSION_KEY", "demo-session-key"),
)


def load(actor: Actor) -> SecretSync:
    """The demo's sync, created with everything it needs if missing. Later changes by people stay."""
    project = Project.objects.filter(slug=SLUG).first()
    if project is None:
        project = create_project(actor, "Demo shop", slug=SLUG, description="Loaded by `up --demo`.")
    Membership.objects.get_or_create(project=project, user_id=str(actor.id), defaults={"role": Role.ADMIN})
    actor = Actor(actor.kind, actor.id, actor.name, actor.is_instance_admin)  # with the new role
    found = syncs().filter(project=project, name=SYNC).first()
    if found:
        return found
    environment = Environment.objects.select_related("project").get(project=project, slug="dev")
    ensure_folder(actor, environment, "/shop")
    folder = folder_by_path(environment, "/shop")
    if not folder.secrets.exists():
        set_secrets(actor, folder, SECRETS)
    connection = AppConnection.objects.filter(project=project, name="humanitec-sandbox").first()
    if connection is None:
        connection = create_connection(
            actor,
            "humanitec",
            name="humanitec-sandbox",
            method="api-token",
            credentials={"apiToken": TOKEN},
            description="The local stand-in for Humanitec.",
            project=project,
        )
    return create_sync(
        actor,
        project,
        "humanitec",
        SyncInput(
            name=SYNC,
            description="The folder /shop of dev, to an environment of a Humanitec application.",
            connection_id=connection.pk,
            environment="dev",
            secret_path="/shop",  # noqa: S106
            sync_options={"initialSyncBehavior": "overwrite-destination"},
            destination_config={"scope": "environment", "org": "acme", "app": "shop", "env": "development"},
        ),
    )
