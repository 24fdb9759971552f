"""Decoding the recorder's own copy of a body; what passes to the agent is never touched (RFC 9110, section 8.4.1)."""

import sys
import zlib
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["BodyDecoder", "DecodingError"]

EXPANSION_LIMIT: Final = 256 * 2**20
"""A body is not read beyond this many decoded bytes: a small one may hide a huge one."""
_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS


class DecodingError(ValueError):
    """The body is not in the coding that its head names, or expands beyond the limit."""


class _Decoder(Protocol):
    def __call__(self, data: bytes, /) -> bytes: ...


def _inflate() -> _Decoder:
    return zlib.decompressobj(_ZLIB_OR_GZIP).decompress


class _Deflate:
    """`deflate` is zlib by the RFC and raw deflate from some servers: the first byte tells."""

    def __init__(self) -> None:
        self._decoder: _Decoder | None = None

    def __call__(self, data: bytes, /) -> bytes:
        if self._decoder is None and data:
            is_zlib = data[0] & 0x0F == zlib.DEFLATED
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS).decompress
        return self._decoder(data) if self._decoder else b""


class _Zstandard:
    """A body may hold several frames."""

    def __init__(self) -> None:
        self._decoder = zstd.ZstdDecompressor()

    def __call__(self, data: bytes, /) -> bytes:
        decoded = self._decoder.decompress(data)
        while self._decoder.eof and (rest := self._decoder.unused_data):
            self._decoder = zstd.ZstdDecompressor()
            decoded += self._decoder.decompress(rest)
        return decoded


def _brotli() -> _Decoder:
    process: _Decoder = brotli.Decompressor().process
    return process


_DECODERS: Final[Mapping[str, Callable[[], _Decoder]]] = {
    "gzip": _inflate,
    "x-gzip": _inflate,
    "deflate": _Deflate,
    "br": _brotli,
    "zstd": _Zstandard,
}


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
        try:
            for decoder in self._decoders:
                data = decoder(data)
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError) as error:
            raise DecodingError(f"damaged body: {error}") from error
        self._expanded += len(data)
        if self._decoders and self._expanded > EXPANSION_LIMIT:
            raise DecodingError(f"body expands beyond {EXPANSION_LIMIT} bytes")
        return data
