"""What a snapshot knows of one path, and the fixed-size record in which it is held."""

import os
import stat
from dataclasses import dataclass
from struct import Struct
from typing import Final, Literal

__all__ = ["HASH_SIZE", "NO_HASH", "RECORD", "Entry", "EntryType", "is_racy", "make_entry", "record_of"]

EntryType = Literal["file", "directory", "symlink", "fifo", "socket", "character device", "block device", "unknown"]
"""What a path is, by the kernel's word; `unknown`: a kind that is none of these."""

RECORD: Final = Struct("<IIqqqQQ")
"""`st_mode`, links, size, mtime and ctime in ns, device, inode.

A hundred thousand of these cost less than as many objects, compare as bytes, and are written as they are.
"""
HASH_SIZE: Final = 32
NO_HASH: Final = bytes(HASH_SIZE)
"""Stands where there is no sha256: nothing is known that hashes to it."""
_TYPES: Final[dict[int, EntryType]] = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}
_SECOND: Final = 1_000_000_000
_FINE_GRANULARITY: Final = 20_000_000
"""Two ticks, in ns, of the slowest clock (100 Hz) from which Linux takes the times of files."""
_COARSE_GRANULARITY: Final = 2 * _SECOND
"""Of file systems that keep whole or even seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path below the root of a snapshot, as it was."""

    path: str
    """Relative to the root, `/` between folders. Bytes that are not UTF-8 are surrogates, as `os.fsdecode` makes them."""
    type: EntryType
    mode: int
    """Permission bits, with set-user-id, set-group-id and sticky; without the type."""
    size: int
    """Bytes, as `lstat` says."""
    mtime_ns: int
    """When the content last changed, in ns since 1970; anyone who may write the file can set it."""
    ctime_ns: int
    """When content, mode, name or links last changed, in ns since 1970; the kernel sets it."""
    dev: int
    ino: int
    nlink: int
    """How many names the file has, in or outside the root."""
    target: str | None
    """Where a symbolic link leads, word for word; None for all else, and where it could not be read."""
    sha256: str | None
    """Of a file's content, hexadecimal; None for all that is not a file, and where it could not be read."""
    error: str | None
    """What of the entry could not be seen, and why; None if all was seen."""


def record_of(status: os.stat_result) -> bytes:
    """What `lstat` said, as a record."""
    return RECORD.pack(
        status.st_mode,
        status.st_nlink,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_dev,
        status.st_ino,
    )


def make_entry(path: str, record: bytes, digest: bytes, target: str | None, error: str | None) -> Entry:
    """The entry that a record, a hash and what else was noted make."""
    mode, links, size, mtime_ns, ctime_ns, dev, ino = RECORD.unpack(record)
    return Entry(
        path=path,
        type=_TYPES.get(stat.S_IFMT(mode), "unknown"),
        mode=stat.S_IMODE(mode),
        size=size,
        mtime_ns=mtime_ns,
        ctime_ns=ctime_ns,
        dev=dev,
        ino=ino,
        nlink=links,
        target=target,
        sha256=None if digest == NO_HASH else digest.hex(),
        error=error,
    )


def is_racy(ctime_ns: int, started_ns: int) -> bool:
    """Whether a file could have changed after it was looked at without its ctime showing it.

    A clock that ticks every few milliseconds gives the same ctime to two changes within a tick. If the ctime that was seen
    lies well before the look, a later change has another one. (git's rule for its index, with ctime in the place of mtime.)

    Args:
        ctime_ns: what was seen.
        started_ns: when the looking began.
    """
    granularity = _FINE_GRANULARITY if ctime_ns % _SECOND else _COARSE_GRANULARITY
    return ctime_ns > started_ns - granularity
