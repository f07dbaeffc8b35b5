"""The wizard "Connect and sync", from a destination to the end of the first run."""

from .pages import SyncDraftAdmin, is_for

__all__ = ["SyncDraftAdmin", "is_for"]
