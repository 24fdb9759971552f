"""One side's connection once it is no longer HTTP: bytes in and out as they come, until each direction ends."""

import asyncio
import socket
import struct
from typing import Any, Final

__all__ = ["BytesBehind", "TunnelEnd"]

_READ_AHEAD: Final = 64 * 1024
"""Bytes read ahead of a side that reads slowly, before the other one is made to wait."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""`struct linger`."""


class BytesBehind:
    """What an agent sends behind its offer of an upgrade, kept until the upstream has answered.

    Stands in the place of the parser, so that ordinary requests need not ask whether it is there.
    """

    def __init__(self, transport: Any, data: bytes) -> None:
        """Take the agent's transport, and what came with the offer."""
        self._transport = transport
        self.data = data

    def feed_data(self, data: bytes) -> None:
        """Keep more bytes; if there are many, let the agent wait."""
        self.data += data
        if len(self.data) > _READ_AHEAD:
            self._transport.pause_reading()


class TunnelEnd(asyncio.Protocol):
    """Takes a transport over from the protocol that spoke HTTP on it, and gives it back."""

    def __init__(self, transport: Any, early: bytes) -> None:
        """Take the transport, and the bytes that were read from it behind the head."""
        self._loop = asyncio.get_running_loop()
        self._former: Any = transport.get_protocol()
        self._pieces = [early] if early else []
        self._buffered = len(early)
        self._has_ended = False
        self._reading_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()
        self.transport = transport
        self.error: Exception | None = None
        """What broke the connection; None if it goes on, or was closed."""
        transport.set_protocol(self)
        if not transport.is_closing():
            transport.resume_reading()

    # What asyncio calls.

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._buffered += len(data)
        if self._buffered > _READ_AHEAD and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._has_ended = True
        self._wake()
        # The other direction goes on; TLS has no half of a connection.
        return self._can_end_writing

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self.error = exc
        self._lost.set()
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # What the tunnel calls.

    async def read(self) -> bytes:
        """What has come, waiting for some; empty when nothing will come any more."""
        while not self._pieces:
            if self._has_ended:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        pieces, self._pieces, self._buffered = self._pieces, [], 0
        if self._reading_paused:
            self._reading_paused = False
            if not self._lost.is_set():
                self.transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def write(self, data: bytes) -> bool:
        """Send bytes, waiting while this side reads slowly; False if it has gone."""
        if self.transport.is_closing():
            return False
        self.transport.write(data)
        if self._drained is not None:
            await self._drained
        return not self._lost.is_set()

    def end_writing(self) -> None:
        """Send no more: this side sees an end, and may still send."""
        if self.transport.is_closing():
            return
        if self._can_end_writing:
            self.transport.write_eof()
        else:
            self.transport.close()

    def reset(self) -> None:
        """Break the connection, as the other side broke its own: what was written before is sent."""
        if not self.transport.is_closing():
            sock: socket.socket = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.close()

    async def close(self) -> None:
        """Close the connection and wait until what was written is sent, or cannot be."""
        self.transport.close()
        await self._lost.wait()

    def give_back(self) -> None:
        """Let the former protocol know of the connection's end, now or when it comes."""
        if self._lost.is_set():
            self._loop.call_soon(self._former.connection_lost, self.error)
        else:
            self.transport.set_protocol(self._former)

    @property
    def _can_end_writing(self) -> bool:
        return bool(self.transport.can_write_eof())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
