"""A request that is too large to be held: on disk while it comes, sent up from there, kept like any other."""

import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import random
import resource
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tachograph.proxy import Limits, UpstreamAddress, UpstreamSettings
from tachograph.proxy._large_body import LargeBody
from tachograph.traces import LARGEST_COMPARED, BodyReader, HashedBody, Spill, canonical_request_hash

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Upstream, Wire

MIB = 2**20
OTHER_PATH = "/v1/files"
SECRET = b"sk-" + b"proj-" + b"4Fq9TzXb7LmK2wVs8RdN" * 3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def head(*lines: str, path: str = OTHER_PATH) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: proxy", *lines, "", "")).encode()


def framed(body: bytes, framing: str, *lines: str, path: str = OTHER_PATH) -> bytes:
    """A request with a body by its length, or in chunks of any size."""
    if framing == "length":
        return head(*lines, f"Content-Length: {len(body)}", path=path) + body
    step = 1_000_003
    chunks = (body[start : start + step] for start in range(0, len(body), step))
    in_chunks = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(*lines, "Transfer-Encoding: chunked", path=path) + in_chunks + b"0\r\n\r\n"


def spilled(store: Path) -> list[Path]:
    """This process's open files in the store that have no name."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [
        link for link in links if str(link.readlink()).startswith(str(store)) and "(deleted)" in str(link.readlink())
    ]


def kept_bodies(wire: "Wire") -> BodyReader:
    return BodyReader(wire.store / "default" / "bodies")


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("size", [LARGEST_COMPARED, LARGEST_COMPARED + 1, 24 * MIB])
async def test_every_byte_of_a_large_request_reaches_the_upstream(
    wire: "Wire", upstream: "Upstream", framing: str, size: int
) -> None:
    """Held or on disk: the same bytes in the same framing go up and are kept, twice on one connection; no file is left."""
    agent = await wire.agent()
    body = noise(size)
    for _ in range(2):
        await agent.send(framed(body, framing))
        assert (await agent.reply()).status == 200
    assert len(upstream.received) == 2
    for received in upstream.received:
        assert received.body == body
        assert received.one(b"Content-Length") == (b"%d" % size if framing == "length" else None)
        assert received.one(b"Transfer-Encoding") == (b"chunked" if framing == "chunks" else None)
    for call in wire.calls():
        assert (call.outcome, call.bodies_lost, call.request.bytes) == ("completed", None, size)
        assert call.request.body_hash == hashlib.sha256(body).hexdigest()
        assert kept_bodies(wire).get(call.request.body_hash) == body
    assert upstream.connections == 1
    assert not spilled(wire.store)
    assert [path.name for path in (wire.store / "default" / "bodies").iterdir()] == ["bodies.pack"]


async def test_secrets_in_a_large_request_are_masked_across_all_borders(wire: "Wire", upstream: "Upstream") -> None:
    """The upstream gets the true bytes. What is kept shows no secret, wherever pieces end; nor the agent's own key."""
    agent = await wire.agent()
    own = "own-" + "9dK3pQ7vXz2L" * 2
    pieces = [noise(1 * MIB + 777 * number).hex().encode() for number in range(9)]
    body = (b' "' + SECRET + b'" ').join(pieces) + own.encode()
    await agent.send(framed(body, "chunks", f"Authorization: Bearer {own}"))
    assert (await agent.reply()).status == 200
    assert upstream.received[0].body == body
    (call,) = wire.calls()
    assert call.request.body_hash == hashlib.sha256(body).hexdigest()
    kept = kept_bodies(wire).get(call.request.body_hash)
    assert SECRET not in kept
    assert own.encode() not in kept
    assert all(piece in kept for piece in pieces)
    assert (call.bodies_masked or {})[call.request.body_hash] == hashlib.sha256(kept).hexdigest()


