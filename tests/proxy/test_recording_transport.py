"""Recording inside a program: what it sees is what it would see without, and the record is the proxy's."""

import asyncio
import dataclasses
import gzip
import importlib
import logging
import shutil
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import orjson
import pytest

from tachograph.proxy import AsyncRecordingTransport, RecordingTransport
from tachograph.proxy._in_process import Asked, InProcessRun
from tachograph.traces import BodyReader, Call, InputError, StoreError, read_calls, verify

if TYPE_CHECKING:
    from tests.proxy.conftest import Message, Step, Upstream, Wire

ASKED = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
KINDS = [("httpx2", "sync"), ("httpx2", "async"), ("httpx", "sync"), ("httpx", "async")]


class StoppedError(Exception):
    """The program has seen enough."""


@dataclass
class Seen:
    """What the program got of an answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Program:
    """A program with a client of either library; with a store, its calls are recorded there, into the run `default`."""

    def __init__(self, library: str, store: Path | None, url: str, *, is_async: bool) -> None:
        self.library: Any = importlib.import_module(library)
        self.url = url
        self.is_async = is_async
        recording = AsyncRecordingTransport if is_async else RecordingTransport
        self.transport: Any = None if store is None else recording(store=store, run="default")
        client = self.library.AsyncClient if is_async else self.library.Client
        self.client = client(transport=self.transport, timeout=20)

    async def ask(
        self,
        body: object,
        on_chunk: Callable[[bytes], None] = lambda _: None,
        path: str = "/chat/completions",
        **more: Any,
    ) -> Seen:
        """Ask, and show each chunk as it comes."""
        content = body if isinstance(body, bytes) or hasattr(body, "__next__") else orjson.dumps(body)
        asked = {"method": "POST", "url": self.url + path, "content": content, **more}
        return await (
            self._ask_async(asked, on_chunk) if self.is_async else asyncio.to_thread(self._ask, asked, on_chunk)
        )

    def _ask(self, asked: dict[str, Any], on_chunk: Callable[[bytes], None]) -> Seen:
        body = b""
        with self.client.stream(**asked) as response:
            for chunk in response.iter_raw():
                on_chunk(chunk)
                body += chunk
            return Seen(response.status_code, response.headers.raw, body)

    async def _ask_async(self, asked: dict[str, Any], on_chunk: Callable[[bytes], None]) -> Seen:
        body = b""
        async with self.client.stream(**asked) as response:
            async for chunk in response.aiter_raw():
                on_chunk(chunk)
                body += chunk
            return Seen(response.status_code, response.headers.raw, body)

    async def close(self) -> None:
        await (self.client.aclose() if self.is_async else asyncio.to_thread(self.client.close))


class Paced:
    """Pieces of an answer, each sent when the program has the one before, however slow the machine is."""

    def __init__(self, upstream: "Upstream", *pieces: bytes, end: "Step" = b"") -> None:
        self._pieces = pieces
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._seen = asyncio.Event()
        upstream.rule = lambda _: self._steps()

    def _steps(self) -> "Iterator[Step]":
        for piece in self._pieces:
            self._seen = asyncio.Event()
            yield piece
            yield self._seen
        yield self._end

    def on_chunk(self, _: bytes) -> None:
        self._loop.call_soon_threadsafe(self._seen.set)


def in_chunks(upstream: "Upstream", pieces: list[bytes]) -> list[bytes]:
    """A stream, the head with its first piece."""
    first, *others = pieces
    return [upstream.stream(first, end=False), *map(upstream.chunk, others)]


@pytest.fixture(params=KINDS, ids="-".join)
async def program(request: pytest.FixtureRequest, upstream: "Upstream", tmp_path: Path) -> AsyncIterator[Program]:
    library, how = request.param
    program = Program(library, tmp_path / "runs", upstream.url, is_async=how == "async")
    yield program
    await program.close()


def content(text: str, **more: object) -> dict[str, Any]:
    return {"id": "c1", "model": "m-1", "choices": [{"index": 0, "delta": {"content": text}}], **more}


def answer(upstream: "Upstream") -> list[bytes]:
    """A stream in pieces, with usage and a terminal event."""
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    said = [content("Hi"), {"choices": [], "usage": usage}, "[DONE]"]
    return [upstream.event(event) for event in said]


def what_counts(call: Call) -> Call:
    """A call without what is of one run or one moment, and without the name under which the upstream was asked."""
    timing = dataclasses.replace(call.timing, start_ns=0, request_read=0, upstream_sent=0, headers=0, end=0)
    timing = dataclasses.replace(timing, first_byte_in=0, first_byte_out=0, first_content=0, last_byte=0, largest_gap=0)
    lines = [line for line in (call.request.head or "").split("\r\n") if not line.lower().startswith("host:")]
    request = dataclasses.replace(call.request, head="\r\n".join(lines))
    return dataclasses.replace(call, run_id="", span_id="", sequence=None, request=request, timing=timing)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
async def test_the_record_is_the_one_that_the_proxy_makes(
    program: Program, wire: "Wire", upstream: "Upstream", *, streamed: bool
) -> None:
    """Same bodies, hashes, usage, heads with their keys masked, chunks, outcome; and the upstream is asked the same."""
    whole = b'{"id":"w","usage":{"prompt_tokens":1,"completion_tokens":2}}'
    once = [upstream.whole(whole, "200 OK", "X-Request-Id: r1")]
    pieces = in_chunks(upstream, answer(upstream)) if streamed else once
    paced = Paced(upstream, *pieces, end=b"0\r\n\r\n" if streamed else b"")
    question = {"model": "m", "messages": [{"role": "user", "content": "é"}], **(ASKED if streamed else {})}
    headers = {"Authorization": "Bearer " + "s" * 20, "session-id": "my-session"}
    path = "/chat/completions?api-version=1&key=" + "s" * 9
    here = await program.ask(question, paced.on_chunk, path, headers=headers)
    (mine,) = wire.calls()
    proxy = await wire.serve(default_run="proxied", usage="observe")
    plain = Program(program.library.__name__, None, f"http://127.0.0.1:{proxy.port}/v1", is_async=program.is_async)
    there = await plain.ask(question, paced.on_chunk, path, headers=headers)
    await plain.close()
    (proxied,) = wire.calls("proxied")
    assert what_counts(mine) == what_counts(proxied)
    assert (here.status, here.body) == (there.status, there.body)
    first, second = (dict(message.passing) for message in upstream.received)
    assert first == second
    assert upstream.received[0].body == upstream.received[1].body == orjson.dumps(question)
    assert "s" * 9 not in (mine.request.head or "") + (mine.request.query or "")
    assert mine.request.server_port == upstream.port
    assert BodyReader(wire.store / "default" / "bodies").get(str(mine.request.body_hash)) == orjson.dumps(question)


async def test_a_request_is_on_disk_before_it_goes_out(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """When the upstream has it, the record knows of it, with its body."""
    known: list[Call] = []

    def rule(_: "Message") -> list["Step"]:
        known.extend(wire.calls())
        return [upstream.whole(b"{}")]

    upstream.rule = rule
    await program.ask({"model": "m"})
    (call,) = known
    assert (call.outcome, call.request.bytes) == ("in_flight", 13)
    assert BodyReader(wire.store / "default" / "bodies").get(str(call.request.body_hash)) == b'{"model":"m"}'


async def test_the_end_is_on_disk_before_the_program_sees_it(
    program: Program, wire: "Wire", upstream: "Upstream"
) -> None:
    """At the terminal event of a stream the call is complete, with its usage; and each chunk comes by itself."""
    outcomes = []
    first, usage, done = answer(upstream)
    paced = Paced(upstream, *in_chunks(upstream, [first, usage, done]), end=b"0\r\n\r\n")

    def on_chunk(chunk: bytes) -> None:
        (call,) = wire.calls()
        outcomes.append((chunk, call.outcome, call.usage.output_tokens))
        paced.on_chunk(chunk)

    await program.ask(ASKED, on_chunk)
    assert outcomes == [(first, "in_flight", None), (usage, "in_flight", None), (done, "completed", 7)]


async def test_a_last_byte_that_the_head_tells_of_is_on_disk_first(
    program: Program, wire: "Wire", upstream: "Upstream"
) -> None:
    """An answer of a known length is complete before its last bytes are handed on."""
    outcomes = []
    body = b'{"id":"w"}'
    head = upstream.head("200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}")
    paced = Paced(upstream, head + body[:4], body[4:])

    def on_chunk(chunk: bytes) -> None:
        outcomes.append((chunk, wire.calls()[0].outcome))
        paced.on_chunk(chunk)

    await program.ask({"model": "m"}, on_chunk)
    assert outcomes == [(body[:4], "in_flight"), (body[4:], "completed")]


@pytest.mark.parametrize("begun", [True, False], ids=["in the stream", "before any answer"])
@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_cut_stays_a_cut(
    program: Program, wire: "Wire", upstream: "Upstream", how: Literal["close", "reset"], *, begun: bool
) -> None:
    """The program gets the library's own exception, and the record has what came."""
    said = upstream.event(content("Hi"))
    paced = Paced(upstream, *([upstream.stream(said, end=False)] if begun else []), end=how)
    with pytest.raises((program.library.ReadError, program.library.RemoteProtocolError)):
        await program.ask(ASKED, paced.on_chunk)
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("upstream_cut", "stream_truncated")
    assert call.message is not None
    assert call.message.startswith(("ReadError", "RemoteProtocolError"))
    assert (call.response.bytes if call.response else None) == (len(said) if begun else None)


