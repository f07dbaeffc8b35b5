"""The admin of the source, the syncs and their runs. Importing the modules registers them."""

from . import behind, notification, run, source, sync

__all__ = ["behind", "notification", "run", "source", "sync"]
