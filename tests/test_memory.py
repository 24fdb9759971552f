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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import read_calls

MIB = 2**20
PATIENCE = 120.0
Answer = Callable[[socket.socket], None]
"""Writes an answer, head and all, to a connection whose request has been read."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="what a process holds in memory is told by /proc"
)


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
def upstream_of(answer: Answer) -> Iterator[str]:
    """A server that answers one request a connection, each on a thread; all connections stay open until the end."""
    taken: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
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

    def ask(self, *body: bytes) -> socket.socket:
        connection = self.connect()
        length = sum(map(len, body))
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)
        for piece in body:
            connection.sendall(piece)
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


def test_a_huge_request_is_not_held_several_times_over(serve: Any, tmp_path: Path) -> None:
    """A request of 200 MiB is read whole before it goes up, and held no more than about twice while it is put together."""
    many = 200
    body = [b'{"model":"m","messages":[{"role":"user","content":"']
    body += [os.urandom(MIB // 2).hex().encode() for _ in range(many)] + [b'"}]}']
    with upstream_of(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as url:
        served = serve(url)
        with contextlib.closing(served.ask(*body)) as agent:
            assert agent.recv(MIB).startswith(b"HTTP/1.1 200")
        assert served.grown_at_most < 2.6 * many
        served.stop()
    (call,) = read_calls(tmp_path / "runs" / "r")
    assert (call.outcome, call.bodies_lost) == ("completed", None)
    assert call.request.body_hash == hashlib.sha256(b"".join(body)).hexdigest()


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
