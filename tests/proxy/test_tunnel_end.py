"""A tunnel's bytes and its ends, with bare sockets on both sides: nothing is added, lost or kept back; a cut stays a cut."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from websockets.frames import Close, Frame, Opcode

from tachograph.proxy import UpstreamAddress
from tachograph.traces import TunnelMessage, read_messages

if TYPE_CHECKING:
    from tests.proxy.conftest import Agent, Wire

PROMPTLY = 15.0
"""Seconds after which a test gives up waiting for what takes milliseconds."""
LIMIT = 64 * 2**20
OFFER = (
    b"GET /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TAKEN = b"HTTP/1.1 101 Any words\r\nUpgrade: WebSocket\r\nconnection: upgrade\r\nX-a:  b \r\nX-a: c\r\n\r\n"
PASSED = b"HTTP/1.1 101 Any words\r\nUpgrade: WebSocket\r\nconnection: upgrade\r\nX-a: b \r\nX-a: c\r\n\r\n"
HELLO = Frame(Opcode.TEXT, b"hello").serialize(mask=True)
ANSWER = Frame(Opcode.TEXT, b"answer").serialize(mask=False)
BYE = Frame(Opcode.CLOSE, Close(1000, "bye").serialize()).serialize(mask=False)
AGENTS_BYE = Frame(Opcode.CLOSE, Close(1001, "").serialize()).serialize(mask=True)
NO_FRAMES = b"\xff\xff\xff\xffSSH-2.0"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


class Far:
    """An upstream on a bare socket that takes each offer, then does as it is told."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.received = bytearray()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """How the proxy ended the first connection: `end` or `reset`."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await read_head(reader)
            await self.talk(reader, writer)
        writer.close()

    async def read_to_the_end(self, reader: asyncio.StreamReader) -> None:
        try:
            while piece := await reader.read(2**18):
                self.received += piece
            how = "end"
        except ConnectionError:
            how = "reset"
        if not self.ended.done():
            self.ended.set_result(how)


@contextlib.asynccontextmanager
async def far(wire: "Wire", talk: Talk) -> AsyncIterator[tuple[Far, "Agent"]]:
    """An upstream, and an agent of a proxy before it."""
    upstream = Far(talk)
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, limit=LIMIT)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield upstream, await wire.agent(upstream=UpstreamAddress.parse(url))


def echo_of(first: bytes = TAKEN) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while piece := await reader.read(2**18):
            writer.write(piece)
            await writer.drain()

    return talk


def recorded(wire: "Wire") -> list[TunnelMessage]:
    return list(read_messages(wire.store / "default"))


async def test_the_head_passes_as_it_came(wire: "Wire") -> None:
    """Words, names in their case, repeated ones: the answer that takes the offer is the upstream's, to the byte."""
    async with far(wire, echo_of()) as (_, agent):
        await agent.send(OFFER)
        head = await asyncio.wait_for(agent.reader.readuntil(b"\r\n\r\n"), PROMPTLY)
        assert head == PASSED


async def test_every_cut_of_what_the_agent_sends(wire: "Wire") -> None:
    """Bytes behind the offer, before it is taken, go up after it; wherever the agent's writes are cut."""
    stream = OFFER + HELLO + NO_FRAMES
    async with far(wire, echo_of()) as (_, first):
        port = first.writer.get_extra_info("peername")[1]
        for cut in range(1, len(stream)):
            agent = await wire.connect(port)
            await agent.send(stream[:cut])
            await asyncio.sleep(0)
            await agent.send(stream[cut:])
            expected = PASSED + HELLO + NO_FRAMES
            assert await asyncio.wait_for(agent.reader.readexactly(len(expected)), PROMPTLY) == expected
            await agent.hang_up()


async def test_every_cut_of_what_the_upstream_sends(wire: "Wire") -> None:
    """The same from the other side, with the head of the answer and frames in one write or two."""
    stream = TAKEN + ANSWER + BYE + NO_FRAMES
    cuts = iter(range(1, len(stream)))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = next(cuts)
        writer.write(stream[:cut])
        await asyncio.sleep(0.001)
        writer.write(stream[cut:])
        await reader.read()

    async with far(wire, talk) as (_, first):
        port = first.writer.get_extra_info("peername")[1]
        for _ in range(1, len(stream)):
            agent = await wire.connect(port)
            await agent.send(OFFER)
            expected = PASSED + ANSWER + BYE + NO_FRAMES
            assert await asyncio.wait_for(agent.reader.readexactly(len(expected)), PROMPTLY) == expected
            await agent.hang_up()


