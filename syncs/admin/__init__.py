"""The admin of the source, the syncs and their runs. Importing the modules registers them."""

from . import run, source, sync

__all__ = ["run", "source", "sync"]
