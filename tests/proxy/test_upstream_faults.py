"""Upstreams that drip, flood, never end, or send what is no answer: what the agent sees, and what is on disk."""

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

import pytest

from tachograph.traces import BodyReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.proxy.conftest import Step, Upstream, Wire

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}


def delta(text: str) -> dict[str, object]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}


async def test_an_answer_that_drips_reaches_the_agent_drop_by_drop(wire: "Wire", upstream: "Upstream") -> None:
    """Each byte is passed on when it comes, none waits for the next, and the call is one like any other."""
    said = upstream.event(delta("Hi")) + upstream.event("[DONE]")
    drops = [asyncio.Event() for _ in said]

    def steps() -> "Iterator[Step]":
        yield upstream.stream(end=False)
        for number, drop in enumerate(drops):
            yield drop
            yield upstream.chunk(said[number : number + 1])
        yield b"0\r\n\r\n"

    upstream.rule = lambda _: steps()
    agent = await wire.agent()
    await agent.send_post(ASKED)
    await agent.head()
    for number, drop in enumerate(drops):
        drop.set()
        assert await agent.read_until(b"\r\n") == b"1\r\n"
        assert await agent.read_until(b"\r\n") == said[number : number + 1] + b"\r\n"
    assert await agent.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"
    (call,) = wire.calls()
    assert call.outcome == "completed"
    assert call.response is not None
    assert (call.response.bytes, call.response.body_hash) == (len(said), hashlib.sha256(said).hexdigest())
    assert call.timing.chunks == len(said.rstrip()), "a call is recorded at its terminal event"


@pytest.mark.parametrize("protocol", [b"HTTP/1.0", b"HTTP/1.1"])
async def test_an_answer_without_a_length_ends_with_its_connection(
    wire: "Wire", upstream: "Upstream", protocol: bytes
) -> None:
    """HTTP/1.0 ends a body by closing: the agent gets all of it with a clean end, and the next call another connection."""
    body = b'{"id":"w1","model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    upstream.answer(protocol + b" 200 OK\r\nContent-Type: application/json\r\n\r\n" + body, "close")
    agent = await wire.agent()
    for _ in range(2):
        reply = await agent.post({"model": "m"})
        assert (reply.status, reply.body, reply.ending) == (200, body, "clean")
    assert upstream.connections == 2
    assert [(call.outcome, call.usage.input_tokens) for call in wire.calls()] == [("completed", 3)] * 2


async def test_an_answer_that_never_ends_is_cut_by_who_leaves(wire: "Wire", upstream: "Upstream") -> None:
    """A stream without end goes on as long as the agent reads; when it leaves, the upstream is told and what came is there."""
    event = upstream.event(delta("more"))

    def steps() -> "Iterator[Step]":
        yield upstream.stream(end=False)
        while True:
            yield upstream.chunk(event)

    upstream.rule = lambda _: steps()
    agent = await wire.agent()
    await agent.send_post(ASKED)
    for _ in range(2000):
        await agent.read_until(event)
    await agent.hang_up()
    await wire.eventually(lambda: wire.calls()[0].outcome != "in_flight")
    (call,) = wire.calls()
    assert call.outcome == "client_disconnected"
    assert call.response is not None
    assert (call.response.bytes or 0) >= 2000 * len(event)
    kept = BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash))
    assert kept == event * (len(kept) // len(event))


async def test_an_answer_that_never_ends_is_cut_by_a_stop(wire: "Wire", upstream: "Upstream") -> None:
    """Stopping the proxy ends a stream without end after its grace, as interrupted, and seals the run."""
    event = upstream.event(delta("more"))

    def steps() -> "Iterator[Step]":
        yield upstream.stream(end=False)
        while True:
            yield upstream.chunk(event)
            yield 0.01

    upstream.rule = lambda _: steps()
    proxy = await wire.serve(shutdown_grace=0.2)
    agent = await wire.connect(proxy.port)
    await agent.send_post(ASKED)
    await agent.read_until(event)
    seals = await proxy.stop()
    assert seals["default"] is not None
    (call,) = wire.calls()
    assert call.outcome == "interrupted"


async def test_an_upstream_that_stalls_in_mid_answer(wire: "Wire", upstream: "Upstream") -> None:
    """A silence in mid-answer is the model's to keep: what came is with the agent, and the rest follows when it comes."""
    first, last = upstream.event(delta("Hi")), upstream.event("[DONE]")
    go_on = asyncio.Event()
    upstream.answer(upstream.stream(first, end=False), go_on, upstream.chunk(last), b"0\r\n\r\n")
    agent = await wire.agent()
    await agent.send_post(ASKED)
    await agent.read_until(first)
    assert wire.calls()[0].outcome == "in_flight"
    other = await wire.agent()
    upstream.answer(upstream.whole(b"{}"))
    assert (await other.post({"model": "m"})).status == 200, "one stream that stalls holds up another call"
    go_on.set()
    await agent.read_until(b"0\r\n\r\n")
    assert [call.outcome for call in wire.calls()] == ["completed", "completed"]
    assert (wire.calls()[0].timing.largest_gap or 0) > 0


@pytest.mark.parametrize("seed", range(12))
async def test_random_bytes_are_no_answer(wire: "Wire", upstream: "Upstream", seed: int) -> None:
    """Noise in the place of a head is told as such; noise behind a head is a cut. The next call is served."""
    noise = random.Random(seed).randbytes(4000)
    head = upstream.head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    upstream.answer((head if seed % 2 else b"") + b"\xff" + noise, "close")
    agent = await wire.agent()
    reply = await agent.post(ASKED)
    (call,) = wire.calls()
    if seed % 2:
        assert (reply.ending, call.outcome) == ("cut", "upstream_cut")
    else:
        assert (reply.status, call.outcome) == (502, "upstream_unreachable")
        assert noise[:8] not in reply.body
    upstream.answer(upstream.whole(b"{}"))
    assert (await (await wire.agent()).post({"model": "m"})).status == 200


@pytest.mark.parametrize("endless", ["head", "interim heads", "chunk size", "chunk extension", "trailers"])
async def test_framing_without_end_is_cut_off(wire: "Wire", upstream: "Upstream", endless: str) -> None:
    """What frames an answer is held in memory, so it has a limit: an upstream that never ends it is given up."""
    stream = upstream.stream(upstream.event(delta("Hi")), end=False)
    begun, again = {
        "head": (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 60_000 + b"\r\n"),
        "interim heads": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 60_000 + b"\r\n\r\n"),
        "chunk size": (stream, b"0" * 60_000),
        "chunk extension": (stream + b"5;", b"x" * 60_000),
        "trailers": (stream + b"0\r\n", b"X-More: " + b"x" * 60_000 + b"\r\n"),
    }[endless]

    def steps() -> "Iterator[Step]":
        yield begun
        while True:
            yield again

    upstream.rule = lambda _: steps()
    reply = await (await wire.agent()).post(ASKED)
    (call,) = wire.calls()
    if begun == stream or begun.startswith(stream):
        assert (reply.status, reply.ending, call.outcome) == (200, "cut", "upstream_cut")
    else:
        assert (reply.status, call.outcome) == (502, "upstream_unreachable")
    assert "no end of a head" in str(call.message) or endless == "chunk size"


