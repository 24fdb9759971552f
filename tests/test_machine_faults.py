"""Faults of the machine under a `tachograph serve`: its clock, its disk, its file descriptors, its memory."""

import contextlib
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import read_run, verify

HERE = Path(__file__).parent
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
PATIENCE = 60.0


class Served:
    """A `tachograph serve` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        first = process.stdout.readline()
        assert first.startswith("tachograph: recording"), first + (process.stderr.read() if process.stderr else "")
        self.url = first.split()[2]
        self.port = int(re.findall(r":(\d+)/v1", self.url)[0])

    def ask(self, question: dict[str, Any] = QUESTION) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/chat/completions", json.dumps(question).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def wait_for_descriptors(self, condition: Callable[[int], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition(len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def post(self, connection: socket.socket, path: str = "/v1/chat/completions") -> bytes:
        """Ask through a connection; the answer's head and body, or what came of them."""
        body = json.dumps(QUESTION).encode()
        head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body))
        connection.sendall(head + body)
        answer = b""
        while not (found := re.search(rb"content-length: *(\d+).*?\r\n\r\n", answer, re.DOTALL | re.IGNORECASE)) or (
            len(answer) < found.end() + int(found[1])
        ):
            if not (piece := connection.recv(65536)):
                break
            answer += piece
        return answer

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=PATIENCE)
        return said


