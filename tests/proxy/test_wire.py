"""HTTP/1.1 on both legs, in the forms that agents and servers really send, and some that nobody should."""

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress
from tachograph.proxy import _upstream as upstream_module

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.proxy.conftest import Agent, Step, Upstream, Wire

BODY = b'{"model":"m"}'


def raw_post(*headers: str, body: bytes = BODY, version: str = "1.1") -> bytes:
    lines = (f"POST /v1/chat/completions HTTP/{version}", "Host: x", *headers, f"Content-Length: {len(body)}", "", "")
    return "\r\n".join(lines).encode() + body


async def test_a_request_may_come_byte_by_byte(wire: "Wire", upstream: "Upstream") -> None:
    """Its target, its headers and its chunks are put together again."""
    agent = await wire.agent()
    request = (
        b"POST /v1/x%20y?a=? HTTP/1.1\r\nHost: x\r\nX-A: 1 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    for position in range(len(request)):
        await agent.send(request[position : position + 1])
        await asyncio.sleep(0)
    assert (await agent.reply()).status == 200
    (received,) = upstream.received
    assert (received.target, received.one(b"X-A"), received.body) == (b"/v1/x%20y?a=?", b"1 2", b"abc")


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_an_offered_upgrade_is_not_taken(wire: "Wire", upstream: "Upstream", framing: str) -> None:
    """Java's client offers HTTP/2 with its first request: the request is answered as if it did not, its body with it."""
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ")
    agent = await wire.agent()
    if framing == "length":
        request = raw_post(*offer)
    else:
        head = "\r\n".join(("POST /v1/chat/completions HTTP/1.1", *offer, "Transfer-Encoding: chunked", "", ""))
        request = head.encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    await agent.send(request[:150])
    await agent.send(request[150:] + raw_post("X-Next: 1"))
    for _ in range(2):
        assert (await agent.reply()).status == 200
    assert [received.body for received in upstream.received] == [BODY, BODY]
    assert upstream.received[1].one(b"X-Next") == b"1"
    assert not upstream.received[0].all(b"Upgrade") + upstream.received[0].all(b"HTTP2-Settings")


async def test_a_post_without_a_body_goes_up_as_it_came(wire: "Wire", upstream: "Upstream") -> None:
    """No length is made up for it."""
    agent = await wire.agent()
    await agent.send(b"POST /v1/models/refresh HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await agent.reply()).status == 200
    (received,) = upstream.received
    assert (
        received.raw_head == b"POST /v1/models/refresh HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization" % upstream.port
        or (received.raw_head == b"POST /v1/models/refresh HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % upstream.port)
    )


async def test_a_query_may_be_empty(wire: "Wire", upstream: "Upstream") -> None:
    """A lone question mark is part of the target."""
    agent = await wire.agent()
    await agent.send(b"GET /v1/models? HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await agent.reply("GET")).status == 200
    assert upstream.received[0].target == b"/v1/models?"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /v1/x HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST /v1/x HTTP/1.1\r\nBad header: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(wire: "Wire", upstream: "Upstream", sent: bytes) -> None:
    """With 400 and the end of the connection; nothing of it goes up, and what two servers would read in two ways does not."""
    agent = await wire.agent()
    await agent.send(sent)
    reply = await agent.reply()
    assert (reply.status, reply.one(b"Connection")) == (400, b"close")
    assert await agent.reader.read() == b""
    assert not upstream.received


async def test_a_head_without_end_is_refused(wire: "Wire", upstream: "Upstream") -> None:
    """With 431; memory is not filled by who sends headers for ever."""
    agent = await wire.agent()
    await agent.send(b"GET /v1/models HTTP/1.1\r\n")
    for _ in range(40):
        await agent.send(b"X-More: %b\r\n" % (b"v" * 30_000))
    assert (await agent.head()).status == 431
    assert not upstream.received


async def test_trailers_pass(wire: "Wire", upstream: "Upstream") -> None:
    """What comes behind the last chunk reaches an agent that is sent chunks, too."""
    upstream.answer(upstream.stream(b"data: x\n\n", end=False), b"0\r\nX-Checksum: \xff1\r\nx-b:\r\n\r\n")
    agent = await wire.agent()
    await agent.send_post(BODY)
    assert (await agent.head()).status == 200
    await agent.read_until(b"data: x\n\n\r\n")
    assert await agent.read_until(b"\r\n\r\n") == b"0\r\nX-Checksum: \xff1\r\nx-b: \r\n\r\n"


async def test_answers_before_the_answer_are_read_over(wire: "Wire", upstream: "Upstream") -> None:
    """Those of 1xx are for the next hop (RFC 9110, section 15.2); the connection goes on to be used."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    upstream.answer(hints, upstream.whole(b"{}"))
    agent = await wire.agent()
    for _ in range(2):
        await agent.send_post(BODY)
        reply = await agent.reply()
        assert (reply.first_line, reply.one(b"Link"), reply.body) == (b"HTTP/1.1 200 OK", None, b"{}")
    assert upstream.connections == 1


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", True),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n", True),
        (b"HTTP/2 200 OK\r\n\r\n", False),
        (b"garbage\r\n\r\n", False),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", False),
    ],
)
async def test_what_servers_answer(wire: "Wire", upstream: "Upstream", answer: bytes, *, passed: bool) -> None:
    """Small faults of servers are read over as clients do; what is not HTTP/1 is told as such, and recorded."""
    upstream.answer(answer, "wait for close")
    agent = await wire.agent()
    await agent.send_post(BODY)
    reply = await agent.reply()
    (call,) = wire.calls()
    if passed:
        assert (reply.status, reply.body, call.outcome) == (200, b"{}", "completed")
    else:
        assert (reply.status, call.outcome) == (502, "upstream_unreachable")
        assert "this is not HTTP/1.1" in reply.json()["error"]["message"]


async def test_a_broken_chunk_is_a_cut(wire: "Wire", upstream: "Upstream") -> None:
    """Where the framing is lost no more can be told: the agent's connection ends, too."""
    upstream.answer(upstream.stream(b"data: x\n\n", end=False), b"nonsense\r\n", "wait for close")
    agent = await wire.agent()
    await agent.send_post(BODY)
    reply = await agent.reply()
    assert (reply.status, reply.body, reply.ending) == (200, b"data: x\n\n", "cut")
    assert wire.calls()[0].outcome == "upstream_cut"


async def test_bytes_that_nobody_asked_for_end_a_connection(wire: "Wire", upstream: "Upstream") -> None:
    """Behind an answer nothing may come: it would be taken for the answer to the next question."""
    upstream.answer(upstream.whole(b"{}") + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
    agent = await wire.agent()
    for _ in range(3):
        await agent.send_post(BODY)
        assert (await agent.reply()).body == b"{}"
    assert upstream.connections == 3


@pytest.mark.parametrize("answer", ["200 OK", "304 Not Modified"])
async def test_an_answer_without_its_body(wire: "Wire", upstream: "Upstream", answer: str) -> None:
    """To HEAD, and by 304, comes a length and nothing of that length; neither side waits for it."""
    upstream.answer(upstream.head(answer, "Content-Length: 5"))
    method = "HEAD" if answer.startswith("200") else "GET"
    agent = await wire.agent()
    for _ in range(2):
        await agent.send(f"{method} /v1/models HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        reply = await agent.reply("HEAD")
        assert (reply.first_line, reply.one(b"Content-Length")) == (f"HTTP/1.1 {answer}".encode(), b"5")


async def test_a_connection_is_used_again(wire: "Wire", upstream: "Upstream") -> None:
    """Call after call goes over one connection, and two at a time over two."""
    agents = [await wire.agent(), await wire.agent()]

    async def ask(agent: "Agent") -> None:
        for _ in range(5):
            assert (await agent.post(BODY)).status == 200

    await ask(agents[0])
    assert upstream.connections == 1
    await asyncio.gather(*map(ask, agents))
    assert upstream.connections == 2


async def test_idle_connections_are_closed_in_time(
    wire: "Wire", upstream: "Upstream", monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not needed is not kept for ever."""
    monkeypatch.setattr(upstream_module, "_IDLE_LIMIT", 0.05)
    upstream.answer(upstream.whole(b"{}"), "wait for close")
    agent = await wire.agent()
    assert (await agent.post(BODY)).status == 200
    await upstream.sees_the_close()


async def test_an_agent_that_does_not_read_holds_the_upstream_back(wire: "Wire", upstream: "Upstream") -> None:
    """What it has not read stays with the upstream, not in memory; when it reads on, it gets every byte."""
    event, many = b"data: " + b"x" * 65_536 + b"\n\n", 1000
    sent = 0

    def steps() -> "Iterator[Step]":
        nonlocal sent
        yield upstream.head("200 OK", "Content-Type: text/event-stream", f"Content-Length: {len(event) * many}")
        for _ in range(many):
            yield event
            sent += 1

    upstream.rule = lambda _: steps()
    agent = await wire.agent()
    await agent.send_post(BODY)
    assert (await agent.head()).status == 200
    transport: Any = agent.writer.transport
    transport.pause_reading()
    before = -1
    while before != sent:
        before = sent
        await asyncio.sleep(0.3)
    # The buffers of the kernel take some of the 64 MB; a proxy that reads on would take the rest.
    assert sent < many / 2
    transport.resume_reading()
    assert await agent.reader.readexactly(len(event) * many) == event * many


@pytest.fixture
def certificate(tmp_path: "Path", monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server whose authority this process trusts by the usual variable."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def _serve_tls(context: ssl.SSLContext) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\nto the end"):
            await reader.readuntil(BODY)
            writer.write(answer)
        writer.close()

    return await asyncio.start_server(serve, "localhost", 0, ssl=context)


async def test_an_upstream_by_tls(wire: "Wire", certificate: ssl.SSLContext) -> None:
    """Which all of the world's are: one connection for two calls, and its end as the end of a body."""
    async with await _serve_tls(certificate) as server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"
        agent = await wire.agent(upstream=UpstreamAddress.parse(url))
        assert (await agent.post(BODY)).body == b"{}"
        assert (await agent.post(BODY)).body == b"to the end"
    assert [call.outcome for call in wire.calls()] == ["completed", "completed"]


async def test_a_certificate_is_checked(wire: "Wire", certificate: ssl.SSLContext) -> None:
    """Of another host, it is refused before a key goes out, and the message says why."""
    async with await _serve_tls(certificate) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        agent = await wire.agent(upstream=UpstreamAddress.parse(url))
        reply = await agent.post(BODY)
    assert reply.status == 502
    assert "certificate" in reply.json()["error"]["message"]
    assert wire.calls()[0].outcome == "upstream_unreachable"


async def test_a_fault_of_the_proxy_is_told(upstream: "Upstream", tmp_path: "Path", wire: "Wire") -> None:
    """Whatever goes wrong inside, the agent gets an answer that says whose fault it is."""
    async with Proxy(ProxySettings(upstream=UpstreamAddress.parse(upstream.url), store=tmp_path / "s")) as proxy:
        proxy._server._handle = None  # type: ignore[assignment]
        agent = await wire.connect(proxy.port)
        reply = await agent.post(BODY)
    assert (reply.status, reply.json()["error"]["code"]) == (500, "internal_error")
