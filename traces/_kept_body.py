"""What is kept of a body that comes in pieces: secrets masked, also those that the pieces cut, in zstd frames."""

import hashlib
import io
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ._decoding import BodyDecoder, DecodingError
from ._delta_text import DeltaText, is_stream, mask_stream
from ._redaction import Redactor, masked
from ._scanner import Found

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["GrowingBody", "HashedBody", "KeptBody", "UnsearchableError", "compress", "decompress"]

_FRAME: Final = 16 * 1024
"""Bytes of a growing body that are looked at, and compressed, together."""
_HELD_BACK: Final = 4 * 1024
"""Bytes that may hold the beginning of a secret whose rest has not come: longer than any that is no whole match by then."""
_LONGEST: Final = 64 * 1024
"""Bytes of one secret. What is longer is masked in parts."""
_LONGEST_STREAM: Final = 64 * 2**20
"""Bytes of a stream that holds secrets; a longer one is not kept."""
_NEAR: Final = 256


class UnsearchableError(ValueError):
    """A body cannot be kept, because it cannot be searched for secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBody:
    """What is kept of a body."""

    stored: bytes = field(repr=False)
    """zstd frames."""
    masked: Mapping[str, int]
    """How many secrets are masked, by kind; empty if what is kept are the true bytes."""
    sha256: str | None
    """Hex sha256 of what is kept, if that is not the true bytes."""
    decoded: bool = False
    """It is kept as it was before its content coding."""


def compress(compressor: zstd.ZstdCompressor, data: bytes | bytearray) -> bytes:
    """One whole frame."""
    return compressor.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def decompress(frames: bytes, limit: int = -1) -> bytes:
    """The content of frames. Raises ZstdError or EOFError; ValueError if it has more bytes than `limit`."""
    # Not zstd.decompress: for each frame it copies all that follow.
    with zstd.ZstdFile(io.BytesIO(frames)) as file:
        content = file.read(limit)
        if limit >= 0 and file.read(1):
            raise ValueError(f"a stream of more than {limit} bytes")
        return content


class HashedBody:
    """A body that comes in pieces and of which nothing is kept but its length and its hash."""

    def __init__(self) -> None:
        """Begin empty."""
        self._sha256 = hashlib.sha256()
        self._digest: str | None = None
        self.length = 0
        """Bytes so far."""

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(piece)
        self._digest = None
        self.length += len(piece)

    def decode(self, content_encoding: str) -> None:
        """Take note of the content coding, before the first byte."""

    @property
    def sha256(self) -> str:
        """Hex sha256 of the bytes so far."""
        if self._digest is None:
            self._digest = self._sha256.hexdigest()
        return self._digest


class GrowingBody(HashedBody):
    """A body that comes in pieces. What has come is held compressed but for the last pieces, so that a stream is cheap."""

    def __init__(self, compressor: zstd.ZstdCompressor, redactor: Redactor) -> None:
        """Begin empty. A compressor may serve many bodies: each frame is whole by itself."""
        super().__init__()
        self._compressor = compressor
        self._masked = _MaskedFrames(compressor, redactor)
        self._wire: _Frames | None = None
        self._decoder: BodyDecoder | None = None
        self._fault: str | None = None

    def decode(self, content_encoding: str) -> None:
        """Take note of the content coding, before the first byte: secrets are looked for behind it."""
        try:
            decoder = BodyDecoder(content_encoding)
        except DecodingError as error:
            self._fault = str(error)
        else:
            if not decoder.is_identity:
                self._decoder, self._wire = decoder, _Frames(self._compressor)

    def add(self, piece: bytes) -> None:
        """Take the next bytes. No fault of what is done with them is raised: the body is then not kept."""
        super().add(piece)
        if self._fault is not None:
            return
        try:
            if self._decoder is None or self._wire is None:
                self._masked.add(piece)
            else:
                self._wire.add(piece)
                self._masked.add(self._decoder.feed(piece))
        except Exception as error:  # noqa: BLE001  neither the call (law 1) nor a secret (law 4) may suffer from it
            self._fault = str(error) or repr(error)

    def kept(self) -> KeptBody:
        """What is to be kept of the bytes so far.

        Raises:
            UnsearchableError: nothing.
        """
        if self._fault is None:
            try:
                kept = self._masked.kept()
            except Exception as error:  # noqa: BLE001  as above
                self._fault = str(error) or repr(error)
        if self._fault is not None:
            raise UnsearchableError(f"it could not be searched for secrets: {self._fault}")
        if self._wire is None:
            return kept
        if kept.masked:
            return KeptBody(stored=kept.stored, masked=kept.masked, sha256=kept.sha256, decoded=True)
        return KeptBody(stored=self._wire.stored(), masked={}, sha256=None)


class _Frames:
    """Bytes, compressed as they come."""

    def __init__(self, compressor: zstd.ZstdCompressor) -> None:
        self._compressor = compressor
        self._latest = bytearray()
        self._frames: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self._latest += piece
        if len(self._latest) >= _FRAME:
            self._compress(self._latest)
            self._latest = bytearray()

    def _compress(self, data: bytes | bytearray) -> None:
        self._frames.append(compress(self._compressor, data))

    def stored(self, latest: bytes | bytearray | None = None) -> bytes:
        """All of it, with `latest` in the place of the latest bytes if it is given."""
        rest = self._latest if latest is None else latest
        return b"".join((*self._frames, *([compress(self._compressor, rest)] if rest or not self._frames else [])))


class _MaskedFrames(_Frames):
    """The same with secrets masked. Of a stream of events that holds some, all is masked at its end: the events share them."""

    def __init__(self, compressor: zstd.ZstdCompressor, redactor: Redactor) -> None:
        super().__init__(compressor)
        self._redactor = redactor
        self._counts: Mapping[str, int] = {}
        self._enough = _FRAME
        self._deltas: DeltaText | None = None
        self._is_tainted = False
        """It is a stream of events, and holds a secret."""

    def add(self, piece: bytes) -> None:
        self._latest += piece
        if len(self._latest) >= self._enough:
            self._take()

    def _take(self) -> None:
        data = bytes(self._latest)
        if not self._frames and is_stream(data):
            self._deltas = DeltaText(self._redactor)
        found = [] if self._is_tainted else self._redactor.find(data)
        cut = _cut(data, found)
        if not cut:
            self._enough = len(data) + _FRAME
            return
        self._enough = _FRAME
        if self._deltas is not None:
            self._is_tainted = self._is_tainted or bool(found) or self._deltas.holds_secret(data[:cut])
            self._compress(data[:cut])
        else:
            done = masked(data[:cut], [one for one in found if one.start < cut])
            self._counts = Counter(self._counts) + Counter(done.counts)
            self._compress(done.data)
        self._latest = bytearray(data[cut:])

    def kept(self) -> KeptBody:
        rest = bytes(self._latest)
        if self._deltas is not None or (not self._frames and is_stream(rest)):
            return self._kept_stream(rest)
        found = self._redactor.find(rest)
        if not found and not self._counts:
            return KeptBody(stored=self.stored(rest), masked={}, sha256=None)
        last = masked(rest, found)
        stored = self.stored(last.data)
        counts = Counter(self._counts) + Counter(last.counts)
        return KeptBody(stored=stored, masked=counts, sha256=_hash_of(stored))

    def _kept_stream(self, rest: bytes) -> KeptBody:
        deltas = self._deltas or DeltaText(self._redactor)
        stored = self.stored(rest)
        if not (self._is_tainted or self._redactor.find(rest) or deltas.would_hold_secret(rest)):
            return KeptBody(stored=stored, masked={}, sha256=None)
        done = mask_stream(decompress(stored, _LONGEST_STREAM), self._redactor)
        sha256 = hashlib.sha256(done.data).hexdigest() if done.counts else None
        return KeptBody(stored=compress(self._compressor, done.data), masked=done.counts, sha256=sha256)


def _hash_of(frames: bytes) -> str:
    # Only here: of nearly all bodies the true bytes are kept.
    with zstd.ZstdFile(io.BytesIO(frames)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cut(data: bytes, found: Sequence[Found]) -> int:
    """How many bytes can be let go: none that belongs to a secret whose end may be to come. 0 if it has to be waited for."""
    cut = len(data) - _HELD_BACK
    # Behind a quote or a space: what a secret is told by stands with it.
    cut = max(data.rfind(b'"', cut - _NEAR, cut), data.rfind(b" ", cut - _NEAR, cut)) + 1 or cut
    for one in found:
        if one.start < cut < one.end:
            return one.start if one.start or len(data) < _LONGEST else len(data)
    return cut
