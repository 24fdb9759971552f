"""The recorder's own copy of a body is decoded as it comes, whatever its coding, and never without a limit."""

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Final

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.traces import BodyDecoder, DecodingError, _decoding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "ZSTD": lambda data: zstd.compress(data[: len(data) // 2]) + zstd.compress(data[len(data) // 2 :]),
    "GZip": lambda data: gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :]),
}
coding = st.sampled_from(sorted(ENCODERS))


@given(st.binary(max_size=5000), st.lists(coding, max_size=3), st.integers(1, 700))
def test_pieces_of_any_size_decode_to_the_body(body: bytes, codings: list[str], size: int) -> None:
    """Codings are undone from the last to the first, and no byte has to wait for the end of a body."""
    encoded = body
    for name in codings:
        encoded = ENCODERS[name](encoded)
    decoder = BodyDecoder(" , ".join(codings))
    pieces = [decoder.feed(encoded[at : at + size]) for at in range(0, len(encoded), size)]
    assert b"".join(pieces) == body
    assert decoder.is_identity == (not codings)


def flush_gzip() -> Callable[[bytes], bytes]:
    compressor = zlib.compressobj(wbits=31)
    return lambda data: compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def flush_brotli() -> Callable[[bytes], bytes]:
    compressor = brotli.Compressor()
    return lambda data: bytes(compressor.process(data) + compressor.flush())


def flush_zstd() -> Callable[[bytes], bytes]:
    compressor = zstd.ZstdCompressor()
    return lambda data: compressor.compress(data, zstd.ZstdCompressor.FLUSH_BLOCK)


def frame_zstd() -> Callable[[bytes], bytes]:
    return zstd.compress


@pytest.mark.parametrize(
    ("name", "new"), [("gzip", flush_gzip), ("br", flush_brotli), ("zstd", flush_zstd), ("zstd", frame_zstd)]
)
def test_a_flushed_event_is_had_at_once(name: str, new: Callable[[], Callable[[bytes], bytes]]) -> None:
    """A compressed stream is read event by event: time to first content is not time to the end."""
    encode, decoder = new(), BodyDecoder(name)
    for number in range(20):
        event = b"data: %d\n\n" % number
        assert decoder.feed(encode(event)) == event


@pytest.mark.parametrize("value", ["", "identity", " , identity", "IDENTITY"])
def test_no_coding(value: str) -> None:
    """What is not encoded passes untouched and without a limit."""
    decoder = BodyDecoder(value)
    assert decoder.is_identity
    assert decoder.feed(b"\x1f\x8b") == b"\x1f\x8b"


def test_an_unknown_coding_is_told() -> None:
    """A name that is not known here is an error that says so, not garbage."""
    with pytest.raises(DecodingError, match="'snappy'"):
        BodyDecoder("gzip, snappy")


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(min_size=1, max_size=200))
def test_garbage_is_told_or_read_but_no_fault(name: str, data: bytes) -> None:
    """Bytes that are not in the coding that the head names are one kind of error, whatever the library calls it."""
    decoder = BodyDecoder(name)
    try:
        decoder.feed(data)
        decoder.feed(data)
    except DecodingError:
        pass


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_small_body_that_hides_a_huge_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit nothing is decoded, and memory is not taken before that is known."""
    limit = 2**20
    monkeypatch.setattr(_decoding, "EXPANSION_LIMIT", limit)
    bomb = ENCODERS[name](bytes(64 * limit))
    tracemalloc.start()
    with pytest.raises(DecodingError, match=f"beyond {limit} bytes"):
        BodyDecoder(name).feed(bomb)
    with pytest.raises(DecodingError, match=f"beyond {limit} bytes"):
        BodyDecoder(f"{name}, {name}").feed(ENCODERS[name](bomb))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * limit


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_as_large_as_the_limit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is what may come out, in however many pieces."""
    limit = 2**18
    monkeypatch.setattr(_decoding, "EXPANSION_LIMIT", limit)
    body = bytes(range(256)) * (limit // 256)
    decoder, encoded = BodyDecoder(name), ENCODERS[name](body)
    assert b"".join(decoder.feed(encoded[at : at + 7]) for at in range(0, len(encoded), 7)) == body
    with pytest.raises(DecodingError):
        BodyDecoder(name).feed(ENCODERS[name](body + b"x"))
