"""What a `tachograph serve` holds in memory: bounded, however large a body is and however many streams wait."""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tachograph.traces import BodyReader, read_calls

MIB = 2**20
PATIENCE = 120.0
Answer = Callable[[socket.socket], None]
"""Writes an answer, head and all, to a connection whose request has been read."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="what a process holds in memory is told by /proc"
)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_request(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    left = int(length[1]) - len(rest) if length else 0
    while left:
        left -= len(connection.recv(min(left, MIB)))


@contextlib.contextmanager
def upstream_of(answer: Answer, *, read: bool = True) -> Iterator[str]:
    """A server that answers one request a connection, each on a thread; all connections stay open until the end.

    With `read` the request has been read when `answer` is called.
    """
    taken: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if read:
                read_request(connection)
            answer(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])
                threading.Thread(target=serve, args=(taken[-1],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


class Served:
    """A `tachograph serve`, its agents, and its memory."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.port = int(re.findall(r":(\d+)/v1 ->", process.stdout.readline())[0])
        self.at_first = self._status("VmRSS")

    def _status(self, name: str) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 1024

    @property
    def grown(self) -> float:
        """MiB that it holds more than at first."""
        return self._status("VmRSS") - self.at_first

    @property
    def grown_at_most(self) -> float:
        """The same at its most."""
        return self._status("VmHWM") - self.at_first

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(self, *body: bytes, chunked: bool = False) -> socket.socket:
        connection = self.connect()
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % sum(map(len, body))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing)
        for piece in body:
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        return connection

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def serve(tachograph: Any) -> Iterator[Callable[[str], Served]]:
    started: list[subprocess.Popen[str]] = []

    def start(url: str) -> Served:
        started.append(tachograph.start("serve", "--upstream", url, "--port", "0", "--run", "r"))
        return Served(started[-1])

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


STREAM = json.dumps({"model": "m", "stream": True, "stream_options": {"include_usage": True}, "messages": []}).encode()
WHOLE = json.dumps({"model": "m", "messages": []}).encode()
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(text: str) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()


@pytest.mark.parametrize("kind", ["stream", "whole"])
def test_a_huge_answer_is_spilled_not_held(serve: Any, tmp_path: Path, kind: str) -> None:
    """An answer of 160 MiB that cannot be compressed passes while memory grows by a fraction of it, and is kept whole."""
    many, sha256 = 160, hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        for _ in range(many):
            yield b"".join(event(os.urandom(16_000).hex()) for _ in range(32)) if kind == "stream" else os.urandom(MIB)
        if kind == "stream":
            yield event("")[:-1] + b"\ndata: [DONE]\n\n"

    def answer(connection: socket.socket) -> None:
        length = b"Content-Length: %d\r\n" % (many * MIB) if kind == "whole" else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\n%b\r\n" % length if kind == "whole" else EVENTS)
        for piece in pieces():
            sha256.update(piece)
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)

    with upstream_of(answer) as url:
        served = serve(url)
        with contextlib.closing(served.ask(STREAM if kind == "stream" else WHOLE)) as agent:
            got, last = 0, b""
            while not last.endswith(b"0\r\n\r\n") if kind == "stream" else got < many * MIB:
                piece = agent.recv(MIB)
                assert piece, "the answer was cut"
                got, last = got + len(piece), (last + piece)[-5:]
        assert served.grown_at_most < 110, "one that is not read is held up to 64 MiB; the rest must not be"
        served.stop()
    (call,) = read_calls(tmp_path / "runs" / "r")
    assert (call.outcome, call.bodies_lost) == ("completed", None)
    assert call.response is not None
    assert call.response.body_hash == sha256.hexdigest()
    assert [path.name for path in (tmp_path / "runs" / "r" / "bodies").iterdir()] == ["bodies.pack"]


