"""Reading one file of a tree that others may be changing."""

import hashlib
import os
import stat
from typing import Final, NamedTuple

from ._contents import Contents, NotKept, Place
from ._entry import NO_HASH, record_of
from ._keeping import BLOCK, Keeper
from ._limits import Limits

__all__ = ["FileReader", "Reading"]

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""A link or a pipe that took the place of a file since `lstat` is neither followed nor waited for."""
_ATTEMPTS: Final = 3
_BINARY_WITHIN: Final = 8000
"""A zero byte among so many at its start makes a file binary: git's rule."""
_KEPT_OF_GIT_STATE: Final = 64 * 2**20
"""Bytes: what says how a repository stands is kept whole. An index has some 100 bytes for each file."""


class Reading(NamedTuple):
    """What came of reading a file."""

    record: bytes
    """What `fstat` says: it belongs to the bytes that were hashed."""
    digest: bytes
    place: Place
    error: str | None = None


class FileReader:
    """Reads and hashes files, and keeps what is text."""

    def __init__(self, limits: Limits, keeper: Keeper) -> None:
        """Read within limits, and keep contents with a keeper."""
        self._limits = limits
        self._keeper = keeper

    def read(
        self, folder: int, name: str, status: os.stat_result, *, known: bytes = NO_HASH, is_git_state: bool = False
    ) -> Reading | None:
        """Read a file, again if it changes meanwhile.

        Args:
            folder: descriptor of the folder.
            name: the file's name in it.
            status: what `lstat` said of it.
            known: the hash that the file had before; a content that still has it is not kept again.
            is_git_state: keep the content though it be binary or large.

        Returns:
            None if the file is gone.

        Raises:
            OSError: the file cannot be opened or read.
        """
        try:
            file = os.open(name, _FLAGS, dir_fd=folder)
        except FileNotFoundError:
            return None
        limit = _KEPT_OF_GIT_STATE if is_git_state else self._limits.kept_of_a_file
        try:
            for _ in range(_ATTEMPTS):
                size, record = status.st_size, record_of(status)
                if size > self._limits.read_of_a_file:
                    error = f"not read: larger than {self._limits.read_of_a_file:,} bytes"
                    return Reading(record, NO_HASH, NotKept.LARGE, error)
                digest, length = self._hash(file, size) if size <= limit else self._hash_in_chunks(file, size)
                status = os.fstat(file)
                if length == size and record_of(status) == record:
                    if digest == known:
                        return Reading(record, digest, Contents.AS_BEFORE)
                    place = NotKept.LARGE if size > limit else self._place(size, is_git_state=is_git_state)
                    return Reading(record, digest, place)
                if not stat.S_ISREG(status.st_mode):
                    return Reading(record_of(status), NO_HASH, NotKept.UNREAD, "a file when listed, and not when read")
                os.lseek(file, 0, os.SEEK_SET)
        finally:
            os.close(file)
        return Reading(record_of(status), NO_HASH, NotKept.UNREAD, f"changed each time it was read, {_ATTEMPTS} times")

    def _hash(self, file: int, size: int) -> tuple[bytes, int]:
        """Hash a file that should have `size` bytes, or one more than that: what grew is seen, and not followed."""
        room = self._keeper.room(size + 1)
        length = count = os.readv(file, [room])
        while count and length < size:
            count = os.readv(file, [room[length:]])
            length += count
        return hashlib.sha256(room[:length]).digest(), length

    def _hash_in_chunks(self, file: int, size: int) -> tuple[bytes, int]:
        room, length, sha256 = self._keeper.room(BLOCK), 0, hashlib.sha256()
        while length <= size and (count := os.readv(file, [room])):
            sha256.update(room[:count])
            length += count
        return sha256.digest(), length

    def _place(self, size: int, *, is_git_state: bool) -> Place:
        if not is_git_state and self._keeper.has_zero(min(size, _BINARY_WITHIN)):
            return NotKept.BINARY
        if self._keeper.total + size > self._limits.kept_in_all:
            return NotKept.FULL
        return self._keeper.keep(size)