async def test_an_upstream_that_is_not_there(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """The library's own exception, and a call that says so; the next one is another attempt."""
    await upstream.stop()
    for attempt in (1, 2):
        with pytest.raises(program.library.ConnectError):
            await program.ask(ASKED)
        call = wire.calls()[-1]
        assert (call.outcome, call.error_type, call.attempt) == ("upstream_unreachable", "connection_error", attempt)
        assert call.response is None


async def test_a_limit_of_time_is_the_programs_own(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """Who gives up waiting hangs up: the upstream did not fail."""
    upstream.answer("wait for close")
    with pytest.raises(program.library.ReadTimeout):
        await program.ask(ASKED, timeout=program.library.Timeout(20, read=0.05))
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("client_disconnected", "client_disconnected")
    assert (call.message or "").startswith("ReadTimeout")


async def test_a_program_that_stops_reading(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """Closing an answer half-way is hanging up; the upstream sees it at once, and what came is on disk."""
    said = upstream.event(content("Hi"))
    upstream.answer(upstream.stream(said, end=False), "wait for close")

    def stop(_: bytes) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        await program.ask(ASKED, stop)
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert (call.outcome, call.error_type) == ("client_disconnected", "client_disconnected")
    assert call.response is not None
    assert call.response.finish_reasons == ("error",)
    assert BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash)) == said


async def test_a_program_that_leaves_at_the_terminal_event(
    program: Program, wire: "Wire", upstream: "Upstream"
) -> None:
    """The SDKs do: such a call is complete."""
    said = b"".join(answer(upstream))
    upstream.answer(upstream.stream(said, end=False), "wait for close")

    def stop(_: bytes) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        await program.ask(ASKED, stop)
    await upstream.sees_the_close()
    (call,) = wire.calls()
    assert (call.outcome, call.usage.output_tokens) == ("completed", 7)


async def test_what_comes_behind_the_terminal_event(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """It passes, and is on disk by an amendment."""
    pieces = [*answer(upstream), b": bye\n\n"]
    paced = Paced(upstream, *in_chunks(upstream, pieces), end=b"0\r\n\r\n")
    seen = await program.ask(ASKED, paced.on_chunk)
    assert seen.body == b"".join(pieces)
    (call,) = wire.calls()
    assert call.response is not None
    assert (call.outcome, call.response.bytes, call.response.delivered_bytes) == (
        "completed",
        len(seen.body),
        len(seen.body),
    )
    assert BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash)) == seen.body


