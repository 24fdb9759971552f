"""Bytes that are too many to be held: in a file without a name, which is gone with the process that made it."""

import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["Spill"]

_PIECE: Final = 2**20


class Spill:
    """A file that grows, readable by its owner only."""

    def __init__(self, folder: Path) -> None:
        """Make it on the disk of a folder. Raises OSError."""
        with tempfile.TemporaryFile(dir=folder) as file:
            self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self.length = 0
        """Bytes so far."""

    def add(self, data: bytes) -> None:
        """Append bytes. Raises OSError."""
        written = 0
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:] if written else data, self.length + written)
        self.length += written

    def pieces(self) -> Iterator[bytes]:
        """All of it, some at a time. Raises OSError."""
        for start in range(0, self.length, _PIECE):
            yield os.pread(self._descriptor, min(_PIECE, self.length - start), start)
