"""How long a request may take to come: an agent that begins one and does not go on is not waited for."""

import asyncio
from collections.abc import Callable

__all__ = ["Receiving"]


class Receiving:
    """The time for the request that is coming on a connection. One that comes at once, as nearly all do, starts no timer."""

    __slots__ = ("_give_up", "_is_answering", "_limit", "_loop", "_timer", "since")

    def __init__(self, limit: float, is_answering: Callable[[], bool], give_up: Callable[[], None]) -> None:
        """Begin with no request.

        Args:
            limit: seconds for a head, and of silence within a body.
            is_answering: whether the agent waits for the answer to another request: that is no time of its own.
            give_up: called when the time is up.
        """
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._is_answering = is_answering
        self._give_up = give_up
        self._timer: asyncio.TimerHandle | None = None
        self.since: float | None = None
        """From when on the time counts; None if no request is coming."""

    def begin(self) -> None:
        """The first byte of a request has come."""
        self.since = self._loop.time()

    def more(self, *, is_body: bool) -> None:
        """More has come, and it is not the end."""
        if is_body:
            self.since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit, self._look)

    def begin_again(self) -> None:
        """The agent has its answer to the request before: only now its time begins."""
        if self.since is not None:
            self.since = self._loop.time()

    def end(self) -> None:
        """The request is in, or nothing more of it is wanted."""
        self.since = None

    def stop(self) -> None:
        """The connection is closed."""
        self.since = None
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if self.since is None:
            return
        left = self._limit if self._is_answering() else self.since + self._limit - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self.since = None
            self._give_up()