@pytest.fixture
def serve(tachograph: Any, rule_upstream: Any) -> Iterator[Callable[..., Served]]:
    upstream = rule_upstream(lambda _: "hello yourself")
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, below: tuple[str, ...] = (), upstream_url: str = "", **env: str) -> Served:
        command = tachograph.argv("serve", "--upstream", upstream_url or upstream.url, "--port", "0", "--run", "r")
        process = subprocess.Popen(
            [*below, *command, *arguments],
            cwd=tachograph.folder,
            env={**tachograph.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Served(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def preloaded(source: str, folder: Path) -> str:
    """A library that is put before the C library's functions in one process, and in no other."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to build the library that brings the fault about")
    built = folder / f"{source}.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, HERE / f"{source}.c"], check=True)
    return str(built)


def test_a_clock_that_steps_back(serve: Any, tmp_path: Path) -> None:
    """The wall clock steps back an hour between calls: they keep their order, and none took less than no time."""
    steps = tmp_path / "steps"
    served = serve(LD_PRELOAD=preloaded("back_clock", tmp_path), CLOCK_STEPS=str(steps))
    for number in range(5):
        served.ask({**QUESTION, "seed": number})
    steps.touch()
    for number in range(5, 10):
        served.ask({**QUESTION, "seed": number})
    said = served.stop()
    assert served.process.returncode == 0, said
    folder = tmp_path / "runs" / "r"
    assert verify(folder).state == "sealed", verify(folder).problems
    calls = sorted(read_run(folder).calls, key=lambda call: call.sequence or 0)
    starts = [call.timing.start_ns or 0 for call in calls]
    assert starts[5] < starts[4] - 3_000 * 10**9, "the clock did not step back in the process: nothing was tested"
    assert [call.sequence for call in calls] == list(range(1, 11))
    assert {call.outcome for call in calls} == {"completed"}
    for call in calls:
        timing = call.timing
        assert 0 <= (timing.first_byte_in or 0) <= (timing.end or 0) < PATIENCE * 10**9


def test_a_slow_disk_loses_nothing(serve: Any, tmp_path: Path) -> None:
    """Where each write takes long, agents wait for it, since a call is on disk before its end is seen; none fails."""
    served = serve(LD_PRELOAD=preloaded("slow_write", tmp_path))
    started = time.monotonic()
    threads = [threading.Thread(target=served.ask, args=({**QUESTION, "seed": number},)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started > 0.03 * 12, "the disk was not slow: nothing was tested"
    served.process.kill()
    served.process.communicate()
    calls = read_run(tmp_path / "runs" / "r").calls
    assert [call.outcome for call in calls] == ["completed"] * 12, "an answer was seen before the call was on disk"


def test_file_descriptors_that_run_out(serve: Any, tmp_path: Path) -> None:
    """Without a descriptor for the upstream a call is refused with the reason, and recorded; it goes on when there are some."""
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit here to limit the descriptors of a process")
    served = serve(below=("prlimit", "--nofile=64:64"))
    with contextlib.ExitStack() as idle:
        for _ in range(60):
            idle.enter_context(contextlib.closing(served.connect()))
        served.wait_for_descriptors(lambda count: count == 64)
        for _ in range(3):
            with pytest.raises((urllib.error.URLError, ConnectionError)):
                served.ask()
    served.wait_for_descriptors(lambda count: count < 40)
    assert served.ask()["choices"]
    assert "may have 64 file descriptors" in served.stop()
    calls = read_run(tmp_path / "runs" / "r").calls
    assert calls[-1].outcome == "completed"
    assert verify(tmp_path / "runs" / "r").state == "sealed"


def test_a_call_without_a_descriptor_for_the_upstream(serve: Any, tmp_path: Path) -> None:
    """An agent that is connected already, and for whose call there is no descriptor left, gets 502 with the reason."""
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit here to limit the descriptors of a process")
    served = serve(below=("prlimit", "--nofile=64:64"))
    with contextlib.ExitStack() as agents:
        first, *_ = [agents.enter_context(contextlib.closing(served.connect())) for _ in range(60)]
        served.wait_for_descriptors(lambda count: count == 64)
        answer = served.post(first)
    assert answer.startswith(b"HTTP/1.1 502")
    assert b"Too many open files" in answer
    served.stop()
    (call,) = read_run(tmp_path / "runs" / "r").calls
    assert call.outcome == "upstream_unreachable"
    assert "Too many open files" in str(call.message)


def test_two_thousand_connections_at_once(serve: Any, tmp_path: Path) -> None:
    """All are taken, though the process starts with the usual limit of 1,024 descriptors; each is served when it asks."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 5000:
        pytest.skip(f"a process may have {most} descriptors here, and this takes 5,000")
    if shutil.which("prlimit") is None:
        pytest.skip("no prlimit here to set the usual limit of descriptors")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        served = serve(below=("prlimit", f"--nofile=1024:{most}"))
        with contextlib.ExitStack() as agents:
            connections = [agents.enter_context(contextlib.closing(served.connect())) for _ in range(2000)]
            answers = [served.post(connection) for connection in connections[::20]]
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        served.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
    assert [call.outcome for call in read_run(tmp_path / "runs" / "r").calls] == ["completed"] * 100


def can_mount() -> bool:
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "probe", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and os.geteuid() == 0
        and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


needs_mounts = pytest.mark.skipif(not can_mount(), reason="a file system can be mounted by root only")


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tachograph-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@needs_mounts
def test_a_read_only_store_is_told_when_starting(tachograph: Any, tmp_path: Path) -> None:
    """On a file system that is mounted read-only, which binds root as well, the proxy does not start, and says so."""
    with mounted(tmp_path / "disk", "ro,size=1m") as disk:
        done = tachograph("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--store", str(disk / "runs"))
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


@needs_mounts
def test_a_run_on_a_read_only_file_system_is_told(serve: Any, tmp_path: Path) -> None:
    """A run whose folder is read-only cannot be recorded: its calls are refused with 503, those of other runs are served."""
    with mounted(tmp_path / "runs" / "sealed-off", "ro,size=1m"):
        served = serve()
        with contextlib.closing(served.connect()) as connection:
            answer = served.post(connection, "/r/sealed-off/v1/chat/completions")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Read-only file system" in answer
        assert served.ask()["choices"]
        served.stop()


@needs_mounts
def test_a_disk_that_is_full_for_bodies_only(serve: Any, tmp_path: Path) -> None:
    """Bodies that do not fit are told of in each call, with true hashes and lengths; the calls themselves are whole."""
    folder = tmp_path / "runs" / "r"
    with mounted(folder / "bodies", "size=64k"):
        served = serve()
        for number in range(4):
            large = {"role": "user", "content": os.urandom(40_000).hex()}
            assert served.ask({**QUESTION, "seed": number, "messages": [large]})["choices"]
        said = served.stop()
        assert "No space left on device" in said
        assert "Traceback" not in said
        calls = read_run(folder).calls
        assert [call.outcome for call in calls] == ["completed"] * 4
        lost = [call for call in calls if call.bodies_lost]
        assert len(lost) >= 3
        assert {call.bodies_lost for call in lost} == {"No space left on device"}
        assert all(call.request.body_hash and (call.request.bytes or 0) > 80_000 for call in calls)
        assert verify(folder).state == "sealed", verify(folder).problems


@needs_mounts
def test_a_large_request_on_a_full_disk(serve: Any, tmp_path: Path) -> None:
    """A request that does not fit on the disk is held in memory and answered; the call says why its body is not kept."""
    folder = tmp_path / "runs" / "r"
    with mounted(folder / "bodies", "size=8m"):
        served = serve()
        huge = {"role": "user", "content": os.urandom(12 * 2**20).hex()}
        assert served.ask({**QUESTION, "messages": [huge]})["choices"]
        assert served.ask()["choices"]
        said = served.stop()
        assert "a large request is held in memory: No space left on device" in said
        assert "Traceback" not in said
        large, small = read_run(folder).calls
        assert (large.outcome, large.bodies_lost) == ("completed", "No space left on device")
        assert (large.request.bytes or 0) > 24 * 2**20
        assert (small.outcome, small.bodies_lost) == ("completed", None), "the room was given back"
        assert verify(folder).state == "sealed", verify(folder).problems


_SHUT_DOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN: from here on every write to the file system fails with EIO."""


@contextlib.contextmanager
def mounted_image(image: Path, folder: Path) -> Iterator[None]:
    done = subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"an image of a disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@needs_mounts
def test_a_disk_that_fails_while_calls_go_on(serve: Any, tmp_path: Path) -> None:
    """On a disk that takes no write any more, calls go on; the proxy says what is lost, and what was safe stays."""
    make = shutil.which("mkfs.ext4")
    if make is None:
        pytest.skip("no mkfs.ext4 here to make a file system that can be made to fail")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(16 * 2**20)
    subprocess.run([make, "-q", "-F", image], check=True)
    with mounted_image(image, disk):
        served = serve("--store", str(disk / "runs"))
        for number in range(3):
            served.ask({**QUESTION, "seed": number})
        descriptor = os.open(disk, os.O_RDONLY)
        fcntl.ioctl(descriptor, _SHUT_DOWN, struct.pack("I", 0))
        os.close(descriptor)
        for number in range(3, 6):
            assert served.ask({**QUESTION, "seed": number})["choices"]
        said = served.stop()
        assert served.process.returncode == 3, said
        assert "Input/output error" in said
        assert "are lost" in said
        assert "Traceback" not in said
    with mounted_image(image, disk):
        calls = read_run(disk / "runs" / "r").calls
    assert [call.outcome for call in calls] == ["completed"] * 3


def children(pid: int) -> list[int]:
    """The workers, and not multiprocessing's resource tracker."""
    found = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@contextlib.contextmanager
def memory_group() -> Iterator[Path]:
    """A cgroup of version 1 with a limit of memory for those who are put into it."""
    group = Path("/sys/fs/cgroup/memory") / f"tachograph-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(160 * 2**20))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no group with a limit of memory can be made here: {error.strerror}")
    try:
        yield group
    finally:
        deadline = time.monotonic() + PATIENCE
        while (group / "cgroup.procs").read_text().strip() and time.monotonic() < deadline:
            time.sleep(0.05)
        group.rmdir()


def test_a_worker_that_runs_out_of_memory_is_replaced(serve: Any, tmp_path: Path) -> None:
    """The kernel kills a worker that is over its limit: its call in flight is known to be none, finished ones are all there."""
    with memory_group() as group:
        served = serve("--workers", "2")
        for number in range(10):
            served.ask({**QUESTION, "seed": number})
        workers = children(served.process.pid)
        for pid in workers:
            (group / "cgroup.procs").write_text(str(pid))
        # Up to 16 MiB of a request are held: many that are nearly as long, and never end, fill what memory there is.
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % 2**24
        connections = []
        with contextlib.suppress(ConnectionError):
            for _ in range(30):
                connections.append(served.connect())
                connections[-1].sendall(head + bytes(15 * 2**20))
        deadline = time.monotonic() + PATIENCE
        while set(children(served.process.pid)) <= set(workers) or len(children(served.process.pid)) < 2:
            assert time.monotonic() < deadline, "the workers had memory enough: nothing was tested"
            time.sleep(0.05)
        for connection in connections:
            connection.close()
        for number in range(10, 20):
            served.ask({**QUESTION, "seed": number})
        said = served.stop()
    assert "another takes its place" in said
    run = read_run(tmp_path / "runs" / "r")
    assert [call.outcome for call in run.calls] == ["completed"] * 20
    assert verify(tmp_path / "runs" / "r").state == "sealed"
