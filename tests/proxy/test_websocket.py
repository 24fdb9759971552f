"""Reading WebSocket messages from a copy of the bytes: against a real library's frames, at every cut."""

import random
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode

from tachograph.proxy import _websocket
from tachograph.proxy._websocket import MessageReader, WebSocketMessage, close_of, message_readers
from tachograph.traces import DecodingError

DATA = {"text": Opcode.TEXT, "binary": Opcode.BINARY}
CONTROL = {"ping": Opcode.PING, "pong": Opcode.PONG, "close": Opcode.CLOSE}
DEFLATE = "permessage-deflate"

Sent = tuple[str, Sequence[bytes]]
"""A message's kind and its fragments."""

contents = st.one_of(st.binary(max_size=300), st.sampled_from([b"x" * 125, b"y" * 126, b"z" * 65535, b"w" * 65536]))
messages = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(DATA)), st.lists(contents, min_size=1, max_size=4)),
        st.tuples(st.sampled_from(sorted(CONTROL)), st.lists(st.binary(max_size=125), min_size=1, max_size=1)),
    ),
    max_size=6,
)


def wire_bytes(sent: Sequence[Sent], *, masked: bool, deflate: bool, context: bool = True) -> bytes:
    """What the library writes for these messages; a ping stands between the fragments of each."""
    extension = PerMessageDeflate(not context, not context, 15, 15)
    used: list[Any] = [extension] if deflate else []
    written = bytearray()
    for kind, fragments in sent:
        for number, fragment in enumerate(fragments):
            opcode = Opcode.CONT if number else (DATA | CONTROL)[kind]
            frame = Frame(opcode, fragment, fin=number == len(fragments) - 1)
            written += frame.serialize(mask=masked, extensions=used)
            if not frame.fin:
                written += Frame(Opcode.PING, b"between").serialize(mask=masked, extensions=used)
    return bytes(written)


def read(reader: MessageReader, pieces: Sequence[bytes]) -> list[tuple[str, bytes | None]]:
    found = [message for piece in pieces for message in reader.feed(piece)]
    assert all(message.content is None or len(message.content) == message.length for message in found)
    return [(message.kind, message.content) for message in found]


def meant(sent: Sequence[Sent]) -> list[tuple[str, bytes]]:
    """Pings between fragments come before the message that they interrupt."""
    found = []
    for kind, fragments in sent:
        found += [("ping", b"between")] * (len(fragments) - 1)
        found.append((kind, b"".join(fragments)))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=messages, masked=st.booleans(), deflate=st.booleans(), context=st.booleans(), seed=st.integers())
def test_any_messages_in_any_pieces(
    sent: Sequence[Sent], seed: int, *, masked: bool, deflate: bool, context: bool
) -> None:
    """Whatever a library writes is read, however it is cut into pieces."""
    written = wire_bytes(sent, masked=masked, deflate=deflate, context=context)
    takeover = "" if context else "; client_no_context_takeover; server_no_context_takeover"
    client, server = message_readers(DEFLATE + takeover if deflate else "")
    chance, pieces, rest = random.Random(seed), [], written
    while rest:
        size = chance.choice([1, 2, 7, 100, 5000, len(rest)])
        pieces.append(rest[:size])
        rest = rest[size:]
    assert read(client if masked else server, pieces) == meant(sent)


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_every_cut(*, masked: bool, deflate: bool) -> None:
    """A stream cut in two at each of its bytes reads the same."""
    sent: list[Sent] = [
        ("text", ["hé".encode(), b"", b" there" * 30]),
        ("close", [b"\x03\xe8bye"]),
        ("binary", [b""]),
        ("binary", [bytes(300), b"x"]),
    ]
    written = wire_bytes(sent, masked=masked, deflate=deflate)
    for cut in range(len(written) + 1):
        reader = message_readers(DEFLATE if deflate else "")[0]
        assert read(reader, [written[:cut], written[cut:]]) == meant(sent)


