"""The way to the upstream: one pool of connections, nothing added, nothing retried."""

import asyncio
import io
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict
from yarl import URL

from ..traces import ProxyError
from ._settings import UpstreamAddress

__all__ = ["HEADER_LIMIT", "HEAD_LINE_LIMIT", "AnswerContext", "Outgoing", "Upstream"]

AnswerContext = AbstractAsyncContextManager[aiohttp.ClientResponse]
"""Entered, it sends a request and gives the response as soon as its head is in."""

HEAD_LINE_LIMIT: Final = 64 * 1024
"""Bytes of one header line, both ways. aiohttp's 8 KiB is less than some agents' beta lists and trace headers."""
HEADER_LIMIT: Final = 1000
"""Headers of one message, both ways. aiohttp's default is 128."""
_READ_BUFFER: Final = 64 * 1024
"""Bytes read ahead of an agent that reads slowly, before the upstream is made to wait."""
_IDLE_CONNECTION: Final = 30.0
"""Seconds that a connection is kept for the next call. A connection that the upstream closed meanwhile is not used."""
_LARGE_BODY: Final = 2**20
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
            max_headers=HEADER_LIMIT,
        )

    def send(self, outgoing: Outgoing, on_sent: Callable[[], None]) -> AnswerContext:
        """Send a request: an async context manager that gives the response as soon as its head is in.

        Args:
            outgoing: the request.
            on_sent: called when its body has been handed to the connection; never for a request without one.
        """
        assert self._session is not None, "start() comes first"
        return self._session.request(
            outgoing.method,
            URL(self.address.base + outgoing.target, encoded=True),
            headers=_spelled_alike(outgoing.headers),
            data=_payload(outgoing.body, on_sent),
            chunked=True if outgoing.chunked and outgoing.body is not None else None,
            allow_redirects=False,
        )

    async def stop(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class _Tells(aiohttp.Payload):
    """A body that tells when it has been sent. A trace of the client would tell it, too, and cost many times as much."""

    on_sent: Callable[[], None]

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        await super().write_with_length(writer, content_length)
        self.on_sent()


class _Body(_Tells, aiohttp.BytesPayload):
    pass


class _LargeBody(_Tells, aiohttp.BytesIOPayload):
    """Goes up piece by piece, so that other calls need not wait: aiohttp warns of one sent as a whole."""


def _payload(body: bytes | None, on_sent: Callable[[], None]) -> aiohttp.Payload | None:
    if body is None:
        return None
    payload: _Tells = _Body(body) if len(body) <= _LARGE_BODY else _LargeBody(io.BytesIO(body))
    payload.on_sent = on_sent
    return payload


def _spelled_alike(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """The headers, one that comes several times spelled as the first time.

    Of headers whose names differ in case only, aiohttp would send the last one alone.
    """
    if len({name.lower() for name, _ in headers.items()}) == len(headers):
        return headers
    first: dict[str, str] = {}
    return CIMultiDict((first.setdefault(name.lower(), name), value) for name, value in headers.items())