@dataclass
class Reading:
    """An upstream that reads a large request, when it may, and notes what came, if it came whole."""

    may_read: threading.Event = field(default_factory=threading.Event)
    heads: list[bytes] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)

    def __call__(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as sent:
            head = b"".join(iter(sent.readline, b"\r\n"))
            self.heads.append(head)
            assert self.may_read.wait(PATIENCE)
            sha256 = hashlib.sha256()
            for size in sizes(head, sent):
                left = size
                while left:
                    piece = sent.read(min(left, MIB))
                    if not piece:
                        return
                    sha256.update(piece)
                    left -= len(piece)
            self.hashes.append(sha256.hexdigest())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def sizes(head: bytes, sent: BinaryIO) -> Iterator[int]:
    """Bytes of a body, or of each of its chunks."""
    if length := re.search(rb"content-length: *(\d+)", head, re.IGNORECASE):
        yield int(length[1])
        return
    while size := int(sent.readline(), 16):
        yield size
        sent.readline()
    sent.readline()


def question(megabytes: int, noise: bytes) -> list[bytes]:
    content = [noise[start:] + noise[:start] for start in range(0, megabytes * 999, 999)]
    return [b'{"model":"m","messages":[{"role":"user","content":"', *content, b'"}]}']


def hash_of(pieces: Iterable[bytes]) -> str:
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
    return sha256.hexdigest()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_huge_request_is_spilled_not_held(serve: Any, tmp_path: Path, framing: str) -> None:
    """Memory stays flat while 150 MiB come, while the upstream reads nothing, and while it reads. Every byte arrives."""
    body = question(150, os.urandom(MIB // 2).hex().encode())
    upstream = Reading()
    with upstream_of(upstream, read=False) as url:
        served = serve(url)
        with contextlib.closing(served.ask(*body, chunked=framing == "chunks")) as agent:
            wait_for(lambda: upstream.heads)
            (call,) = read_calls(tmp_path / "runs" / "r")
            assert (call.outcome, call.request.body_hash) == ("in_flight", hash_of(body)), "on disk before it goes up"
            assert served.grown_at_most < 60, "while nobody reads"
            upstream.may_read.set()
            assert agent.recv(MIB).startswith(b"HTTP/1.1 200")
        assert served.grown_at_most < 60, "from the first byte to the last"
        served.stop()
    assert upstream.hashes == [hash_of(body)]
    (call,) = read_calls(tmp_path / "runs" / "r")
    assert (call.outcome, call.bodies_lost) == ("completed", None)
    assert hash_of([BodyReader(tmp_path / "runs" / "r" / "bodies").get(str(call.request.body_hash))]) == hash_of(body)


def many_at_once(served: Served, bodies: list[list[bytes]]) -> None:
    """Send requests at the same time, each on a connection of its own, and wait for all answers."""

    def ask(body: list[bytes]) -> None:
        with contextlib.closing(served.ask(*body)) as agent:
            assert agent.recv(MIB).startswith(b"HTTP/1.1 200")

    with ThreadPoolExecutor(len(bodies)) as agents:
        list(agents.map(ask, bodies))


def test_large_requests_that_are_read_are_read_one_at_a_time(serve: Any, tmp_path: Path) -> None:
    """Up to 64 MiB a request is parsed for what it asks. Of six at once, only one is in memory at any time."""
    upstream = Reading()
    upstream.may_read.set()
    bodies = [question(30, os.urandom(MIB // 2).hex().encode()) for _ in range(6)]
    with upstream_of(upstream, read=False) as url:
        served = serve(url)
        many_at_once(served, bodies)
        assert served.grown_at_most < 5 * 30, "one, parsed, and its canonical form; six would be 18 times 30"
        served.stop()
    calls = read_calls(tmp_path / "runs" / "r")
    assert sorted(upstream.hashes) == sorted(map(hash_of, bodies)) == sorted(str(c.request.body_hash) for c in calls)
    assert all(call.request.model == "m" and call.request_hash for call in calls)


@pytest.mark.slow
@pytest.mark.parametrize(("many", "megabytes"), [(1, 1023), (10, 1023)])
def test_gigabytes_of_requests(serve: Any, tmp_path: Path, many: int, megabytes: int) -> None:
    """A request of 1 GiB takes a few MiB of memory; ten of them at once, ten times as little."""
    upstream = Reading()
    upstream.may_read.set()
    body = question(megabytes, os.urandom(MIB // 2).hex().encode())
    with upstream_of(upstream, read=False) as url:
        served = serve(url)
        many_at_once(served, [body] * many)
        assert served.grown_at_most < 60
        served.stop()
    assert upstream.hashes == [hash_of(body)] * many
    assert [call.outcome for call in read_calls(tmp_path / "runs" / "r")] == ["completed"] * many


def test_a_large_request_in_flight_survives_a_kill(serve: Any, tmp_path: Path) -> None:
    """`kill -9` while the upstream reads a large request: it is on disk, as interrupted, with its whole body (law 2)."""
    body = question(80, os.urandom(MIB // 2).hex().encode())
    upstream = Reading()
    with upstream_of(upstream, read=False) as url:
        served = serve(url)
        with contextlib.closing(served.ask(*body)):
            wait_for(lambda: upstream.heads)
            served.process.kill()
            served.process.wait(PATIENCE)
        upstream.may_read.set()
    (call,) = read_calls(tmp_path / "runs" / "r")
    assert (call.outcome, call.request.body_hash) == ("interrupted", hash_of(body))
    assert hash_of([BodyReader(tmp_path / "runs" / "r" / "bodies").get(hash_of(body))]) == hash_of(body)
    assert [path.name for path in (tmp_path / "runs" / "r" / "bodies").iterdir()] == ["bodies.pack"]


def test_memory_is_flat_while_an_agent_does_not_read(serve: Any, tmp_path: Path) -> None:
    """An agent that reads nothing of a stream without end makes the upstream wait: memory stays as it is."""
    sent, stalls = 0, threading.Event()

    def answer(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(EVENTS)
        connection.settimeout(1.0)
        piece = event(os.urandom(16_000).hex())
        try:
            while True:
                connection.sendall(piece)
                sent += len(piece)
        except TimeoutError:
            stalls.set()

    with upstream_of(answer) as url:
        served = serve(url)
        with contextlib.closing(served.ask(STREAM)):
            assert stalls.wait(PATIENCE), f"{sent} bytes were taken that nobody read"
            assert served.grown_at_most < 40
        served.stop()
    (call,) = read_calls(tmp_path / "runs" / "r")
    assert call.outcome == "client_disconnected"


def test_five_hundred_streams_that_wait_take_little(serve: Any, tmp_path: Path) -> None:
    """Agents wait long for a model that thinks: a stream that waits takes less than 64 KiB."""
    many = 500
    with upstream_of(lambda connection: connection.sendall(EVENTS + event("word ") * 20)) as url:
        served = serve(url)
        with contextlib.ExitStack() as agents:
            opened = [agents.enter_context(contextlib.closing(served.ask(STREAM))) for _ in range(many)]
            for agent in opened:
                assert agent.recv(4096).startswith(b"HTTP/1.1 200")
            assert served.grown * 1024 / many < 64, "KiB a stream"
        served.stop()
    assert [call.outcome for call in read_calls(tmp_path / "runs" / "r")] == ["client_disconnected"] * many
