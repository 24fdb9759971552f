"""The way to the upstream: one pool of connections, nothing added, nothing retried."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..traces import ProxyError
from ._settings import UpstreamAddress
from ._upstream_connection import UpstreamConnection, UpstreamUnreachableError

__all__ = ["Outgoing", "Upstream"]

_IDLE_LIMIT: Final = 30.0
"""Seconds that a connection is kept for the next call. One that the upstream closed meanwhile is not used."""


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """A request as it goes up."""

    method: str
    target: str
    """Path behind the upstream's base, and query, percent-encoding untouched."""
    headers: list[tuple[bytes, bytes]]
    """All of them but `Host` and `Transfer-Encoding`."""
    body: bytes | None
    chunked: bool
    """The agent sent the body in chunks, without a length."""
    offers_upgrade: bool = False
    """It offers to go on by another protocol."""


class Upstream:
    """Sends requests to one upstream.

    No limit of connections: an agent's call never waits for another one's. No limit of time but for connecting: a long
    silence is the model's to keep. No redirects, no cookies, no proxies of the environment, no decoding.
    """

    def __init__(self, address: UpstreamAddress, connect_timeout: float) -> None:
        """Take the address, and the seconds in which it must be reached."""
        self.address = address
        self._connect_timeout = connect_timeout
        self._tls = ssl.create_default_context() if address.secure else None
        self._idle: list[UpstreamConnection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self.connections: set[UpstreamConnection] = set()
        """Those with an exchange under way."""

    async def start(self) -> None:
        """Look the host up.

        Raises:
            ProxyError: the host is not known.
        """
        try:
            await asyncio.get_running_loop().getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ProxyError(
                f"upstream {self.address.base}: host {self.address.host!r} is not known ({error}); check --upstream"
            ) from error

    async def ask(self, outgoing: Outgoing, on_sent: Callable[[], None]) -> UpstreamConnection:
        """Send a request and wait for the head of its answer. To be given to `release` when it is read or not wanted.

        Args:
            outgoing: the request.
            on_sent: called when it has been handed to the connection.

        Raises:
            UpstreamUnreachableError: there is no connection, or no HTTP on it.
            UpstreamCutError: the upstream hung up without an answer.
        """
        connection = self._kept() or await self._connect()
        self.connections.add(connection)
        try:
            head, body = self._head(outgoing), _framed(outgoing)
            connection.send(outgoing.method, head, body, on_sent, offers_upgrade=outgoing.offers_upgrade)
            await connection.wait_for_head()
        except BaseException:
            self.release(connection)
            raise
        return connection

    def release(self, connection: UpstreamConnection) -> None:
        """Keep a connection whose answer was read to its end for the next call, and close any other."""
        self.connections.discard(connection)
        if connection.end_exchange():
            self._idle.append(connection)
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(_IDLE_LIMIT, self._close_idle)

    async def stop(self) -> None:
        """Close all connections."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for connection in (*self._idle, *self.connections):
            connection.transport.abort()
        self._idle.clear()
        # A transport is closed in the loop's next round.
        await asyncio.sleep(0)

    def _kept(self) -> UpstreamConnection | None:
        """The connection that was used last, so that those not needed grow old."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self) -> UpstreamConnection:
        address = self.address
        name = address.host if self._tls else None
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    UpstreamConnection, address.host, address.port, ssl=self._tls, server_hostname=name
                )
        except TimeoutError as error:
            raise UpstreamUnreachableError(f"no connection within {self._connect_timeout:g} s") from error
        except OSError as error:
            raise UpstreamUnreachableError(str(error) or type(error).__name__) from error
        return connection

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        fresh = loop.time() - _IDLE_LIMIT
        for connection in self._idle:
            if connection.idle_since <= fresh:
                connection.transport.abort()
        self._idle = [connection for connection in self._idle if connection.is_open]
        self._sweep = loop.call_later(_IDLE_LIMIT, self._close_idle) if self._idle else None

    def _head(self, outgoing: Outgoing) -> bytes:
        target = (self.address.path + outgoing.target).encode("utf-8", "surrogateescape")
        lines = [b"%b %b HTTP/1.1" % (outgoing.method.encode(), target), b"Host: %b" % self.address.authority.encode()]
        lines += [b"%b: %b" % line for line in outgoing.headers]
        if outgoing.chunked:
            lines.append(b"Transfer-Encoding: chunked")
        lines.append(b"\r\n")
        return b"\r\n".join(lines)


def _framed(outgoing: Outgoing) -> bytes | None:
    body = outgoing.body
    if not outgoing.chunked or body is None:
        return body
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
