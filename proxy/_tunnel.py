"""The tunnel that an exchange becomes: bytes pass both ways, untouched, until both directions have ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..traces import Sender
from ._agent_request import AgentRequest
from ._tunnel_end import TunnelEnd
from ._tunnel_record import TunnelRecord

__all__ = ["relay"]


async def relay(request: AgentRequest, head: bytes, upstream: TunnelEnd, record: TunnelRecord) -> None:
    """Send the head of the answer to the agent, and relay until both sides have ended or one broke.

    Args:
        request: the agent's, which offered an upgrade.
        head: of the upstream's answer, which took it.
        upstream: its connection.
        record: is shown all that passes before it passes, and each end before the other side can see it.
    """
    behind = request.behind
    assert behind is not None
    request.is_answered, request.keep_alive = True, False
    async with _taken_over(TunnelEnd(request.connection.transport, behind.data)) as agent, _taken_over(upstream):
        await agent.write(head)
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_pass_on(agent, upstream, "agent", record))
            directions.create_task(_pass_on(upstream, agent, "upstream", record))
        await asyncio.gather(agent.close(), upstream.close())


@asynccontextmanager
async def _taken_over(end: TunnelEnd) -> AsyncIterator[TunnelEnd]:
    try:
        yield end
    finally:
        end.give_back()


async def _pass_on(source: TunnelEnd, destination: TunnelEnd, sender: Sender, record: TunnelRecord) -> None:
    """Relay one direction to its end, and end it for the other side as it ended."""
    while data := await source.read():
        await record.take(sender, data)
        if not await destination.write(data):
            return  # the other direction tells how it ended
        record.passed(sender)
    await record.end_of(sender, broken=source.error is not None)
    if source.error is None:
        destination.end_writing()
    else:
        destination.reset()
