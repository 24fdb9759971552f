"""`kill -9` of the proxy in the middle of tunnels loses no message that the other side has seen, and no call that has ended."""

import asyncio
import contextlib
import itertools
import json
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tachograph.traces import BodyReader, Call, read_calls, read_messages, verify

KILLS = 5
AGENTS = 10
LONGEST_LOAD = 0.4
"""Seconds of load before the kill."""
UNHURRIED: dict[str, Any] = {"open_timeout": None, "ping_interval": None, "close_timeout": 60}


@dataclass
class Seen:
    """What the agents and the upstream had in hand."""

    by_upstream: list[str] = field(default_factory=list)
    by_agents: list[str] = field(default_factory=list)
    finished: dict[str, str] = field(default_factory=dict)
    """By the id of each answer whose end an agent has seen: the question."""
    ids: Iterator[int] = field(default_factory=itertools.count)


async def answer(connection: ServerConnection, seen: Seen) -> None:
    """Answer each question in some events, each of its own words."""
    with contextlib.suppress(ConnectionClosed):
        async for message in connection:
            seen.by_upstream.append(str(message))
            own = f"resp_{json.loads(message)['user']}"
            for number in range(20):
                event = {"type": "response.output_text.delta", "delta": f"{own} {number}", "output_index": 0}
                await connection.send(json.dumps(event))
            response = {"id": own, "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 20}}
            await connection.send(json.dumps({"type": "response.completed", "response": response}))


async def ask(port: int, seen: Seen) -> None:
    """Ask again and again until the connection breaks."""
    with contextlib.suppress(ConnectionClosed):
        async with connect(f"ws://127.0.0.1:{port}/v1/responses", proxy=None, **UNHURRIED) as connection:
            while True:
                user = f"{next(seen.ids)}"
                question = json.dumps({"type": "response.create", "model": "m", "user": user, "input": "x" * 3000})
                await connection.send(question)
                kind = ""
                while kind != "response.completed":
                    message = str(await connection.recv())
                    seen.by_agents.append(message)
                    kind = json.loads(message)["type"]
                seen.finished[f"resp_{user}"] = question


async def kill_once(store: Path, run: str, chance: random.Random) -> Seen:
    seen = Seen()
    async with serve(lambda connection: answer(connection, seen), "127.0.0.1", 0, **UNHURRIED) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1"
        script = str(Path(__file__).with_name("kill_proxy.py"))
        proxy = await asyncio.create_subprocess_exec(
            sys.executable, script, url, str(store), run, stdout=asyncio.subprocess.PIPE
        )
        assert proxy.stdout is not None
        port = int(await proxy.stdout.readline())
        async with asyncio.TaskGroup() as agents:
            for _ in range(AGENTS):
                agents.create_task(ask(port, seen))
            while len(seen.finished) < AGENTS:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await asyncio.sleep(chance.uniform(0, LONGEST_LOAD))
            proxy.send_signal(signal.SIGKILL)
            await proxy.wait()
    return seen


def check(folder: Path, seen: Seen) -> None:
    """Compare what was seen with what is on disk."""
    result = verify(folder)
    assert (result.state, result.problems) == ("open", ())
    recorded = {
        sender: {m.body_hash for m in read_messages(folder) if m.sender == sender} for sender in ("agent", "upstream")
    }
    assert {sha256(message.encode()).hexdigest() for message in seen.by_upstream} <= recorded["agent"]
    assert {sha256(message.encode()).hexdigest() for message in seen.by_agents} <= recorded["upstream"]
    calls = list(read_calls(folder))
    tunnels = [call for call in calls if call.request.tunnel_id is None]
    assert {call.outcome for call in tunnels} == {"interrupted"}
    assert len(tunnels) == AGENTS
    made = {call.request.body_hash: call for call in calls if call.request.tunnel_id is not None}
    assert {sha256(message.encode()).hexdigest() for message in seen.by_upstream} <= set(made)
    bodies = BodyReader(folder / "bodies")
    for own, question in seen.finished.items():
        check_finished(made[sha256(question.encode()).hexdigest()], own, bodies)


def check_finished(call: Call, own: str, bodies: BodyReader) -> None:
    """An answer whose end an agent saw is recorded whole."""
    assert (call.outcome, call.usage.output_tokens) == ("completed", 20)
    assert call.response is not None
    assert (call.response.id, call.response.body_hash is not None) == (own, True)
    assert bodies.get(call.response.body_hash or "").count(b"data: ") == 21


async def test_kills_in_the_middle_of_tunnels(tmp_path: Path) -> None:
    """Messages so far are on disk, calls that ended are whole, those that did not are interrupted, and so are the tunnels."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    finished = 0
    for number in range(KILLS):
        seen = await kill_once(tmp_path, f"killed{number}", chance)
        check(tmp_path / f"killed{number}", seen)
        finished += len(seen.finished)
    assert finished >= KILLS * AGENTS, f"seed {seed}"
