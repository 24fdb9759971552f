"""A connection of an agent: HTTP/1.1 requests in, bytes out.

Parsed by llhttp, written by hand: what a framework puts between (request objects, header maps, stream readers) takes more
time than all of the recording, and changes bytes.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import httptools

from ..traces import LARGEST_COMPARED
from ._agent_request import AgentRequest, Handle, Judge
from ._headers import fields_of, offers_websocket
from ._large_body import LargeBody
from ._limits import Limits
from ._receiving import Receiving
from ._refusal import Refusal
from ._tunnel_end import BytesBehind

__all__ = ["AgentConnection"]

_SHORT_BODY: Final = 1024 * 1024
"""Bytes. A longer body is taken of those only who may call: memory must not be filled by who has no key."""
_LINGERING: Final = 30.0
"""Seconds in which an agent may send the rest of what was refused, and read why."""
_RAISED_BY: Final = ", which is the limit here: `tachograph serve --limit {}=…` sets another"
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_PIPELINED: Final = 16
"""Requests that may wait behind one that is being answered, before no more are read."""


_logger = logging.getLogger("tachograph.proxy.connections")


class AgentConnection(asyncio.Protocol):
    """One connection, one request at a time. An agent that hangs up cancels what is done for it."""

    __slots__ = (
        "_allowed_body",
        "_body",
        "_body_bytes",
        "_closed",
        "_drained",
        "_handle",
        "_head_bytes",
        "_idle_since",
        "_idle_timer",
        "_judge",
        "_limits",
        "_lines",
        "_lingering",
        "_loop",
        "_opened",
        "_parser",
        "_receiving",
        "_request",
        "_target",
        "_waiting",
        "task",
        "transport",
    )

    def __init__(
        self,
        handle: Handle,
        judge: Judge,
        opened: Callable[["AgentConnection"], None],
        closed: Callable[["AgentConnection"], None],
        limits: Limits,
    ) -> None:
        """Take who answers, who judges what is not in yet, who is told of beginning and end, and how much is taken."""
        self._judge = judge
        self._limits = limits
        self._handle = handle
        self._opened = opened
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._parser: Any = httptools.HttpRequestParser(self)
        self._waiting: deque[AgentRequest] = deque()
        self._drained: asyncio.Future[None] | None = None
        self._idle_since = self._loop.time()
        self._lingering: asyncio.TimerHandle | None = None
        self._receiving = Receiving(limits.receive, lambda: self.task is not None, self._give_up_waiting)
        self._begin_message()
        self.transport: Any = None
        self.task: asyncio.Task[None] | None = None
        """What is done for the request that is being answered; None between requests."""

    def _begin_message(self) -> None:
        self._target = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._head_bytes = self._body_bytes = 0
        self._allowed_body = min(_SHORT_BODY, self._limits.body)
        self._body: list[bytes] | LargeBody = []
        self._request: AgentRequest | None = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._opened(self)
        self._watch_idleness()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._closed(self)
        self._idle_timer.cancel()
        self._receiving.stop()
        if self._lingering is not None:
            self._lingering.cancel()
        self._waiting.clear()
        self._body = []
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def data_received(self, data: bytes) -> None:
        if self._request is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_offer(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if self._request is not None and self._request.refusal is not None:
                self._add_request(self._request)
                return
            # The parser's words quote nothing of the request: a key may be in the line at fault.
            self._refuse(b"400 Bad Request", f"this is not HTTP/1.1: {error}")
        else:
            if self._receiving.since is not None:
                self._receiving.more(is_body=self._request is not None)
            if self._request is None and self._head_bytes > self._limits.head and self._lingering is None:
                why = f"the head of the request has more than {self._limits.head} bytes{_RAISED_BY.format('head')}"
                self._refuse(b"431 Request Header Fields Too Large", why)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._receiving.begin()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._request is None:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        if self._request is not None:
            return
        version = self._parser.get_http_version()
        if version not in _VERSIONS:
            raise ValueError(f"HTTP/{version}")
        head = tuple(self._lines)
        headers = fields_of(head)
        self._request = AgentRequest(
            connection=self,
            method=self._parser.get_method().decode(),
            target=self._target.decode("utf-8", "surrogateescape"),
            version=version,
            keep_alive=self._parser.should_keep_alive(),
            head=head,
            headers=headers,
            start_ns=time.time_ns(),
            started=time.perf_counter_ns(),
        )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._allowed_body:
            self._allow_body(int(length))
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, piece: bytes) -> None:
        self._body.append(piece)
        self._body_bytes += len(piece)
        if self._body_bytes > self._allowed_body:
            self._allow_body(self._body_bytes)

    def _allow_body(self, size: int) -> None:
        """Take a body of this size or more, or have the request refused: what comes of it from here on is not read."""
        assert self._request is not None
        most = self._limits.body
        refusal = self._judge.refusal_of(self._request)
        if size > most and refusal is None:
            told = f"the body of the request has more than {most} bytes{_RAISED_BY.format('body')}"
            refusal = Refusal(413, "request_too_large", told)
        if refusal is not None:
            self._give_up_request(refusal)
            raise _RefusedError
        self._allowed_body = most if size > LARGEST_COMPARED else min(most, LARGEST_COMPARED)
        if size > LARGEST_COMPARED and isinstance(self._body, list):
            pieces, self._body = self._body, self._judge.large_body_of(self._request)
            for piece in pieces:
                self._body.append(piece)

    def _give_up_request(self, refusal: Refusal) -> None:
        assert self._request is not None
        self._request.refusal, self._request.keep_alive = refusal, False
        self._body = []
        self._receiving.end()
        self._parser = _Rest()

    def on_message_complete(self) -> None:
        request = self._request
        self._receiving.end()
        if request is None or self._parser.should_upgrade():
            return
        if self._body or "transfer-encoding" in request.headers:
            body = self._body
            request.body = body if isinstance(body, LargeBody) else b"".join(body)
        self._begin_message()
        self._add_request(request)

    def _add_request(self, request: AgentRequest) -> None:
        request.read = time.perf_counter_ns()
        self._waiting.append(request)
        if self.task is None:
            self._answer_next()
        elif len(self._waiting) >= _PIPELINED:
            self.transport.pause_reading()

    def _take_offer(self, rest: bytes) -> None:
        """Take the offer of a WebSocket to the upstream, and pass over any other."""
        request = self._request
        assert request is not None
        if request.method == "CONNECT":  # what follows would be a tunnel, for which there is no way here
            request.keep_alive, self._parser = False, _Rest()
            self._add_request(request)
            return
        if not offers_websocket(request.method, request.version, request.headers):
            self._go_on_without_upgrade(request, rest)
            return
        request.behind = self._parser = BytesBehind(self.transport, rest)
        self._add_request(request)

    def _go_on_without_upgrade(self, request: AgentRequest, rest: bytes) -> None:
        """Read on as if no upgrade had been offered, which is how one is refused (RFC 9110, section 7.8).

        llhttp stops behind the head. Another one is given a head that says no more than how the body is framed.
        """
        names = ("content-length", "transfer-encoding")
        framing = "".join(f"{name}: {request.headers[name]}\r\n" for name in names if name in request.headers)
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(f"{request.method} / HTTP/{request.version}\r\n{framing}\r\n".encode() + rest)

    # Answering.

    def _answer_next(self) -> None:
        self.task = self._loop.create_task(self._answer(self._waiting.popleft()))

    async def _answer(self, request: AgentRequest) -> None:
        try:
            await self._handle(request)
        finally:
            self.task = None
            self._idle_since = self._loop.time()
            self._receiving.begin_again()
            if request.refusal is not None:
                self._linger()
            elif not request.keep_alive:
                self.transport.close()
            elif request.behind is not None:
                self._read_on(request.behind.data)
            elif self._waiting and not self.transport.is_closing():
                self.transport.resume_reading()
                self._answer_next()

    def _read_on(self, data: bytes) -> None:
        """Go on with what came behind an upgrade that was refused: more requests."""
        if not self.transport.is_closing():
            self._parser = httptools.HttpRequestParser(self)
            self._begin_message()
            self.transport.resume_reading()
            self.data_received(data)

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            ConnectionResetError: the agent has hung up.
        """
        if self.transport.is_closing():
            raise ConnectionResetError("the agent has hung up")
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until an agent that reads slowly has read."""
        if self._drained is not None:
            await self._drained

    def _refuse(self, status: bytes, why: str) -> None:
        """Answer what is no request, unless an answer to another one is under way."""
        _logger.warning("a request was refused: %s", why)
        if self.task is not None or self.transport.is_closing():
            self.transport.close()
            return
        said = f"tachograph: {why}\n".encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        self.transport.write(head % (status, len(said)) + said)
        self._receiving.end()
        self._parser = _Rest()
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more comes, and let the agent hang up: closed at once, it might not get to see the answer."""
        if not self.transport.is_closing():
            self.transport.write_eof()
            self._lingering = self._loop.call_later(_LINGERING, self.transport.abort)

    def _give_up_waiting(self) -> None:
        """Refuse a request of which too little came for too long."""
        seconds = f"{self._limits.receive:g} seconds{_RAISED_BY.format('receive')}"
        if self._request is None:
            self._refuse(b"408 Request Timeout", f"the head of the request was not in within {seconds}")
        else:
            told = f"nothing more of the request's body came for {seconds}"
            self._give_up_request(Refusal(408, "request_timeout", told))
            self._add_request(self._request)

    def _watch_idleness(self) -> None:
        limit = self._limits.idle
        is_used = self.task is not None or self._receiving.since is not None
        idle_for = 0.0 if is_used else self._loop.time() - self._idle_since
        if idle_for >= limit:
            self.transport.close()
        self._idle_timer = self._loop.call_later(limit - idle_for, self._watch_idleness)


class _RefusedError(Exception):
    """Stops the parser."""


class _Rest:
    """Stands in the place of the parser when a request is not read on."""

    def feed_data(self, data: bytes) -> None:
        """Let go of what still comes."""