def test_who_looks_on_reads_what_an_end_would_refuse() -> None:
    """A mask from a server, none from a client, a length in more bytes than it needs: the bytes can be read, so they are."""
    client, server = message_readers("")
    assert read(client, [Frame(Opcode.TEXT, b"a").serialize(mask=False)]) == [("text", b"a")]
    assert read(server, [Frame(Opcode.TEXT, b"a").serialize(mask=True)]) == [("text", b"a")]
    assert read(client, [b"\x81\x7e\x00\x01a\x81\x7f" + bytes(7) + b"\x01b"]) == [("text", b"a"), ("text", b"b")]


@pytest.mark.parametrize(
    "damaged",
    [
        b"\xc1\x01a",  # compressed, which was not agreed upon
        b"\xa1\x01a",
        b"\x91\x01a",
        b"\x83\x01a",  # unknown opcodes
        b"\x8b\x01a",
        b"\x80\x01a",  # continues nothing
        b"\x01\x01a\x81\x01b",  # begins before the end
        b"\x09\x01a",  # control frames in pieces, or too long
        b"\x89\x7e\x00\x7e" + bytes(126),
    ],
)
def test_what_is_no_frame_is_said_behind_what_was(damaged: bytes) -> None:
    """Messages before a fault are read; the fault is told as one that can be recorded."""
    found: list[WebSocketMessage] = []
    with pytest.raises(DecodingError):
        found += message_readers("")[0].feed(damaged)
    stream = message_readers("")[0].feed(b"\x81\x02ok" + damaged)
    assert next(stream).content == b"ok"
    with pytest.raises(DecodingError):
        next(stream)


def test_damage_within_a_compressed_message() -> None:
    """What cannot be inflated is a fault, and no exception of another kind."""
    reader = message_readers(DEFLATE)[0]
    with pytest.raises(DecodingError, match="damaged"):
        list(reader.feed(b"\xc1\x04\xff\xff\xff\xff"))


def test_a_compressed_message_may_end_its_deflate_stream() -> None:
    """RFC 7692, section 7.2.3.4: a block with the BFINAL bit, and a byte behind it."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(b"hello") + packer.flush(zlib.Z_FINISH) + b"\x00"
    frame = bytes([0xC1, len(packed)]) + packed
    assert read(message_readers(DEFLATE)[1], [frame, frame]) == [("text", b"hello")] * 2


def test_long_messages_are_counted_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: a message beyond the limit has a length and no content, and the next one is read."""
    monkeypatch.setattr(_websocket, "LONGEST_MESSAGE", 1000)
    reader = message_readers("")[0]
    frames = b"".join(Frame(Opcode.BINARY, bytes(size)).serialize(mask=True) for size in (1000, 1001, 3))
    found = list(reader.feed(frames))
    assert [(message.length, message.content is None) for message in found] == [(1000, False), (1001, True), (3, False)]


def test_a_small_message_that_inflates_to_a_huge_one_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb costs its bound and no more: what refers to it cannot be inflated, so that the reading ends there."""
    monkeypatch.setattr(_websocket, "LONGEST_MESSAGE", 1000)
    reader = message_readers(DEFLATE)[1]
    assert read(reader, [wire_bytes([("text", [b"a" * 1000])], masked=False, deflate=True)]) == [("text", b"a" * 1000)]
    with pytest.raises(DecodingError, match="longer than"):
        list(reader.feed(wire_bytes([("text", [b"a" * 1001])], masked=False, deflate=True)))


@pytest.mark.parametrize("extensions", ["x-webkit-deflate-frame", "permessage-deflate, permessage-deflate", "mux; a=b"])
def test_unknown_extensions(extensions: str) -> None:
    """Frames of an extension that is not known may mean anything: they are not read."""
    with pytest.raises(DecodingError, match="not read"):
        message_readers(extensions)


def test_what_a_close_frame_tells() -> None:
    """Code and reason, as far as there are any."""
    assert close_of(Close(1000, "bye").serialize()) == (1000, "bye")
    assert close_of(b"\x0f\xa0") == (4000, None)
    assert close_of(b"\x03\xe8\xff") == (1000, "�")
    assert [close_of(content) for content in (b"", b"\x03", None)] == [(None, None)] * 3
