"""The load generator as a process: `python -m tests.benchmarks._load PORT LOAD` prints what it measured as JSON.

Agents in a closed loop: each has one connection and asks anew when it has its answer. Every answer is checked to the last
byte; one that is wrong is a failure and never a sample.
"""

import asyncio
import dataclasses
import gc
import json
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import uvloop

from tests.benchmarks._work import NUMBER_DIGITS, Work

__all__ = ["Load", "Outcome"]

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
_HEAD: Final = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: benchmark\r\nAccept: */*\r\n"
    b"Authorization: Bearer agent\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
_PATIENCE: Final = 60.0
"""Seconds that a load may take longer than it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What agents ask, and how many of them."""

    chunks: int = 0
    """As in `Work`, and so is `pace_ms`."""
    pace_ms: int = 0
    agents: int = 1
    """Connections."""
    calls: int | None = None
    """How many in all; None: as many as end in `seconds`."""
    seconds: float = 0.0
    ramp: float = 0.0
    """Seconds from the first agent's start to the last one's."""
    first_number: int = 0
    """Calls are numbered from here: two loads on one proxy have no number in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a load. Times are in seconds; None if nothing was measured."""

    good: int
    failed: int
    failure: str | None
    """What the first failure was."""
    per_second: float
    """Good calls, of those that ended in time if the load has a time."""
    whole_p50: float | None
    """From the first byte sent to the last one received."""
    whole_p99: float | None
    first_p50: float | None
    """To the first byte of the body."""
    first_p99: float | None
    most_open: int
    """Answers that had begun and had not ended, at one moment."""


class _Crowd:
    """Gives out the calls and gathers what came of them."""

    def __init__(self, load: Load) -> None:
        self.work = Work(load.chunks, load.pace_ms)
        self.whole: list[float] = []
        self.first: list[float] = []
        self.failures: list[str] = []
        self.open = self.most_open = 0
        self.everyone_left = asyncio.Event()
        self._agents = load.agents
        self._next = load.first_number
        self._end = None if load.calls is None else load.first_number + load.calls
        self._started = time.perf_counter()
        self._seconds = load.seconds
        self._in_time = 0

    def number(self) -> bytes | None:
        """The next call's number; None if there is no more to do."""
        over = self._next == self._end if self._end is not None else time.perf_counter() > self._started + self._seconds
        if over:
            return None
        self._next += 1
        return b"%0*d" % (NUMBER_DIGITS, self._next)

    def begun(self) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)

    def succeeded(self, first: float, whole: float) -> None:
        self.first.append(first)
        self.whole.append(whole)
        self._in_time += time.perf_counter() <= self._started + self._seconds

    def left(self) -> None:
        self._agents -= 1
        if self._agents == 0:
            self.everyone_left.set()

    def outcome(self) -> Outcome:
        elapsed = time.perf_counter() - self._started
        counted, seconds = (len(self.whole), elapsed) if self._end is not None else (self._in_time, self._seconds)
        return Outcome(
            good=len(self.whole),
            failed=len(self.failures),
            failure=self.failures[0] if self.failures else None,
            per_second=counted / seconds,
            whole_p50=_percentile(self.whole, 50),
            whole_p99=_percentile(self.whole, 99),
            first_p50=_percentile(self.first, 50),
            first_p99=_percentile(self.first, 99),
            most_open=self.most_open,
        )


def _percentile(values: Sequence[float], percent: int) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


class _Agent(asyncio.Protocol):
    def __init__(self, crowd: _Crowd) -> None:
        self._crowd = crowd
        self._transport: asyncio.Transport
        self._number: bytes | None = None
        self._answer = bytearray()
        self._body_at = 0
        self._length: int | None = None
        self._asked = 0.0
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop has a class of its own
        self._ask()

    def _ask(self) -> None:
        self._number = self._crowd.number()
        if self._number is None:
            self._transport.close()
            return
        self._answer.clear()
        self._body_at, self._first = 0, 0.0
        question = self._crowd.work.question(self._number)
        self._asked = time.perf_counter()
        self._transport.write(_HEAD % len(question) + question)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        answer += data
        if not self._body_at:
            end = answer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(answer, 0, end)
            self._body_at, self._length = end + 4, int(length[1]) if length else None
        if not self._first and len(answer) > self._body_at:
            self._first = time.perf_counter() - self._asked
            self._crowd.begun()
        if len(answer) - self._body_at >= self._length if self._length is not None else answer.endswith(_LAST_CHUNK):
            self._take(time.perf_counter() - self._asked)

    def _take(self, whole: float) -> None:
        assert self._number is not None
        self._crowd.open -= self._first > 0
        if not self._answer.startswith(b"HTTP/1.1 200 "):
            self._crowd.failures.append(bytes(self._answer[:200]).decode("latin-1"))
        elif self._body() != self._crowd.work.whole_answer(self._number):
            self._crowd.failures.append(f"call {self._number.decode()}: another body than the upstream sent")
        else:
            self._crowd.succeeded(self._first, whole)
        self._ask()

    def _body(self) -> bytes:
        body = bytes(self._answer[self._body_at :])
        if self._length is not None:
            return body
        pieces, at = [], 0
        while at < len(body):
            line_end = body.index(b"\r\n", at)
            piece_at, size = line_end + 2, int(body[at:line_end], 16)
            pieces.append(body[piece_at : piece_at + size])
            at = piece_at + size + 2
        return b"".join(pieces)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._number is not None:
            self._crowd.failures.append(f"call {self._number.decode()}: the connection was lost")
        self._crowd.left()


async def _put_on(load: Load, port: int) -> Outcome:
    loop = asyncio.get_running_loop()
    crowd = _Crowd(load)
    transports = []
    try:
        async with asyncio.timeout(load.seconds + load.ramp + _PATIENCE):
            for _ in range(load.agents):
                transport, _ = await loop.create_connection(lambda: _Agent(crowd), "127.0.0.1", port)
                transports.append(transport)
                await asyncio.sleep(load.ramp / load.agents)
            await crowd.everyone_left.wait()
    except TimeoutError:
        unfinished = sum(not transport.is_closing() for transport in transports)
        crowd.failures += ["no whole answer in time"] * unfinished
    return crowd.outcome()


if __name__ == "__main__":
    gc.disable()
    _, _port, _load = sys.argv
    _outcome = uvloop.run(_put_on(Load(**json.loads(_load)), int(_port)))
    json.dump(dataclasses.asdict(_outcome), sys.stdout)
