"""The source and its syncs over HTTP: the modelled endpoints, and Keyferry's extensions.

Source: https://infisical.com/docs/api-reference/endpoints/secret-syncs/list
"""

from . import (
    catalogue,
    defaults,
    environments,
    folders,
    impact,
    imports,
    notifications,
    projects,
    runs,
    secret_relations,
    secrets,
    sync_state,
    syncs,
    tags,
)

urlpatterns = [
    *catalogue.urlpatterns,
    *syncs.urlpatterns,
    *runs.urlpatterns,
    *sync_state.urlpatterns,
    *environments.urlpatterns,
    *projects.urlpatterns,
    *tags.urlpatterns,
    *defaults.urlpatterns,
    *folders.urlpatterns,
    *secret_relations.urlpatterns,  # before secrets, which may have any name
    *secrets.urlpatterns,
    *imports.urlpatterns,
    *notifications.urlpatterns,
    *impact.urlpatterns,
]
