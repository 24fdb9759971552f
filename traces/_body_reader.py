"""Reading the bodies of a run from the pack that `_bodies` describes, whatever a killed writer or a bad disk left of it."""

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from ._bodies import PACK_FORMAT, PACK_FORMAT_KEY, PACK_NAME, pack_tail
from ._errors import StoreError
from ._kept_body import decompress

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BodyReader", "MaskedBody"]

_HEAD: Final = b'{"sha256":"'
"""What each record begins with."""
_LONGEST_HEAD: Final = 16 * 1024
_WINDOW: Final = 2**20
_HELD: Final = 4
"""Bodies that are held, since the next one is likely to lean on one of them: requests and responses come in turns."""
_HELD_BYTES: Final = 64 * 2**20
"""Of which the earlier ones go if they are larger than this together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedBody:
    """How what is kept of a body differs from its true bytes."""

    sha256: str
    """Hex sha256 of what is kept."""
    counts: Mapping[str, int]
    """How many secrets are masked, by kind."""
    decoded: bool
    """It is kept as it was before its content coding."""


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: str
    offset: int
    """Where its frames stand in the pack."""
    stored: int
    """Bytes of its frames."""
    base: str | None
    prefix: int
    suffix: int
    masked: MaskedBody | None

    @property
    def end(self) -> int:
        """Where the next record stands."""
        return self.offset + self.stored + len(pack_tail(self.digest))


class BodyReader:
    """Reads the bodies of one run by their hash. What is no whole record is passed over up to the next one."""

    def __init__(self, folder: Path | None) -> None:
        """Read the pack's index. A run without bodies has none.

        Args:
            folder: `bodies/` in the run's folder; None: the run was read from where there are none.

        Raises:
            StoreError: the pack cannot be read, or a newer tachograph wrote it.
        """
        self._path = (folder or Path()) / PACK_NAME
        self._entries: dict[str, _Entry] = {}
        self._latest: dict[str, bytes] = {}
        self.gaps: list[tuple[int, int]] = []
        """From which byte to which the pack holds no record that can be read: cut off by a kill, or damaged."""
        if folder is None:
            return
        try:
            with self._path.open("rb") as pack:
                self._read_index(pack)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be read: {error.strerror}") from error

    def __contains__(self, digest: str) -> bool:
        return digest in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, digest: str) -> bytes:
        """The body whose true bytes have this hex sha256, with its secrets masked.

        Raises:
            KeyError: the run has no such body.
            StoreError: its record is damaged, or may have stood where the pack is.
        """
        if digest in self._latest:
            return self._latest[digest]
        chain = self._chain(digest)
        body = self._latest.get(chain[-1].base or "", b"")
        try:
            with self._path.open("rb") as pack:
                for entry in reversed(chain):
                    pack.seek(entry.offset)
                    new = decompress(pack.read(entry.stored))
                    body = (
                        body[: entry.prefix] + new + body[len(body) - entry.suffix :] if entry.base is not None else new
                    )
        except (OSError, EOFError, zstd.ZstdError) as error:
            raise StoreError(f"{self._path}: the record of body {digest} is damaged: {error}") from error
        about = self._entries[digest].masked
        if hashlib.sha256(body).hexdigest() != (about.sha256 if about else digest):
            raise StoreError(f"{self._path}: the record of body {digest} is damaged: its bytes have another hash")
        self._hold(digest, body)
        return body

    def _hold(self, digest: str, body: bytes) -> None:
        self._latest[digest] = body
        while len(self._latest) > _HELD or (
            len(self._latest) > 1 and sum(map(len, self._latest.values())) > _HELD_BYTES
        ):
            del self._latest[next(iter(self._latest))]

    def masked(self, digest: str) -> MaskedBody | None:
        """What is masked in a body; None if its true bytes are kept, or it is not there."""
        return self._entries[digest].masked if digest in self._entries else None

    def _chain(self, digest: str) -> list[_Entry]:
        """The body's record and those that it leans on, as far as a body that is held."""
        if digest not in self._entries and self.gaps:
            raise StoreError(f"{self._path}: no body {digest}, but {len(self.gaps)} gap(s) in the pack: {self.gaps}")
        chain = [self._entries[digest]]
        while (base := chain[-1].base) is not None and base not in self._latest:
            chain.append(self._entries[base])
        return chain

    def _read_index(self, pack: BinaryIO) -> None:
        header = pack.readline(_LONGEST_HEAD)
        self._refuse_newer(header)
        size = os.fstat(pack.fileno()).st_size
        position = len(header) if _version(header) is not None else 0
        while position < size:
            entry = _entry_at(pack, position, size)
            # A base stands before what leans on it, so the first of two records of a body is the one that counts:
            # two processes may each have written a body that leans on the other's.
            if entry is None or (entry.base is not None and entry.base not in self._entries):
                end = _next_record(pack, position + 1, size)
                self.gaps.append((position, end))
                position = end
            else:
                self._entries.setdefault(entry.digest, entry)
                position = entry.end

    def _refuse_newer(self, header: bytes) -> None:
        version = _version(header)
        if version is not None and version > PACK_FORMAT:
            raise StoreError(f"{self._path}: written by a newer tachograph (format {version}); update to read it")


def _version(header: bytes) -> int | None:
    """The version of the form that a pack's first line names; None if it is none."""
    try:
        version = orjson.loads(header)[PACK_FORMAT_KEY]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) and header.endswith(b"\n") else None


def _entry_at(pack: BinaryIO, position: int, size: int) -> _Entry | None:
    """The record that begins here, if one does, and it is whole."""
    pack.seek(position)
    head = pack.readline(_LONGEST_HEAD)
    try:
        fields = orjson.loads(head)
        names = (fields["sha256"], fields.get("base"))
        numbers = (fields["stored"], fields.get("prefix", 0), fields.get("suffix", 0))
        masked = _masked(fields)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    if not all(name is None or type(name) is str for name in names):
        return None
    if not all(type(number) is int and number >= 0 for number in numbers):
        return None
    (digest, base), (stored, prefix, suffix) = names, numbers
    entry = _Entry(digest, position + len(head), stored, base, prefix, suffix, masked)
    if not head.endswith(b"\n") or entry.end > size:
        return None
    tail = pack_tail(digest)
    pack.seek(entry.end - len(tail))
    return entry if pack.read(len(tail)) == tail else None


def _masked(fields: Mapping[str, Any]) -> MaskedBody | None:
    """Raises TypeError or AttributeError: it makes no sense."""
    if "kept" not in fields:
        return None
    kept, counts, decoded = fields["kept"], fields.get("masked", {}), fields.get("decoded", False)
    if type(kept) is not str or not all(type(count) is int for count in counts.values()):
        raise TypeError("no counts by kind")
    return MaskedBody(sha256=kept, counts=counts, decoded=decoded is True)


def _next_record(pack: BinaryIO, position: int, size: int) -> int:
    """Where the next record begins at or after this byte; the pack's size if none does."""
    while position < size:
        pack.seek(position)
        found = pack.read(_WINDOW).find(_HEAD)
        if found >= 0:
            return position + found
        position += _WINDOW - len(_HEAD) + 1
    return size
