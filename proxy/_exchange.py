"""One exchange: the request to the upstream, its answer to the agent.

The order is the law: the announcement is on disk before the upstream is asked, and the end is on disk before the agent can
see it (the terminal event, or the last byte).
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from ._call_record import CallRecord
from ._headers import forwarded, recorded_query
from ._injection import UsageRemover
from ._observation import Observation
from ._response import RelayedResponse
from ._upstream import AnswerContext

__all__ = ["INTERRUPTED", "Exchange", "UpstreamUnreachableError"]

INTERRUPTED: Final = "the proxy stops"
"""What a task is cancelled with when the proxy stops; cancelled otherwise, its agent has hung up."""

_REFUSALS: Final = frozenset({400, 422})
"""How servers answer a member that they do not know."""
_LENGTH: Final = frozenset({b"content-length"})
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""`struct linger`."""


class UpstreamUnreachableError(Exception):
    """No answer was had of the upstream; the text says why."""


class _UpstreamCutError(Exception):
    """The upstream's answer broke off."""


class Exchange:
    """Relays one request and its answer, showing all that passes to the observation and its record."""

    def __init__(
        self,
        request: web.BaseRequest,
        observation: Observation,
        record: CallRecord,
        remover: UsageRemover | None,
        on_answered: Callable[[], None],
    ) -> None:
        """Take the agent's request.

        Args:
            request: the agent's.
            observation: is shown all that passes.
            record: of the call, announced.
            remover: takes out of the answer what the agent did not ask for; None if nothing was added to the request.
            on_answered: called when the upstream has answered and will not be asked again.
        """
        self._request = request
        self._observation = observation
        self._record = record
        self._remover = remover
        self._on_answered = on_answered
        self._came_late = False

    async def relay(self, asking: AnswerContext) -> web.StreamResponse | None:
        """Ask the upstream and pass on its answer.

        Returns:
            The response to the agent, over; None if the upstream refused what was added to the request: the answer was
            recorded as discarded, and the request is to be sent as it came.

        Raises:
            UpstreamUnreachableError: there is no answer; the call is recorded.
        """
        try:
            async with asking as answer:
                self._observation.begin_response(
                    answer.status, answer.raw_headers, answer.headers, time.perf_counter_ns()
                )
                if self._remover is not None and answer.status in _REFUSALS:
                    await self._discard(answer)
                    return None
                self._on_answered()
                return await self._pass_on(answer)
        except asyncio.CancelledError as cancelled:
            self._record.end("interrupted" if cancelled.args == (INTERRUPTED,) else "client_disconnected")
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError) as error:
            raise self._unreachable(error) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # It took the request and hung up: the agent gets to see just that.
            self._record.end("upstream_cut", f"the upstream hung up without an answer: {self._told(error)}")
            return self._cut(RelayedResponse(502, "Bad Gateway", CIMultiDict()))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: its head cannot be written again, since a header holds control characters.
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UpstreamUnreachableError:
        reason = self._told(error)
        self._record.end("upstream_unreachable", reason)
        return UpstreamUnreachableError(reason)

    def _told(self, error: Exception) -> str:
        """What an error says, without the secrets of the URL that it may quote."""
        said = str(error) or type(error).__name__
        _, _, query = self._request.raw_path.partition("?")
        return said.replace(query, recorded_query(query) or "") if query else said

    def sent(self) -> None:
        """Take note that the request has been handed to the connection."""
        self._observation.stamp("upstream_sent", time.perf_counter_ns())
        # While the upstream works there is time for what nobody waits for.
        asyncio.get_running_loop().call_soon(self._record.hash_request)

    async def _discard(self, answer: aiohttp.ClientResponse) -> None:
        try:
            self._observation.take(await answer.read(), time.perf_counter_ns())
        except aiohttp.ClientError as error:
            self._record.end("upstream_cut", self._told(error), discarded=True)
        else:
            self._record.end("completed", discarded=True)

    async def _pass_on(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = RelayedResponse(answer.status, answer.reason or "", self._passing_headers(answer))
        await response.prepare(self._request)
        try:
            if not answer.content.total_bytes and not answer.content.at_eof():
                response.send_head()
            await self._pass_on_body(answer.content, response)
        except _UpstreamCutError as error:
            self._record.end("upstream_cut", self._told(error))
            return self._cut(response)
        except ConnectionError:
            self._lose_agent()
        finally:
            if self._came_late:
                self._record.amend()
        return response

    def _passing_headers(self, answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
        """The head's fields that pass. The length does not, if bytes will be taken out."""
        if self._remover is None:
            return forwarded(answer.raw_headers)
        if not self._observation.in_events or "Content-Encoding" in answer.headers:
            self._remover = None
            return forwarded(answer.raw_headers)
        return forwarded(answer.raw_headers, _LENGTH)

    async def _pass_on_body(self, content: aiohttp.StreamReader, response: RelayedResponse) -> None:
        observation, record, remover = self._observation, self._record, self._remover
        while chunk := await self._next(content):
            observation.take(chunk, time.perf_counter_ns())
            passed = remover.feed(chunk) if remover else chunk
            observation.deliver(passed)
            if record.ended:
                self._came_late = True
            elif observation.ended or content.at_eof():
                await record.complete()
            await response.write(passed)
            observation.passed(time.perf_counter_ns())
        if remover is not None and (rest := remover.flush()):
            observation.deliver(rest)
            self._came_late = record.ended
            await response.write(rest)
        await record.complete()
        await response.write_eof()

    @staticmethod
    async def _next(content: aiohttp.StreamReader) -> bytes:
        try:
            return await content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _UpstreamCutError(str(error) or type(error).__name__) from error

    def _lose_agent(self) -> None:
        if self._record.ended and not self._observation.ended:
            message = "the agent hung up before the last bytes of the answer could be sent"
            self._record.amend(outcome="client_disconnected", error_type="client_disconnected", message=message)
        else:
            self._record.end("client_disconnected")

    def _cut(self, response: RelayedResponse) -> web.StreamResponse:
        """End the agent's connection as the upstream ended its own: what came is sent, and no end of the body."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return response
        if response.prepared:
            response.send_head()
            if response.ends_with_connection:
                # Closed in the ordinary way it would be a clean end.
                transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.close()
        return response
