"""What is kept of a body that comes in pieces: secrets masked, also those that the pieces cut, in zstd frames."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ._decoding import BodyDecoder, DecodingError
from ._delta_text import DeltaText, is_stream, mask_stream
from ._frames import Frames, KeptBody, compress, contents, decompress
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
_TOO_LONG: Final = f"a stream of more than {_LONGEST_STREAM} bytes that holds secrets"
_NEAR: Final = 256


class UnsearchableError(ValueError):
    """A body cannot be kept, because it cannot be searched for secrets."""


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

    def __init__(self, compressor: zstd.ZstdCompressor, redactor: Redactor, folder: Path | None = None) -> None:
        """Begin empty.

        Args:
            compressor: may serve many bodies: each frame is whole by itself.
            redactor: finds the secrets.
            folder: on whose file system most of a large body lies until it is put; None: it is held in memory.
        """
        super().__init__()
        self._compressor = compressor
        self._folder = folder
        self._masked = _MaskedFrames(compressor, folder, redactor)
        self._wire: Frames | None = None
        self._decoder: BodyDecoder | None = None
        self._fault: str | OSError | None = None

    def decode(self, content_encoding: str) -> None:
        """Take note of the content coding, before the first byte: secrets are looked for behind it."""
        try:
            decoder = BodyDecoder(content_encoding)
        except DecodingError as error:
            self._fault = str(error)
        else:
            if not decoder.is_identity:
                self._decoder, self._wire = decoder, Frames(self._compressor, self._folder)

    def add(self, piece: bytes) -> None:
        """Take the next bytes. No fault of what is done with them is raised: the body is then not kept."""
        super().add(piece)
        if self._fault is not None:
            return
        try:
            if self._decoder is None or self._wire is None:
                self._masked.add(piece)
            else:
                self._masked.add(self._decoder.feed(piece))
                self._wire.may_spill = not self._masked.holds_secret
                if self._masked.has_masks:
                    self._wire.clear()  # the decoded bytes will be kept in its place
                else:
                    self._wire.add(piece)
        except OSError as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001  neither the call (law 1) nor a secret (law 4) may suffer from it
            self._give_up(str(error) or repr(error))

    def _give_up(self, fault: str | OSError) -> None:
        """Let go of what would have been kept."""
        self._fault = fault
        self._masked.clear()
        if self._wire is not None:
            self._wire.clear()

    def kept(self) -> KeptBody:
        """What is to be kept of the bytes so far.

        Raises:
            OSError: nothing, because there was no room for it.
            UnsearchableError: nothing.
        """
        if self._fault is None:
            try:
                kept = self._masked.kept()
            except OSError as error:
                self._give_up(error)
            except Exception as error:  # noqa: BLE001  as above
                self._give_up(str(error) or repr(error))
        if isinstance(self._fault, OSError):
            raise self._fault
        if self._fault is not None:
            raise UnsearchableError(f"it could not be searched for secrets: {self._fault}")
        if self._wire is None:
            return kept
        if kept.masked:
            return replace(kept, decoded=True)
        return self._wire.kept()


class _MaskedFrames(Frames):
    """The same with secrets masked. Of a stream of events that holds some, all is masked at its end: the events share them."""

    def __init__(self, compressor: zstd.ZstdCompressor, folder: Path | None, redactor: Redactor) -> None:
        super().__init__(compressor, folder)
        self._redactor = redactor
        self._counts: Mapping[str, int] = {}
        self._enough = _FRAME
        self._deltas: DeltaText | None = None
        self._is_tainted = False
        """It is a stream of events, and holds a secret."""
        self._stream_bytes = 0

    @property
    def holds_secret(self) -> bool:
        """A secret was found so far."""
        return self._is_tainted or self.has_masks

    @property
    def has_masks(self) -> bool:
        """What is kept is not the true bytes any more."""
        return bool(self._counts)

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
            self._stream_bytes += cut
            if self._is_tainted and self._stream_bytes > _LONGEST_STREAM:
                raise ValueError(_TOO_LONG)
            self.may_spill = not self._is_tainted
            self.compress(data[:cut])
        else:
            done = masked(data[:cut], [one for one in found if one.start < cut])
            self._counts = Counter(self._counts) + Counter(done.counts)
            self.compress(done.data)
        self._latest = bytearray(data[cut:])

    def kept(self) -> KeptBody:
        rest = bytes(self._latest)
        if self._deltas is not None or (not self._frames and is_stream(rest)):
            return self._kept_stream(rest)
        found = self._redactor.find(rest)
        if not found and not self._counts:
            return self.kept_with(rest)
        last = masked(rest, found)
        kept, counts = self.kept_with(last.data), Counter(self._counts) + Counter(last.counts)
        return replace(kept, masked=counts, sha256=_hash_of(kept.pieces()))

    def _kept_stream(self, rest: bytes) -> KeptBody:
        deltas = self._deltas or DeltaText(self._redactor)
        kept = self.kept_with(rest)
        if not (self._is_tainted or self._redactor.find(rest) or deltas.would_hold_secret(rest)):
            return kept
        done = mask_stream(_whole_stream(kept.pieces()), self._redactor)
        sha256 = hashlib.sha256(done.data).hexdigest() if done.counts else None
        return KeptBody(stored=compress(self._compressor, done.data), masked=done.counts, sha256=sha256)


def _whole_stream(frames: Iterable[bytes]) -> bytes:
    content = bytearray()
    for piece in contents(frames):
        content += piece
        if len(content) > _LONGEST_STREAM:
            raise ValueError(_TOO_LONG)
    return bytes(content)


def _hash_of(frames: Iterable[bytes]) -> str:
    # Only here: of nearly all bodies the true bytes are kept.
    sha256 = hashlib.sha256()
    for piece in contents(frames):
        sha256.update(piece)
    return sha256.hexdigest()


def _cut(data: bytes, found: Sequence[Found]) -> int:
    """How many bytes can be let go: none that belongs to a secret whose end may be to come. 0 if it has to be waited for."""
    cut = len(data) - _HELD_BACK
    # Behind a quote or a space: what a secret is told by stands with it.
    cut = max(data.rfind(b'"', cut - _NEAR, cut), data.rfind(b" ", cut - _NEAR, cut)) + 1 or cut
    for one in found:
        if one.start < cut < one.end:
            return one.start if one.start or len(data) < _LONGEST else len(data)
    return cut
