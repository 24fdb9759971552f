"""One exchange: the request to the upstream, its answer to the agent.

The order is the law: the announcement is on disk before the upstream is asked, and the end is on disk before the agent can
see it (the terminal event, or the last byte).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from ._call_record import CallRecord
from ._headers import forwarded
from ._injection import UsageRemover
from ._observation import Observation
from ._response import RelayedResponse
from ._upstream import AnswerContext

__all__ = ["Exchange", "UpstreamUnreachableError"]

_REFUSALS: Final = frozenset({400, 422})
"""How servers answer a member that they do not know."""


class UpstreamUnreachableError(Exception):
    """No answer was had of the upstream; the text says why."""


class _UpstreamCutError(Exception):
    """The upstream's answer broke off."""


class _AgentGoneError(Exception):
    """The agent no longer takes bytes."""


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
        self._hashing = False

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
        except asyncio.CancelledError:
            self._give_up()
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError) as error:
            raise self._unreachable(error) from error
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # It took the request and hung up: the agent gets to see just that.
            self._record.end("upstream_cut", f"the upstream hung up without an answer: {error}")
            return self._cut(RelayedResponse(502, "Bad Gateway", CIMultiDict()))
        except (aiohttp.ClientError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UpstreamUnreachableError:
        reason = str(error) or type(error).__name__
        self._record.end("upstream_unreachable", reason)
        return UpstreamUnreachableError(reason)

    def sent(self) -> None:
        """Take note that the request has been handed to the connection."""
        self._observation.stamp("upstream_sent", time.perf_counter_ns())
        if not self._hashing:
            # While the upstream works there is time for what nobody waits for.
            self._hashing = True
            asyncio.get_running_loop().call_soon(self._record.hash_request)

    def _give_up(self) -> None:
        """The task was cancelled: by the agent's hanging up, or by the proxy's stopping."""
        transport = self._request.transport
        gone = transport is None or transport.is_closing()
        self._record.end("client_disconnected" if gone else "interrupted")

    async def _discard(self, answer: aiohttp.ClientResponse) -> None:
        try:
            self._observation.take(await answer.read(), time.perf_counter_ns())
        except aiohttp.ClientError as error:
            self._record.end("upstream_cut", str(error), discarded=True)
        else:
            self._record.end("completed", discarded=True)

    async def _pass_on(self, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = RelayedResponse(answer.status, answer.reason or "", self._passing_headers(answer))
        await response.prepare(self._request)
        if not answer.content.total_bytes and not answer.content.at_eof():
            response.send_head()
        try:
            await self._pass_on_body(answer.content, response)
        except _UpstreamCutError as error:
            self._record.end("upstream_cut", str(error))
            return self._cut(response)
        except _AgentGoneError:
            self._lose_agent()
        return response

    def _passing_headers(self, answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
        """The head's fields that pass. The length does not, if bytes will be taken out."""
        if self._remover is None:
            return forwarded(answer.headers)
        if answer.content_type != "text/event-stream" or "Content-Encoding" in answer.headers:
            self._remover = None
            return forwarded(answer.headers)
        return forwarded(answer.headers, ("Content-Length",))

    async def _pass_on_body(self, content: aiohttp.StreamReader, response: RelayedResponse) -> None:
        observation, record, remover = self._observation, self._record, self._remover
        amended = False
        while chunk := await self._next(content):
            observation.take(chunk, time.perf_counter_ns())
            passed = remover.feed(chunk) if remover else chunk
            observation.deliver(passed)
            if record.ended:
                amended = True
            elif observation.ended or content.at_eof():
                await record.complete()
            await self._write(response, passed)
            observation.passed(time.perf_counter_ns())
        if remover is not None:
            rest = remover.flush()
            observation.deliver(rest)
            await self._write(response, rest)
        if amended:
            record.amend()
        await record.complete()
        try:
            await response.write_eof()
        except ConnectionError as error:
            raise _AgentGoneError from error

    @staticmethod
    async def _next(content: aiohttp.StreamReader) -> bytes:
        try:
            return await content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _UpstreamCutError(str(error)) from error

    @staticmethod
    async def _write(response: RelayedResponse, data: bytes) -> None:
        try:
            await response.write(data)
        except ConnectionError as error:
            raise _AgentGoneError from error

    def _lose_agent(self) -> None:
        if self._record.ended and not self._observation.ended:
            message = "the agent hung up before the last bytes of the answer could be sent"
            self._record.amend(outcome="client_disconnected", error_type="client_disconnected", message=message)
        else:
            self._record.end("client_disconnected")

    def _cut(self, response: RelayedResponse) -> web.StreamResponse:
        """End the agent's connection as the upstream ended its own: what came is sent, and no end of the body."""
        if response.prepared:
            response.send_head()
        if self._request.transport is not None:
            self._request.transport.close()
        return response
