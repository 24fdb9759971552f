"""Agents and a model for hours of work: what was asked, what came back whole, and what the model saw, each by its number."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from tests.benchmarks._work import NUMBER_DIGITS, Work

__all__ = ["Account", "Asked", "Model", "keep_asking"]

_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_LONGEST = 2**20
_PAUSE = 0.05
"""Seconds before an agent whose connection broke comes back."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: of which kind, and its number."""

    work: Work
    number: bytes

    @property
    def question(self) -> bytes:
        """The body of the request."""
        return self.work.question(self.number)

    @property
    def answer_hash(self) -> str:
        """Hex sha256 of the body of the whole answer."""
        return sha256(self.work.whole_answer(self.number)).hexdigest()


@dataclass
class Account:
    """What came of all calls."""

    numbers: Iterator[int] = field(default_factory=itertools.count)
    asked: dict[str, Asked] = field(default_factory=dict)
    """By hex sha256 of the request's body."""
    finished: set[Asked] = field(default_factory=set)
    """Those whose whole answer an agent has seen."""
    wrong: set[Asked] = field(default_factory=set)
    """Those whose answer was another one."""
    seen: set[Asked] = field(default_factory=set)
    """Those that the model has seen."""
    killed: int = 0
    """Workers."""
    open_streams: int = 0
    most_open: int = 0

    def next(self, work: Work) -> Asked:
        """A call that nobody has made."""
        asked = Asked(work, b"%0*d" % (NUMBER_DIGITS, next(self.numbers)))
        self.asked[sha256(asked.question).hexdigest()] = asked
        return asked

    @contextlib.contextmanager
    def open_stream(self) -> Iterator[None]:
        """Count a stream while it is open."""
        self.open_streams += 1
        self.most_open = max(self.most_open, self.open_streams)
        try:
            yield
        finally:
            self.open_streams -= 1


class Model:
    """The upstream: answers by rule, as `Work` says, and notes each request that it has read."""

    def __init__(self, account: Account) -> None:
        """Take where to note requests."""
        self._account = account

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Serve for the time of the block; gives the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST, backlog=4096)
        async with server:
            yield server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await self._answer(await reader.readexactly(int(length)), writer)
        writer.close()

    async def _answer(self, question: bytes, writer: asyncio.StreamWriter) -> None:
        work = Work.of(question)
        number = work.number_in(question)
        if number is None:
            raise ConnectionError("another request than was sent")
        self._account.seen.add(Asked(work, number))
        if work.chunks == 0:
            answer = work.whole_answer(number)
            writer.write(_WHOLE % len(answer) + answer)
            return
        writer.write(_STREAM)
        for piece in work.framed_answer(number):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(work.pace_ms / 1000)


async def keep_asking(account: Account, work: Work, port: int, more: Callable[[], bool]) -> None:
    """One agent, which asks as long as there is more to do, and comes back when its connection breaks."""
    while more():
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LONGEST)
            with contextlib.closing(writer):
                while more():
                    await _ask(account, account.next(work), reader, writer)
            return
        await asyncio.sleep(_PAUSE)


async def _ask(account: Account, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    question = asked.question
    writer.write(_HEAD % len(question) + question)
    head = await reader.readuntil(b"\r\n\r\n")
    if asked.work.chunks:
        with account.open_stream():
            body = _without_framing(await reader.readuntil(_LAST_CHUNK))
    else:
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        body = await reader.readexactly(int(length))
    is_right = head.startswith(b"HTTP/1.1 200 ") and body == asked.work.whole_answer(asked.number)
    (account.finished if is_right else account.wrong).add(asked)


def _without_framing(chunks: bytes) -> bytes:
    pieces, at = [], 0
    while at < len(chunks):
        line_end = chunks.index(b"\r\n", at)
        piece_at, size = line_end + 2, int(chunks[at:line_end], 16)
        pieces.append(chunks[piece_at : piece_at + size])
        at = piece_at + size + 2
    return b"".join(pieces)
