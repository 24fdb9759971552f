"""The response to the agent: the upstream's head as it came, and its bytes as they come."""

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11
from multidict import CIMultiDict

__all__ = ["RelayedResponse"]

_NO_BODY_STATUSES = frozenset({204, 304})


class RelayedResponse(web.StreamResponse):
    """A response whose head is written as given.

    aiohttp's own would add `Date`, `Server` and `Content-Type` where the upstream sent none.
    """

    def __init__(self, status: int, reason: str, headers: CIMultiDict[str]) -> None:
        """Take the upstream's status line and the headers that pass."""
        super().__init__(status=status, reason=reason)
        self._relayed_headers = headers
        self._writer: AbstractStreamWriter | None = None
        self._reusable = True
        self._has_body = True
        self._is_over = False

    @property
    def prepared(self) -> bool:
        """Whether the head has been handed to the connection."""
        return self._writer is not None

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection may serve another request."""
        return self._reusable

    @property
    def ends_with_connection(self) -> bool:
        """Whether nothing but the end of the connection tells the agent that the body is over."""
        headers = self._relayed_headers
        return self._has_body and "Content-Length" not in headers and "Transfer-Encoding" not in headers

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Hand the head to the connection, which sends it with the first bytes of the body, or by `send_head`."""
        if self._writer is not None:
            return self._writer
        headers = self._relayed_headers
        writer = self._writer = request.writer
        self._reusable = request.keep_alive
        self._has_body = request.method != "HEAD" and self.status not in _NO_BODY_STATUSES
        if self._has_body and "Content-Length" not in headers:
            if request.version >= HttpVersion11:
                headers["Transfer-Encoding"] = "chunked"
            else:
                self._reusable = False
        if not self._reusable:
            headers["Connection"] = "close"
        elif request.version < HttpVersion11:
            headers["Connection"] = "keep-alive"
        version = request.version
        await writer.write_headers(f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}", headers)
        if "Transfer-Encoding" in headers:
            # Not before: of a head that cannot be written, the error that takes its place is not chunked.
            writer.enable_chunking()
        return writer

    def send_head(self) -> None:
        """Send the head now: the body may be long in coming."""
        assert self._writer is not None
        self._writer.send_headers()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes of the body; waits while the agent reads slowly. Raises ConnectionError if it has gone."""
        assert self._writer is not None
        if data and self._has_body:
            await self._writer.write(data)

    async def write_eof(self, data: bytes = b"") -> None:
        """End the body."""
        if self._is_over:
            return
        assert self._writer is not None
        self._is_over = True
        await self._writer.write_eof(data if self._has_body else b"")