async def test_what_is_no_frame_passes_and_is_counted(wire: "Wire") -> None:
    """Law 1: the reading of a copy ends for a reason, the bytes go on; what was read before is recorded."""
    async with far(wire, echo_of()) as (_, agent):
        await agent.send(OFFER + HELLO + NO_FRAMES * 1000)
        expected = PASSED + HELLO + NO_FRAMES * 1000
        assert await asyncio.wait_for(agent.reader.readexactly(len(expected)), PROMPTLY) == expected
        await agent.hang_up()
        await wire.eventually(lambda: wire.calls()[0].tunnel)
    (call,) = wire.calls()
    assert call.tunnel is not None
    assert call.tunnel.agent_bytes == call.tunnel.upstream_bytes == len(HELLO + NO_FRAMES * 1000)
    assert call.tunnel.unread is not None
    assert "extension" in call.tunnel.unread
    assert [(message.sender, message.bytes) for message in recorded(wire)] == [("agent", 5), ("upstream", 5)]
    # Calls may have been made that were not read: what the tunnel led to is not known, and it counts as a call.
    assert call.tunnel.calls == 0
    assert not call.only_carries_calls


async def test_extensions_that_are_not_known(wire: "Wire") -> None:
    """Frames of an extension may mean anything: they pass, and are not read, for a reason."""
    taken = TAKEN.replace(b"X-a: c", b"Sec-WebSocket-Extensions: x-other; a=1")
    async with far(wire, echo_of(taken)) as (_, agent):
        await agent.send(OFFER + HELLO)
        assert (await asyncio.wait_for(agent.reader.readuntil(HELLO), PROMPTLY)).endswith(b"\r\n\r\n" + HELLO)
        await agent.hang_up()
        await wire.eventually(lambda: wire.calls()[0].tunnel)
    (call,) = wire.calls()
    assert call.tunnel is not None
    assert call.tunnel.unread == "WebSocket extensions that are not read: x-other; a=1"
    assert (call.tunnel.agent_bytes, call.tunnel.agent_messages, call.outcome) == (len(HELLO), 0, "completed")


@pytest.mark.parametrize(
    ("last_words", "outcome", "closed_by"),
    [(b"", "upstream_cut", None), (BYE, "completed", "upstream")],
    ids=["cut", "bye"],
)
async def test_the_upstream_ends_the_connection(
    wire: "Wire", last_words: bytes, outcome: str, closed_by: str | None
) -> None:
    """All it sent arrives, in one burst with the end; without a close frame the end is a cut."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN + ANSWER + last_words)

    async with far(wire, talk) as (_, agent):
        await agent.send(OFFER)
        assert await asyncio.wait_for(agent.reader.read(-1), PROMPTLY) == PASSED + ANSWER + last_words
        # The end is on disk before the agent can see it.
        (call,) = wire.calls()
    assert call.tunnel is not None
    assert (call.outcome, call.tunnel.closed_by) == (outcome, closed_by)
    assert call.tunnel.upstream_bytes == len(ANSWER + last_words)


async def test_the_upstream_breaks_the_connection(wire: "Wire") -> None:
    """A reset stays a reset."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN + ANSWER)
        await reader.readexactly(len(HELLO))
        reset(writer)

    async with far(wire, talk) as (_, agent):
        await agent.send(OFFER)
        await asyncio.wait_for(agent.reader.readexactly(len(PASSED + ANSWER)), PROMPTLY)
        await agent.send(HELLO)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(agent.reader.read(-1), PROMPTLY)
        (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("says_bye", [False, True])
async def test_the_agent_leaves(wire: "Wire", how: str, *, says_bye: bool) -> None:
    """The upstream sees what it would see without a proxy: an end, or a reset."""
    last_words = AGENTS_BYE if says_bye else b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)
        await upstream.read_to_the_end(reader)

    async with far(wire, talk) as (upstream, agent):
        await agent.send(OFFER)
        await asyncio.wait_for(agent.reader.readexactly(len(PASSED)), PROMPTLY)
        await agent.send(HELLO + last_words)
        await wire.eventually(lambda: len(upstream.received) == len(HELLO + last_words))
        if how == "reset":
            reset(agent.writer)
        else:
            await agent.hang_up()
        assert await asyncio.wait_for(upstream.ended, PROMPTLY) == how
        await wire.eventually(lambda: wire.calls()[0].outcome != "in_flight")
    (call,) = wire.calls()
    assert call.tunnel is not None
    assert call.outcome == ("completed" if last_words else "client_disconnected")
    assert (call.tunnel.closed_by, call.tunnel.close_code) == (("agent", 1001) if last_words else (None, None))


