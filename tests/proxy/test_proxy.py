"""The proxy as a whole: no limits that nobody chose, nothing that waits, everything stated."""

import asyncio
import contextlib
import gc
import json
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tachograph.proxy import Proxy, ProxySettings, UpstreamAddress, listen
from tachograph.traces import InputError, ProxyError, StoreError, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Message, Step, Upstream, Wire

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}


async def test_a_thousand_connections_at_once(wire: "Wire", upstream: "Upstream") -> None:
    """All are in flight together: no pool of 100 makes one agent wait for another's answer."""
    many = 1000
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    def rule(request: "Message") -> "list[Step]":
        arrived.release()
        said = upstream.event({"id": request.json()["user"], "choices": [{"index": 0, "finish_reason": "stop"}]})
        return [upstream.stream(said, end=False), go_on, upstream.chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"]

    upstream.rule = rule
    proxy = await wire.serve()
    agents = [await wire.connect(proxy.port) for _ in range(many)]

    async def ask(agent: "Agent", number: int) -> None:
        reply = await agent.post(ASKED | {"user": str(number)})
        assert (reply.status, reply.ending) == (200, "clean")
        assert f'"id":"{number}"'.encode() in reply.body

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for number, agent in enumerate(agents):
            tasks.create_task(ask(agent, number))
        for _ in agents:
            await arrived.acquire()
        go_on.set()
    recorded = wire.calls()
    assert len(recorded) == many
    assert {call.outcome for call in recorded} == {"completed"}
    assert [call.sequence for call in recorded] == list(range(1, many + 1))
    await proxy.stop()
    assert verify(wire.store / "default").state == "sealed"


async def test_who_does_not_accept_is_given_up(wire: "Wire") -> None:
    """Reaching the upstream is the one thing that has a limit of time; what came of it is told and recorded."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        # A queue of one place: who comes when it is taken gets no answer.
        with socket.create_connection(address), contextlib.ExitStack() as stack:
            stack.enter_context(_knock(address))
            url = f"http://127.0.0.1:{address[1]}/v1"
            agent = await wire.agent(upstream=UpstreamAddress.parse(url), connect_timeout=0.2)
            reply = await agent.post(ASKED)
    assert reply.status == 502
    assert "no connection within 0.2 s" in reply.json()["error"]["message"]
    assert [call.outcome for call in wire.calls()] == ["upstream_unreachable"]


def _knock(address: tuple[str, int]) -> socket.socket:
    waiting = socket.socket()
    waiting.setblocking(False)
    waiting.connect_ex(address)
    return waiting


def nagle_is_off(sockets: Iterable[socket.socket]) -> bool:
    return all(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for sock in sockets)


async def test_small_chunks_do_not_wait(wire: "Wire", upstream: "Upstream") -> None:
    """TCP_NODELAY on both legs: no chunk waits for the acknowledgement of the one before it."""
    go_on = asyncio.Event()
    upstream.answer(upstream.stream(upstream.event("x"), end=False), go_on, b"0\r\n\r\n")
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    await agent.send_post(ASKED)
    await agent.read_until(upstream.event("x"))
    agents = [connection.transport.get_extra_info("socket") for connection in proxy._server.connections]
    upstreams = [connection.transport.get_extra_info("socket") for connection in proxy._upstreams.all[0].connections]
    assert len(agents) == len(upstreams) == 1
    assert nagle_is_off(agents)
    assert nagle_is_off(upstreams)
    go_on.set()
    await agent.reader.read(1)


async def test_chunks_pass_as_they_come(wire: "Wire", upstream: "Upstream") -> None:
    """Head, comment and each event are with the agent before the upstream says anything more."""
    said = [b": ping\n\n", b"data: {", b'"a":1}', b"\n", b"\n", upstream.event("[DONE]")]
    gates = [asyncio.Event() for _ in said]
    steps = (step for gate, piece in zip(gates, said, strict=True) for step in (gate, upstream.chunk(piece)))
    upstream.answer(upstream.stream(end=False), *steps, b"0\r\n\r\n")
    agent = await wire.agent()
    await agent.send_post(ASKED)
    assert (await agent.head()).status == 200
    for gate, piece in zip(gates, said, strict=True):
        gate.set()
        assert await agent.read_until(upstream.chunk(piece)) == upstream.chunk(piece)
    assert await agent.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"


async def test_a_stream_does_not_hold_its_question(wire: "Wire", upstream: "Upstream") -> None:
    """Many streams are open at a time, each behind a long conversation: once the answer has begun, that is let go of."""
    go_on = asyncio.Event()
    upstream.answer(upstream.stream(upstream.event({"id": "a"}), end=False), go_on, b"0\r\n\r\n")
    agent = await wire.agent()
    mark = secrets.token_hex()
    await agent.send_post(ASKED | {"messages": [{"role": "user", "content": mark}]})
    await agent.read_until(b"\n\n\r\n")
    questions = (item.get("messages") for item in gc.get_objects() if type(item) is dict)
    assert [{"role": "user", "content": mark}] not in [asked for asked in questions if type(asked) is list]
    go_on.set()
    await agent.read_until(b"0\r\n\r\n")


async def test_many_and_long_headers_pass(wire: "Wire", upstream: "Upstream") -> None:
    """Gateways and agents with beta lists send more than most servers take: 100 headers, 8 KiB a line."""
    headers = [f"X-{number}: {'v' * 100}" for number in range(500)] + [f"X-Long: {'v' * 60_000}"]
    upstream.answer(upstream.whole(b"{}", "200 OK", *headers))
    reply = await (await wire.agent()).post({"model": "m"}, *headers)
    for message in (upstream.received[-1], reply):
        sent = [(name.decode(), value.decode()) for name, value in message.passing if name.startswith(b"X-")]
        assert [f"{name}: {value}" for name, value in sent] == headers


async def test_an_http_1_0_agent_gets_a_stream(wire: "Wire", upstream: "Upstream") -> None:
    """Without chunks, which it does not know: the end of the connection is the end of the body."""
    upstream.answer(upstream.stream(upstream.event("x"), upstream.event("[DONE]")))
    agent = await wire.agent()
    await agent.send(b"POST /v1/chat/completions HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}")
    reply = await agent.reply()
    assert (reply.body, reply.ending) == (upstream.event("x") + upstream.event("[DONE]"), "clean")
    assert reply.all(b"Transfer-Encoding") == []
    assert reply.one(b"Connection") == b"close"


async def test_a_connection_serves_call_after_call(wire: "Wire", upstream: "Upstream") -> None:
    """Agents keep one connection for a run, and so does the proxy: a call costs no new ones."""
    agent = await wire.agent()
    for number in range(20):
        upstream.answer(upstream.whole(b"%d" % number))
        assert (await agent.post({"model": "m"})).body == b"%d" % number
    assert upstream.connections == 1


async def test_requests_sent_before_the_answer_are_answered_in_turn(wire: "Wire", upstream: "Upstream") -> None:
    """HTTP/1.1 pipelining: rare, and still no reason to lose one."""
    upstream.rule = lambda request: [upstream.whole(request.body)]
    agent = await wire.agent()
    for number in range(5):
        await agent.send_post({"number": number})
    assert [json.loads((await agent.reply()).body)["number"] for _ in range(5)] == list(range(5))


async def test_a_websocket_is_refused_as_the_upstream_refuses_it(wire: "Wire", upstream: "Upstream") -> None:
    """Codex offers one first and falls back: the offer goes up, the refusal passes, and the call after it works."""
    upstream.answer(upstream.whole(b"{}", "405 Method Not Allowed", "Allow: POST", "X: y"))
    agent = await wire.agent()
    await agent.send(
        b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    reply = await agent.reply("GET")
    assert (reply.status, reply.one(b"Allow")) == (405, b"POST")
    offer = upstream.received[-1]
    assert (offer.one(b"Connection"), offer.one(b"Upgrade")) == (b"Upgrade", b"websocket")
    assert (await agent.post({"input": "x"}, path="/v1/responses")).status == 405
    assert [call.request.method for call in wire.calls()] == ["GET", "POST"]


async def test_calls_to_apis_that_are_not_read_are_recorded(wire: "Wire", upstream: "Upstream") -> None:
    """Every path under /v1 is a call: with its bytes, times and status, and without made-up counts."""
    upstream.answer(upstream.whole(b'{"usage":{"input_tokens":1}}'))
    agent = await wire.agent()
    assert (await agent.post({"model": "m", "stream": True}, path="/v1/rerank")).status == 200
    assert upstream.received[-1].json() == {"model": "m", "stream": True}
    (call,) = wire.calls()
    assert (call.request.api, call.usage.source, call.usage.reason) == (None, "absent", "an API that is not read")
    assert call.response is not None
    assert call.response.status == 200
    assert call.timing.end is not None


async def test_what_is_measured(wire: "Wire", upstream: "Upstream") -> None:
    """Moments are in the order of time; the first content is neither the first byte nor the last."""
    content = {"choices": [{"index": 0, "delta": {"content": "x"}}]}
    pieces = [b": ping\n\n", upstream.event(content), upstream.event("[DONE]")]
    upstream.answer(
        upstream.stream(end=False), *(step for piece in pieces for step in (0.03, upstream.chunk(piece))), b"0\r\n\r\n"
    )
    agent = await wire.agent()
    await agent.post(ASKED, "session-id: s1")
    (call,) = wire.calls()
    timing = call.timing
    moments = [timing.request_read, timing.upstream_sent, timing.headers, timing.first_byte_in, timing.first_byte_out]
    moments += [timing.first_content, timing.last_byte, timing.end]
    known = [moment for moment in moments if moment is not None]
    assert known == moments
    assert known == sorted(known)
    assert (timing.first_content or 0) - (timing.first_byte_in or 0) > 20_000_000
    assert timing.chunks == 3
    assert 20_000_000 < (timing.largest_gap or 0) < (timing.end or 0)
    assert timing.overhead is not None
    assert 0 < timing.overhead < 1_000_000_000
    assert call.request.session_id == "s1"


async def test_what_is_large_or_odd_is_recorded(
    wire: "Wire", upstream: "Upstream", caplog: pytest.LogCaptureFixture
) -> None:
    """Names and messages of megabytes, and bytes that are no UTF-8, are no reason to lose a call."""
    large = "x" * 2**21
    error = {"message": large, "code": large, "type": large}
    tool = {"id": large, "function": {"name": large, "arguments": "{}"}}
    choice = {"index": 0, "message": {"tool_calls": [tool]}, "finish_reason": large}
    said = {"id": large, "model": large, "choices": [choice], "error": error}
    head = b"HTTP/1.1 400 Bad\r\nX-Name: caf\xe9\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    body = json.dumps(said).encode()
    upstream.answer(head % len(body) + body)
    agent = await wire.agent()
    asked = json.dumps({"model": large}).encode()
    path = b"/v1/chat/completions?q=" + b"%e9" * 15_000
    await agent.send(b"POST %b HTTP/1.1\r\nHost: x\r\nX-Name: caf\xe9\r\nX-Long: %b\r\n" % (path, b"y" * 60_000))
    await agent.send(b"session-id: %b\r\nContent-Length: %d\r\n\r\n" % (b"z" * 60_000, len(asked)) + asked)
    reply = await agent.reply()
    assert (reply.status, reply.body) == (400, body)
    (call,) = wire.calls()
    assert call.outcome == "completed"
    assert call.error_type
    assert call.response is not None
    assert call.response.bytes == len(body)
    for recorded in (call.request.head, call.response.head):
        assert "X-Name: caf\\xe9" in str(recorded).splitlines()
    assert not caplog.records


async def test_closing_a_run_with_a_call_in_flight(wire: "Wire", upstream: "Upstream") -> None:
    """The agent does not notice; the call is known, as interrupted."""
    go_on = asyncio.Event()
    upstream.answer(
        upstream.stream(upstream.event("x"), end=False), go_on, upstream.chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"
    )
    proxy = await wire.serve()
    endpoint = proxy.open_run("run")
    agent = await wire.connect(proxy.port)
    await agent.send_post(ASKED, f"x-api-key: {endpoint.key}")
    await agent.read_until(upstream.event("x"))
    seal = proxy.close_run("run")
    assert seal is not None
    assert (seal.calls, seal.finished_calls) == (1, 0)
    go_on.set()
    assert (await agent.read_until(b"0\r\n\r\n")).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert [call.outcome for call in wire.calls("run")] == ["interrupted"]


async def test_no_key_is_in_a_log(wire: "Wire", caplog: pytest.LogCaptureFixture) -> None:
    """A request that cannot be parsed is refused and told of, but not shown: its key may be in the line at fault."""
    agent = await wire.agent()
    await agent.send(
        b"POST /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-secret\x01\r\nContent-Length: 0\r\n\r\n"
    )
    assert (await agent.reply()).status == 400
    assert caplog.records
    assert "sk-secret" not in caplog.text


async def test_power_loss_is_waited_for_if_asked(wire: "Wire", upstream: "Upstream") -> None:
    """With `sync` calls pass and end as ever."""
    upstream.answer(upstream.stream(upstream.event("[DONE]")))
    proxy = await wire.serve(sync=True)
    agents = [await wire.connect(proxy.port) for _ in range(20)]
    replies = await asyncio.gather(*(agent.post(ASKED) for agent in agents))
    assert {reply.body for reply in replies} == {upstream.event("[DONE]")}
    assert [call.outcome for call in wire.calls()] == ["completed"] * 20


async def test_a_busy_port_leaves_nothing_behind(wire: "Wire") -> None:
    """What cannot serve records nothing: no run is begun, and the next try has no leftovers to deal with."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProxyError, match=f"port {port} of 127.0.0.1 is taken"):
            await wire.serve(port=port)
    assert not wire.runs()


async def test_a_store_that_cannot_be_made(upstream: "Upstream", tmp_path: Path) -> None:
    """It is told when starting, not with the first call, and the port is free again."""
    (tmp_path / "file").write_text("")
    listener = listen("127.0.0.1", 0)
    settings = ProxySettings(upstream=UpstreamAddress.parse(upstream.url), store=tmp_path / "file" / "runs")
    with pytest.raises(StoreError, match=r"choose another --store"):
        await Proxy(settings, listener).start()
    assert listener.fileno() == -1


async def test_an_unknown_host_is_told_when_starting(wire: "Wire") -> None:
    """A name that does not resolve is no matter for the first call."""
    with pytest.raises(ProxyError, match=r"no-such-host\.invalid"):
        await wire.serve(upstream=UpstreamAddress.parse("http://no-such-host.invalid/v1"))
    assert not wire.runs()


async def test_inside_another_program(wire: "Wire") -> None:
    """Two proxies in one loop, on one store and one run, started and stopped by `async with`."""
    settings = wire.settings()
    async with Proxy(settings) as one, Proxy(settings) as other:
        assert one.port != other.port
        assert one.url == f"http://127.0.0.1:{one.port}/v1"
        endpoint = one.open_run("mine", {"tachograph.task.id": "t"})
        assert endpoint.key not in repr(endpoint)
        assert endpoint.url == f"http://127.0.0.1:{one.port}/r/mine/v1"
        for proxy in (one, other):
            agent = await wire.connect(proxy.port)
            assert (await agent.post({"model": "m"}, f"x-api-key: {endpoint.key}")).status == 200
            await agent.hang_up()
    verified = verify(wire.store / "mine")
    assert (verified.state, verified.survey.calls) == ("sealed", 2)
    assert verify(wire.store / "default").state == "sealed"


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://h/v1", "h", 80),
        ("https://h/v1/", "h", 443),
        ("https://h:8443/openai/v1", "h", 8443),
        ("http://[::1]:1/v1", "::1", 1),
    ],
)
def test_upstream_addresses(url: str, host: str, port: int) -> None:
    """Scheme, host and path are kept as they are."""
    address = UpstreamAddress.parse(url)
    assert (address.base, address.host, address.port) == (url.rstrip("/"), host, port)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://h", "did you mean http://h/v1"),
        ("http://h/v2", "must end in /v1"),
        ("ftp://h/v1", "must be a URL such as"),
        ("h/v1", "must be a URL such as"),
        ("http:///v1", "must be a URL such as"),
        ("http://u:p@h/v1", "must have no user"),
        ("http://h/v1?key=x", "must have no user, query"),
        ("http://h:port/v1", "upstream"),
        ("http://h:99999/v1", "upstream"),
        ("http://[::1/v1", "upstream"),
        ("", "must be a URL such as"),
    ],
)
def test_bad_upstream_addresses(url: str, message: str) -> None:
    """What is wrong is said, and what would be right."""
    with pytest.raises(InputError, match=message.replace("?", r"\?").replace("(", r"\(")):
        UpstreamAddress.parse(url)
