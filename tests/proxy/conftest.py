"""An upstream that answers by rule and an agent that sees exact bytes, both on bare sockets, and a proxy between them."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
import uvloop

from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress
from tachograph.traces import Call, read_calls

PATIENCE = 60.0
"""Seconds after which a test gives up waiting for something that must come at once."""
PROMPTLY = 15.0
"""The same where milliseconds are what is expected."""
LIMIT = 64 * 2**20
HOP_BY_HOP = {
    b"connection",
    b"expect",
    b"host",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
OF_A_TRACE = {b"traceparent", b"tracestate", b"baggage"}
"""The one exception to "headers as they came": what an agent tells of its own trace does not go to the model's provider."""

Headers = tuple[tuple[bytes, bytes], ...]
Ending = Literal["clean", "cut", "reset"]
Step = bytes | float | asyncio.Event | Literal["close", "reset", "wait for close"]
"""Bytes to send, seconds to pause, an event to wait for, or what is done to the connection."""
Rule = Callable[["Message"], Iterable[Step]]


_ON_BOTH_LOOPS = {"test_endings.py", "test_proxy.py", "test_tunnel_end.py"}


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The proxy is served on uvloop. How connections behave hangs on the loop: that is tried on asyncio's own, too."""
    both = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return both if item.path.name in _ON_BOTH_LOOPS else {"uvloop": uvloop.new_event_loop}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request or a response as its bytes were."""

    raw_head: bytes = b""
    first_line: bytes = b""
    headers: Headers = ()
    body: bytes = field(default=b"", repr=False)
    ending: Ending = "clean"

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: bytes) -> bytes | None:
        values = self.all(name)
        assert len(values) <= 1
        return values[0] if values else None

    @property
    def passing(self) -> Headers:
        """The headers that a proxy passes on, in their order and case."""
        return tuple((name, value) for name, value in self.headers if name.lower() not in HOP_BY_HOP | OF_A_TRACE)

    @property
    def status(self) -> int:
        return int(self.first_line.split()[1])

    @property
    def target(self) -> bytes:
        return self.first_line.split(b" ")[1]

    def json(self) -> Any:
        return orjson.loads(self.body)


async def read_head(reader: asyncio.StreamReader) -> tuple[bytes, bytes, Headers]:
    raw = await reader.readuntil(b"\r\n\r\n")
    first, *lines = raw[:-4].split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    return raw, first, tuple((name, value.strip(b" \t")) for name, _, value in pairs)


async def read_chunks(reader: asyncio.StreamReader, body: bytearray) -> None:
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass


async def read_body(reader: asyncio.StreamReader, message: Message, *, to_the_end: bool) -> Message:
    """The message with its body; `to_the_end`: without a length it goes on until the connection is closed."""
    body = bytearray()
    length = message.one(b"Content-Length")
    ending: Ending = "clean"
    try:
        if b"chunked" in b"".join(message.all(b"Transfer-Encoding")).lower():
            await read_chunks(reader, body)
        elif length is not None or to_the_end:
            wanted = None if length is None else int(length)
            while (wanted is None or len(body) < wanted) and (piece := await reader.read(2**18)):
                body += piece
            ending = "clean" if wanted in (None, len(body)) else "cut"
    except asyncio.IncompleteReadError as error:
        # Bytes of a chunk that was cut were received, too; those of its size line were not of the body.
        body += error.partial if error.expected and error.expected > 1 else b""
        ending = "cut"
    except ConnectionError:
        ending = "reset"
    return Message(
        raw_head=message.raw_head,
        first_line=message.first_line,
        headers=message.headers,
        body=bytes(body),
        ending=ending,
    )


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Upstream:
    """Answers each request by a rule, step by step, and keeps what it received."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self._closed = asyncio.Semaphore(0)
        self.connections = 0
        self.rule: Rule = lambda _: [self.whole(b"{}")]
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=LIMIT, backlog=4096)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, *steps: Step) -> None:
        """Answer every request by these steps."""
        self.rule = lambda _: steps

    async def sees_the_close(self) -> None:
        """Wait until the connection that a rule waits to be closed is closed, which must be at once."""
        async with asyncio.timeout(PROMPTLY):
            await self._closed.acquire()

    @staticmethod
    def head(status: str, *headers: str) -> bytes:
        return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode()

    def whole(self, body: bytes, status: str = "200 OK", *headers: str) -> bytes:
        length = f"Content-Length: {len(body)}"
        return self.head(status, *(headers or ("Content-Type: application/json",)), length) + body

    def stream(self, *pieces: bytes, end: bool = True, headers: Sequence[str] = ()) -> bytes:
        """A head and chunks; with `end` the last one, too."""
        head = self.head("200 OK", "Content-Type: text/event-stream", *headers, "Transfer-Encoding: chunked")
        return head + b"".join(map(self.chunk, pieces)) + (b"0\r\n\r\n" if end else b"")

    @staticmethod
    def chunk(data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data)

    @staticmethod
    def event(data: object) -> bytes:
        return b"data: %b\n\n" % (data.encode() if isinstance(data, str) else orjson.dumps(data))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve_request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        raw, first, headers = await read_head(reader)
        message = Message(raw_head=raw, first_line=first, headers=headers)
        if message.one(b"Expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        message = await read_body(reader, message, to_the_end=False)
        self.received.append(message)
        for step in self.rule(message):
            if not await self._take(step, reader, writer):
                return False
        return True

    async def _take(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one step; False if the connection is over."""
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
            await asyncio.sleep(0)
        elif isinstance(step, float):
            await asyncio.sleep(step)
        elif isinstance(step, asyncio.Event):
            await step.wait()
        elif step == "wait for close":
            with contextlib.suppress(ConnectionError):
                await reader.read()
            self._closed.release()
            return False
        else:
            reset(writer) if step == "reset" else writer.close()
            return False
        return True


class Agent:
    """One connection of an agent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        # Who refuses a request may hang up before all of it is sent: the answer is what counts.
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def head(self) -> Message:
        """The head of a response, those of 1xx passed over; an empty message if the connection was closed."""
        async with asyncio.timeout(PATIENCE):
            try:
                raw, first, headers = await read_head(self.reader)
            except asyncio.IncompleteReadError as error:
                return Message(raw_head=error.partial, ending="cut")
            except ConnectionError:
                return Message(ending="reset")
            message = Message(raw_head=raw, first_line=first, headers=headers)
            return message if message.status >= 200 else await self.head()

    async def reply(self, method: str = "POST") -> Message:
        """A whole response."""
        message = await self.head()
        if not message.first_line or method == "HEAD" or message.status in (204, 304):
            return message
        async with asyncio.timeout(PATIENCE):
            return await read_body(self.reader, message, to_the_end=True)

    async def read_until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(mark)

    async def post(self, body: object, *headers: str, path: str = "/v1/chat/completions") -> Message:
        await self.send_post(body, *headers, path=path)
        return await self.reply()

    async def send_post(self, body: object, *headers: str, path: str = "/v1/chat/completions") -> None:
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        lines = (f"POST {path} HTTP/1.1", "Host: proxy", *headers, f"Content-Length: {len(data)}", "", "")
        await self.send("\r\n".join(lines).encode() + data)

    async def hang_up(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Wire:
    """Proxies before the upstream, agents before the proxies, and the record behind them."""

    def __init__(self, upstream: Upstream, store: Path, stack: contextlib.AsyncExitStack) -> None:
        self.store = store
        self._upstream = upstream
        self._stack = stack
        self._agents: list[Agent] = []
        self._proxy: Proxy | None = None

    def settings(self, **others: Any) -> ProxySettings:
        usual = {"upstream": UpstreamAddress.parse(self._upstream.url), "store": self.store, "default_run": "default"}
        merged: dict[str, Any] = usual | others
        return ProxySettings(**merged)

    async def serve(self, **settings: Any) -> Proxy:
        """A proxy that is stopped when the test is over."""
        return await self._stack.enter_async_context(Proxy(self.settings(**settings)))

    async def agent(self, **settings: Any) -> Agent:
        """An agent of a proxy with these settings, or with none of the test's one proxy."""
        if settings:
            return await self.connect((await self.serve(**settings)).port)
        self._proxy = self._proxy or await self.serve()
        return await self.connect(self._proxy.port)

    async def connect(self, port: int) -> Agent:
        self._agents.append(Agent(*await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)))
        return self._agents[-1]

    async def hang_up(self) -> None:
        for agent in self._agents:
            await agent.hang_up()

    def calls(self, run_id: str = "default") -> list[Call]:
        """The calls of a run as they are on disk now, in the order in which they came."""
        return sorted(read_calls(self.store / run_id), key=lambda call: call.sequence or 0)

    @staticmethod
    async def eventually(condition: Callable[[], object]) -> None:
        """Wait for what nobody tells of."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    def runs(self) -> set[str]:
        """Names of all that is in the store; nothing is if there is no store."""
        return {path.name for path in self.store.iterdir()} if self.store.exists() else set()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    await upstream.start()
    yield upstream
    await upstream.stop()


@pytest.fixture
async def wire(upstream: Upstream, tmp_path: Path) -> AsyncIterator[Wire]:
    async with contextlib.AsyncExitStack() as stack:
        wire = Wire(upstream, tmp_path / "runs", stack)
        yield wire
        await wire.hang_up()
