"""One exchange: the request to the upstream, its answer to the agent.

The order is the law: the announcement is on disk before the upstream is asked, and the end is on disk before the agent can
see it (the terminal event, or the last byte).
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from ._agent_request import AgentRequest
from ._agent_server import INTERRUPTED
from ._call_record import CallRecord
from ._headers import fields_of, forwarded, masked
from ._observation import Observation
from ._response import Response
from ._tunnel import relay
from ._tunnel_end import TunnelEnd
from ._tunnel_record import TunnelRecord
from ._upstream import Outgoing, Upstream
from ._upstream_connection import UpstreamConnection, UpstreamCutError, UpstreamUnreachableError
from .apis import UsageRemover

__all__ = ["Exchange"]

_REFUSALS: Final = frozenset({400, 422})
"""How servers answer a member that they do not know."""
_LENGTH: Final = frozenset({b"content-length"})


class Exchange:
    """Relays one request and its answer, showing all that passes to the observation and its record."""

    def __init__(
        self,
        request: AgentRequest,
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
        self.status: int | None = None
        """Of the upstream's answer; None before it, and without one."""

    async def relay(self, upstream: Upstream, outgoing: Outgoing) -> bool:
        """Ask the upstream and pass on its answer.

        Returns:
            Whether the agent has its answer; if not, the upstream refused what was added to the request: the answer was
            recorded as discarded, and the request is to be sent as it came.

        Raises:
            UpstreamUnreachableError: there is no answer; the call is recorded.
        """
        try:
            answer = await upstream.ask(outgoing, self._sent)
            del outgoing  # its body, while a long stream goes on
            try:
                return await self._take(answer)
            finally:
                upstream.release(answer)
        except asyncio.CancelledError as cancelled:
            self._record.end("interrupted" if cancelled.args == (INTERRUPTED,) else "client_disconnected")
            raise
        except UpstreamCutError as error:
            # It took the request and hung up: the agent gets to see just that.
            self._record.end("upstream_cut", self._told(error))
            self._request.connection.transport.close()
            return True
        except UpstreamUnreachableError as error:
            reason = self._told(error)
            self._record.end("upstream_unreachable", reason)
            raise UpstreamUnreachableError(reason) from error

    def _told(self, error: Exception) -> str:
        """What an error says, without the secrets of the URL that it may quote."""
        _, _, query = self._request.target.partition("?")
        return masked(str(error), query)

    def _sent(self) -> None:
        """Take note that the request has been handed to the connection."""
        self._observation.stamp("upstream_sent", time.perf_counter_ns())
        # While the upstream works there is time for what nobody waits for.
        asyncio.get_running_loop().call_soon(self._record.hash_request)

    async def _take(self, answer: UpstreamConnection) -> bool:
        self.status = answer.status
        self._observation.begin_response(answer.status, answer.head, fields_of(answer.head), time.perf_counter_ns())
        if self._remover is not None and answer.status in _REFUSALS:
            await self._discard(answer)
            return False
        self._on_answered()
        if answer.tunnel_end is None:
            await self._pass_on(answer)
        else:
            await self._tunnel(answer, answer.tunnel_end)
        return True

    async def _tunnel(self, answer: UpstreamConnection, upstream: TunnelEnd) -> None:
        record = TunnelRecord(self._record, fields_of(answer.head).get("sec-websocket-extensions", ""))
        lines = [b"HTTP/1.1 %d %b" % (answer.status, answer.reason), *(b"%b: %b" % line for line in answer.head)]
        try:
            await relay(self._request, b"\r\n".join((*lines, b"\r\n")), upstream, record)
        finally:
            record.interrupt()

    async def _discard(self, answer: UpstreamConnection) -> None:
        try:
            while chunk := await answer.read():
                self._observation.take(chunk, time.perf_counter_ns())
        except UpstreamCutError as error:
            self._record.end("upstream_cut", self._told(error), discarded=True)
        else:
            self._record.end("completed", discarded=True)

    async def _pass_on(self, answer: UpstreamConnection) -> None:
        response = Response(self._request, answer.status, answer.reason, self._passing_headers(answer))
        try:
            if not answer.has_body_waiting:
                response.send_head()
            await self._pass_on_body(answer, response)
        except UpstreamCutError as error:
            self._record.end("upstream_cut", self._told(error))
            response.cut()
        except ConnectionError:
            self._lose_agent()
        finally:
            if self._came_late:
                self._record.amend()

    def _passing_headers(self, answer: UpstreamConnection) -> list[tuple[bytes, bytes]]:
        """The head's fields that pass. The length does not, if bytes will be taken out."""
        if self._remover is None:
            return forwarded(answer.head)
        if not self._observation.in_events or self._observation.is_encoded:
            self._remover = None
            return forwarded(answer.head)
        return forwarded(answer.head, _LENGTH)

    async def _pass_on_body(self, answer: UpstreamConnection, response: Response) -> None:
        observation, record, remover = self._observation, self._record, self._remover
        while chunk := await answer.read():
            observation.take(chunk, time.perf_counter_ns())
            passed = remover.feed(chunk) if remover else chunk
            observation.deliver(passed)
            if record.ended:
                self._came_late = True
            elif observation.ended or answer.is_complete:
                await record.complete()
            await response.write(passed)
            observation.passed(time.perf_counter_ns())
        if remover is not None and (rest := remover.flush()):
            observation.deliver(rest)
            self._came_late = record.ended
            await response.write(rest)
        await record.complete()
        response.end(answer.trailers)

    def _lose_agent(self) -> None:
        if self._record.ended and not self._observation.ended:
            message = "the agent hung up before the last bytes of the answer could be sent"
            self._record.amend(outcome="client_disconnected", error_type="client_disconnected", message=message)
        else:
            self._record.end("client_disconnected")
