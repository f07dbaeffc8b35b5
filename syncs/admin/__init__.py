"""The admin of the source, the syncs and their runs. Importing the modules registers them."""

from . import behind, run, source, sync

__all__ = ["behind", "run", "source", "sync"]