async def test_an_agent_that_sends_no_more_may_still_listen(wire: "Wire") -> None:
    """A half of the connection ends alone: what the upstream still says arrives."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)
        await upstream.read_to_the_end(reader)
        writer.write(ANSWER + BYE)

    async with far(wire, talk) as (upstream, agent):
        await agent.send(OFFER)
        await asyncio.wait_for(agent.reader.readexactly(len(PASSED)), PROMPTLY)
        await agent.send(HELLO + AGENTS_BYE)
        agent.writer.write_eof()
        assert await asyncio.wait_for(agent.reader.read(-1), PROMPTLY) == ANSWER + BYE
    assert bytes(upstream.received) == HELLO + AGENTS_BYE
    (call,) = wire.calls()
    assert call.tunnel is not None
    assert (call.outcome, call.tunnel.closed_by, call.tunnel.close_code) == ("completed", "agent", 1001)
    assert len(recorded(wire)) == 4


async def test_an_agent_that_leaves_before_the_answer(wire: "Wire") -> None:
    """As in every call: the upstream is left, too."""

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await upstream.read_to_the_end(reader)

    asked = asyncio.Event()
    async with far(wire, talk) as (upstream, agent):
        await agent.send(OFFER + HELLO)
        await asyncio.wait_for(asked.wait(), PROMPTLY)
        await agent.hang_up()
        await asyncio.wait_for(upstream.ended, PROMPTLY)
        await wire.eventually(lambda: wire.calls()[0].outcome == "client_disconnected")
    assert (bytes(upstream.received), wire.calls()[0].tunnel) == (b"", None)


async def test_what_came_behind_a_refused_offer_is_the_next_request(wire: "Wire") -> None:
    """HTTP goes on: the connection is as good as before."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nUpgrade: h3\r\nConnection: Upgrade\r\n\r\nno"
        )
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
        await reader.read()

    async with far(wire, talk) as (_, agent):
        await agent.send(OFFER + b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n" + OFFER[:20])
        assert [((reply := await agent.reply("GET")).status, reply.body) for _ in range(2)] == [
            (426, b"no"),
            (200, b"yes"),
        ]
    assert [call.request.path for call in wire.calls()] == ["/v1/responses", "/v1/models"]


@pytest.mark.parametrize(
    "offer",
    [
        OFFER.replace(b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
        OFFER.replace(b"GET", b"POST"),
        OFFER.replace(b"Host: x\r\n", b"Host: x\r\nContent-Length: 2\r\n"),
    ],
    ids=["two protocols", "POST", "a body"],
)
async def test_offers_of_anything_else_are_passed_over(wire: "Wire", offer: bytes) -> None:
    """Another protocol behind the upstream's door would not be seen by anybody: only a plain WebSocket is offered on."""
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await read_head(reader)).lower())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        agent = await wire.agent(upstream=UpstreamAddress.parse(url))
        await agent.send(offer + (b"{}" if b"Content-Length" in offer else b""))
        assert (await agent.head()).status == 200
        await agent.hang_up()
    assert [b"upgrade" in head for head in heads] == [False]


async def test_an_answer_of_101_that_names_no_protocol(wire: "Wire") -> None:
    """Nobody can say what follows it: an upstream that does not speak HTTP/1.1."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + ANSWER)
        await reader.read()

    async with far(wire, talk) as (_, agent):
        await agent.send(OFFER)
        assert (await agent.head()).status == 502
    assert wire.calls()[0].outcome == "upstream_unreachable"


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_who_reads_slowly_makes_the_other_wait(wire: "Wire", direction: str) -> None:
    """Nothing is buffered but what the kernel takes; all of it arrives when it is read."""
    frame = Frame(Opcode.BINARY, bytes(65536)).serialize(mask=direction == "up")
    many = 1000
    written = 0
    may_read = asyncio.Event()

    async def write(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        for _ in range(many):
            writer.write(frame)
            await writer.drain()
            written += 1

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)
        if direction == "down":
            await write(writer)
            writer.write_eof()
        else:
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await may_read.wait()
            reader._transport.resume_reading()  # type: ignore[attr-defined]
            await upstream.read_to_the_end(reader)

    async with far(wire, talk) as (upstream, agent):
        transport = agent.writer.transport
        await agent.send(OFFER)
        await asyncio.wait_for(agent.reader.readuntil(b"\r\n\r\n"), PROMPTLY)
        if direction == "down":
            transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.TaskGroup() as writing:
            if direction == "up":
                writing.create_task(write(agent.writer))
            before = -1
            while before != written or written == 0:
                before = written
                await asyncio.sleep(0.3)
            # The buffers of the kernel take some of the 64 MB; a proxy that reads on would take the rest.
            assert written < many / 2
            if direction == "up":
                may_read.set()
            else:
                transport.resume_reading()  # type: ignore[attr-defined]
        if direction == "up":
            await wire.eventually(lambda: len(upstream.received) == len(frame) * many)
        else:
            assert await agent.reader.readexactly(len(frame) * many) == frame * many
