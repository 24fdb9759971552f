"""WebSockets through the proxy, with a real client and a real server: what both see, and what is on disk when they see it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response

from tachograph.proxy import UpstreamAddress
from tachograph.traces import BodyReader, TunnelMessage, read_messages, read_run, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Wire

PATH = "/v1/realtime?model=m"
UNHURRIED: dict[str, Any] = {"open_timeout": None, "ping_interval": None, "close_timeout": 60, "max_size": None}
"""No limit of time that a loaded machine can miss."""
SECRET = "sk-" + "x" * 20
Talk = Callable[[ServerConnection], Awaitable[None]]


async def echo(connection: ServerConnection) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def upstream(talk: Talk = echo, **options: Any) -> AsyncIterator[tuple[Server, dict[str, Any]]]:
    """A server of a library, and the settings of a proxy before it."""
    async with serve(talk, options.pop("host", "127.0.0.1"), 0, **UNHURRIED, **options) as server:
        scheme, host = ("https", "localhost") if "ssl" in options else ("http", "127.0.0.1")
        port = next(iter(server.sockets)).getsockname()[1]
        yield server, {"upstream": UpstreamAddress.parse(f"{scheme}://{host}:{port}/v1")}


def client(port: int, path: str = PATH, **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{port}{path}", proxy=None, **UNHURRIED, **options)


def messages(wire: "Wire", run_id: str = "default") -> list[TunnelMessage]:
    return list(read_messages(wire.store / run_id))


def digest(content: bytes | str) -> str:
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def sent(wire: "Wire", sender: str, run_id: str = "default") -> list[tuple[str, str | None]]:
    """Kind and hash of the messages of one side, without control frames."""
    found = [message for message in messages(wire, run_id) if message.sender == sender]
    return [(message.kind, message.body_hash) for message in found if message.kind in ("text", "binary")]


CONTENTS: list[bytes | str] = [
    "",
    "hé 🦀",
    b"",
    bytes(range(256)),
    "x" * 125,
    "y" * 126,
    b"z" * 65535,
    b"w" * 65536,
    "q" * 300_000,
]


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_messages_of_all_kinds(wire: "Wire", compression: str | None) -> None:
    """Text, binary, empty, long, in fragments, compressed or not: they arrive as they were sent, and are recorded as such."""
    fragments = ["a", "", "bc" * 100]
    async with upstream(compression=compression) as (_, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port, compression=compression) as connection:
            for content in CONTENTS:
                await connection.send(content)
                assert await connection.recv() == content
            await connection.send(fragments)
            assert await connection.recv() == "".join(fragments)
            assert await (await connection.ping(b"are you there")) >= 0
    expected = [("text" if isinstance(content, str) else "binary", digest(content)) for content in CONTENTS]
    expected.append(("text", digest("".join(fragments))))
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    assert sent(wire, "agent") == sent(wire, "upstream") == expected
    assert {message.kind for message in messages(wire)} >= {"ping", "pong", "close"}
    bodies = BodyReader(wire.store / "default" / "bodies")
    assert bodies.get(digest("hé 🦀")).decode() == "hé 🦀"
    (call,) = wire.calls()
    assert call.response is not None
    assert call.response.status == 101
    assert call.tunnel is not None
    assert (call.tunnel.unread, call.tunnel.calls) == (None, None)
    assert call.tunnel.agent_messages == len([m for m in messages(wire) if m.sender == "agent"])
    assert (call.tunnel.agent_bytes > 400_000) is (compression is None)
    assert {message.call_id for message in messages(wire)} == {call.span_id}


async def test_a_message_of_ten_megabytes(wire: "Wire") -> None:
    """Any size passes both ways, and is kept."""
    content = bytes(range(256)) * 40_000
    async with upstream() as (_, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port) as connection:
            await connection.send(content)
            assert await connection.recv() == content
    assert sent(wire, "agent") == sent(wire, "upstream") == [("binary", digest(content))]
    assert BodyReader(wire.store / "default" / "bodies").get(digest(content)) == content


@pytest.mark.parametrize("sync", [False, True])
async def test_a_message_is_on_disk_before_the_other_side_sees_it(wire: "Wire", *, sync: bool) -> None:
    """Law 2: whoever has a message in hand finds it in the record, each time, on both sides."""
    seen: list[bool] = []

    async def look_and_echo(connection: ServerConnection) -> None:
        async for message in connection:
            seen.append(("text", digest(message)) in sent(wire, "agent"))
            await connection.send(f"answer to {message!r}")

    async with upstream(look_and_echo) as (_, settings):
        proxy = await wire.serve(sync=sync, **settings)
        async with client(proxy.port) as connection:
            for number in range(10):
                await connection.send(f"message {number}")
                seen.append(("text", digest(await connection.recv())) in sent(wire, "upstream"))
        # The closing handshake is over for the agent, so the call has ended on disk.
        assert wire.calls()[0].outcome == "completed"
    assert seen == [True] * 20


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "bye"), (1008, "policy"), (4000, "own"), (3999, "ü" * 50)]
)
async def test_the_agent_closes(wire: "Wire", code: int, reason: str) -> None:
    """Its code and reason reach the upstream and the record."""
    told: asyncio.Future[tuple[int | None, str | None]] = asyncio.get_running_loop().create_future()

    async def listen(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await connection.recv()
        told.set_result((connection.close_code, connection.close_reason))

    async with upstream(listen) as (_, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port) as connection:
            await connection.close(code, reason)
        assert await told == (code, reason)
    (call,) = wire.calls()
    assert call.tunnel is not None
    assert (call.outcome, call.error_type) == ("completed", None)
    assert (call.tunnel.closed_by, call.tunnel.close_code, call.tunnel.close_reason) == ("agent", code, reason or None)


@pytest.mark.parametrize("code", [1000, 1008, 1011, 4001])
async def test_the_upstream_closes(wire: "Wire", code: int) -> None:
    """Its code and reason reach the agent and the record, behind what it sent before."""

    async def say_and_close(connection: ServerConnection) -> None:
        await connection.send("last words")
        await connection.close(code, "why")

    async with upstream(say_and_close) as (_, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port) as connection:
            assert await connection.recv() == "last words"
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert (connection.close_code, connection.close_reason) == (code, "why")
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    tunnel = wire.calls()[0].tunnel
    assert tunnel is not None
    assert (tunnel.closed_by, tunnel.close_code, tunnel.close_reason) == ("upstream", code, "why")


async def test_what_the_upstream_sees_of_the_offer(wire: "Wire") -> None:
    """The upstream's key in the place of the agent's, the names of the handshake as they came, the chosen protocol back."""
    async with upstream(subprotocols=["realtime"]) as (server, settings):
        proxy = await wire.serve(upstream_key=SECRET, **settings)
        endpoint = proxy.open_run("run-1")
        headers = {"Authorization": f"Bearer {endpoint.key}", "OpenAI-Beta": "realtime=v1"}
        async with client(proxy.port, additional_headers=headers, subprotocols=["other", "realtime"]) as connection:
            (seen,) = server.connections
            assert connection.subprotocol == "realtime"
            assert connection.request is not None
            assert seen.request is not None
            for name in (
                "Sec-WebSocket-Key",
                "Sec-WebSocket-Version",
                "Sec-WebSocket-Extensions",
                "OpenAI-Beta",
                "Upgrade",
            ):
                assert seen.request.headers.get_all(name) == connection.request.headers.get_all(name) != []
            assert seen.request.headers["Authorization"] == f"Bearer {SECRET}"
            assert seen.request.path == PATH
            assert connection.response is not None
            assert seen.response is not None
            assert list(connection.response.headers.raw_items()) == list(seen.response.headers.raw_items())
    (call,) = wire.calls("run-1")
    assert (call.request.method, call.request.path, call.request.query) == ("GET", "/v1/realtime", "model=m")
    recorded = (wire.store / "run-1" / "trace.jsonl").read_text()
    assert SECRET not in recorded
    assert endpoint.key not in recorded
    assert '"network.protocol.name","value":{"stringValue":"websocket"}' in recorded


async def test_a_key_among_the_protocols_is_not_recorded(wire: "Wire") -> None:
    """Browsers cannot set headers: they offer their key as a subprotocol. It passes, and stays out of the record."""
    offered = ["realtime", f"openai-insecure-api-key.{SECRET}"]
    async with upstream(subprotocols=["realtime"]) as (server, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port, subprotocols=offered):
            (seen,) = server.connections
            assert seen.request is not None
            assert SECRET in seen.request.headers["Sec-WebSocket-Protocol"]
    recorded = (wire.store / "default" / "trace.jsonl").read_text()
    assert SECRET not in recorded
    assert "realtime, openai-insecure-api-key.[masked]" in recorded


async def test_a_run_key_among_the_protocols(wire: "Wire") -> None:
    """It says which run the call is of, and does not go up; a wrong one is refused. What else is offered goes up."""
    async with upstream(subprotocols=["realtime"]) as (server, settings):
        proxy = await wire.serve(**settings)
        key = proxy.open_run("run-1").key
        with pytest.raises(InvalidStatus) as refused:
            await client(proxy.port, subprotocols=["realtime", f"openai-insecure-api-key.{key}x"])
        assert refused.value.response.status_code == 401
        assert not server.connections
        async with client(proxy.port, subprotocols=["realtime", f"openai-insecure-api-key.{key}"]) as agent:
            assert agent.subprotocol == "realtime"
            (seen,) = server.connections
            assert seen.request is not None
            assert seen.request.headers.get_all("Sec-WebSocket-Protocol") == ["realtime"]
    await wire.eventually(lambda: wire.calls("run-1"))
    assert key not in (wire.store / "run-1" / "trace.jsonl").read_text()


async def test_a_wrong_run_key_is_refused(wire: "Wire") -> None:
    """As for every call: before the upstream hears of it."""
    async with upstream() as (server, settings):
        proxy = await wire.serve(**settings)
        key = proxy.open_run("run-1").key
        with pytest.raises(InvalidStatus) as refused:
            await client(proxy.port, additional_headers={"Authorization": f"Bearer {key}x"})
        assert refused.value.response.status_code == 401
        assert not server.connections
    assert wire.calls("run-1") == []


@pytest.mark.parametrize("status", [401, 404, 405, 426, 429])
async def test_a_refusal_passes(wire: "Wire", status: int) -> None:
    """Status, headers and body are the upstream's; it is recorded as an ordinary exchange, and no tunnel."""
    body = b'{"error":{"message":"no WebSocket here"}}'

    def refuse(connection: ServerConnection, _: Request) -> Response:
        response = connection.respond(HTTPStatus(status), body.decode())
        response.headers["X-Request-Id"] = "req_1"
        return response

    async with upstream(process_request=refuse) as (_, settings):
        proxy = await wire.serve(**settings)
        with pytest.raises(InvalidStatus) as refused:
            await client(proxy.port, path="/v1/responses")
    assert (refused.value.response.status_code, refused.value.response.body) == (status, body)
    (call,) = wire.calls()
    assert (call.outcome, call.error_type, call.tunnel) == ("completed", str(status), None)
    assert call.response is not None
    assert (call.response.status, call.response.body_hash) == (status, digest(body))
    assert call.response.upstream_request_id == "req_1"


