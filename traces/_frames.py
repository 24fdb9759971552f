"""What is kept of a body: zstd frames, the first of them spilled if they are too many to be held."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ._spill import Spill

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Frames", "KeptBody", "compress", "contents", "decompress"]

_FRAME: Final = 16 * 1024
"""Bytes of a growing body that are compressed together."""
_HELD: Final = 2**20
"""Bytes of frames that are held. What is more goes into a file: ordinary answers have none."""
_NOT_SPILLED: Final = 2**19
"""The latest bytes of frames stay in memory: it is not known yet whether they hold a secret that only shows decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBody:
    """What is kept of a body."""

    stored: bytes = field(repr=False)
    """zstd frames; the last ones, if some are spilled."""
    spilled: Spill | None = None
    """The frames before them; None if all are in memory."""
    masked: Mapping[str, int]
    """How many secrets are masked, by kind; empty if what is kept are the true bytes."""
    sha256: str | None
    """Hex sha256 of what is kept, if that is not the true bytes."""
    decoded: bool = False
    """It is kept as it was before its content coding."""

    def pieces(self) -> Iterator[bytes]:
        """All frames, in pieces that may end anywhere. Raises OSError."""
        if self.spilled is not None:
            yield from self.spilled
        yield self.stored


def compress(compressor: zstd.ZstdCompressor, data: bytes | bytearray) -> bytes:
    """One whole frame."""
    return compressor.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def decompress(frames: bytes) -> bytes:
    """The content of frames. Raises ZstdError or EOFError."""
    # Not zstd.decompress: for each frame it copies all that follow.
    with zstd.ZstdFile(io.BytesIO(frames)) as file:
        return file.read()


def contents(frames: Iterable[bytes]) -> Iterator[bytes]:
    """The content of frames that come in pieces, in pieces."""
    decompressor = zstd.ZstdDecompressor()
    for piece in frames:
        rest = piece
        while rest:
            if decompressor.eof:
                decompressor = zstd.ZstdDecompressor()
            yield decompressor.decompress(rest)
            rest = decompressor.unused_data


class Frames:
    """Bytes, compressed as they come; the frames that are too many to be held, spilled."""

    def __init__(self, compressor: zstd.ZstdCompressor, folder: Path | None) -> None:
        self._compressor = compressor
        self._folder = folder
        self._latest = bytearray()
        self._frames: list[bytes] = []
        self._held = 0
        self._spill: Spill | None = None
        self.may_spill = True
        """It holds no secret: such a body is not written before it is masked."""

    def add(self, piece: bytes) -> None:
        """Take the next bytes. Raises OSError: they cannot be spilled."""
        self._latest += piece
        if len(self._latest) >= _FRAME:
            self.compress(self._latest)
            self._latest = bytearray()

    def compress(self, data: bytes | bytearray) -> None:
        """Take bytes as a frame of their own. Raises OSError as above."""
        frame = compress(self._compressor, data)
        self._frames.append(frame)
        self._held += len(frame)
        if self._held > _HELD and self._folder is not None and self.may_spill:
            self._spill_over(self._folder)

    def _spill_over(self, folder: Path) -> None:
        first, held = len(self._frames), 0
        while held < _NOT_SPILLED:
            first -= 1
            held += len(self._frames[first])
        self._spill = self._spill or Spill(folder)
        self._spill.append(b"".join(self._frames[:first]))
        del self._frames[:first]
        self._held = held

    def clear(self) -> None:
        """Let go of all."""
        self._latest, self._frames, self._held, self._spill = bytearray(), [], 0, None

    def kept(self) -> KeptBody:
        """All of it."""
        return self.kept_with(self._latest)

    def kept_with(self, rest: bytes | bytearray) -> KeptBody:
        """All of it, with `rest` in the place of the latest bytes."""
        last = [compress(self._compressor, rest)] if rest or not self._frames else []
        return KeptBody(stored=b"".join((*self._frames, *last)), spilled=self._spill, masked={}, sha256=None)
