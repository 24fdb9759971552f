"""Reading the messages of a WebSocket from a copy of its bytes, sans I/O (RFC 6455; permessage-deflate: RFC 7692).

Of our own, since the readers of libraries are made for one of the two ends. They refuse what an end must refuse, such as a
frame that is masked in the wrong direction or a length in more bytes than it needs, where one who looks on has to read on.
And they bound no memory as it is needed here: `websockets` holds each frame whole, and with a limit stops at a longer one;
`wsproto` inflates without any limit.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..traces import DecodingError, MessageKind

__all__ = ["LONGEST_MESSAGE", "MessageReader", "WebSocketMessage", "close_of", "message_readers"]

LONGEST_MESSAGE: Final = 64 * 2**20
"""Bytes. Of a longer message, inflated, nothing is held."""

_KINDS: Final[dict[int, MessageKind]] = {1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
"""By opcode."""
_CONTINUATION: Final = 0
_FIRST_CONTROL: Final = 8
_FINAL, _COMPRESSED, _RESERVED, _OPCODE = 0x80, 0x40, 0x30, 0x0F
"""Bits of a frame's first byte."""
_MASKED, _LENGTH = 0x80, 0x7F
"""Bits of its second."""
_LENGTH_BYTES: Final = {126: 2, 127: 8}
_MASK_BYTES: Final = 4
_LONGEST_CONTROL: Final = 125
_CODE_BYTES: Final = 2
_DEFLATE: Final = "permessage-deflate"
_BLOCK_END: Final = b"\x00\x00\xff\xff"
"""Left out at the end of each compressed message (RFC 7692, section 7.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketMessage:
    """A whole message, or a control frame."""

    kind: MessageKind
    content: bytes | None
    """Unmasked and inflated; None if it was longer than `LONGEST_MESSAGE`."""
    length: int
    """Bytes of the content."""


def message_readers(extensions: str) -> tuple["MessageReader", "MessageReader"]:
    """Readers of what the client sends, and of what the server sends.

    Args:
        extensions: those that the server accepted: its `Sec-WebSocket-Extensions`, empty if there is none.

    Raises:
        DecodingError: the frames have an extension that is not known here.
    """
    accepted = [[part.strip() for part in extension.split(";")] for extension in extensions.split(",")]
    offers = [parts for parts in accepted if parts != [""]]
    if not offers:
        return MessageReader(None), MessageReader(None)
    if len(offers) > 1 or offers[0][0] != _DEFLATE:
        raise DecodingError(f"WebSocket extensions that are not read: {extensions}")
    client, server = (
        _Inflater(keeps_context=f"{side}_no_context_takeover" not in offers[0]) for side in ("client", "server")
    )
    return MessageReader(client), MessageReader(server)


def close_of(content: bytes | None) -> tuple[int | None, str | None]:
    """Code and reason that a close frame tells; None for what it does not."""
    if not content or len(content) < _CODE_BYTES:
        return None, None
    reason = content[_CODE_BYTES:].decode("utf-8", "replace")
    return int.from_bytes(content[:_CODE_BYTES], "big"), reason or None


@dataclass(slots=True)
class _Frame:
    """A frame whose header is in."""

    opcode: int
    is_final: bool
    mask: bytes
    length: int
    taken: int = 0
    """Bytes of its payload that have come."""


class MessageReader:
    """Reads the messages that one side sends."""

    def __init__(self, inflater: "_Inflater | None") -> None:
        """Take what inflates compressed messages; None if none may come."""
        self._inflater = inflater
        self._buffer = bytearray()
        self._frame: _Frame | None = None
        self._control = bytearray()
        self._kind: MessageKind | None = None
        self._is_compressed = False
        self._content: bytearray | None = None
        self._length = 0

    def feed(self, data: bytes) -> Iterator[WebSocketMessage]:
        """The messages that these bytes complete, to be taken before the next ones are fed.

        Raises:
            DecodingError: these are no frames, behind the messages that came so far; no more must be fed.
        """
        self._buffer += data
        while (frame := self._frame or self._begin_frame()) is not None:
            self._take_payload(frame)
            if frame.taken < frame.length:
                return
            self._frame = None
            if frame.opcode >= _FIRST_CONTROL:
                content = bytes(self._control)
                yield WebSocketMessage(kind=_KINDS[frame.opcode], content=content, length=len(content))
            elif frame.is_final:
                yield self._end_message()

    def _begin_frame(self) -> _Frame | None:
        """The next frame, if its header is in."""
        buffer = self._buffer
        if len(buffer) < 2:  # noqa: PLR2004  the two bytes that say how long the header is
            return None
        length = buffer[1] & _LENGTH
        end = 2 + _LENGTH_BYTES.get(length, 0)
        masked = _MASK_BYTES if buffer[1] & _MASKED else 0
        if len(buffer) < end + masked:
            return None
        if length in _LENGTH_BYTES:
            length = int.from_bytes(buffer[2:end], "big")
        frame = _Frame(buffer[0] & _OPCODE, bool(buffer[0] & _FINAL), bytes(buffer[end : end + masked]), length)
        self._check(frame, buffer[0])
        del buffer[: end + masked]
        self._frame = frame
        return frame

    def _check(self, frame: _Frame, first: int) -> None:
        """Refuse what cannot be read, and begin a message where one begins."""
        is_control, is_first = frame.opcode >= _FIRST_CONTROL, frame.opcode != _CONTINUATION
        is_compressed = bool(first & _COMPRESSED)
        if first & _RESERVED or (is_compressed and (self._inflater is None or is_control or not is_first)):
            raise DecodingError("a WebSocket frame has bits of an extension that was not agreed upon")
        if is_first and frame.opcode not in _KINDS:
            raise DecodingError(f"a WebSocket frame has the unknown opcode {frame.opcode}")
        if is_control:
            if frame.length > _LONGEST_CONTROL or not frame.is_final:
                raise DecodingError("a control frame of a WebSocket is too long, or in pieces")
            self._control.clear()
            return
        if is_first is (self._kind is not None):
            raise DecodingError("a frame of a WebSocket continues no message, or breaks one off")
        if is_first:
            self._kind, self._is_compressed = _KINDS[frame.opcode], is_compressed
            self._content, self._length = bytearray(), 0

    def _take_payload(self, frame: _Frame) -> None:
        buffer = self._buffer
        piece = bytes(buffer[: frame.length - frame.taken])
        if not piece:
            return
        del buffer[: len(piece)]
        if frame.mask:
            piece = _unmasked(piece, frame.mask, frame.taken)
        frame.taken += len(piece)
        if frame.opcode >= _FIRST_CONTROL:
            self._control += piece
        else:
            self._add(self._inflated(piece) if self._is_compressed else piece)

    def _inflated(self, piece: bytes) -> bytes:
        assert self._inflater is not None
        return self._inflater.feed(piece, LONGEST_MESSAGE - self._length)

    def _add(self, piece: bytes) -> None:
        self._length += len(piece)
        if self._length > LONGEST_MESSAGE:
            self._content = None
        elif self._content is not None:
            self._content += piece

    def _end_message(self) -> WebSocketMessage:
        if self._is_compressed and self._inflater is not None:
            self._add(self._inflated(_BLOCK_END))
            self._inflater.end_message()
        kind, content = self._kind, self._content
        assert kind is not None
        self._kind = self._content = None
        return WebSocketMessage(kind=kind, content=None if content is None else bytes(content), length=self._length)


class _Inflater:
    """Inflates the messages of one side."""

    def __init__(self, *, keeps_context: bool) -> None:
        """Take whether a message may refer to earlier ones."""
        self._keeps_context = keeps_context
        self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)

    def feed(self, data: bytes, longest: int) -> bytes:
        """The bytes that these inflate to.

        Raises:
            DecodingError: they are damaged, or more than `longest`: what comes after them could not be inflated, either.
        """
        try:
            inflated = self._decompressor.decompress(data, longest + 1)
        except zlib.error as error:
            raise DecodingError(f"a compressed WebSocket message is damaged: {error}") from error
        if len(inflated) > longest:
            raise DecodingError(f"a compressed WebSocket message is longer than {LONGEST_MESSAGE} bytes")
        return inflated

    def end_message(self) -> None:
        """Forget what the next message may not refer to."""
        if not self._keeps_context or self._decompressor.eof:
            self._decompressor = zlib.decompressobj(-zlib.MAX_WBITS)


def _unmasked(piece: bytes, mask: bytes, offset: int) -> bytes:
    """Bytes of a payload that begin `offset` bytes behind its start, unmasked (RFC 6455, section 5.3)."""
    size, turn = len(piece), offset % _MASK_BYTES
    repeated = (mask * (size // _MASK_BYTES + 2))[turn : turn + size]
    return (int.from_bytes(piece, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")
