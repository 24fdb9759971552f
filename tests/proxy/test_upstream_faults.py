"""Upstreams that drip, have no end, speak the old protocol or none: the agent sees it as it is, and so does the record."""

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from tests.proxy.conftest import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.proxy.conftest import Step, Upstream, Wire

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}


async def test_an_upstream_that_drips(wire: "Wire", upstream: "Upstream") -> None:
    """Byte by byte, each is with the agent before the next one comes; the call is one like any other."""
    events = upstream.event({"id": "a", "choices": [{"index": 0, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(events)
    gates = [asyncio.Event() for _ in events]
    drops: Iterator[Step] = (step for gate, byte in zip(gates, events, strict=True) for step in (gate, bytes([byte])))
    upstream.answer(head, *drops)
    agent = await wire.agent()
    await agent.send_post(ASKED)
    await agent.head()
    for gate, byte in zip(gates, events, strict=True):
        gate.set()
        async with asyncio.timeout(PATIENCE):
            assert await agent.reader.readexactly(1) == bytes([byte])
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    (call,) = wire.calls()
    assert call.response is not None
    assert (call.response.bytes, call.response.finish_reasons) == (len(events), ("stop",))


async def test_an_upstream_that_speaks_http_1_0(wire: "Wire", upstream: "Upstream") -> None:
    """Its answer ends with its connection; the agent gets an end that its own connection can tell."""
    said = upstream.event({"id": "a"}) + b"data: [DONE]\n\n"
    upstream.answer(b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + said, "close")
    agent = await wire.agent()
    reply = await agent.post(ASKED)
    assert (reply.status, reply.body, reply.ending) == (200, said, "clean")
    (call,) = wire.calls()
    assert call.outcome == "completed"


async def test_a_head_that_has_no_end(wire: "Wire", upstream: "Upstream") -> None:
    """No more than a megabyte of it is read; the agent is told, and so is who reads the record."""
    upstream.answer(b"HTTP/1.1 200 OK\r\nX-Long: ", *(b"v" * 65536 for _ in range(40)), "close")
    reply = await (await wire.agent()).post(ASKED)
    assert reply.status == 502
    assert b"has no end" in reply.body
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_unreachable", "connection_error")
    assert "has no end" in (call.message or "")


@pytest.mark.parametrize("endless", [b"2;" + b"x" * 65534, b"X-Trailer: " + b"x" * 65525], ids=["chunk", "trailer"])
async def test_framing_that_has_no_end(wire: "Wire", upstream: "Upstream", endless: bytes) -> None:
    """What stands between the pieces of a body is nothing to hold: the answer is cut."""
    begun = upstream.stream(upstream.event({"id": "a"}), end=False) + (b"" if endless.startswith(b"2") else b"0\r\n")
    upstream.answer(begun, endless, *(b"x" * 65536 for _ in range(40)), "close")
    reply = await (await wire.agent()).post(ASKED)
    assert reply.ending != "clean"
    await wire.eventually(lambda: wire.calls()[0].outcome == "upstream_cut")
    assert "has no end" in (wire.calls()[0].message or "")


@pytest.mark.parametrize("seed", range(8))
async def test_random_bytes_for_an_answer(wire: "Wire", upstream: "Upstream", seed: int) -> None:
    """The agent is told that there was no answer, and the call is recorded as one without."""
    upstream.answer(random.Random(seed).randbytes(3000), "close")
    reply = await (await wire.agent()).post(ASKED)
    assert reply.status == 502
    assert b"this is not HTTP/1.1" in reply.body
    (call,) = wire.calls()
    assert (call.outcome, call.response) == ("upstream_unreachable", None)
