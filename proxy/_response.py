"""The response to the agent: the upstream's head as it came, and its bytes as they come."""

import socket
import struct
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from ._agent_request import AgentRequest
from ._headers import Head
from .apis import api_of, openai_error

__all__ = ["Response", "send_error"]

_NO_BODY_STATUSES: Final = frozenset({204, 304})
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""`struct linger`."""


class Response:
    """A response whose head is written as given; the framing of its body is what the agent's connection can do."""

    def __init__(
        self, request: AgentRequest, status: int, reason: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> None:
        """Take the upstream's status line and the headers that pass, none of them hop-by-hop."""
        self._request = request
        self._connection = request.connection
        self._has_body = request.method != "HEAD" and status not in _NO_BODY_STATUSES
        lines = [b"%b: %b" % line for line in headers]
        framed = not self._has_body or any(line[:15].lower() == b"content-length:" for line in lines)
        self._chunked = not framed and request.version == "1.1"
        self._ends_with_connection = not framed and not self._chunked
        if self._chunked:
            lines.append(b"Transfer-Encoding: chunked")
        elif self._ends_with_connection:
            request.keep_alive = False
        if not request.keep_alive:
            lines.append(b"Connection: close")
        elif request.version == "1.0":
            lines.append(b"Connection: keep-alive")
        start = b"HTTP/%b %d %b\r\n" % (request.version.encode(), status, reason)
        self._unsent = start + b"\r\n".join(lines) + (b"\r\n\r\n" if lines else b"\r\n")

    def send_head(self) -> None:
        """Send the head now: the body may be long in coming. Otherwise it goes with the body's first bytes."""
        if head := self._take_head():
            self._connection.write(head)

    def _take_head(self) -> bytes:
        self._request.is_answered = True
        head, self._unsent = self._unsent, b""
        return head

    async def write(self, data: bytes) -> None:
        """Send bytes of the body; waits while the agent reads slowly. Raises ConnectionError if it has gone."""
        if data and self._has_body:
            head = self._take_head()
            if self._chunked:
                self._connection.write(b"%b%x\r\n%b\r\n" % (head, len(data), data))
            else:
                self._connection.write(head + data if head else data)
            await self._connection.drain()

    def end(self, trailers: Head = ()) -> None:
        """End the body; trailers go where there is a place for them, behind chunks."""
        self.send_head()
        if self._chunked:
            lines = b"".join(b"%b: %b\r\n" % line for line in trailers)
            self._connection.write(b"0\r\n%b\r\n" % lines)

    def cut(self) -> None:
        """End the connection as the upstream ended its own: what came is sent, and no end of the body."""
        transport = self._connection.transport
        if transport.is_closing():
            return
        self.send_head()
        if self._ends_with_connection:
            # Closed in the ordinary way it would be a clean end.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.close()


def send_error(request: AgentRequest, status: int, code: str, message: str) -> None:
    """Answer with an error in the shape of the API that was asked, so that its clients can show it; else in OpenAI's.

    Raises:
        ConnectionResetError: the agent has hung up.
    """
    api = api_of(request.method, request.target.partition("?")[0])
    body = (api.error_body if api else openai_error)(status, code, message)
    headers = ((b"Content-Type", b"application/json; charset=utf-8"), (b"Content-Length", b"%d" % len(body)))
    response = Response(request, status, HTTPStatus(status).phrase.encode(), headers)
    response.send_head()
    if request.method != "HEAD":
        request.connection.write(body)
