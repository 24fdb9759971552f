"""Gathering contents into blocks."""

import hashlib
import logging
from collections.abc import Callable
from typing import Final

from ._contents import Block, NotKept

__all__ = ["BLOCK", "Keeper", "Mask", "Store"]

BLOCK: Final = 2**20
"""Bytes of a block, but for a single content that is larger."""

_logger = logging.getLogger("tachograph.workdir")

Store = Callable[[memoryview], tuple[int, int]]
"""Stores a block: its offset in what is stored, and its bytes there."""


Mask = Callable[[bytes], bytes]
"""Masks the secrets in a content; gives as many bytes as it gets."""


class Keeper:
    """One buffer, into which contents are read, and from which they go to the store a block at a time."""

    def __init__(self, store: Store, mask: Mask | None = None) -> None:
        """Begin empty; `mask` is applied to each content that is kept."""
        self._store = store
        self._mask = mask
        self._buffer = bytearray(BLOCK)
        self._view = memoryview(self._buffer)
        self._used = 0
        self._stored = 0
        self.blocks: list[Block] = []
        self.masked: dict[int, str] = {}
        """Hex sha256 of each content in which secrets are masked, by its place."""

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
        """Keep the first `size` bytes of what was written last; gives their place, or `NotKept.UNREAD`."""
        if self._mask is not None:
            content = self._view[self._used : self._used + size]
            try:
                self._mask_content(content, self._mask)
            except Exception:  # whatever it is, no secret may slip through
                _logger.exception("a file could not be searched for secrets: its content is not kept")
                return NotKept.UNREAD
        place = self.total
        self._used += size
        return place

    def _mask_content(self, content: memoryview, mask: Mask) -> None:
        plain = bytes(content)
        masked = mask(plain)
        if masked != plain:
            content[:] = masked
            self.masked[self.total] = hashlib.sha256(masked).hexdigest()

    def flush(self) -> None:
        """Store what is in the buffer."""
        if self._used:
            offset, stored = self._store(self._view[: self._used])
            self.blocks.append(Block(self._stored, self._used, offset, stored))
            self._stored += self._used
            self._used = 0
