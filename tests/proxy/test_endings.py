"""How exchanges end: what the agent sees of it, what the upstream sees of it, and what is on disk."""

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tachograph.proxy import UpstreamAddress
from tachograph.traces import BodyReader, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Upstream, Wire

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
PROMPTLY = 8.0
"""Seconds, on a loaded machine; what must come at once comes in milliseconds."""


def content(text: str, **more: object) -> dict[str, Any]:
    return {"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}}], **more}


async def test_hanging_up_after_the_terminal_event_completes_a_call(wire: "Wire", upstream: "Upstream") -> None:
    """Agents leave when they have seen `[DONE]`, not when the body ends: such a call is complete, with its usage."""
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    said = upstream.event(content("Hi")) + upstream.event({"choices": [], "usage": usage})
    upstream.answer(upstream.stream(said, upstream.event("[DONE]"), end=False), "wait for close")
    agent = await wire.agent()
    await agent.send_post(ASKED)
    await agent.read_until(b"[DONE]")
    (call,) = wire.calls()
    assert call.outcome == "completed", "the end was not on disk before the agent could see it"
    await agent.hang_up()
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("completed", None)
    assert (call.usage.source, call.usage.input_tokens, call.usage.output_tokens) == ("provider", 5, 7)


@pytest.mark.parametrize("begun", [True, False], ids=["in the stream", "before any answer"])
async def test_hanging_up_before_the_end_cancels_the_upstreams_work(
    wire: "Wire", upstream: "Upstream", *, begun: bool
) -> None:
    """The upstream sees its connection close at once, and what came so far is on disk."""
    said = upstream.event(content("Hi"))
    answer = [upstream.stream(said, end=False)] if begun else []
    upstream.answer(*answer, "wait for close")
    agent = await wire.agent()
    await agent.send_post(ASKED)
    if begun:
        await agent.read_until(said)
    else:
        await wire.eventually(lambda: upstream.received)
    await agent.hang_up()
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("client_disconnected", "client_disconnected")
    assert (call.response is not None) == begun
    if call.response:
        assert call.response.finish_reasons == ("error",)
        assert call.response.bytes == call.response.delivered_bytes == len(said)
        assert BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash)) == said


async def test_hanging_up_with_an_answer_half_read(wire: "Wire", upstream: "Upstream") -> None:
    """An agent that reads nothing makes the upstream wait, not the proxy swell; when it leaves, so does the proxy."""
    blocks = [upstream.chunk(upstream.event(content("x" * 2**16)))] * 1000
    upstream.answer(upstream.stream(end=False), *blocks, "wait for close")
    agent = await wire.agent()
    await agent.send_post(ASKED)
    await agent.read_until(b"\r\n\r\n")
    agent.writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(0.3)
    agent.writer.transport.abort()
    await wire.eventually(lambda: wire.calls()[0].outcome != "in_flight")
    (call,) = wire.calls()
    assert call.outcome == "client_disconnected"
    assert call.response is not None
    assert 0 < (call.response.bytes or 0) < 40 * 2**20, "all was read although nobody took it"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_an_upstream_cut_reaches_the_agent_as_a_cut(
    wire: "Wire", upstream: "Upstream", how: Literal["close", "reset"], framing: str
) -> None:
    """An agent tries again after a cut; a clean end would leave it with a silently short answer."""
    said = upstream.event(content("Hi"))
    length = upstream.head("200 OK", "Content-Type: text/event-stream", "Content-Length: 9999") + said
    begun = length if framing == "length" else upstream.stream(said, end=False)
    upstream.answer(begun, 0.05, how)
    agent = await wire.agent()
    reply = await agent.post(ASKED)
    assert (reply.status, reply.body, reply.ending) == (200, said, "cut")
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")
    assert call.response is not None
    assert call.response.bytes == len(said)
    assert call.usage.source == "absent"


