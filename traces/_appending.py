"""Appending whole records to a file that several processes share."""

import fcntl
import os
import threading
from collections.abc import Iterable
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

    def __enter__(self) -> int:
        """Keep all others from appending until the block ends; gives the file's size in bytes."""
        self._lock.acquire()
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            return os.lseek(self._descriptor, 0, os.SEEK_END)  # a third of the time that fstat takes
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            self._lock.release()

    def append(self, record: bytes, size: int) -> None:
        """Append within a `with` block, which gave `size`. On OSError the file is as it was before."""
        written = 0
        try:
            while written < len(record):
                written += os.write(self._descriptor, record[written:] if written else record)
        except OSError:
            if written:
                os.ftruncate(self._descriptor, size)
            raise

    def append_pieces(self, pieces: Iterable[bytes], size: int) -> None:
        """Append a record that is too long to be held, like `append`."""
        try:
            for piece in pieces:
                left = memoryview(piece)
                while left:
                    left = left[os.write(self._descriptor, left) :]
        except OSError:
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
