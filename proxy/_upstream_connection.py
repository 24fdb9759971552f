"""A connection to the upstream: a request out, a response in, byte by byte as it comes."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import httptools

from ._headers import Head  # noqa: TC001  this class is passed around at run time, its annotations with it
from ._tunnel_end import TunnelEnd

__all__ = ["UpstreamConnection", "UpstreamCutError", "UpstreamUnreachableError"]

_READ_AHEAD: Final = 64 * 1024
"""Bytes read ahead of an agent that reads slowly, before the upstream is made to wait."""
_LONGEST_FRAMING: Final = 2**20
"""Bytes of a head, of a chunk's size line or of trailers: what has come since the last byte of a body."""
_SENT_AT_ONCE: Final = 256 * 1024
"""Bytes of a body that are copied behind the head, to go in one write."""
_FIRST_FINAL_STATUS: Final = 200
_NO_BODY_STATUSES: Final = frozenset({204, 304})
_TOLERANCES: Final = {"lenient_optional_cr_before_lf": True, "lenient_spaces_after_chunk_size": True}
"""Faults of servers that every client of theirs reads over."""


class UpstreamUnreachableError(Exception):
    """No answer was had of the upstream; the text says why."""


class UpstreamCutError(Exception):
    """The upstream took the request, and its answer broke off or never came."""


