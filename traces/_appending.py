"""Appending whole records to a file that several processes share."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SharedFile"]


class SharedFile:
    """A file to which records are appended whole or not at all, by any number of processes.

    An exclusive `flock` is held for each append, so that a process may first see what others appended, and may take back
    a record that did not fit on the disk. The kernel drops the lock of a killed process.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, making it if need be, readable by its owner only. Raises OSError."""
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[int]:
        """Keep all others from appending; yields the file's size in bytes."""
        with self._lock:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield os.fstat(self._descriptor).st_size
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def append(self, record: bytes, size: int) -> None:
        """Append within `exclusive`, which gave `size`. On OSError the file is as it was before."""
        written = 0
        try:
            while written < len(record):
                written += os.write(self._descriptor, record[written:] if written else record)
        except OSError:
            if written:
                os.ftruncate(self._descriptor, size)
            raise

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`, or to the end of the file if that comes first."""
        return os.pread(self._descriptor, end - start, start)

    def sync(self) -> None:
        """Wait until all that was appended is safe against power loss."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
