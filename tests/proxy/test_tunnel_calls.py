"""Calls of the Responses API by messages through a WebSocket: each is a call of its own, and the tunnel is none beside them."""

import asyncio
import contextlib
import errno
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tachograph.proxy import Proxy, UpstreamAddress, _websocket
from tachograph.scoring import load_record
from tachograph.scoring.axes import tokens
from tachograph.traces import (
    BodyReader,
    Call,
    RunRecording,
    ToolCall,
    Usage,
    read_messages,
    read_run,
    read_spans,
    verify,
)
from tachograph.traces._bodies import BodyPack

if TYPE_CHECKING:
    from tests.proxy.conftest import Upstream, Wire

DATA: Final = Path(__file__).parents[1] / "data" / "responses"
SAMPLES: Final = ("text", "parallel-tools", "reasoning", "refusal", "failed", "incomplete", "error", "error-nested")
ASKED: Final = {"type": "response.create", "model": "m-1", "input": [{"role": "user", "content": "Hi"}], "store": False}
UNHURRIED: Final[dict[str, Any]] = {"open_timeout": None, "ping_interval": None, "close_timeout": 60}
USAGE: Final = {"input_tokens": 30, "output_tokens": 7, "input_tokens_details": {"cached_tokens": 20}}

Talk = Callable[[ServerConnection], Awaitable[None]]


def sample(name: str) -> tuple[list[str], dict[str, Any]]:
    """The events of a sample, each as a message, and what is to be read in them."""
    stream = (DATA / f"{name}.sse").read_text()
    events = [[line[6:] for line in event.split("\n") if line.startswith("data: ")] for event in stream.split("\n\n")]
    answer: dict[str, Any] = json.loads((DATA / f"{name}.expected.json").read_text())["answer"]
    return ["\n".join(lines) for lines in events if lines], answer


def answer(number: int = 1) -> list[str]:
    """A short answer."""
    done = {"id": f"resp_{number}", "model": "m-1-0", "status": "completed", "output": [], "usage": USAGE}
    events = [
        {"type": "response.created", "response": {**done, "status": "in_progress", "usage": None}},
        {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "delta": "Hé\u2028llo"},
        {"type": "response.completed", "response": done},
    ]
    return [json.dumps(event, ensure_ascii=False) for event in events]


def as_events(messages: list[str]) -> bytes:
    return "".join(f"data: {message}\n\n" for message in messages).encode()


async def answer_each(connection: ServerConnection) -> None:
    """Answer each question in turn; what is none is passed over."""
    number = 0
    async for message in connection:
        if json.loads(message)["type"] == "response.create":
            number += 1
            for event in answer(number):
                await connection.send(event)


@contextlib.asynccontextmanager
async def tunnel(
    wire: "Wire", talk: Talk, path: str = "/v1/responses", compression: str | None = "deflate", **settings: Any
) -> AsyncIterator[tuple[Proxy, ClientConnection]]:
    """A proxy before an upstream that talks so, and an agent's connection."""
    async with serve(talk, "127.0.0.1", 0, **UNHURRIED) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        proxy = await wire.serve(upstream=UpstreamAddress.parse(f"http://127.0.0.1:{port}/v1"), **settings)
        url = f"ws://127.0.0.1:{proxy.port}{path}"
        headers = {"session-id": "s-1"}
        async with connect(
            url, proxy=None, additional_headers=headers, compression=compression, **UNHURRIED
        ) as connection:
            yield proxy, connection


async def ask(connection: ClientConnection, **members: Any) -> list[str]:
    """Ask, and give the messages of the answer up to its end."""
    await connection.send(json.dumps(ASKED | members))
    found: list[str] = []
    while not found or json.loads(found[-1])["type"] not in ("response.completed", "response.failed", "error"):
        found.append(str(await connection.recv()))
    return found


async def read_all(connection: ClientConnection) -> None:
    """Read on until the connection is closed, which raises unless it was closed in good order."""
    async for _ in connection:
        pass


