"""The way to the upstream: one pool of connections, nothing added, nothing retried."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from ..traces import ProxyError
from ._large_body import LargeBody
from ._settings import UpstreamSettings
from ._upstream_connection import UpstreamConnection
from ._upstream_way import connect, tls_context

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
    body: bytes | LargeBody | None
    chunked: bool
    """The agent sent the body in chunks, without a length."""
    offers_upgrade: bool = False
    """It offers to go on by another protocol."""


class Upstream:
    """Sends requests to one upstream.

    No limit of connections: an agent's call never waits for another one's. No limit of time but for connecting, if none is
    asked for: a long silence is the model's to keep. No redirects, no cookies, no decoding.
    """

    def __init__(self, settings: UpstreamSettings) -> None:
        """Take its settings.

        Raises:
            InputError: its file of certificates cannot be read.
        """
        self.settings = settings
        self.address = settings.address
        self.refuses_options = False
        """It does not take a member that it does not know: it has refused one."""
        self._tls = tls_context(settings)
        self._idle: list[UpstreamConnection] = []
        self._sweep: asyncio.TimerHandle | None = None
        self.connections: set[UpstreamConnection] = set()
        """Those with an exchange under way."""

    async def start(self) -> None:
        """Look the host up.

        Raises:
            ProxyError: the host is not known.
        """
        way = self.settings.proxy or self.address
        try:
            await asyncio.get_running_loop().getaddrinfo(way.host, way.port, type=socket.SOCK_STREAM)
        except OSError as error:
            what = f"the proxy's host {way.host!r}" if self.settings.proxy else f"host {way.host!r}"
            raise ProxyError(
                f"upstream {self.address.base}: {what} is not known ({error}); check --upstream"
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
        connection = self._kept() or await connect(self.settings, self._tls)
        connection.read_timeout = self.settings.read_timeout
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

    def _close_idle(self) -> None:
        loop = asyncio.get_running_loop()
        fresh = loop.time() - _IDLE_LIMIT
        for connection in self._idle:
            if connection.idle_since <= fresh:
                connection.transport.abort()
        self._idle = [connection for connection in self._idle if connection.is_open]
        self._sweep = loop.call_later(_IDLE_LIMIT, self._close_idle) if self._idle else None

    def _head(self, outgoing: Outgoing) -> bytes:
        target = (self.address.path + _with_query(outgoing.target, self.address.query)).encode(
            "utf-8", "surrogateescape"
        )
        lines = [b"%b %b HTTP/1.1" % (outgoing.method.encode(), target), b"Host: %b" % self.address.authority.encode()]
        proxy = self.settings.proxy
        if proxy is not None and not self.address.secure:
            # To a proxy, a request names its host (RFC 9112, section 3.2.2).
            lines[0] = b"%b http://%b%b HTTP/1.1" % (outgoing.method.encode(), self.address.authority.encode(), target)
            lines += [b"Proxy-Authorization: %b" % proxy.authorization] if proxy.authorization else []
        lines += [b"%b: %b" % line for line in outgoing.headers]
        if outgoing.chunked:
            lines.append(b"Transfer-Encoding: chunked")
        lines.append(b"\r\n")
        return b"\r\n".join(lines)


def _framed(outgoing: Outgoing) -> bytes | Iterator[bytes] | None:
    body = outgoing.body
    if isinstance(body, LargeBody):
        pieces = body.pieces()
        return chain((b"%x\r\n" % len(body),), pieces, (b"\r\n0\r\n\r\n",)) if outgoing.chunked else pieces
    if not outgoing.chunked or body is None:
        return body
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"


def _with_query(target: str, query: str | None) -> str:
    if query is None:
        return target
    path, mark, own = target.partition("?")
    return f"{path}?{query}&{own}" if mark and own else f"{path}?{query}"
