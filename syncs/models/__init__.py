"""The tables of this app: the source of secrets, and the syncs."""

from .defaults import SyncDefaults
from .draft import SyncDraft
from .leaving import FormerLocation
from .ledger import InitialSet, Lease, ManagedSecret
from .notification import Notice, NoticeState, NotificationTarget
from .owed import OwedAction
from .reasons import Cause, RunReason, cause_of
from .records import TRIES, ActionOutcome, Claim, DraftStep, PriorRow, PriorState, RunOptions
from .source import Environment, Folder, Secret, SecretImport, SecretReference, SecretVersion, Tag
from .state import SyncState
from .sync import (
    AFTER_WRITES,
    NO_ACTION,
    UNMANAGED,
    WHILE_HELD,
    DriftCheck,
    RunChange,
    SecretSync,
    Status,
    SyncPolicy,
    SyncRun,
)

__all__ = [
    "AFTER_WRITES",
    "NO_ACTION",
    "TRIES",
    "UNMANAGED",
    "WHILE_HELD",
    "ActionOutcome",
    "Cause",
    "Claim",
    "DraftStep",
    "DriftCheck",
    "Environment",
    "Folder",
    "FormerLocation",
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
    "RunReason",
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
    "SyncState",
    "Tag",
    "cause_of",
]