def carried(wire: "Wire") -> list[Call]:
    """The calls that messages made."""
    return [call for call in wire.calls() if call.request.tunnel_id is not None]


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_call_says_what_its_messages_say(wire: "Wire", name: str) -> None:
    """The same samples as over HTTP, read by the same reader: model, usage, finish reasons, tool calls, errors."""
    messages, expected = sample(name)

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        for message in messages:
            await connection.send(message)
        await connection.wait_closed()

    async with tunnel(wire, talk) as (_, connection):
        asked = json.dumps(ASKED)
        await connection.send(asked)
        assert [await connection.recv() for _ in messages] == messages
        (call,) = carried(wire)
        # The agent has the end in hand, and so has the record.
        assert call.outcome == "completed"
    response = call.response
    assert response is not None
    assert (response.id, response.model) == (expected.get("response_id"), expected.get("model"))
    assert response.finish_reasons == tuple(expected.get("finish_reasons", ()))
    assert response.tool_calls == tuple(ToolCall(**tool) for tool in expected.get("tool_calls", ()))
    assert call.error_type == expected.get("error_type")
    if "tokens" in expected:
        assert call.usage == Usage(source="provider", **expected["tokens"])
    assert (call.request.api, call.request.model, call.request.streamed) == ("responses", "m-1", True)
    assert call.request.session_id == "s-1"
    assert call.request.body_hash == sha256(asked.encode()).hexdigest()
    bodies = BodyReader(wire.store / "default" / "bodies")
    assert response.body_hash is not None
    assert bodies.get(response.body_hash) == as_events(messages)


async def test_calls_one_behind_the_other(wire: "Wire") -> None:
    """Each is below the tunnel and among the run's calls; the tunnel is not, and no token is counted twice."""
    async with tunnel(wire, answer_each) as (proxy, connection):
        await ask(connection)
        await connection.send('{"type":"response.processed","response_id":"resp_1"}')
        await ask(connection, previous_response_id="resp_1")
        tally = proxy.open_run("default").tally
        await connection.close()
        await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
        await proxy.stop()
    door, first, second = wire.calls()
    assert door.tunnel is not None
    assert (door.tunnel.calls, door.tunnel.unread, door.request.api) == (2, None, None)
    assert door.usage.reason == "the calls made through it tell theirs"
    assert [call.request.tunnel_id for call in (first, second)] == [door.span_id] * 2
    assert [call.response.id for call in (first, second) if call.response] == ["resp_1", "resp_2"]
    assert second.request.previous_response_id == "resp_1"
    assert (first.request.method, first.request.path) == ("GET", "/v1/responses")
    run = read_run(wire.store / "default")
    assert (run.calls, run.tunnels) == ((first, second), (door,))
    assert run.attributes["tachograph.run.model_calls"] == 2
    assert run.attributes["tachograph.run.calls_without_usage"] == 0
    assert (tally.calls, tally.calls_without_usage, tally.input_tokens) == (2, 0, 60)
    assert verify(wire.store / "default").state == "sealed"
    value = tokens(load_record(wire.store / "default"))
    assert (value.value, value.status, value.n) == (74.0, "measured", 2)
    spans = {span.span_id: span for span in read_spans(wire.store / "default")}
    assert spans[door.span_id].name == "GET /v1/responses"
    assert "gen_ai.operation.name" not in spans[door.span_id].attributes
    for call in (first, second):
        assert spans[call.span_id].name == "chat m-1"
        assert spans[call.span_id].parent_id == door.span_id
        assert spans[call.span_id].attributes["network.protocol.name"] == "websocket"


async def test_what_is_on_disk_when(wire: "Wire") -> None:
    """Law 2: a question before the upstream sees it, an answer before the agent sees its end."""
    seen = []

    async def talk(connection: ServerConnection) -> None:
        async for _ in connection:
            seen.append([call.outcome for call in carried(wire)])
            for event in answer():
                await connection.send(event)

    async with tunnel(wire, talk) as (_, connection):
        await ask(connection)
        seen.append([call.outcome for call in carried(wire)])
    assert seen == [["in_flight"], ["completed"]]