async def test_an_upstream_that_is_not_there(wire: "Wire") -> None:
    """502, and a call that says why."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    proxy = await wire.serve(upstream=UpstreamAddress.parse(f"http://127.0.0.1:{port}/v1"))
    with pytest.raises(InvalidStatus) as refused:
        await client(proxy.port)
    assert refused.value.response.status_code == 502
    assert wire.calls()[0].outcome == "upstream_unreachable"


async def test_a_hundred_at_a_time(wire: "Wire") -> None:
    """Tunnels do not wait for one another, and each one's messages are its own."""

    async def talk(number: int, port: int) -> None:
        async with client(port, path=f"/r/run-{number % 3}/v1/realtime") as connection:
            ready.append(number)
            await everyone.wait()
            for turn in range(5):
                await connection.send(f"{number}: {turn}")
                assert await connection.recv() == f"{number}: {turn}"

    ready: list[int] = []
    everyone = asyncio.Event()
    async with upstream() as (_, settings):
        proxy = await wire.serve(**settings)
        async with asyncio.TaskGroup() as talking:
            for number in range(100):
                talking.create_task(talk(number, proxy.port))
            await wire.eventually(lambda: len(ready) == 100)
            everyone.set()
        await proxy.stop()
    for remainder in range(3):
        numbers = [number for number in range(100) if number % 3 == remainder]
        calls: dict[str, list[str | None]] = {call.span_id: [] for call in wire.calls(f"run-{remainder}")}
        assert len(calls) == len(numbers)
        for message in messages(wire, f"run-{remainder}"):
            if message.kind == "text" and message.sender == "upstream":
                calls[message.call_id].append(message.body_hash)
        expected = [[digest(f"{number}: {turn}") for turn in range(5)] for number in numbers]
        assert sorted(calls.values()) == sorted(expected)
        assert verify(wire.store / f"run-{remainder}").state == "sealed"


