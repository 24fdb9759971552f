"""Several upstreams behind one proxy, proxies on the way to them, certificates of one's own; all on real sockets."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trustme

from tachograph.proxy import HttpProxy, UpstreamAddress, UpstreamSettings
from tachograph.traces import InputError

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Upstream, Wire

KEY = "up" + "stream" * 4
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Other:
    """A second upstream, or a proxy in front of it: what it was sent, and on how many connections."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)

    def settings(self, **others: Any) -> UpstreamSettings:
        return UpstreamSettings(
            **{"name": "other", "address": UpstreamAddress.parse_any(f"http://127.0.0.1:{self.port}/v1"), **others}
        )


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    await reader.readexactly(sum(int(value) for name, _, value in lines if name.lower() == b"content-length"))
    return head


@contextlib.asynccontextmanager
async def serving(handle: Any, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handle(reader, writer)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def another(tls: ssl.SSLContext | None = None) -> AsyncIterator[Other]:
    other = Other()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            other.heads.append(await read_request(reader))
            writer.write(OK)

    async with serving(handle, tls) as other.port:
        yield other


@contextlib.asynccontextmanager
async def forward_proxy(refusal: bytes | None = None) -> AsyncIterator[Other]:
    """A proxy: it tunnels for CONNECT, and asks for what has a host in its first line."""
    other = Other()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        other.heads.append(head)
        if refusal is not None:
            writer.write(refusal)
            return
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        authority = target if method == b"CONNECT" else target.removeprefix(b"http://").partition(b"/")[0]
        host, _, port = authority.decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            far_writer.write(head.replace(b"http://" + authority, b"", 1))
        with contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async with serving(handle) as other.port:
        yield other


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def status_of(agent: "Agent", model: str = "m", path: str = "/v1/chat/completions", *headers: str) -> int:
    return (await agent.post({"model": model}, *headers, path=path)).status


@pytest.mark.parametrize(
    ("settings", "path", "model", "takes_it"),
    [
        ({"models": ("gpt-*",)}, "/v1/chat/completions", "gpt-x", True),
        ({"models": ("gpt-*",)}, "/v1/chat/completions", "claude", False),
        ({"models": ("gpt-*", "o?")}, "/v1/responses", "o3", True),
        ({"models": ("claude*",)}, "/v1/messages?beta=true", "claude-x", True),
        ({"paths": ("/v1/messages*",)}, "/v1/messages?beta=true", "any", True),
        ({"paths": ("/v1/messages*",)}, "/v1/messages/count_tokens", "any", True),
        ({"paths": ("/v1/messages*",)}, "/v1/chat/completions", "any", False),
        ({"paths": ("/v1/messages*",), "models": ("a",)}, "/v1/messages", "b", False),
        ({"models": ("org/*",)}, "/v1/chat/completions", "org/model", True),
    ],
)
async def test_who_takes_a_call(
    wire: "Wire", upstream: "Upstream", settings: dict[str, Any], path: str, model: str, *, takes_it: bool
) -> None:
    """By model, in the body of each API, and by path; what it does not take is the next one's. The record says who did."""
    upstream.answer(upstream.whole(b"{}"))
    async with another() as other:
        agent = await wire.agent(upstreams=(other.settings(**settings),))
        assert await status_of(agent, model, path) == 200
        assert len(other.heads) == takes_it
        assert len(upstream.received) == (not takes_it)
        (call,) = wire.calls()
        assert (call.request.server_port == other.port) is takes_it


async def test_a_compressed_request_is_routed_too(wire: "Wire", upstream: "Upstream") -> None:
    """By what its copy says; its bytes go up as they came."""
    body = gzip.compress(orjson.dumps({"model": "gpt-x"}))
    async with another() as other:
        agent = await wire.agent(upstreams=(other.settings(models=("gpt-*",)),))
        assert (await agent.post(body, "Content-Encoding: gzip")).status == 200
        assert len(other.heads) == 1
    assert upstream.received == []


async def test_what_nobody_takes(wire: "Wire") -> None:
    """It is told so in the API's own form, and goes to nobody."""
    async with another() as other:
        agent = await wire.agent(upstream=None, upstreams=(other.settings(models=("gpt-*",)),))
        reply = await agent.post({"model": "claude"}, path="/v1/messages")
        assert (reply.status, reply.json()["type"]) == (404, "error")
        assert "no upstream is for /v1/messages with model claude" in reply.json()["error"]["message"]
        assert other.heads == []


@pytest.mark.parametrize(
    ("sent", "header", "expected"),
    [
        ((), None, f"Authorization: Bearer {KEY}"),
        (("x-api-key: own",), None, f"x-api-key: {KEY}"),
        (("Authorization: Bearer own",), "api-key", f"api-key: {KEY}"),
        (("x-api-key: own",), "Authorization", f"Authorization: Bearer {KEY}"),
    ],
)
async def test_each_has_its_own_key(
    wire: "Wire", upstream: "Upstream", sent: tuple[str, ...], header: str | None, expected: str
) -> None:
    """In the header that the agent uses, or in the one that the upstream wants; the agent's own key does not go up."""
    upstream.answer(upstream.whole(b"{}"))
    async with another() as other:
        special = other.settings(models=("gpt-*",), key=KEY, key_header=header, headers=(("X-Team", "blue"),))
        agent = await wire.agent(upstreams=(special,), upstream_key="another")
        assert await status_of(agent, "gpt-x", "/v1/chat/completions", *sent) == 200
        assert await status_of(agent, "m") == 200
    lines = other.heads[0].decode().split("\r\n")
    assert expected in lines
    assert "X-Team: blue" in lines
    assert not any("own" in line for line in lines)
    assert KEY.encode() not in upstream.received[0].raw_head
    assert not any(KEY.encode() in path.read_bytes() for path in wire.store.rglob("*") if path.is_file())


async def test_an_address_of_any_shape(wire: "Wire") -> None:
    """Its path stands for `/v1`, and its query comes before the agent's own: Azure's API versions."""
    async with another() as other:
        url = f"http://127.0.0.1:{other.port}/openai/deployments/d?api-version=2026-01-01"
        agent = await wire.agent(upstream=None, upstreams=(other.settings(address=UpstreamAddress.parse_any(url)),))
        assert await status_of(agent) == 200
        assert await status_of(agent, "m", "/v1/chat/completions?x=1") == 200
    assert [head.split(b" ")[1].decode() for head in other.heads] == [
        "/openai/deployments/d/chat/completions?api-version=2026-01-01",
        "/openai/deployments/d/chat/completions?api-version=2026-01-01&x=1",
    ]


async def test_a_silence_that_is_too_long(wire: "Wire", upstream: "Upstream") -> None:
    """Where a limit is set, an answer that stops is cut; the record says why."""
    upstream.answer(upstream.stream(upstream.event("x"), end=False), "wait for close")
    address = UpstreamAddress.parse(upstream.url)
    agent = await wire.agent(upstream=None, upstreams=(UpstreamSettings(name="u", address=address, read_timeout=0.3),))
    reply = await agent.post({"model": "m"})
    assert reply.ending == "cut"
    (call,) = wire.calls()
    assert (call.outcome, call.message) == ("upstream_cut", "silent for 0.3 s")


async def test_a_proxy_on_the_way_without_tls(wire: "Wire") -> None:
    """It is asked for the whole URL, with its own credentials, which are in no record."""
    secret = "pass" + "word"
    async with another() as other, forward_proxy() as way:
        proxy = HttpProxy.parse(f"http://me:{secret}@127.0.0.1:{way.port}")
        agent = await wire.agent(upstream=None, upstreams=(other.settings(proxy=proxy),))
        assert await status_of(agent) == 200
    assert way.heads[0].startswith(f"POST http://127.0.0.1:{other.port}/v1/chat/completions HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " in way.heads[0]
    assert proxy.authorization is not None
    credentials = proxy.authorization.split()[1]
    assert not any(credentials in path.read_bytes() for path in wire.store.rglob("*") if path.is_file())


async def test_a_proxy_on_the_way_with_tls(wire: "Wire", tmp_path: Path) -> None:
    """It is asked for a tunnel only: what goes through it it cannot read. The certificate is checked by a file of one's own."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with another(server) as other, forward_proxy() as way:
        address = UpstreamAddress.parse(f"https://localhost:{other.port}/v1")
        settings = other.settings(address=address, proxy=HttpProxy("127.0.0.1", way.port), ca_file=tmp_path / "ca.pem")
        agent = await wire.agent(upstream=None, upstreams=(settings,))
        assert [await status_of(agent), await status_of(agent)] == [200, 200]
    assert [head.split(b"\r\n")[0] for head in way.heads] == [f"CONNECT localhost:{other.port} HTTP/1.1".encode()]
    assert len(other.heads) == 2


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "it answers HTTP/1.1 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it answers HTTP/1.1 502"),
        (b"", "it hung up"),
    ],
)
async def test_a_proxy_that_refuses(wire: "Wire", refusal: bytes, said: str) -> None:
    """The agent gets a 502 that says which proxy, and what it said; the call is on record."""
    async with forward_proxy(refusal) as way:
        address = UpstreamAddress.parse("https://model.example/v1")
        settings = UpstreamSettings(name="u", address=address, proxy=HttpProxy("127.0.0.1", way.port))
        agent = await wire.agent(upstream=None, upstreams=(settings,))
        reply = await agent.post({"model": "m"})
        assert reply.status == 502
        assert f"by the proxy 127.0.0.1:{way.port}: {said}" in reply.json()["error"]["message"]
    assert [call.outcome for call in wire.calls()] == ["upstream_unreachable"]


async def test_a_file_of_certificates_that_is_none(wire: "Wire", tmp_path: Path) -> None:
    """It is told of when starting, with its name."""
    (tmp_path / "ca.pem").write_text("no certificate")
    address = UpstreamAddress.parse("https://model.example/v1")
    with pytest.raises(InputError, match=r"ca\.pem: no certificates can be read"):
        await wire.serve(upstream=address, ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize("url", ["socks5://h:1", "http://", "https://h:1", "http://h:x"])
def test_proxies_that_are_not_known(url: str) -> None:
    """The message says what is; it does not quote what may hold a password."""
    with pytest.raises(InputError, match=r"proxy"):
        HttpProxy.parse(url.replace("://", "://u:" + "se" + "cret@"))