async def test_an_event_without_end_is_not_held_for_its_usage(wire: "Wire", upstream: "Upstream") -> None:
    """Events are held while usage that was asked for is taken out; one that does not end passes all the same."""
    start, piece, many = b'data: {"usage":null,"x":"', b"x" * 2**16, 300
    blocks = [upstream.chunk(piece)] * many
    rest = b'"}\n\n' + upstream.event("[DONE]")
    upstream.answer(upstream.stream(start, end=False), *blocks, upstream.chunk(rest), b"0\r\n\r\n")
    agent = await wire.agent()
    reply = await agent.post({"model": "m", "stream": True, "messages": []})
    assert (reply.body, reply.ending) == (start + piece * many + rest, "clean")
    (call,) = wire.calls()
    assert call.outcome == "completed"


async def test_an_answer_too_large_to_be_read_says_so(wire: "Wire", upstream: "Upstream") -> None:
    """An answer in one object of more than 64 MiB passes whole and is kept; its usage is absent, with the reason."""
    piece, many = b"x" * 2**20, 65

    def steps() -> "Iterator[Step]":
        yield upstream.head("200 OK", "Content-Type: application/json", f"Content-Length: {many * len(piece)}")
        for _ in range(many):
            yield piece

    upstream.rule = lambda _: steps()
    reply = await (await wire.agent()).post({"model": "m"})
    assert (len(reply.body), reply.ending) == (many * len(piece), "clean")
    (call,) = wire.calls()
    assert (call.outcome, call.bodies_lost, call.usage.source) == ("completed", None, "absent")
    assert "is not read" in str(call.usage.reason)
    assert call.response is not None
    assert call.response.body_hash == hashlib.sha256(reply.body).hexdigest()
    assert BodyReader(wire.store / "default" / "bodies").get(call.response.body_hash) == reply.body


async def test_a_request_too_large_to_be_read_says_so(wire: "Wire", upstream: "Upstream") -> None:
    """A request of more than 64 MiB goes up whole and is kept; what it asks for is absent, with the reason."""
    body = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % (b"word " * (13 * 2**20))
    reply = await (await wire.agent()).post(body)
    assert reply.status == 200
    assert upstream.received[0].body == body
    (call,) = wire.calls()
    assert (call.outcome, call.request.model, call.request_hash, call.bodies_lost) == ("completed", None, None, None)
    assert "is not read" in str(call.request.unread)
    assert call.request.body_hash == hashlib.sha256(body).hexdigest()
    assert BodyReader(wire.store / "default" / "bodies").get(call.request.body_hash) == body
