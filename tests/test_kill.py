"""`kill -9` of the proxy at any moment loses no finished call, and accounts for every request that reached the upstream."""

import asyncio
import contextlib
import itertools
import random
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from tachograph.traces import BodyReader, Call, read_calls, verify

AGENTS = 50
LONGEST_DELAY = 0.01
"""Seconds between two pieces of an answer."""
LONGEST_LOAD = 0.4
"""Seconds under full load before the kill."""
_DONE = b"data: [DONE]\n\n"


@dataclass
class Upstream:
    """A model's endpoint on a real socket. It notes each request that it has read, and how it answers."""

    chance: random.Random
    answers: dict[str, bytes] = field(default_factory=dict)
    """The whole body of the answer by the request's id, from when the request has been read."""
    loaded: asyncio.Event = field(default_factory=asyncio.Event)
    """All agents have a request in flight."""
    connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await self.answer(orjson.loads((await read_message(reader))[1]), writer)
        writer.close()

    async def answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        pieces = list(events(request) if request["stream"] else [whole(request)])
        self.answers[request["user"]] = b"".join(pieces)
        if len(self.answers) >= AGENTS:
            self.loaded.set()
        if request["stream"]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in pieces:
                await self.pause()
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
        else:
            await self.pause()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(pieces[0]) + pieces[0][:40])
            await self.pause()
            writer.write(pieces[0][40:])
        await writer.drain()

    async def pause(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, LONGEST_DELAY))


def events(request: dict[str, Any]) -> Iterator[bytes]:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    asked = bool((request.get("stream_options") or {}).get("include_usage"))
    said: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": request["user"]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        *([{"choices": [], "usage": usage}] if asked else []),
    ]
    for chunk in said:
        yield b"data: %b\n\n" % orjson.dumps({"id": request["user"], "model": "m", **chunk})
    yield _DONE


def whole(request: dict[str, Any]) -> bytes:
    message = {"role": "assistant", "content": request["user"] * 20}
    return orjson.dumps({"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A head and as many bytes as its Content-Length says."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return head, await reader.readexactly(int(length or 0))


@dataclass
class Agents:
    """Fifty agents, each with one request in flight at any time, until their connections break."""

    chance: random.Random
    ids: Iterator[int] = field(default_factory=itertools.count)
    finished: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """What was sent and what came, by the request's id, for each request whose end was seen."""

    async def work(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        conversation: list[dict[str, str]] = []
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await self.ask(conversation, reader, writer)
        writer.close()

    async def ask(
        self, conversation: list[dict[str, str]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        own_id = f"request {next(self.ids)}"
        conversation.append({"role": "user", "content": own_id * self.chance.randrange(1, 40)})
        request: dict[str, Any] = {"model": "m", "messages": conversation, "stream": self.chance.random() < 0.5}
        request["user"] = own_id
        if request["stream"] and self.chance.random() < 0.5:
            request["stream_options"] = {"include_usage": True}
        body = orjson.dumps(request)
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head, answer = await read_message(reader)
        assert head.startswith(b"HTTP/1.1 200 ")
        if not request["stream"]:
            self.finished[own_id] = (body, answer)
            return
        while size := int(await reader.readuntil(b"\r\n"), 16):
            answer += await reader.readexactly(size)
            if answer.endswith(_DONE):
                # Noted at once: an agent looks no further.
                self.finished[own_id] = (body, answer)
            await reader.readexactly(2)
        await reader.readexactly(2)


@dataclass
class Figures:
    """What the law is about."""

    kills: int = 0
    finished: int = 0
    finished_lost: list[str] = field(default_factory=list)
    seen: int = 0
    unaccounted: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"kills {self.kills}, finished calls {self.finished}, finished calls lost {len(self.finished_lost)}, "
            f"requests seen by the upstream {self.seen}, requests unaccounted {len(self.unaccounted)}"
        )


@contextlib.asynccontextmanager
async def running_upstream(chance: random.Random) -> AsyncIterator[tuple[Upstream, str]]:
    upstream = Upstream(chance)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    async with server:
        yield upstream, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def kill_once(store: Path, run: str, chance: random.Random, figures: Figures) -> None:
    """Start a proxy, put it under load, kill it, and compare what was seen with what was recorded."""
    async with running_upstream(chance) as (upstream, url):
        script = str(Path(__file__).with_name("kill_proxy.py"))
        proxy = await asyncio.create_subprocess_exec(
            sys.executable, script, url, str(store), run, stdout=asyncio.subprocess.PIPE
        )
        assert proxy.stdout is not None
        port = int(await proxy.stdout.readline())
        agents = Agents(chance)
        async with asyncio.TaskGroup() as working:
            for _ in range(AGENTS):
                working.create_task(agents.work(port))
            await upstream.loaded.wait()
            await asyncio.sleep(chance.uniform(0, LONGEST_LOAD))
            proxy.send_signal(signal.SIGKILL)
            await proxy.wait()
        # What stood in the kernel's buffers is read to its end, by the agents above and by the upstream here.
        await asyncio.gather(*upstream.connections)
    figures.kills += 1
    compare(store / run, upstream, agents, figures)


def compare(folder: Path, upstream: Upstream, agents: Agents, figures: Figures) -> None:
    result = verify(folder)
    assert (result.state, result.problems) == ("open", ())
    bodies = BodyReader(folder / "bodies")
    recorded: dict[str, Call] = {}
    for call in read_calls(folder):
        assert call.request.body_hash is not None
        recorded[orjson.loads(bodies.get(call.request.body_hash))["user"]] = call
    assert {call.outcome for call in recorded.values()} <= {"completed", "interrupted"}
    figures.finished += len(agents.finished)
    figures.seen += len(upstream.answers)
    figures.unaccounted += sorted(set(upstream.answers) - set(recorded))
    for own_id, (sent, came) in agents.finished.items():
        if own_id not in recorded or not is_whole(recorded[own_id], sent, came, upstream.answers[own_id]):
            figures.finished_lost.append(own_id)


def is_whole(call: Call, sent: bytes, came: bytes, answered: bytes) -> bool:
    """Whether a call is recorded as finished, with the hashes of the bytes that the agent and the upstream saw."""
    response = call.response
    return (
        call.outcome == "completed"
        and response is not None
        and call.request.body_hash == sha256(sent).hexdigest()
        and response.body_hash == sha256(answered).hexdigest()
        and (response.delivered_body_hash or response.body_hash) == sha256(came).hexdigest()
    )


async def kill_often(kills: int, store: Path, seed: int) -> Figures:
    chance = random.Random(seed)
    figures = Figures()
    for number in range(kills):
        await kill_once(store, f"killed{number}", chance, figures)
        if figures.finished_lost or figures.unaccounted:
            break  # the run's folder stays, to be looked at
        shutil.rmtree(store / f"killed{number}")
    return figures


async def check(kills: int, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(2**32)
    figures = await kill_often(kills, store, seed)
    with capsys.disabled():
        sys.stdout.write(f"\n{figures} (seed {seed})\n")
    assert (figures.finished_lost, figures.unaccounted, figures.kills) == ([], [], kills)
    assert figures.finished > kills * AGENTS / 2


async def test_ten_kills_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every call whose end an agent saw is recorded whole; every request that reached the upstream is on disk."""
    await check(10, tmp_path, capsys)


@pytest.mark.slow
async def test_two_hundred_kills_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same law, at two hundred moments."""
    await check(200, tmp_path, capsys)
