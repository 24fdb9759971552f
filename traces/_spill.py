"""Bytes that are too many to be held: they lie in an unnamed file, which is gone with its process, however that ends."""

import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["Spill"]

_PIECE: Final = 256 * 1024
"""Bytes that are read at a time."""


class Spill:
    """A file without a name, for its owner only, to which bytes are appended. It is gone with the last reference to it."""

    def __init__(self, folder: Path) -> None:
        """Make the file on the file system of a folder. Raises OSError."""
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  it lasts as long as this object
        self._descriptor = file.fileno()
        weakref.finalize(self, file.close)
        self.size = 0
        """Bytes so far."""

    def append(self, data: bytes) -> None:
        """Take the next bytes. On OSError what was here is here still, and nothing of them."""
        left, size = memoryview(data), self.size
        while left:
            written = os.pwrite(self._descriptor, left, size)
            size += written
            left = left[written:]
        self.size = size

    def __iter__(self) -> Iterator[bytes]:
        """All bytes, in pieces. Raises OSError."""
        position = 0
        while position < self.size:
            piece = os.pread(self._descriptor, min(_PIECE, self.size - position), position)
            if not piece:
                raise OSError(f"{self.size - position} bytes of a temporary file are gone")
            yield piece
            position += len(piece)
