"""The kept contents of a snapshot's files: blocks of bytes in memory or in a mapped file, and where in them each file lies."""

import mmap
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Block", "Contents", "NotKept", "Place"]

_REASONS: Final = {
    -1: "no file",
    -2: "not read",
    -3: "binary",
    -4: "larger than what is kept of one file",
    -5: "more than what is kept of all files",
    -6: "unchanged, and left out when the snapshot was written",
}


class NotKept(IntEnum):
    """Why a snapshot holds no content of an entry."""

    NO_FILE = -1
    UNREAD = -2
    BINARY = -3
    LARGE = -4
    FULL = -5
    UNCHANGED = -6

    @property
    def reason(self) -> str:
        """In words."""
        return _REASONS[self]


Place = int
"""Where a content begins, in bytes since the first; or a member of `NotKept`; or `AS_BEFORE`."""


@dataclass(frozen=True, slots=True)
class Block:
    """Contents that are stored together."""

    start: int
    """Its first byte, counted through the contents of all blocks."""
    size: int
    offset: int
    """Its first byte in what is stored."""
    stored: int
    """Bytes in what is stored: a zstd frame, unless equal to `size`."""


class Contents:
    """Reads contents by their place. What was read lies in the last block is not unpacked again."""

    AS_BEFORE: Final = -7
    """The place of a content that is equal to, and kept by, the snapshot before."""

    def __init__(self, places: Sequence[int], blocks: Iterable[Block], store: bytes | mmap.mmap) -> None:
        """Take a place for each entry, in the snapshot's order, and what is stored."""
        self.places = places
        self.blocks = tuple(blocks)
        self._starts = [block.start for block in self.blocks]
        self._store = store
        self._latest: tuple[int, bytes] = (-1, b"")

    def read(self, place: int, size: int) -> bytes:
        """The `size` bytes at a place, which is not negative.

        Raises:
            ValueError: what is stored there is damaged.
        """
        if not size:
            return b""
        number = bisect_right(self._starts, place) - 1
        data = self._load(number)
        begin = place - self._starts[number]
        return data[begin : begin + size]

    def _load(self, number: int) -> bytes:
        if self._latest[0] != number:
            block = self.blocks[number]
            data = self._store[block.offset : block.offset + block.stored]
            if block.stored != block.size:
                try:
                    data = zstd.decompress(data)
                except zstd.ZstdError as error:
                    raise ValueError(str(error)) from error
            self._latest = (number, data)
        return self._latest[1]
