"""The tables of this app: the source of secrets, and the syncs."""

from .draft import SyncDraft
from .notification import Notice, NoticeState, NotificationTarget
from .owed import OwedAction
from .records import ActionOutcome, Claim, DraftStep, PriorRow, PriorState, RunOptions
from .source import Environment, Folder, Secret, SecretImport, SecretReference, SecretVersion, Tag
from .sync import (
    AFTER_WRITES,
    NO_ACTION,
    UNMANAGED,
    DriftCheck,
    InitialSet,
    Lease,
    ManagedSecret,
    RunChange,
    SecretSync,
    Status,
    SyncDefaults,
    SyncPolicy,
    SyncRun,
)

__all__ = [
    "AFTER_WRITES",
    "NO_ACTION",
    "UNMANAGED",
    "ActionOutcome",
    "Claim",
    "DraftStep",
    "DriftCheck",
    "Environment",
    "Folder",
    "InitialSet",
    "Lease",
    "ManagedSecret",
    "Notice",
    "NoticeState",
    "NotificationTarget",
    "OwedAction",
    "PriorRow",
    "PriorState",
    "RunChange",
    "RunOptions",
    "Secret",
    "SecretImport",
    "SecretReference",
    "SecretSync",
    "SecretVersion",
    "Status",
    "SyncDefaults",
    "SyncDraft",
    "SyncPolicy",
    "SyncRun",
    "Tag",
]