class UpstreamConnection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    __slots__ = (
        "_buffered",
        "_failure",
        "_framing_bytes",
        "_has_head",
        "_in_exchange",
        "_keep_alive",
        "_lines",
        "_loop",
        "_method",
        "_offers_upgrade",
        "_on_sent",
        "_parser",
        "_pieces",
        "_reading_paused",
        "_rest",
        "_until_close",
        "_waiter",
        "_writing_paused",
        "head",
        "idle_since",
        "is_complete",
        "read_timeout",
        "reason",
        "status",
        "trailers",
        "transport",
        "tunnel_end",
    )

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_TOLERANCES)
        self._waiter: asyncio.Future[None] | None = None
        self._on_sent: Callable[[], None] | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._in_exchange = False
        self._begin("")
        self.read_timeout: float | None = None
        """Seconds of silence after which an answer counts as cut; None: none is too long."""
        self.transport: Any = None
        self.idle_since = 0.0
        """When its last exchange was over, by the loop's clock."""

    def _begin(self, method: str) -> None:
        self._method = method
        self._lines: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._framing_bytes = 0
        self._has_head = False
        self._until_close = False
        self._failure: str | None = None
        self._keep_alive = False
        self._offers_upgrade = False
        self._rest: Iterator[bytes] | None = None
        self.status = 0
        self.reason = b""
        self.head: Head = ()
        """Names and values as they came."""
        self.trailers: Head = ()
        """Headers behind the last chunk, known at the end."""
        self.is_complete = False
        """The response is in, to its last byte; some of it may still be here to `read`."""
        self.tunnel_end: TunnelEnd | None = None
        """What reads and writes from here on, if the upstream took the upgrade that was offered; else None."""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._has_head and self._until_close and exc is None:
            self.is_complete = True
        elif not self.is_complete:
            self._fail(str(exc) if exc else "the connection was closed")
        self._in_exchange = self._keep_alive = False
        self._wake()

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._rest is None:
            self._tell_sent()
        else:
            self._send_piece()

    def data_received(self, data: bytes) -> None:
        if not self._in_exchange:
            self.transport.abort()  # nobody asked
            return
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(str(error))
        if self._framing_bytes > _LONGEST_FRAMING:
            self._refuse(f"{_LONGEST_FRAMING} bytes and no end of a head, a chunk's size or trailers")
        if self._buffered > _READ_AHEAD and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
        self._wake()

    def _take_upgrade(self, rest: bytes) -> None:
        if not self._offers_upgrade:
            self._refuse("it goes on by another protocol, which nobody offered")
            return
        self.status, self.head = self._parser.get_status_code(), tuple(self._lines)
        self._has_head = self.is_complete = True
        self.tunnel_end = TunnelEnd(self.transport, rest)

    def _refuse(self, why: str) -> None:
        self._fail(f"this is not HTTP/1.1: {why}")
        self.transport.abort()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._lines, self.reason = [], b""
        if self.is_complete:
            self._keep_alive = False  # more than one answer

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        if self.is_complete or self._parser.get_status_code() < _FIRST_FINAL_STATUS:
            return
        self.status = self._parser.get_status_code()
        self.head, self._lines = tuple(self._lines), []
        self._has_head = True
        if self._method == "HEAD" or self.status in _NO_BODY_STATUSES:
            # The parser does not know what was asked: it may wait for a body. So this is the connection's last answer.
            self.is_complete = True
        else:
            framing = {name.lower() for name, _ in self.head} & {b"content-length", b"transfer-encoding"}
            self._until_close = not framing

    def on_body(self, piece: bytes) -> None:
        if not self.is_complete:
            self._pieces.append(piece)
            self._buffered += len(piece)
            self._framing_bytes = 0

    def on_message_complete(self) -> None:
        if self._has_head and not self.is_complete:
            self.trailers = tuple(self._lines)
            self._keep_alive = self._parser.should_keep_alive()
            self.is_complete = True

    # The exchange.

    def send(
        self,
        method: str,
        head: bytes,
        body: bytes | Iterator[bytes] | None,
        on_sent: Callable[[], None],
        *,
        offers_upgrade: bool = False,
    ) -> None:
        """Send a request.

        Args:
            method: its method.
            head: request line and headers, with the empty line.
            body: the rest, framed as the head says, or its pieces, each taken when the one before has left; None without one.
            on_sent: called when all of it has been handed to the kernel, or nearly so.
            offers_upgrade: the answer may be that the connection goes on by another protocol.
        """
        self._begin(method)
        self._offers_upgrade = offers_upgrade
        self._in_exchange = True
        self._on_sent = on_sent
        if not body:
            self.transport.write(head)
        elif not isinstance(body, bytes):
            self.transport.write(head)
            self._rest = body
            return self._send_piece()
        elif len(body) <= _SENT_AT_ONCE:
            self.transport.write(head + body)
        else:
            self.transport.write(head)
            self.transport.write(body)
        if not self._writing_paused:
            self._tell_sent()
        return None

    def _send_piece(self) -> None:
        """Send the next piece of a body that comes in pieces; before the one behind it others have their turn."""
        if self._rest is None or self._writing_paused or self.transport.is_closing():
            return
        try:
            piece = next(self._rest, None)
        except OSError as error:
            self._fail(f"the request could not be read back: {error.strerror or error}")
            self.transport.abort()
            self._wake()
        else:
            if piece is None:
                self._rest = None
                self._tell_sent()
            else:
                self.transport.write(piece)
                self._loop.call_soon(self._send_piece)

    def _tell_sent(self) -> None:
        on_sent, self._on_sent = self._on_sent, None
        if on_sent is not None:
            on_sent()

    async def wait_for_head(self) -> None:
        """Wait until status, reason and head are known.

        Raises:
            UpstreamCutError: the upstream hung up without an answer.
            UpstreamUnreachableError: what it answers is not HTTP.
        """
        while not self._has_head:
            if self._failure is not None:
                if self._failure.startswith("this is not"):
                    raise UpstreamUnreachableError(self._failure)
                raise UpstreamCutError(f"the upstream hung up without an answer: {self._failure}")
            await self._wait()

    @property
    def has_body_waiting(self) -> bool:
        """Whether `read` would give bytes, or the end, at once."""
        return bool(self._pieces) or self.is_complete

    async def read(self) -> bytes:
        """What has come of the body, waiting for some; empty at its end.

        Raises:
            UpstreamCutError: the answer broke off.
        """
        while not self._pieces:
            if self.is_complete:
                return b""
            if self._failure is not None:
                raise UpstreamCutError(self._failure)
            await self._wait()
        pieces, self._pieces, self._buffered = self._pieces, [], 0
        if self._reading_paused:
            self._reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end_exchange(self) -> bool:
        """Be done with an exchange; False if the connection can serve no other, and is closed."""
        reusable = self._keep_alive and self._on_sent is None and not self._writing_paused
        self._in_exchange = False
        self._on_sent = None
        self.idle_since = self._loop.time()
        self._begin("")
        if reusable and not self.transport.is_closing():
            return True
        self.transport.abort()
        return False

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return not self.transport.is_closing()

    def _fail(self, why: str) -> None:
        if self._failure is None:
            self._failure = why

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        silence = self._loop.call_later(self.read_timeout, self._give_up) if self.read_timeout is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if silence is not None:
                silence.cancel()

    def _give_up(self) -> None:
        self._fail(f"silent for {self.read_timeout:g} s")
        self.transport.abort()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
