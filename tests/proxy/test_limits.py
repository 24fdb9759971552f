"""How much is taken from agents, and what they are told of it."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tachograph.proxy import Limits, ProxySettings
from tachograph.traces import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.proxy.conftest import Upstream, Wire

PATH = "/v1/chat/completions"
BODY = b'{"model":"m","messages":"' + b"x" * 2000 + b'"}'


def head(*lines: str, path: str = PATH) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: proxy", *lines, "", "")).encode()


def chunked(body: bytes) -> bytes:
    return head("Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("framing", ["length", "chunks", "expect"])
async def test_a_body_that_is_too_long(wire: "Wire", upstream: "Upstream", framing: str) -> None:
    """413 that says how to raise the limit, before all of it has come; recorded, and nothing goes up."""
    proxy = await wire.serve(limits=Limits(body=1000))
    agent = await wire.connect(proxy.port)
    length = f"Content-Length: {len(BODY)}"
    sent = {
        "length": head(length) + BODY[:500],
        "chunks": chunked(BODY),
        "expect": head(length, "Expect: 100-continue"),
    }
    await agent.send(sent[framing])
    reply = await agent.reply()
    assert (reply.status, reply.one(b"Connection")) == (413, b"close")
    error = reply.json()["error"]
    assert error["code"] == "request_too_large"
    assert "1000 bytes" in error["message"]
    assert "--limit body=" in error["message"]
    assert await agent.reader.read() == b""
    assert not upstream.received
    (call,) = wire.calls()
    assert call.response is not None
    assert (call.response.status, call.error_type) == (413, "request_too_large")
    assert (call.request.body_hash, call.request.bytes) == (None, None)
    await proxy.stop()
    assert verify(wire.store / "default").state == "sealed"


async def test_a_body_of_just_the_limit_passes(wire: "Wire", upstream: "Upstream") -> None:
    """The limit is the last length that is taken, in whichever framing."""
    proxy = await wire.serve(limits=Limits(body=len(BODY)))
    agent = await wire.connect(proxy.port)
    for sent in (head(f"Content-Length: {len(BODY)}") + BODY, chunked(BODY)) * 2:
        await agent.send(sent)
        assert (await agent.reply()).status == 200
    assert [request.body for request in upstream.received] == [BODY] * 4


async def test_who_sends_all_of_a_body_that_is_too_long_reads_why(wire: "Wire", upstream: "Upstream") -> None:
    """Many clients read no answer before they have sent everything: the connection is not closed in their face."""
    proxy = await wire.serve(limits=Limits(body=1000))
    agent = await wire.connect(proxy.port)
    body = b"x" * (64 * 2**20)
    agent.writer.write(head(f"Content-Length: {len(body)}", path="/v1/messages") + body)
    async with asyncio.timeout(60):
        await agent.writer.drain()
    reply = await agent.reply()
    assert (reply.status, reply.json()["error"]["type"]) == (413, "request_too_large")
    assert not upstream.received


@pytest.mark.parametrize("framing", ["Content-Length: 900000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", [PATH, "/r/../v1/x", "/other"])
async def test_a_long_body_of_a_stranger(wire: "Wire", framing: str, path: str) -> None:
    """Who may not call is refused at the head, or at the first megabyte: memory is not filled by who has no key."""
    proxy = await wire.serve(require_keys=True, default_run=None)
    agent = await wire.connect(proxy.port)
    await agent.send(head(framing, "x-api-key: tachograph-x", path=path))
    if "chunked" in framing:
        for _ in range(17):
            await agent.send(b"10000\r\n%b\r\n" % (b"x" * 65536))
    reply = await agent.reply()
    assert reply.status == (404 if path == "/other" else 401)
    assert await agent.reader.read() == b""


async def test_a_head_that_is_too_long(wire: "Wire", upstream: "Upstream") -> None:
    """431 that says how to raise the limit."""
    proxy = await wire.serve(limits=Limits(head=5000))
    agent = await wire.connect(proxy.port)
    await agent.send(head(f"X-Long: {'v' * 6000}")[:-2])
    reply = await agent.reply()
    assert reply.status == 431
    assert b"5000 bytes" in reply.body
    assert b"--limit head=" in reply.body
    assert not upstream.received


async def test_who_goes_on_with_a_head_that_is_too_long_reads_why(
    wire: "Wire", caplog: pytest.LogCaptureFixture
) -> None:
    """What still comes is let go of; the answer is said once."""
    proxy = await wire.serve(limits=Limits(head=5000))
    agent = await wire.connect(proxy.port)
    await agent.send(head()[:-2])
    for _ in range(400):
        await agent.send(b"X-More: %b\r\n" % (b"v" * 30_000))
    reply = await agent.reply()
    assert reply.status == 431
    assert await agent.reader.read() == b""
    assert len(caplog.records) == 1


@pytest.mark.parametrize("sent", [b"POST /", head()[:40], head("X: y")[:-2]])
async def test_a_head_that_does_not_end(wire: "Wire", upstream: "Upstream", sent: bytes) -> None:
    """408 when its time is up, though a byte comes now and then."""
    proxy = await wire.serve(limits=Limits(receive=0.3))
    agent = await wire.connect(proxy.port)
    await agent.send(sent)
    answered = asyncio.Event()

    async def drip() -> None:
        while not answered.is_set():
            await agent.send(b"x")
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drip())
        reply = await agent.reply()
        answered.set()
    assert reply.status == 408
    assert b"0.3 seconds" in reply.body
    assert b"--limit receive=" in reply.body
    assert not upstream.received


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_come(wire: "Wire", upstream: "Upstream", framing: str) -> None:
    """408 after a silence, in the API's shape, and recorded."""
    proxy = await wire.serve(limits=Limits(receive=0.2))
    agent = await wire.connect(proxy.port)
    await agent.send(head(framing) + b"5\r\nhello\r\n")
    reply = await agent.reply()
    assert (reply.status, reply.json()["error"]["code"]) == (408, "request_timeout")
    assert "--limit receive=" in reply.json()["error"]["message"]
    assert not upstream.received
    (call,) = wire.calls()
    assert call.response is not None
    assert call.response.status == 408