async def test_times_of_a_call(wire: "Wire") -> None:
    """They are those of a streamed call, so that latency counts it as one."""
    async with tunnel(wire, answer_each) as (_, connection):
        await ask(connection)
    timing = carried(wire)[0].timing
    stamps = [timing.request_read, timing.upstream_sent, timing.first_byte_in, timing.first_byte_out, timing.end]
    assert None not in stamps
    assert sorted(stamp or 0 for stamp in stamps) == stamps
    assert timing.first_content is not None
    assert timing.first_byte_in is not None
    assert timing.first_content >= timing.first_byte_in
    assert timing.chunks == 3


async def test_the_same_question_has_the_same_hash_over_http(wire: "Wire", upstream: "Upstream") -> None:
    """An agent that falls back to HTTP asks the same again: the request hash says so."""
    async with tunnel(wire, answer_each) as (_, connection):
        await ask(connection)
    agent = await wire.connect((await wire.serve(default_run="http")).port)
    asked = {name: value for name, value in ASKED.items() if name != "type"}
    await agent.post(asked, path="/v1/responses")
    assert upstream.connections == 1
    assert carried(wire)[0].request_hash == wire.calls("http")[0].request_hash is not None


async def test_questions_that_wait_for_one_another(wire: "Wire") -> None:
    """Asked before the first is answered, they are answered in turn (which is what the provider promises)."""

    async def talk(connection: ServerConnection) -> None:
        for _ in range(2):
            await connection.recv()
        for number in (1, 2):
            for event in answer(number):
                await connection.send(event)
        await connection.wait_closed()

    async with tunnel(wire, talk) as (_, connection):
        await connection.send(json.dumps(ASKED | {"model": "a"}))
        await connection.send(json.dumps(ASKED | {"model": "b"}))
        for _ in range(6):
            await connection.recv()
    found = [(call.request.model, call.response.id) for call in carried(wire) if call.response]
    assert found == [("a", "resp_1"), ("b", "resp_2")]


async def test_the_upstream_closes_within_an_answer(wire: "Wire") -> None:
    """The call is cut, and known as such before the agent sees the close."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        for event in answer()[:2]:
            await connection.send(event)
        await connection.close(1011, "overloaded")

    async with tunnel(wire, talk) as (_, connection):
        await connection.send(json.dumps(ASKED))
        with pytest.raises(ConnectionClosed):
            await read_all(connection)
        (call,) = carried(wire)
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")
    assert call.response is not None
    assert (call.response.id, call.response.finish_reasons) == ("resp_1", ("error",))
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")


@pytest.mark.parametrize("politely", [True, False])
async def test_the_agent_leaves_within_an_answer(wire: "Wire", *, politely: bool) -> None:
    """With a close frame or without: it did not see the end."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(answer()[0])
        await connection.wait_closed()

    async with tunnel(wire, talk) as (_, connection):
        await connection.send(json.dumps(ASKED))
        await connection.recv()
        if politely:
            await connection.close()
        else:
            connection.transport.abort()
        await wire.eventually(lambda: carried(wire)[0].outcome != "in_flight")
    (call,) = carried(wire)
    assert (call.outcome, call.error_type) == ("client_disconnected", "client_disconnected")
    assert wire.calls()[0].outcome == ("completed" if politely else "client_disconnected")


