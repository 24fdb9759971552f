"""Listening for agents."""

import asyncio
import contextlib
import errno
import logging
import resource
import socket
from typing import Final

from ..traces import ProxyError
from ._agent_connection import AgentConnection
from ._agent_request import AgentRequest, Handle, Judge
from ._limits import Limits
from ._response import send_error

__all__ = ["INTERRUPTED", "AgentServer", "listen"]

INTERRUPTED: Final = "the proxy stops"
"""What a task is cancelled with when the proxy stops; cancelled otherwise, its agent has hung up."""
_BACKLOG: Final = 4096
"""Connections that may wait to be accepted; the kernel's own limit cuts it. asyncio's default of 100 drops bursts."""
_CLOSING_GRACE: Final = 1.0
"""Seconds that connections have to close, no call being in flight."""

_logger = logging.getLogger("tachograph.proxy.connections")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 finds a free one.

    Raises:
        ProxyError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # By its protocol asyncio knows the connections for TCP, and turns Nagle's algorithm off; uvloop always does.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ProxyError(f"port {port} of {host} is taken; choose another --port, or 0 for a free one") from error
        raise ProxyError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


class AgentServer:
    """Accepts connections and has their requests answered."""

    def __init__(self, handle: Handle, judge: Judge, limits: Limits) -> None:
        """Take who answers and who may be answered, and how much is taken from agents."""
        self._handle = handle
        self._judge = judge
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._has_warned = False
        self.connections: set[AgentConnection] = set()
        """Those that are open."""

    async def start(self, listener: socket.socket) -> None:
        """Accept connections from a socket that listens."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: AgentConnection(self._answer, self._judge, self._opened, self._closed, self._limits),
            sock=listener,
            backlog=_BACKLOG,
        )

    async def stop(self, grace: float) -> None:
        """Accept no more; give requests some seconds to end, and interrupt those that do not."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=grace)
        while tasks := self._tasks():
            for task in tasks:
                task.cancel(INTERRUPTED)
            await asyncio.wait(tasks)
        for connection in self.connections:
            connection.transport.close()
        # What is written goes out; an agent that does not read it is not waited for long.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._none_open.wait(), _CLOSING_GRACE)
        for connection in self.connections:
            connection.transport.abort()
        await self._none_open.wait()

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [connection.task for connection in self.connections if connection.task is not None]

    def _opened(self, connection: AgentConnection) -> None:
        self.connections.add(connection)
        self._none_open.clear()
        # A stream takes two. Where none is left, libuv closes a connection without a word, so it is said before.
        if 2 * len(self.connections) > self._descriptors > 0 and not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "%d agents are connected and this process may have %d file descriptors: when they run out, connections are "
                "closed and calls refused; raise the limit (ulimit -n) or use more --workers",
                len(self.connections),
                self._descriptors,
            )

    def _closed(self, connection: AgentConnection) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._none_open.set()

    async def _answer(self, request: AgentRequest) -> None:
        try:
            await self._handle(request)
        except ConnectionError:
            pass  # the agent has hung up while it was told of an error
        except Exception:
            _logger.exception("a request could not be answered")
            request.keep_alive = False
            if not request.is_answered:
                with contextlib.suppress(ConnectionError):
                    send_error(request, 500, "internal_error", "tachograph: a fault of the proxy; its log says more")
