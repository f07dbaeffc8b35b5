"""Registers what deleting something means for syncs, for the pages that confirm it."""

from __future__ import annotations

from config.access.models import Project
from config.access.roles import Actor
from config.ui import impact as pages
from connections.models import AppConnection
from syncs.models import Environment, Folder, Secret, SecretSync
from syncs.planning.impact import Impact
from syncs.services import impact


def _of_secret(actor: Actor, secret: Secret) -> Impact:
    return impact.impact_of_secret_deletion(actor, secret.folder, [secret.key])


pages.register(Project, impact.impact_of_project_deletion)
pages.register(Environment, impact.impact_of_environment_deletion)
pages.register(Folder, impact.impact_of_folder_deletion)
pages.register(Secret, _of_secret)
pages.register(AppConnection, impact.impact_of_connection_deletion)
pages.register(SecretSync, impact.impact_of_sync_deletion)