@pytest.mark.parametrize("has_secret", [False, True])
async def test_a_large_request_with_a_content_coding(wire: "Wire", upstream: "Upstream", has_secret: bool) -> None:  # noqa: FBT001
    """The coded bytes go up. They are kept, unless a secret lies behind the coding; what they ask is read all the same."""
    agent = await wire.agent()
    secret = SECRET.decode() if has_secret else ""
    plain = json.dumps({"model": "m", "messages": [{"content": f"{noise(18 * MIB).hex()} {secret}"}]}).encode()
    body = gzip.compress(plain, 1)
    assert len(body) > LARGEST_COMPARED
    await agent.send(framed(body, "length", "Content-Encoding: gzip", path="/v1/chat/completions"))
    assert (await agent.reply()).status == 200
    assert upstream.received[0].body == body
    (call,) = wire.calls()
    assert (call.request.model, call.request_hash) == ("m", canonical_request_hash(json.loads(plain)))
    assert call.request.body_hash == hashlib.sha256(body).hexdigest()
    kept = kept_bodies(wire).get(call.request.body_hash)
    assert (kept == body) == (not has_secret)
    assert SECRET not in kept


def stream_question(size: int) -> dict[str, Any]:
    return {"model": "m", "stream": True, "messages": [{"role": "user", "content": noise(size // 2).hex()}]}


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_large_request_is_asked_for_usage_and_repeated_as_it_came(
    wire: "Wire", upstream: "Upstream", framing: str
) -> None:
    """What is done for requests that are read is done for large ones: usage asked for, and once more without, if refused."""
    question = stream_question(20 * MIB)
    body = json.dumps(question).encode()
    asking = {**question, "stream_options": {"include_usage": True}}
    upstream.rule = lambda request: (
        [upstream.whole(b"{}", "400 Bad Request")]
        if b"stream_options" in request.body[:100]
        else [upstream.stream(upstream.event({"choices": []}), upstream.event("[DONE]"))]
    )
    agent = await wire.agent()
    await agent.send(framed(body, framing, path="/v1/chat/completions"))
    assert (await agent.reply()).status == 200
    first, second = upstream.received
    assert first.json() == asking
    assert second.body == body
    refused, answered = wire.calls()
    assert (refused.discarded, answered.discarded) == (True, False)
    assert refused.request.sent_body_hash == hashlib.sha256(first.body).hexdigest()
    assert kept_bodies(wire).get(str(refused.request.sent_body_hash)) == first.body
    assert kept_bodies(wire).get(str(answered.request.body_hash)) == body
    assert refused.request_hash == answered.request_hash == canonical_request_hash(question)
    assert answered.attempt == 2
    assert not spilled(wire.store)


async def test_a_large_request_goes_where_its_model_lives(wire: "Wire", upstream: "Upstream") -> None:
    """The model is read of a large request, too: another upstream than the first one gets it."""
    other = UpstreamSettings(
        name="other", address=UpstreamAddress.parse(upstream.url.replace("/v1", "/other/v1")), models=("m",)
    )
    agent = await wire.agent(upstreams=(other,))
    body = json.dumps({"model": "m", "input": noise(9 * MIB).hex()}).encode()
    await agent.send(framed(body, "length", path="/v1/responses"))
    assert (await agent.reply()).status == 200
    (received,) = upstream.received
    assert (received.target, received.body) == (b"/other/v1/responses", body)


@contextlib.asynccontextmanager
async def server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """An upstream that reads and answers as `answer` does."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await answer(reader, writer)
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls) as listening:
        yield listening.sockets[0].getsockname()[1]


async def agent_of(wire: "Wire", port: int, **settings: Any) -> "Agent":
    return await wire.agent(upstream=UpstreamAddress.parse(f"http://127.0.0.1:{port}/v1"), **settings)


async def test_a_large_request_is_on_disk_before_the_upstream_sees_it(wire: "Wire") -> None:
    """When the first byte goes up, the announcement and the whole body are in the run's folder already (law 2)."""
    body, kept = noise(20 * MIB), []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        (call,) = wire.calls()
        kept.append((call.outcome, kept_bodies(wire).get(str(call.request.body_hash)) == body))
        await reader.readexactly(len(body))
        writer.write(OK)

    async with server(answer) as port:
        agent = await agent_of(wire, port)
        await agent.send(framed(body, "length"))
        assert (await agent.reply()).status == 200
    assert kept == [("in_flight", True)]


@pytest.mark.parametrize("is_tls", [False, True])
async def test_an_upstream_that_reads_slowly_makes_a_large_request_wait(wire: "Wire", is_tls: bool) -> None:  # noqa: FBT001
    """While the upstream reads nothing, what waits for it waits on disk; others are served; then every byte arrives."""
    body, goes_on, read = noise(24 * MIB), asyncio.Event(), []
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(wire.store.parent / "ca.pem"))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET" not in head:
            await goes_on.wait()
            read.append(await reader.readexactly(len(body)) == body)
        writer.write(OK)

    async with server(answer, tls if is_tls else None) as port:
        address = UpstreamAddress.parse_any(f"http{'s' if is_tls else ''}://127.0.0.1:{port}/v1")
        proxy = await wire.serve(upstream=address, ca_file=wire.store.parent / "ca.pem")
        agent, other = await wire.connect(proxy.port), await wire.connect(proxy.port)
        await agent.send(framed(body, "length"))
        await wire.eventually(wire.calls)
        await other.send(b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await other.reply()).status == 200
        (waiting,) = spilled(wire.store)[:1]
        assert waiting.stat().st_size > 0
        goes_on.set()
        assert (await agent.reply()).status == 200
    assert read == [True]
    assert not spilled(wire.store)


async def test_an_upstream_that_answers_early_is_heard(wire: "Wire") -> None:
    """A refusal that comes before the upstream has read a large request passes; what was not sent is let go of."""
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await over.wait()

    async with server(answer) as port:
        agent = await agent_of(wire, port)
        await agent.send(framed(noise(24 * MIB), "length"))
        assert (await agent.reply()).status == 413
        over.set()
    assert [call.outcome for call in wire.calls()] == ["completed"]
    await wire.eventually(lambda: not spilled(wire.store))


async def test_a_large_request_is_let_go_of_when_the_answer_begins(wire: "Wire", upstream: "Upstream") -> None:
    """While a long answer goes on, nothing of the request is on disk but what is kept."""
    goes_on = asyncio.Event()
    upstream.answer(upstream.stream(upstream.event({"choices": []}), end=False), goes_on, b"0\r\n\r\n")
    agent = await wire.agent()
    await agent.send(framed(noise(20 * MIB), "length"))
    await agent.read_until(b"\n\n")
    assert not spilled(wire.store)
    goes_on.set()


async def test_an_agent_that_leaves_in_the_middle_of_a_large_request(wire: "Wire", upstream: "Upstream") -> None:
    """Nothing goes up, nothing is recorded, and what had come lies on no disk any more."""
    agent = await wire.agent()
    await agent.send(framed(noise(24 * MIB), "length")[: 20 * MIB])
    await wire.eventually(lambda: spilled(wire.store))
    await agent.hang_up()
    await wire.eventually(lambda: not spilled(wire.store))
    other = await wire.agent()
    assert (await other.post({"model": "m"})).status == 200
    assert len(upstream.received) == len(wire.calls()) == 1


async def test_an_agent_that_leaves_while_a_large_request_goes_up(wire: "Wire") -> None:
    """The upstream's connection is closed, the call is on disk with its body, and the file is gone."""
    body, closed = noise(24 * MIB), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await wire.eventually(wire.calls)
        await agent.hang_up()
        with contextlib.suppress(ConnectionError):
            while await reader.read(MIB):
                pass
        closed.set()

    async with server(answer) as port:
        agent = await agent_of(wire, port)
        await agent.send(framed(body, "length"))
        async with asyncio.timeout(60):
            await closed.wait()
    await wire.eventually(lambda: [call.outcome for call in wire.calls()] == ["client_disconnected"])
    assert kept_bodies(wire).get(str(wire.calls()[0].request.body_hash)) == body
    await wire.eventually(lambda: not spilled(wire.store))


async def test_a_large_request_that_grows_beyond_the_limit(wire: "Wire", upstream: "Upstream") -> None:
    """413 as for any other, and what had come lies on no disk any more."""
    agent = await wire.agent(limits=Limits(body=20 * MIB))
    await agent.send(framed(noise(21 * MIB), "chunks"))
    reply = await agent.reply()
    assert (reply.status, reply.json()["error"]["code"]) == (413, "request_too_large")
    assert not spilled(wire.store)
    assert not upstream.received


async def test_requests_behind_a_large_one(wire: "Wire", upstream: "Upstream") -> None:
    """Requests sent behind a large one without waiting, small and large, are answered in turn with their own bytes."""
    bodies = [noise(20 * MIB), b"small", noise(17 * MIB), b"smaller"]
    agent = await wire.agent()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.send(b"".join(framed(body, "length") for body in bodies)))
        for _ in bodies:
            assert (await agent.reply()).status == 200
    assert [request.body for request in upstream.received] == bodies


async def test_an_agent_that_asks_before_it_sends_a_large_request(wire: "Wire", upstream: "Upstream") -> None:
    """Expect: 100-continue is answered before the body comes, large as it will be."""
    body = noise(20 * MIB)
    agent = await wire.agent()
    await agent.send(head("Expect: 100-continue", f"Content-Length: {len(body)}"))
    assert await agent.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await agent.send(body)
    assert (await agent.reply()).status == 200
    assert upstream.received[0].body == body


@pytest.mark.parametrize("policy", ["hash", "none"])
async def test_a_large_request_of_which_no_body_is_kept(wire: "Wire", upstream: "Upstream", policy: str) -> None:
    """It passes by way of the file without a name, and nothing of it stays in the store but, if wanted, its hash."""
    body = noise(20 * MIB)
    agent = await wire.agent(bodies=policy)
    await agent.send(framed(body, "length"))
    assert (await agent.reply()).status == 200
    assert upstream.received[0].body == body
    (call,) = wire.calls()
    assert call.request.bytes == len(body)
    assert call.request.body_hash == (hashlib.sha256(body).hexdigest() if policy == "hash" else None)
    assert not spilled(wire.store)
    assert sum(path.stat().st_size for path in wire.store.rglob("*")) < MIB


@contextlib.contextmanager
def file_limit(size: int) -> Iterator[None]:
    """The kernel's limit to the size of files of this process: a write beyond it fails, as on a full disk."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        signal.signal(signal.SIGXFSZ, handler)


async def test_a_large_request_is_held_where_the_disk_has_no_room(
    wire: "Wire", upstream: "Upstream", caplog: pytest.LogCaptureFixture
) -> None:
    """The agent notices nothing (law 1): the request is held, and goes up; the call says why its body is not kept."""
    body = noise(24 * MIB)
    agent = await wire.agent()
    with file_limit(8 * MIB):
        await agent.send(framed(body, "chunks"))
        assert (await agent.reply()).status == 200
    assert upstream.received[0].body == body
    (call,) = wire.calls()
    assert (call.outcome, call.bodies_lost) == ("completed", "File too large")
    assert call.request.body_hash == hashlib.sha256(body).hexdigest()
    assert "held in memory: File too large" in caplog.text
    assert (await agent.post({"model": "m"})).status == 200


async def test_a_spilled_request_that_cannot_be_read_back(wire: "Wire") -> None:
    """What is gone from the disk while the upstream reads is a cut for both, and told: nobody gets other bytes."""
    body, got = noise(24 * MIB), bytearray()

    async def answer(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for link in spilled(wire.store):
            os.truncate(link, 18 * MIB)
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(MIB):
                got.extend(piece)

    async with server(answer) as port:
        agent = await agent_of(wire, port)
        await agent.send(framed(body, "length"))
        assert (await agent.reply()).first_line == b""
    assert body.startswith(got)
    (call,) = wire.calls()
    assert call.outcome == "upstream_cut"
    assert "could not be read back" in str(call.message)
    assert kept_bodies(wire).get(str(call.request.body_hash)) == body


def test_what_is_taken_back_from_a_full_disk_frees_it(tmp_path: Path) -> None:
    """The file is given up when it cannot grow: the record of the call needs the room. The bytes are all there, and go on."""
    data = noise(5 * MIB)
    with file_limit(3 * MIB):
        body = LargeBody(lambda: Spill(tmp_path), HashedBody())
        for start in range(0, len(data), 100_000):
            body.append(data[start : start + 100_000])
        assert not spilled(tmp_path)
    body.append(b"more")
    assert body.content() == b"".join(body.pieces()) == data + b"more"
    assert (len(body), body.sha256) == (len(data) + 4, hashlib.sha256(data + b"more").hexdigest())


def test_a_large_body_without_a_file_is_held(tmp_path: Path) -> None:
    """Where no file can be made, as when there is no descriptor left, the bytes are held from the first one on."""
    body = LargeBody(lambda: Spill(tmp_path / "nowhere"), HashedBody())
    body.append(b"some")
    body.append(b"thing")
    assert b"".join(body.pieces()) == b"something"
