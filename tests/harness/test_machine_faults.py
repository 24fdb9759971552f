"""`tachograph serve` on a machine that lacks something: files, memory, speed, a clock that goes forward."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import Call, read_calls, verify

Answer = Callable[[asyncio.StreamWriter], Coroutine[Any, Any, None]]
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}]}).encode()
ASKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
SAID = json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}).encode()
PATIENCE = 120.0
"""Seconds for what takes a few."""


async def say_it(writer: asyncio.StreamWriter) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(SAID) + SAID)


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """A head, and as many bytes as it says."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
    return head, await reader.readexactly(int(length or 0))


@contextlib.asynccontextmanager
async def upstream(answer: Answer = say_it) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await read_message(reader)
                await answer(writer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


class Served:
    """A `tachograph serve` that runs."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, store: Path) -> None:
        self.pid, self.port, self.store = process.pid, port, store
        self._process = process
        self.said = ""

    async def ask(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            with contextlib.closing(writer):
                writer.write(ASKED)
                head, body = await read_message(reader)
                assert head.startswith(b"HTTP/1.1 200 "), head + body
                return body

    async def stop(self) -> list[Call]:
        """End it as a user does; the calls that it recorded, sealed."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        _, said = await asyncio.wait_for(self._process.communicate(), PATIENCE)
        self.said = said.decode()
        assert "Traceback" not in self.said
        found = verify(self.store / "run")
        assert (found.state, found.problems) == ("sealed", ())
        return list(read_calls(self.store / "run"))

    def most_memory(self) -> int:
        """Bytes that it held when it held most."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@contextlib.asynccontextmanager
async def served(
    tachograph: Any, url: str, store: Path, *, limit: str = "", env: dict[str, str] | None = None
) -> AsyncIterator[Served]:
    """`serve` before an upstream; `limit` is a shell command that comes first, such as `ulimit -n 60`."""
    argv = tachograph.argv("serve", "--upstream", url, "--port", "0", "--store", store, "--run", "run")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'{limit or ":"}; exec "$@"', "sh"),
        *argv,
        env={**tachograph.env, **(env or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    assert first.startswith(b"tachograph: recording"), await process.communicate()
    proxy = Served(process, int(first.split(b"127.0.0.1:")[1].split(b"/")[0]), store)
    try:
        yield proxy
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_two_thousand_connections_at_once(tachograph: Any, tmp_path: Path) -> None:
    """Although the shell allows 256 open files: all are in flight together, and each has its answer."""
    many = 2000
    arrived, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def answer_together(writer: asyncio.StreamWriter) -> None:
        arrived.release()
        await go_on.wait()
        await say_it(writer)

    async with (
        upstream(answer_together) as url,
        served(tachograph, url, tmp_path / "runs", limit="ulimit -S -n 256") as proxy,
        asyncio.TaskGroup() as agents,
    ):
        asking = [agents.create_task(proxy.ask()) for _ in range(many)]
        for _ in asking:
            await arrived.acquire()
        go_on.set()
        assert {await answer for answer in asking} == {SAID}
        calls = await proxy.stop()
    assert [call.outcome for call in calls] == ["completed"] * many


async def test_no_more_files_can_be_opened(tachograph: Any, tmp_path: Path) -> None:
    """Agents beyond what the system allows wait or are turned away; whoever is answered is recorded, and it recovers."""
    async with upstream() as url, served(tachograph, url, tmp_path / "runs", limit="ulimit -n 60") as proxy:
        assert await proxy.ask() == SAID
        crowd = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(100)]
        answered = refused = 0
        for reader, writer in crowd:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                writer.write(ASKED)
                async with asyncio.timeout(2):
                    head, _ = await read_message(reader)
                answered += head.startswith(b"HTTP/1.1 200 ")
                refused += head.startswith(b"HTTP/1.1 502 ")
        for _, writer in crowd:
            writer.transport.abort()
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, AssertionError):
                    await proxy.ask()
                    break
        calls = await proxy.stop()
    completed = [call for call in calls if call.outcome == "completed"]
    assert answered > 0
    assert "as many as this system allows" in proxy.said
    assert len(completed) >= answered + 2
    assert sum(call.outcome == "upstream_unreachable" for call in calls) >= refused


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_huge_answer_is_not_held(tachograph: Any, tmp_path: Path, kind: str) -> None:
    """It goes to the disk as it comes: memory grows by a fraction of it. All of it is kept."""
    pieces, piece = 160, random.Random(1).randbytes(2**20)

    async def answer_at_length(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {pieces * len(piece)}\r\n\r\n"
        writer.write(head.encode())
        for _ in range(pieces):
            writer.write(piece)
            await writer.drain()

    async with upstream(answer_at_length) as url, served(tachograph, url, tmp_path / "runs") as proxy:
        before = proxy.most_memory()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port, limit=2**20)
        writer.write(ASKED)
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"Content-Length: {pieces * len(piece)}".encode() in head
        came = 0
        async with asyncio.timeout(PATIENCE):
            while came < pieces * len(piece):
                came += len(await reader.read(2**20))
        writer.close()
        grown = proxy.most_memory() - before
        (call,) = await proxy.stop()
    assert grown < came * 0.6, f"{grown >> 20} MiB"
    assert call.outcome == "completed"
    assert call.response is not None
    assert (call.response.bytes, call.bodies_lost) == (came, None)
    assert (tmp_path / "runs" / "run" / "bodies" / "bodies.pack").stat().st_size > came
    assert call.usage.source == "absent"


def test_a_store_that_is_read_only(tachograph: Any, tmp_path: Path) -> None:
    """It is told before anything is served."""
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("a file system can be mounted by root only")
    (tmp_path / "disk").mkdir()
    argv = tachograph.argv(
        "serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--store", tmp_path / "disk" / "runs"
    )
    mounted = f'mount -t tmpfs -o ro none {tmp_path / "disk"} && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mounted, "sh", *argv],
        env=tachograph.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME && access(getenv("CLOCK_BACK"), F_OK) == 0) now->tv_sec -= 3600;
    return result;
}
"""
DISK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>
ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    struct stat about;
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (fstat(file, &about) == 0 && S_ISREG(about.st_mode)) usleep(20000);
    return real(file, data, size);
}
"""


def compiled(source: str, folder: Path) -> str:
    """A library that stands before the system's own."""
    if shutil.which("cc") is None:
        pytest.skip("a clock or a disk is made odd by a library, and there is no C compiler (cc) to make it")
    (folder / "odd.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "odd.so", folder / "odd.c", "-ldl"], check=True)
    return str(folder / "odd.so")


async def test_a_clock_that_steps_back(tachograph: Any, tmp_path: Path) -> None:
    """An hour back in the middle of a call: how long things took is told by another clock, and the order by numbers."""
    back = tmp_path / "back"
    env = {"LD_PRELOAD": compiled(CLOCK, tmp_path), "CLOCK_BACK": str(back)}

    async def answer_in_the_past(writer: asyncio.StreamWriter) -> None:
        back.touch()
        await say_it(writer)

    async with upstream(answer_in_the_past) as url, served(tachograph, url, tmp_path / "runs", env=env) as proxy:
        assert [await proxy.ask(), await proxy.ask()] == [SAID, SAID]
        first, second = await proxy.stop()
    assert second.timing.start_ns < first.timing.start_ns
    assert (first.sequence, second.sequence) == (1, 2)
    for call in (first, second):
        assert call.timing.end is not None
        assert 0 < call.timing.end < PATIENCE * 1e9
        assert call.outcome == "completed"


async def test_a_slow_disk(tachograph: Any, tmp_path: Path) -> None:
    """Each write takes 20 ms: calls wait for it, since nothing goes out before it is recorded, and nothing is lost."""
    env = {"LD_PRELOAD": compiled(DISK, tmp_path)}
    async with upstream() as url, served(tachograph, url, tmp_path / "runs", env=env) as proxy:
        async with asyncio.TaskGroup() as agents:
            asking = [agents.create_task(proxy.ask()) for _ in range(10)]
        assert {answer.result() for answer in asking} == {SAID}
        calls = await proxy.stop()
    assert [call.outcome for call in calls] == ["completed"] * 10
    slowest = max(call.timing.end or 0 for call in calls)
    assert slowest > 2 * 20e6
