"""The upstream as a process: `python -m tests.benchmarks._upstream` says its port and answers until it is ended.

It must not be what is measured, so it knows no more of HTTP than the benchmark needs, and looks answers up.
"""

import asyncio
import gc
import re
import sys
from typing import Final, cast

import uvloop

from tests.benchmarks._work import Work

__all__: list[str] = []

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_REFUSAL: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
_WHOLE: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nx-request-id: req_%b\r\n\r\n%b"
)
_STREAM: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\nx-request-id: req_%b\r\n\r\n"
)


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._request = bytearray()
        self._body_at = 0
        self._request_ends = 0
        self._pieces: tuple[bytes, ...] = ()
        self._next = 0
        self._due = 0.0
        self._pace = 0.0
        self._waits_for_reader = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._transport.set_write_buffer_limits(0)

    def data_received(self, data: bytes) -> None:
        self._request += data
        if not self._body_at:
            self._read_head()
        if self._body_at and len(self._request) >= self._request_ends:
            body = bytes(self._request[self._body_at : self._request_ends])
            self._request.clear()
            self._body_at = 0
            self._answer(body)

    def _read_head(self) -> None:
        end = self._request.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._request, 0, end)
        self._body_at = end + 4
        self._request_ends = self._body_at + (int(length[1]) if length else 0)

    def _answer(self, body: bytes) -> None:
        try:
            work = Work.of(body)
        except ValueError:
            self._transport.write(_REFUSAL)
            return
        number = work.number_in(body)
        if number is None:
            self._transport.write(_REFUSAL)
        elif work.chunks == 0:
            answer = work.whole_answer(number)
            self._transport.write(_WHOLE % (len(answer), number, answer))
        else:
            self._transport.write(_STREAM % number)
            self._pieces, self._next = work.framed_answer(number), 0
            self._due, self._pace = self._loop.time(), work.pace_ms / 1000
            self._loop.call_soon(self._send_piece)

    def _send_piece(self) -> None:
        """Send one piece: each is a write of its own to the socket, so that a proxy may see it alone."""
        if self._transport.is_closing():
            return
        self._transport.write(self._pieces[self._next])
        self._next += 1
        self._due += self._pace
        if not self._waits_for_reader:
            self._schedule_piece()

    def _schedule_piece(self) -> None:
        if self._next == len(self._pieces):
            return
        if self._pace:
            self._loop.call_at(self._due, self._send_piece)
        else:
            self._loop.call_soon(self._send_piece)

    def pause_writing(self) -> None:
        self._waits_for_reader = True

    def resume_writing(self) -> None:
        self._waits_for_reader = False
        self._schedule_piece()


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    gc.disable()
    uvloop.run(_serve())
