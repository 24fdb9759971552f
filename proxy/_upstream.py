"""The way to the upstream: one pool of connections, nothing added, nothing retried."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ..traces import ProxyError
from ._settings import UpstreamAddress

__all__ = ["HEAD_LINE_LIMIT", "AnswerContext", "Outgoing", "Upstream"]

AnswerContext = AbstractAsyncContextManager[aiohttp.ClientResponse]
"""Entered, it sends a request and gives the response as soon as its head is in."""

HEAD_LINE_LIMIT: Final = 64 * 1024
"""Bytes of one header line, both ways. aiohttp's 8 KiB is less than some agents' beta lists and trace headers."""
_READ_BUFFER: Final = 64 * 1024
"""Bytes read ahead of an agent that reads slowly, before the upstream is made to wait."""
_IDLE_CONNECTION: Final = 30.0
"""Seconds that a connection is kept for the next call. A connection that the upstream closed meanwhile is not used."""
_AUTOMATIC: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
"""Headers that aiohttp would add to a request that lacks them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it goes up."""

    method: str
    target: str
    """Path behind the upstream's base, and query, percent-encoding untouched."""
    headers: CIMultiDict[str]
    """All of them but `Host` and the framing."""
    body: bytes | None
    chunked: bool
    """The agent sent the body in chunks, without a length."""


class Upstream:
    """Sends requests to one upstream."""

    def __init__(self, address: UpstreamAddress, connect_timeout: float) -> None:
        """Take the address, and the seconds in which it must be reached."""
        self.address = address
        self._connect_timeout = connect_timeout
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Look the host up and make the pool.

        Raises:
            ProxyError: the host is not known.
        """
        try:
            await asyncio.get_running_loop().getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ProxyError(
                f"upstream {self.address.base}: host {self.address.host!r} is not known ({error}); check --upstream"
            ) from error
        self._session = aiohttp.ClientSession(
            # No limit of connections: an agent's call never waits for another one's. The default is 100.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_CONNECTION),
            # No limit of time but for connecting: the default ends a long answer after 300 s.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_AUTOMATIC,
            read_bufsize=_READ_BUFFER,
            max_line_size=HEAD_LINE_LIMIT,
            max_field_size=HEAD_LINE_LIMIT,
            trace_configs=[_tell_when_sent()],
        )

    def send(self, outgoing: Outgoing, on_sent: Callable[[], None]) -> AnswerContext:
        """Send a request: an async context manager that gives the response as soon as its head is in.

        Args:
            outgoing: the request.
            on_sent: called when it has been handed to the connection, for each part of it.
        """
        assert self._session is not None, "start() comes first"
        return self._session.request(
            outgoing.method,
            URL(self.address.base + outgoing.target, encoded=True),
            headers=outgoing.headers,
            data=outgoing.body,
            chunked=True if outgoing.chunked and outgoing.body is not None else None,
            allow_redirects=False,
            trace_request_ctx=on_sent,
        )

    async def stop(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _tell_when_sent() -> aiohttp.TraceConfig:
    async def sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx()

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sent)
    trace.on_request_chunk_sent.append(sent)
    return trace
