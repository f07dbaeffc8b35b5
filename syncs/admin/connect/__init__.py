"""The wizard "Connect and sync", from the choice of a destination to the end of the first run."""

from .pages import SyncDraftAdmin, may_connect

__all__ = ["SyncDraftAdmin", "may_connect"]
