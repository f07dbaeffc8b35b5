"""Signing in, machine identities, and who has which role in a project."""

from . import auth, identities, members

urlpatterns = [*auth.urlpatterns, *identities.urlpatterns, *members.urlpatterns]
