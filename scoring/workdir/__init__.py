"""Snapshots of a folder, and what became of it between two of them."""

from ._changes import Change, GitChange, GitItemKind, Operation, WorkdirDiff
from ._contents import NotKept
from ._diff import diff
from ._entry import Entry, EntryType
from ._file import read_snapshot
from ._ignored import ignored_paths
from ._limits import Limits
from ._snapshot import Snapshot
from ._take import snapshot
from ._trim import write_snapshot

__all__ = [
    "Change",
    "Entry",
    "EntryType",
    "GitChange",
    "GitItemKind",
    "Limits",
    "NotKept",
    "Operation",
    "Snapshot",
    "WorkdirDiff",
    "diff",
    "ignored_paths",
    "read_snapshot",
    "snapshot",
    "write_snapshot",
]
