"""The admin pages of `config.access`. Importing the modules registers them."""

from . import audit_log, identities, instance, people

__all__ = ["audit_log", "identities", "instance", "people"]
