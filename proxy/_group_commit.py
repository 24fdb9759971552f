"""One flush to the disk for all calls that end together."""

import asyncio
from collections.abc import Callable

__all__ = ["GroupCommit"]


class GroupCommit:
    """Runs a blocking flush in a thread, once for all who wait.

    Who comes while a flush runs waits for the next one: what he wrote may be too late for the one that runs.
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        """Take what flushes."""
        self._flush = flush
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def __call__(self) -> None:
        """Return when all that was written before this call is flushed. Raises what the flush raises."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._run(self._running))
        await asyncio.shield(self._next)

    async def _run(self, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.wait([earlier])
        self._running, self._next = self._next, None
        await asyncio.to_thread(self._flush)