async def test_a_body_that_comes_slowly(wire: "Wire", upstream: "Upstream") -> None:
    """What counts is the silence, not the time in all: a slow line is no attack."""
    loop = asyncio.get_running_loop()
    for limit in (1.0, 4.0, 16.0):
        agent = await wire.connect((await wire.serve(limits=Limits(receive=limit))).port)
        await agent.send(head("Content-Length: 12"))
        longest, last = 0.0, loop.time()
        for _ in range(12):
            await asyncio.sleep(limit / 8)
            await agent.send(b"x")
            longest, last = max(longest, loop.time() - last), loop.time()
        reply = await agent.reply()
        if longest < limit / 2:  # else this machine was busy with something else, and the silence too long
            assert reply.status == 200
            assert upstream.received[-1].body == b"x" * 12
            return
    pytest.fail("this machine cannot send a byte twice a second")


async def test_an_agent_that_waits_for_its_answer_is_never_cut(wire: "Wire", upstream: "Upstream") -> None:
    """However long the model thinks, and though the next request is already half sent, which is read on afterwards."""
    go_on = asyncio.Event()
    upstream.rule = lambda _: [upstream.head("200 OK", "Content-Length: 4"), b"ab", go_on, b"cd"]
    proxy = await wire.serve(limits=Limits(receive=0.1, idle=0.2))
    agent = await wire.connect(proxy.port)
    await agent.send(head("Content-Length: 2") + b"{}")
    await agent.send(head("Content-Length: 2"))
    await asyncio.sleep(1.0)
    go_on.set()
    await agent.send(b"{}")
    for _ in range(2):
        reply = await agent.reply()
        assert (reply.status, reply.body, reply.ending) == (200, b"abcd", "clean")


async def test_a_connection_that_nobody_uses_is_closed(wire: "Wire") -> None:
    """Before the first request, and behind an answer."""
    proxy = await wire.serve(limits=Limits(idle=0.2))
    for requests in (0, 1):
        agent = await wire.connect(proxy.port)
        for _ in range(requests):
            assert (await agent.post({"model": "m"})).status == 200
        async with asyncio.timeout(60):
            assert await agent.reader.read() == b""


def test_usual_limits(tmp_path: "Path") -> None:
    """Large enough that no agent meets them: a gigabyte of a request, an hour between two calls."""
    limits = ProxySettings(store=tmp_path).limits
    assert (limits.head, limits.body, limits.receive, limits.idle, limits.runs) == (2**20, 2**30, 60, 3600, 1000)