async def test_a_cut_is_no_clean_end_for_an_http_1_0_agent(wire: "Wire", upstream: "Upstream") -> None:
    """Where the end of the connection is the end of the body, only a reset can tell that something is missing."""
    said = upstream.event(content("Hi"))
    upstream.answer(upstream.stream(said, end=False), 0.05, "close")
    agent = await wire.agent()
    await agent.send(b"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
    reply = await agent.reply()
    assert (reply.body, reply.ending) == (said, "reset")
    assert wire.calls()[0].outcome == "upstream_cut"


async def test_a_cut_after_the_terminal_event_is_a_complete_call(wire: "Wire", upstream: "Upstream") -> None:
    """Nothing that the agent looks at is missing, but it sees the cut all the same."""
    done = upstream.event("[DONE]")
    upstream.answer(upstream.stream(done, end=False), 0.05, "close")
    reply = await (await wire.agent()).post(ASKED)
    assert (reply.body, reply.ending) == (done, "cut")
    assert wire.calls()[0].outcome == "completed"


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_an_upstream_that_hangs_up_without_an_answer(
    wire: "Wire", upstream: "Upstream", how: Literal["close", "reset"]
) -> None:
    """The agent sees just that: no status is made up."""
    upstream.answer(how)
    reply = await (await wire.agent()).post(ASKED)
    assert (reply.raw_head, reply.ending) == (b"", "cut")
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")
    assert call.response is None
    assert call.usage.source == "absent"


async def test_a_refused_connection_is_an_error_that_clients_understand(wire: "Wire", upstream: "Upstream") -> None:
    """502 in the shape of OpenAI's errors, and a recorded call; the agent's connection can be used again."""
    proxy = await wire.serve()
    await upstream.stop()
    agent = await wire.connect(proxy.port)
    for sequence in (1, 2):
        reply = await agent.post(ASKED)
        assert reply.status == 502
        assert reply.json()["error"]["code"] == "upstream_unreachable"
        assert set(reply.json()["error"]) == {"message", "type", "param", "code"}
        call = wire.calls()[-1]
        assert (call.sequence, call.attempt) == (sequence, sequence)
        assert (call.outcome, call.error_type) == ("upstream_unreachable", "connection_error")
        assert call.response is None


async def test_a_head_that_cannot_be_written_again(wire: "Wire", upstream: "Upstream") -> None:
    """What cannot be passed on is a 502 and a recorded call, not a fault of the proxy."""
    upstream.answer(upstream.head("200 OK", "X: a\x01b", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
    reply = await (await wire.agent()).post(ASKED)
    assert (reply.status, reply.ending) == (502, "clean")
    assert reply.json()["error"]["code"] == "upstream_unreachable"
    assert wire.calls()[0].outcome == "upstream_unreachable"


async def test_retry_after_passes(wire: "Wire", upstream: "Upstream") -> None:
    """Agents wait as long as they are told to; nothing tries again in their place."""
    body = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'
    upstream.answer(upstream.whole(body, "429 Too Many Requests", "retry-after: 3", "Content-Type: application/json"))
    agent = await wire.agent()
    for attempt in (1, 2):
        reply = await agent.post({"model": "m"})
        assert (reply.status, reply.one(b"Retry-After"), reply.body) == (429, b"3", body)
        call = wire.calls()[-1]
        assert (call.outcome, call.error_type, call.message) == ("completed", "rate_limit_exceeded", "slow down")
        assert call.attempt == attempt
        assert call.response is not None
        assert call.response.status == 429
    assert len(upstream.received) == 2


async def test_bytes_behind_the_terminal_event_pass_and_are_recorded(wire: "Wire", upstream: "Upstream") -> None:
    """What comes after the end is on disk by an amendment: the call's hash is that of all bytes."""
    pieces = [upstream.event(content("Hi")), upstream.event("[DONE]"), b": bye\n\n", b"data: {}\n\n"]
    head = upstream.stream(end=False)
    upstream.answer(head, *(step for piece in pieces for step in (upstream.chunk(piece), 0.02)), b"0\r\n\r\n")
    reply = await (await wire.agent()).post(ASKED)
    assert (reply.body, reply.ending) == (b"".join(pieces), "clean")
    (call,) = wire.calls()
    assert call.outcome == "completed"
    assert call.response is not None
    assert call.response.bytes == call.response.delivered_bytes == len(reply.body)
    assert BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash)) == reply.body


async def test_bytes_behind_the_terminal_event_are_recorded_if_the_agent_leaves(
    wire: "Wire", upstream: "Upstream"
) -> None:
    """The call is complete, and what was received is what is recorded."""
    done, late = upstream.event("[DONE]"), b": late\n\n"
    upstream.answer(upstream.stream(done, end=False), 0.02, upstream.chunk(late), "wait for close")
    agent = await wire.agent()
    await agent.send_post(ASKED)
    await agent.read_until(late)
    await agent.hang_up()
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert call.outcome == "completed"
    assert call.response is not None
    assert call.response.bytes == len(done + late)


@pytest.mark.parametrize(
    "error",
    [
        b'data: {"error":{"message":"overloaded","type":"server_error","code":529}}\n\n',
        b'event: error\ndata: {"error":{"message":"overloaded","type":"server_error","code":529}}\n\n',
        b'event: error\ndata: {"message":"overloaded","type":"server_error","code":529}\n\n',
    ],
    ids=["data", "event and data", "event"],
)
@pytest.mark.parametrize("done", [True, False], ids=["then done", "then the end"])
async def test_an_error_inside_a_stream(wire: "Wire", upstream: "Upstream", *, error: bytes, done: bool) -> None:
    """Status 200 says nothing: the error that came instead of an end is the call's error, in any server's form."""
    said = upstream.event(content("Hi")) + error + (upstream.event("[DONE]") if done else b"")
    upstream.answer(upstream.stream(said))
    reply = await (await wire.agent()).post(ASKED)
    assert (reply.status, reply.body, reply.ending) == (200, said, "clean")
    (call,) = wire.calls()
    assert (call.outcome, call.error_type, call.message) == ("completed", "529", "overloaded")


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_a_stream_without_its_terminal_event(wire: "Wire", upstream: "Upstream", framing: str) -> None:
    """No `[DONE]` is made up: the agent gets what came, and the record says that the end is missing."""
    said = upstream.event(content("Hi"))
    if framing == "chunked":
        upstream.answer(upstream.stream(said))
    else:
        upstream.answer(upstream.head("200 OK", "Content-Type: text/event-stream") + said, "close")
    reply = await (await wire.agent()).post(ASKED)
    assert (reply.body, reply.ending) == (said, "clean")
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")
    assert call.message == "the stream ended without its terminal event"


async def test_a_stream_that_ends_with_its_finish_reason_alone(wire: "Wire", upstream: "Upstream") -> None:
    """Some servers send no `[DONE]`: where every choice has told why it ended, nothing is missing."""
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    upstream.answer(upstream.stream(upstream.event(content("Hi")), upstream.event(end)))
    await (await wire.agent()).post(ASKED)
    assert (wire.calls()[0].outcome, wire.calls()[0].error_type) == ("completed", None)


@pytest.mark.parametrize("begun", [True, False], ids=["in the stream", "before any answer"])
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "no sync"])
async def test_stopping_interrupts_calls_that_do_not_end(
    wire: "Wire", upstream: "Upstream", *, begun: bool, sync: bool
) -> None:
    """A call that outlasts the grace is cut for both sides and recorded as interrupted; the run is sealed nevertheless."""
    said = upstream.event(content("Hi"))
    upstream.answer(*([upstream.stream(said, end=False)] if begun else []), "wait for close")
    proxy = await wire.serve(shutdown_grace=0.2, sync=sync)
    agent = await wire.connect(proxy.port)
    await agent.send_post(ASKED)
    if begun:
        await agent.read_until(said + b"\r\n")
    else:
        await wire.eventually(lambda: upstream.received)
    async with asyncio.timeout(PROMPTLY):
        await proxy.stop()
    await upstream.sees_the_close()
    assert await agent.reader.read() == b"", "an end of the body was made up"
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("interrupted", "interrupted")
    assert (call.response.bytes if call.response else None) == (len(said) if begun else None)
    assert verify(wire.store / "default").state == "sealed"


