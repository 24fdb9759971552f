"""Decoding a recorded body; what passes to the agent is never touched (RFC 9110, section 8.4.1)."""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BodyDecoder", "DecodingError", "decoded"]

EXPANSION_LIMIT: Final = 256 * 2**20
"""A body is not read beyond this many decoded bytes: a small one may hide a huge one."""
_PIECE: Final = 64 * 1024
"""Bytes of a body of several frames that are looked at together: what follows a frame is copied once for each."""
_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS


class DecodingError(ValueError):
    """The body is not in the coding that its head names, or expands beyond the limit."""


class _Decoder(Protocol):
    """Decodes the next bytes; stops when about `limit` bytes have come out."""

    def __call__(self, data: bytes, limit: int, /) -> bytes: ...


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Frames:
    """A body may hold several frames, as zstd calls them, or members, as gzip does."""

    def __init__(self, new: Callable[[], _Decompressor]) -> None:
        self._new = new
        self._decompressor = new()

    def __call__(self, data: bytes, limit: int, /) -> bytes:
        decoded, left = [], limit
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            while piece and left:
                if self._decompressor.eof:
                    self._decompressor = self._new()
                decoded.append(self._decompressor.decompress(piece, left))
                left -= len(decoded[-1])
                piece = self._decompressor.unused_data
        return b"".join(decoded)


class _Deflate:
    """`deflate` is zlib by the RFC and raw deflate from some servers: the first byte tells."""

    def __init__(self) -> None:
        self._decompressor: _Decompressor | None = None

    def __call__(self, data: bytes, limit: int, /) -> bytes:
        if not data:
            return b""
        if self._decompressor is None:
            is_zlib = data[0] & 0x0F == zlib.DEFLATED
            self._decompressor = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
        return self._decompressor.decompress(data, limit)


class _Brotli:
    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    def __call__(self, data: bytes, limit: int, /) -> bytes:
        decoded: bytes = self._decompressor.process(data, output_buffer_limit=limit)
        return decoded


def _gzip() -> _Decoder:
    return _Frames(lambda: zlib.decompressobj(_ZLIB_OR_GZIP))


def _zstandard() -> _Decoder:
    return _Frames(zstd.ZstdDecompressor)


_DECODERS: Final[Mapping[str, Callable[[], _Decoder]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _zstandard,
}


def decoded(body: bytes, content_encoding: str) -> bytes:
    """A whole body without its codings.

    Raises:
        DecodingError: it is not in them, or too much comes out.
    """
    return BodyDecoder(content_encoding).feed(body) if content_encoding else body


class BodyDecoder:
    """Undoes the codings of a `Content-Encoding` header, piece by piece."""

    def __init__(self, content_encoding: str) -> None:
        """Take the header's value; empty or `identity` is no coding.

        Raises:
            DecodingError: a coding is not known here.
        """
        codings = [coding.strip().lower() for coding in content_encoding.split(",")]
        codings = [coding for coding in codings if coding not in ("", "identity")]
        unknown = [coding for coding in codings if coding not in _DECODERS]
        if unknown:
            raise DecodingError(f"content coding {unknown[0]!r} is not known")
        self._decoders = [_DECODERS[coding]() for coding in reversed(codings)]
        self._expanded = 0

    @property
    def is_identity(self) -> bool:
        """Whether there is nothing to undo."""
        return not self._decoders

    def feed(self, data: bytes) -> bytes:
        """Decode the next bytes.

        Raises:
            DecodingError: they are not in the coding, or too much has come out.
        """
        left = EXPANSION_LIMIT - self._expanded
        try:
            for decoder in self._decoders:
                data = decoder(data, left + 1)
                if len(data) > left:
                    raise DecodingError(f"body expands beyond {EXPANSION_LIMIT} bytes")
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError) as error:
            raise DecodingError(f"damaged body: {error}") from error
        self._expanded += len(data)
        return data