async def test_a_stream_without_its_terminal_event(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """It ends well for the library, and is known to lack its end."""
    upstream.answer(upstream.stream(upstream.event(content("Hi"))))
    await program.ask(ASKED)
    assert wire.calls()[0].outcome == "upstream_cut"


async def test_bodies_are_recorded_as_on_the_wire(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """The library decodes above the transport: the record has what was compressed, and is read all the same."""
    packed = gzip.compress(b"".join(answer(upstream)))
    upstream.answer(upstream.stream(packed, headers=["Content-Encoding: gzip"]))
    seen = await program.ask(ASKED)
    (call,) = wire.calls()
    assert seen.body == packed
    assert call.response is not None
    assert BodyReader(wire.store / "default" / "bodies").get(str(call.response.body_hash)) == packed
    assert call.usage.output_tokens == 7


async def test_a_program_that_makes_its_request_piece_by_piece(
    program: Program, wire: "Wire", upstream: "Upstream"
) -> None:
    """The bytes are the same, and framed as the program wanted them."""

    def pieces() -> Iterator[bytes]:
        yield from (b'{"model":', b'"m"}')

    async def async_pieces() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    more: dict[str, Any] = {"content": async_pieces()} if program.is_async else {}
    await program.ask(pieces(), **more)
    (received,) = upstream.received
    assert (received.body, received.one(b"Transfer-Encoding")) == (b'{"model":"m"}', b"chunked")
    (call,) = wire.calls()
    assert (call.request.model, call.request.bytes) == ("m", 13)


async def test_closing_seals_and_a_later_call_opens_the_run_again(
    program: Program, wire: "Wire", upstream: "Upstream"
) -> None:
    """Whichever client is closed first, no call is lost; closing twice does nothing."""
    upstream.answer(upstream.whole(b"{}"))
    transport = program.transport
    close = transport.aclose if program.is_async else transport.close
    for calls in (1, 2):
        await program.ask({"model": "m"})
        for _ in range(2):
            await close() if program.is_async else close()
        found = verify(wire.store / "default")
        assert (found.state, found.survey.finished_calls) == ("sealed", calls)


async def test_no_key_is_written(program: Program, wire: "Wire", upstream: "Upstream") -> None:
    """Not in heads, not in the query, in no file of the run."""
    secret = "sk-" + "x" * 20
    upstream.answer(upstream.whole(b"{}", "200 OK", f"Set-Cookie: session={secret}"))
    headers = {"Authorization": f"Bearer {secret}", "x-api-key": secret, "api-key": secret, "x-goog-api-key": secret}
    await program.ask({"model": "m"}, path=f"/chat/completions?key={secret}", headers=headers)
    written = b"".join(path.read_bytes() for path in wire.store.rglob("*") if path.is_file())
    assert b"[masked]" in written
    assert secret.encode() not in written


async def test_a_run_that_cannot_be_written_breaks_no_call(
    program: Program, wire: "Wire", upstream: "Upstream", caplog: pytest.LogCaptureFixture
) -> None:
    """The program gets its answer; the log says what is not recorded."""
    upstream.answer(upstream.whole(b"{}"))
    await program.close()
    shutil.rmtree(wire.store)
    wire.store.write_text("no folder")
    client = (program.library.AsyncClient if program.is_async else program.library.Client)(transport=program.transport)
    program.client = client
    with caplog.at_level(logging.ERROR):
        assert (await program.ask({"model": "m"})).body == b"{}"
    assert "could not be recorded" in caplog.text
    wire.store.unlink()


def test_a_run_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    """While the program is being set up, an error helps; later it would not."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        RecordingTransport(store=tmp_path / "file")
    with pytest.raises(InputError):
        RecordingTransport(store=tmp_path, run="../up")


async def test_cancelling_is_hanging_up(wire: "Wire", upstream: "Upstream", tmp_path: Path) -> None:
    """A task that is cancelled before its answer has hung up."""
    upstream.answer("wait for close")
    program = Program("httpx2", tmp_path / "runs", upstream.url, is_async=True)
    asking = asyncio.ensure_future(program.ask(ASKED))
    await wire.eventually(lambda: upstream.received)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await upstream.sees_the_close()
    assert wire.calls()[0].outcome == "client_disconnected"
    await program.close()


async def test_an_answer_that_nobody_reads_or_closes(wire: "Wire", upstream: "Upstream", tmp_path: Path) -> None:
    """It ends with the transport at the latest."""
    upstream.answer(upstream.stream(upstream.event(content("Hi")), end=False), "wait for close")

    def leave() -> None:
        with RecordingTransport(store=tmp_path / "runs", run="default") as transport:
            client = httpx2.Client(transport=transport)
            request = client.build_request("POST", f"{upstream.url}/chat/completions", json=ASKED)
            left.append(client.send(request, stream=True))

    left: list[httpx2.Response] = []
    await asyncio.to_thread(leave)
    (call,) = wire.calls()
    assert (call.outcome, call.message) == (
        "client_disconnected",
        "the transport was closed before the end of the answer",
    )
    assert verify(wire.store / "default").state == "sealed"


async def test_threads_and_clients_share_a_run(wire: "Wire", upstream: "Upstream", tmp_path: Path) -> None:
    """Each call of each thread is there once, numbered without a gap, in a run that verifies."""
    stream = upstream.stream(*answer(upstream))

    def work(transport: RecordingTransport, number: int) -> None:
        client = httpx2.Client(transport=transport)
        for call in range(10):
            question = {**ASKED, "messages": [{"role": "user", "content": f"{number} {call} " * 200}]}
            assert client.post(f"{upstream.url}/chat/completions", json=question).content.endswith(b"[DONE]\n\n")

    upstream.answer(stream)
    with RecordingTransport(store=tmp_path / "runs", run="default") as transport:
        await asyncio.gather(*(asyncio.to_thread(work, transport, number) for number in range(8)))
    calls = wire.calls()
    assert [call.sequence for call in calls] == list(range(1, 81))
    assert {(call.outcome, call.usage.output_tokens, call.attempt) for call in calls} == {("completed", 7, 1)}
    found = verify(wire.store / "default")
    assert (found.state, found.problems, found.survey.finished_calls) == ("sealed", (), 80)


async def test_two_transports_on_one_run(wire: "Wire", upstream: "Upstream", tmp_path: Path) -> None:
    """The run has the calls of both, and the one that is closed last seals it."""
    upstream.answer(upstream.whole(b"{}"))

    def work() -> None:
        first, second = (RecordingTransport(store=tmp_path / "runs", run="default") for _ in range(2))
        for transport in (first, second, first):
            httpx2.Client(transport=transport).post(f"{upstream.url}/chat/completions", json={"model": "m"})
        first.close()
        assert verify(tmp_path / "runs" / "default").state != "sealed"
        second.close()

    await asyncio.to_thread(work)
    assert [call.sequence for call in wire.calls()] == [1, 2, 3]
    assert verify(wire.store / "default").state == "sealed"


def test_a_transport_of_ones_own_does_the_work(tmp_path: Path) -> None:
    """A cache or a double that has its answers ready is recorded like a wire."""
    said = {"id": "d", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    double = httpx2.MockTransport(lambda _: httpx2.Response(200, json=said))
    with (
        RecordingTransport(double, store=tmp_path) as transport,
        httpx2.Client(transport=transport) as client,
    ):
        assert client.post("https://api.example/v1/chat/completions", json={"model": "m"}).json() == said
    (call,) = read_calls(tmp_path / transport.run_id)
    assert (call.outcome, call.usage.output_tokens) == ("completed", 2)
    assert (call.request.server_address, call.request.server_port) == ("api.example", 443)


def test_giving_up_waits_for_nobody(tmp_path: Path) -> None:
    """An answer may be let go by the garbage collector while the same thread records another call."""
    run = InProcessRun(tmp_path, "r", None)
    asked = Asked("POST", "http", "h", None, b"/v1/chat/completions", (), b"{}", 1, 1)
    call = run.begin(asked)
    assert call is not None
    with run:
        call.give_up("client_disconnected")
        assert [known.outcome for known in read_calls(tmp_path / "r")] == ["in_flight"]
    assert [known.outcome for known in read_calls(tmp_path / "r")] == ["client_disconnected"]
    run.close()


async def test_a_program_that_is_killed_at_the_end_of_its_answer(wire: "Wire", upstream: "Upstream") -> None:
    """`kill -9` when the terminal event is seen loses nothing of the call."""
    upstream.answer(upstream.stream(*answer(upstream), end=False), "wait for close")
    program = """
        import os, signal, sys, httpx2
        from tachograph.proxy import RecordingTransport
        client = httpx2.Client(transport=RecordingTransport(store=sys.argv[1], run="default"))
        with client.stream("POST", sys.argv[2], json={"model": "m", "stream": True}) as response:
            for chunk in response.iter_raw():
                if b"[DONE]" in chunk:
                    os.kill(os.getpid(), signal.SIGKILL)
    """
    argv = [sys.executable, "-c", textwrap.dedent(program), str(wire.store), f"{upstream.url}/chat/completions"]
    killed = await asyncio.to_thread(subprocess.run, argv, check=False)
    assert killed.returncode == -9
    (call,) = wire.calls()
    assert (call.outcome, call.usage.output_tokens) == ("completed", 7)


def test_neither_library_is_needed() -> None:
    """The proxy runs without them."""
    program = "import sys, tachograph.proxy; assert not {'httpx', 'httpx2'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
