"""Signing in, machine identities, and who has which role in a project."""

from config.api import audit, auth, identities, members, pause

urlpatterns = [*audit.urlpatterns, *auth.urlpatterns, *identities.urlpatterns, *members.urlpatterns, *pause.urlpatterns]
