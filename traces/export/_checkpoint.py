"""How far a journal has been sent: the file that was read, and the offset after its last acknowledged line."""

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

import orjson

from .._errors import StoreError

__all__ = ["Checkpoint", "FileId", "file_id", "read_checkpoint", "write_durably"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileId:
    """Which file it is, whatever its name is."""

    device: int
    inode: int
    first_line: str
    """Hex sha256 of the first line: an inode is used again once its file is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What is known of one journal at one destination."""

    journal: str
    """Its path: from the store's folder if it is in there."""
    file: FileId
    offset: int = 0
    """After the last line that needs not be sent any more, in bytes."""
    spans: int = 0
    """Sent and accepted."""
    rejected_spans: int = 0
    """Of those, rejected by the collector in a partial success: never to be sent again."""
    rejected_message: str = ""
    """What the collector said of the last of them."""
    dead_lines: int = 0
    """Refused for good and kept among the dead letters."""
    unread_lines: int = 0
    """Passed over, since they are no JSON."""

    def advanced(self, offset: int, **counts: int) -> "Checkpoint":
        """Up to `offset`, with `counts` added to the numbers of those names."""
        return replace(self, offset=offset, **{name: getattr(self, name) + count for name, count in counts.items()})


def file_id(file: BinaryIO) -> FileId | None:
    """The identity of an open file; None while its first line is not whole. Leaves the file at the line's end."""
    file.seek(0)
    first = file.readline()
    if not first.endswith(b"\n"):
        return None
    status = os.fstat(file.fileno())
    return FileId(device=status.st_dev, inode=status.st_ino, first_line=hashlib.sha256(first).hexdigest())


def read_checkpoint(path: Path) -> Checkpoint | None:
    """What was written; None if there is nothing.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        data = orjson.loads(path.read_bytes())
        return Checkpoint(**{**data, "file": FileId(**data["file"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); without it, all of its journal is sent again") from error


def write_durably(path: Path, record: Checkpoint) -> None:
    """Replace the file at once, safe against a kill and power loss. Raises OSError."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, orjson.dumps(asdict(record)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