async def test_by_tls(wire: "Wire", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which all upstreams of the world are."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with upstream(host="localhost", ssl=context) as (_, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port) as connection:
            for content in CONTENTS:
                await connection.send(content)
                assert await connection.recv() == content
    await wire.eventually(lambda: wire.calls()[0].outcome == "completed")
    assert len(sent(wire, "agent")) == len(sent(wire, "upstream")) == len(CONTENTS)


async def test_a_proxy_that_stops_interrupts_what_goes_on(wire: "Wire") -> None:
    """After its grace; the messages so far are on disk, and the run is sealed whole."""
    async with upstream() as (_, settings):
        proxy = await wire.serve(shutdown_grace=0.1, **settings)
        connection: ClientConnection
        async with client(proxy.port) as connection:
            await connection.send("hello")
            assert await connection.recv() == "hello"
            await proxy.stop()
            with pytest.raises(ConnectionClosed):
                await connection.recv()
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("interrupted", "interrupted")
    assert call.tunnel is not None
    assert (call.tunnel.agent_messages, call.tunnel.upstream_messages, call.tunnel.closed_by) == (1, 1, None)
    assert verify(wire.store / "default").state == "sealed"


async def test_what_is_not_read_as_calls_counts_as_one_without_usage(wire: "Wire") -> None:
    """Law 3: a model worked there, and what it used is not known. That must not look like nothing."""
    async with upstream() as (_, settings):
        proxy = await wire.serve(**settings)
        async with client(proxy.port) as connection:
            await connection.send('{"type":"response.create"}')
            await connection.recv()
        tally = proxy.open_run("default").tally
        assert (tally.calls, tally.calls_without_usage) == (1, 1)
    run = read_run(wire.store / "default")
    assert (len(run.calls), run.tunnels) == (1, ())
    assert (run.calls[0].usage.source, run.calls[0].usage.reason) == ("absent", "an API that is not read")
