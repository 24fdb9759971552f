"""Gathering contents into blocks."""

from collections.abc import Callable
from typing import Final

from ._contents import Block

__all__ = ["BLOCK", "Keeper", "Store"]

BLOCK: Final = 2**20
"""Bytes of a block, but for a single content that is larger."""

Store = Callable[[memoryview], tuple[int, int]]
"""Stores a block: its offset in what is stored, and its bytes there."""


class Keeper:
    """One buffer, into which contents are read, and from which they go to the store a block at a time."""

    def __init__(self, store: Store) -> None:
        """Begin empty."""
        self._store = store
        self._buffer = bytearray(BLOCK)
        self._view = memoryview(self._buffer)
        self._used = 0
        self._stored = 0
        self.blocks: list[Block] = []

    @property
    def total(self) -> int:
        """Bytes kept so far."""
        return self._stored + self._used

    def room(self, size: int) -> memoryview:
        """Where the next `size` bytes may be written; nothing is kept of them unless `keep` is called."""
        if self._used + size > len(self._buffer):
            self.flush()
            if size > len(self._buffer):
                self._buffer = bytearray(size)
                self._view = memoryview(self._buffer)
        return self._view[self._used : self._used + size]

    def has_zero(self, size: int) -> bool:
        """Whether there is a zero byte among the first `size` that were written last."""
        return self._buffer.find(0, self._used, self._used + size) >= 0

    def keep(self, size: int) -> int:
        """Keep the first `size` bytes of what was written last; gives their place."""
        place = self.total
        self._used += size
        return place

    def flush(self) -> None:
        """Store what is in the buffer."""
        if self._used:
            offset, stored = self._store(self._view[: self._used])
            self.blocks.append(Block(self._stored, self._used, offset, stored))
            self._stored += self._used
            self._used = 0