async def test_stopping_lets_calls_end(wire: "Wire", upstream: "Upstream") -> None:
    """Calls in flight have some seconds: what ends in them is complete."""
    said, go_on = upstream.event(content("Hi")), asyncio.Event()
    upstream.answer(upstream.stream(said, end=False), go_on, upstream.chunk(upstream.event("[DONE]")), b"0\r\n\r\n")
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    await agent.send_post(ASKED)
    await agent.read_until(said)
    stopping = asyncio.ensure_future(proxy.stop())
    await asyncio.sleep(0.05)
    with pytest.raises(OSError, match=r"."):
        await wire.connect(proxy.port)
    go_on.set()
    assert (await agent.read_until(b"0\r\n\r\n")).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    async with asyncio.timeout(PROMPTLY):
        await stopping
    assert wire.calls()[0].outcome == "completed"
    assert verify(wire.store / "default").state == "sealed"


async def test_a_connection_that_the_upstream_closed_is_not_used_again(wire: "Wire", upstream: "Upstream") -> None:
    """Upstreams close idle connections: the next call goes over a new one and does not fail."""
    upstream.answer(upstream.whole(b"{}"), "close")
    agent = await wire.agent()
    for _ in range(5):
        assert (await agent.post({"model": "m"})).status == 200
        await asyncio.sleep(0.01)
    assert upstream.connections == 5
    assert {call.outcome for call in wire.calls()} == {"completed"}


async def test_a_body_that_the_agent_cuts_short_reaches_nobody(
    wire: "Wire", upstream: "Upstream", caplog: pytest.LogCaptureFixture
) -> None:
    """A request that did not come whole is not sent up, and makes no noise."""
    caplog.set_level(logging.WARNING)
    agent = await wire.agent()
    await agent.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf")
    await asyncio.sleep(0.02)
    await agent.hang_up()
    other = await wire.agent()
    assert (await other.post({"model": "m"})).status == 200
    assert len(upstream.received) == 1
    assert not caplog.records


async def test_an_early_refusal_of_a_large_body_reaches_the_agent(wire: "Wire") -> None:
    """An upstream that answers 413 without reading on is heard."""
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    answered = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        await answered.wait()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    agent = await wire.agent(upstream=UpstreamAddress.parse(url))
    reply = await agent.post(b'{"model":"%b"}' % (b"x" * 8 * 2**20))
    assert (reply.status, reply.body) == (413, b"{}")
    assert wire.calls()[0].outcome == "completed"
    answered.set()
    server.close()
    with contextlib.suppress(OSError):
        await asyncio.sleep(0)
