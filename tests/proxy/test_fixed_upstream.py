"""Where calls go is the configuration's to say: nothing in a request or an answer chooses another host or another path."""

import posixpath
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tachograph.proxy import UpstreamAddress

from .conftest import Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.proxy.conftest import Wire

PATH = "/v1/chat/completions"


@pytest.fixture
async def decoy() -> "AsyncIterator[Upstream]":
    """A server that no request may reach."""
    decoy = Upstream()
    await decoy.start()
    yield decoy
    await decoy.stop()


@pytest.mark.parametrize(
    "target",
    ["http://{}/v1/models", "//{}/v1/models", "{}", "http://{}@127.0.0.1/v1/models", "/v1/models#@{}", "ftp://{}/v1/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "CONNECT"])
async def test_a_target_names_no_host(
    wire: "Wire", upstream: "Upstream", decoy: "Upstream", target: str, method: str
) -> None:
    """Absolute and authority forms are refused; no server hears of them."""
    agent = await wire.agent()
    where = target.format(f"127.0.0.1:{decoy.port}")
    await agent.send(
        f"{method} {where} HTTP/1.1\r\nHost: 127.0.0.1:{decoy.port}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    assert (await agent.reply()).status in (400, 404)
    assert not upstream.received
    assert decoy.connections == 0


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-Host: {}",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Server: {}",
        "X-Forwarded-Port: 1",
        "X-Forwarded-Prefix: /other",
        "Forwarded: host={}",
        "X-Host: {}",
        "X-Original-URL: http://{}/v1/x",
        "X-Rewrite-URL: /other",
        "Referer: http://{}/v1/x",
    ],
)
async def test_headers_name_no_host(wire: "Wire", upstream: "Upstream", decoy: "Upstream", header: str) -> None:
    """They pass as they came, and mean nothing here; `Host` is the upstream's own."""
    agent = await wire.agent()
    there = f"127.0.0.1:{decoy.port}"
    await agent.send(
        f"POST {PATH} HTTP/1.1\r\nHost: {there}\r\n{header.format(there)}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    )
    assert (await agent.reply()).status == 200
    (received,) = upstream.received
    assert received.all(b"Host") == [f"127.0.0.1:{upstream.port}".encode()]
    assert received.target == PATH.encode()
    assert decoy.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_passed_on(wire: "Wire", upstream: "Upstream", decoy: "Upstream", status: int) -> None:
    """They are the agent's to follow, with its own key; the proxy goes nowhere else with the upstream's."""
    location = f"http://127.0.0.1:{decoy.port}/v1/x"
    upstream.answer(upstream.whole(b"moved", f"{status} Moved", f"Location: {location}"))
    agent = await wire.agent(upstream_key="sk-" + "x" * 20)
    reply = await agent.post({"model": "m"})
    assert (reply.status, reply.one(b"Location"), reply.body) == (status, location.encode(), b"moved")
    assert len(upstream.received) == 1
    assert decoy.connections == 0
    (call,) = wire.calls()
    assert call.response is not None
    assert call.response.status == status


@pytest.mark.parametrize("prefix", ["", "/r/run"])
@pytest.mark.parametrize(
    "tail",
    [
        "/../admin",
        "/x/../../admin",
        "/%2e%2e/admin",
        "/%2E./admin",
        "/..%2fadmin",
        "/x%2f..%2f..%2fadmin",
        "/..%5cadmin",
        "/..\\admin",
        "/%252e%252e/admin",
        "/..%252fadmin",
        "/%25252e%25252e/admin",
        "/..;/admin",
        "/..;a=b/admin",
        "/%2e%2e%3b/admin",
        "/./../admin",
        "//../../admin",
        "%2f../admin",
        "/..",
        "/%c0%ae%c0%ae/admin",
        "//evil.example/x",
        "/http://evil.example/x",
        "/a/../b",
        "/@evil.example",
        "?x=/../../admin",
        "/x?/../../..",
        "/%00/x",
        "/x%0d%0aX-Injected:%201",
    ],
)
async def test_no_path_leads_out_of_the_base(wire: "Wire", upstream: "Upstream", prefix: str, tail: str) -> None:
    """However a server behind it reads the path, it lies below the base that is configured; else nothing goes up."""
    settings = {"upstream": UpstreamAddress.parse(f"http://127.0.0.1:{upstream.port}/tenants/mine/v1")}
    agent = await wire.agent(**settings)
    reply = await agent.post({"model": "m"}, path=f"{prefix}/v1{tail}")
    for received in upstream.received:
        path = received.target.decode("latin-1").partition("?")[0]
        assert path.startswith("/tenants/mine/v1")
        for _ in range(4):
            path = unquote(path).replace("\\", "/")
            normal = posixpath.normpath("/".join(part.partition(";")[0] for part in path.split("/")))
            assert (normal + "/").startswith("/tenants/mine/v1/"), path
        assert not received.all(b"X-Injected")
    assert len(upstream.received) == (reply.status == 200)
    assert reply.status in (200, 400, 404)


SMUGGLED = b"POST /v1/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding:\r\n chunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding\t: chunked",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: -1",
        b"Content-Length: 0x5",
        b"Content-Length: 5 5",
        b"Content-Length : 5",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 0\r\nConnection: Content-Length",
        b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rTransfer-Encoding: chunked",
        b"\x00Content-Length: 5",
    ],
)
@pytest.mark.parametrize("body", [b"0\r\n\r\n", b"hello", b"5\r\nhello\r\n0\r\n\r\n"])
async def test_the_upstream_reads_requests_as_the_proxy_does(
    wire: "Wire", upstream: "Upstream", framing: bytes, body: bytes
) -> None:
    """What two servers could cut in two ways is refused, or goes up in one way: each request up there is a call here."""
    proxy = await wire.serve()
    agent = await wire.connect(proxy.port)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing
    await agent.send(head + body + SMUGGLED)
    await agent.reply()
    await agent.hang_up()
    await proxy.stop()
    seen = [(request.target.decode(), sha256(request.body).hexdigest()) for request in upstream.received]
    calls = wire.calls()
    assert set(seen) <= {(call.request.path, call.request.body_hash) for call in calls}
    # A call is given up when its agent goes on with what is no request.
    assert [call.outcome for call in calls].count("completed") <= len(seen) <= len(calls)