async def test_a_proxy_that_stops_within_an_answer(wire: "Wire") -> None:
    """Both are interrupted, and the run is sealed."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(answer()[0])
        await connection.wait_closed()

    async with tunnel(wire, talk, shutdown_grace=0.1) as (proxy, connection):
        await connection.send(json.dumps(ASKED))
        await connection.recv()
        await proxy.stop()
    assert [call.outcome for call in wire.calls()] == ["interrupted", "interrupted"]
    assert verify(wire.store / "default").state == "sealed"


async def test_answers_that_cannot_be_read(wire: "Wire") -> None:
    """The call's end is not known, and the tunnel counts as a call of which no usage was told: nothing looks like zero."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(answer()[0])
        connection.transport.write(b"\xff" * 20)
        connection.transport.write_eof()

    async with tunnel(wire, talk) as (_, connection):
        await connection.send(json.dumps(ASKED))
        with pytest.raises(ConnectionClosed):
            await read_all(connection)
    await wire.eventually(lambda: wire.calls()[0].outcome != "in_flight")
    door, call = wire.calls()
    assert call.outcome == "interrupted"
    assert call.message is not None
    assert "could not be read" in call.message
    assert door.tunnel is not None
    assert door.tunnel.unread is not None
    assert not door.only_carries_calls
    value = tokens(load_record(wire.store / "default"))
    assert (value.value, value.status) == (None, "missing")


async def test_an_answer_that_nobody_is_known_to_have_asked_for(wire: "Wire") -> None:
    """A message of a kind to come may ask, too: what its answer used is not known, so that the tunnel counts as a call."""

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        for event in answer():
            await connection.send(event)
        await answer_each(connection)

    async with tunnel(wire, talk) as (_, connection):
        await connection.send('{"type":"response.resume"}')
        for _ in range(3):
            await connection.recv()
        await ask(connection)
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    run = read_run(wire.store / "default")
    assert [(call.outcome, call.usage.source) for call in run.calls] == [
        ("completed", "absent"),
        ("completed", "provider"),
    ]
    assert run.calls[0].tunnel is not None
    assert run.calls[0].tunnel.unread == "an answer to a message that was not understood as a question"


async def test_messages_that_are_too_long_to_be_read(wire: "Wire", monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass and are counted; since one of them may have asked, the tunnel counts as a call. Others are read."""
    monkeypatch.setattr(_websocket, "LONGEST_MESSAGE", 10_000)
    async with tunnel(wire, answer_each, compression=None) as (_, connection):
        await ask(connection, input="x" * 20_000)
        await ask(connection)
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    door, call = wire.calls()
    assert (call.outcome, door.only_carries_calls) == ("completed", False)
    assert door.tunnel is not None
    assert door.tunnel.unread is not None


async def test_a_fault_of_the_recorder_breaks_nothing(wire: "Wire", monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 1: the messages pass, and the record says that it is not whole."""

    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    async with tunnel(wire, answer_each) as (_, connection):
        assert await ask(connection) == answer(1)
        monkeypatch.setattr(RunRecording, "record_message", fail)
        assert await ask(connection) == answer(2)
        assert await ask(connection) == answer(3)
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    tunnel_of = wire.calls()[0].tunnel
    assert tunnel_of is not None
    assert tunnel_of.unread is not None
    assert "a fault of the recorder" in tunnel_of.unread


async def test_contents_that_cannot_be_kept(wire: "Wire", monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is no reason to stop: the messages pass and are known, and say that their contents are lost."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with tunnel(wire, answer_each) as (_, connection):
        monkeypatch.setattr(BodyPack, "_append", fail)
        assert await ask(connection) == answer()
        assert {message.lost for message in read_messages(wire.store / "default")} == {"No space left on device"}
        (call,) = carried(wire)
    assert (call.outcome, call.bodies_lost, call.usage.input_tokens) == ("completed", "No space left on device", 30)


async def test_a_run_named_by_the_path(wire: "Wire") -> None:
    """Messages and calls are in the run of the tunnel."""
    async with tunnel(wire, answer_each, path="/r/run-7/v1/responses") as (_, connection):
        await ask(connection)
        await asyncio.sleep(0)
    assert [call.request.model for call in wire.calls("run-7")] == [None, "m-1"]
    kinds = [message.kind for message in read_messages(wire.store / "run-7") if message.sender == "upstream"]
    assert kinds[:3] == ["text"] * 3
