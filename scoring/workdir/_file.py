"""A snapshot in a file.

The form, version 1: a line of JSON that says the version; blocks of contents, each as it is or a zstd frame; the manifest, a
zstd frame; and a tail: the manifest's length (8 bytes, little-endian) and its sha256. The manifest is a line of JSON (root,
time, links, errors, sizes of blocks and columns) and four columns: paths with a zero byte after each, records, hashes, places.
There is no standard form to use: what mtree, tar and git's index say of a file lacks its ctime, its inode or its hash.
"""

import json
import mmap
import os
import sys
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, Final

from ...traces import InputError, StoreError
from ._contents import Block, Contents
from ._entry import HASH_SIZE
from ._snapshot import Snapshot

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["FileStore", "map_file", "nameless_file", "new_file", "read_snapshot", "write_manifest"]

_FORMAT: Final = 1
_FORMAT_KEY: Final = "tachograph.workdir"
_HEADER: Final = b'{"%b":%d}\n' % (_FORMAT_KEY.encode(), _FORMAT)
_LENGTH_SIZE: Final = 8
_TAIL_SIZE: Final = _LENGTH_SIZE + HASH_SIZE
_LEVEL: Final = 3
_MANIFEST_LEVEL: Final = 1
"""Most of it are hashes, which no level makes smaller."""


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that begins as a snapshot's, and takes its name when the block ends; if that fails, there is none.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w+b") as out:
                out.write(_HEADER)
                yield out
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def nameless_file() -> Iterator[BinaryIO]:
    """A file for contents only, which is gone when nothing refers to it. Raises StoreError."""
    try:
        with tempfile.TemporaryFile() as out:
            out.write(_HEADER)
            yield out
    except OSError as error:
        raise StoreError(f"{tempfile.gettempdir()}: cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class FileStore:
    """Blocks of contents, written to a new file."""

    out: BinaryIO
    name: Path
    """What to call it in errors."""
    compress: bool

    def __call__(self, block: memoryview) -> tuple[int, int]:
        """Write a block. Raises StoreError."""
        packed = zstd.compress(block, _LEVEL) if self.compress else block
        try:
            return self.out.tell(), self.out.write(packed if len(packed) < len(block) else block)
        except OSError as error:
            raise StoreError(f"{self.name}: cannot be written: {error.strerror}") from error


def map_file(file: BinaryIO) -> mmap.mmap:
    """What a file holds, for as long as it is looked at, though the file be replaced."""
    file.flush()
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def write_manifest(snapshot: Snapshot, out: BinaryIO) -> None:
    """Write all but the contents, after the blocks of the snapshot's contents."""
    columns = (
        os.fsencode("".join(f"{path}\0" for path in snapshot.paths)),
        snapshot.records,
        snapshot.hashes,
        _little_endian(array("q", snapshot.contents.places)).tobytes(),
    )
    about = {
        "root": snapshot.root,
        "started_ns": snapshot.started_ns,
        "entries": len(snapshot),
        "targets": dict(snapshot.targets),
        "errors": dict(snapshot.errors),
        "counted": dict(snapshot.counted),
        "masked": dict(snapshot.masked),
        "blocks": [(block.size, block.stored) for block in snapshot.contents.blocks],
        "columns": [len(column) for column in columns],
    }
    manifest = zstd.compress(b"".join((json.dumps(about).encode(), b"\n", *columns)), _MANIFEST_LEVEL)
    out.write(manifest)
    out.write(len(manifest).to_bytes(_LENGTH_SIZE, "little"))
    out.write(sha256(manifest).digest())


def _little_endian(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def read_snapshot(path: Path) -> Snapshot:
    """Read a snapshot. Contents are read from the file when they are asked for.

    Raises:
        InputError: there is no such file, it is no snapshot, or of a version that is not known.
        StoreError: it cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as file:
            _check_version(path, file.readline(len(_HEADER) + 16))
            store = map_file(file)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    end = len(store) - _TAIL_SIZE
    length = int.from_bytes(store[end : end + _LENGTH_SIZE], "little")
    manifest = store[max(end - length, 0) : end] if end > 0 else b""
    if sha256(manifest).digest() != store[end + _LENGTH_SIZE :]:
        raise StoreError(f"{path}: damaged: it is cut off, or its manifest has another hash")
    return _snapshot(zstd.decompress(manifest), store)


def _check_version(path: Path, line: bytes) -> None:
    try:
        version = json.loads(line)[_FORMAT_KEY]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a snapshot of a workdir") from error
    if version != _FORMAT:
        raise InputError(
            f"{path}: written in version {version} of the form; this tachograph knows {_FORMAT}: update it"
        )


def _snapshot(manifest: bytes, store: mmap.mmap) -> Snapshot:
    line, _, columns = manifest.partition(b"\n")
    about: dict[str, Any] = json.loads(line)
    ends = list(accumulate(about["columns"]))
    paths, records, hashes, places = (
        columns[end - size : end] for size, end in zip(about["columns"], ends, strict=True)
    )
    return Snapshot(
        root=about["root"],
        started_ns=about["started_ns"],
        paths=tuple(os.fsdecode(paths).split("\0")[:-1]),
        records=records,
        hashes=hashes,
        targets=about["targets"],
        errors=about["errors"],
        counted=about["counted"],
        masked=about.get("masked", {}),
        contents=Contents(_little_endian(array("q", places)), _blocks(about["blocks"]), store),
    )


def _blocks(sizes: list[tuple[int, int]]) -> Iterator[Block]:
    start, offset = 0, len(_HEADER)
    for size, stored in sizes:
        yield Block(start, size, offset, stored)
        start, offset = start + size, offset + stored
