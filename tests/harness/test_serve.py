"""`tachograph serve` and the commands that read what it recorded, as their user meets them."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import read_run, verify

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}


def ask(url: str, question: dict[str, Any] = QUESTION, key: str = "agent-own-key") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(question).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


class Served:
    """A `tachograph serve` that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        first = process.stdout.readline()
        assert first.startswith("tachograph: recording http://"), first + (
            process.stderr.read() if process.stderr else ""
        )
        self.url = first.split()[2]
        self.default_run = process.stdout.readline().split()[-1]

    def stop(self, number: signal.Signals = signal.SIGINT) -> str:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return said


@pytest.fixture
def serve(tachograph: Any, rule_upstream: Any) -> Iterator[Callable[..., Served]]:
    upstream = rule_upstream(lambda _: "hello yourself")
    started: list[Served] = []

    def start(*arguments: str, **env: str) -> Served:
        process = tachograph.start("serve", "--upstream", upstream.url, "--port", "0", *arguments, **env)
        started.append(Served(process))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
        served.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_served_is_recorded_and_sealed(serve: Any, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the proxy with its runs sealed, exit code 0 and no traceback."""
    served = serve()
    assert ask(served.url)["choices"][0]["message"]["content"] == "hello yourself"
    said = served.stop(number)
    assert served.process.returncode == 0, said
    assert "1 calls, sealed" in said
    assert "Traceback" not in said
    assert verify(tmp_path / "runs" / served.default_run).state == "sealed"


def test_a_silent_client_does_not_keep_the_proxy_from_stopping(serve: Any) -> None:
    """A connection that is kept alive and idle does not hold up Ctrl-C."""
    served = serve()
    ask(served.url)
    started = time.monotonic()
    served.stop()
    assert time.monotonic() - started < 8


def test_several_workers_share_one_port_and_one_journal(serve: Any, tmp_path: Path) -> None:
    """Calls that several processes record into one run are all there, numbered once, in one chain, sealed once."""
    served = serve("--workers", "3")
    count = 120
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: ask(served.url, {**QUESTION, "seed": number}), range(count)))
    served.stop()
    folder = tmp_path / "runs" / served.default_run
    found = verify(folder)
    assert found.state == "sealed", found.problems
    run = read_run(folder)
    assert sorted(call.sequence or 0 for call in run.calls) == list(range(1, count + 1))
    assert all(call.outcome == "completed" for call in run.calls)


def test_a_worker_that_is_killed_is_replaced(serve: Any, tmp_path: Path) -> None:
    """Killing a worker loses no finished call, and the port goes on being served."""
    served = serve("--workers", "2")
    for number in range(20):
        ask(served.url, {**QUESTION, "seed": number})
    workers = children(served.process.pid)
    os.kill(workers[0], signal.SIGKILL)
    deadline = time.monotonic() + 20
    while len(new := set(children(served.process.pid)) - set(workers)) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for number in range(20, 40):
        ask(served.url, {**QUESTION, "seed": number})
    said = served.stop()
    assert "another takes its place" in said
    assert new
    run = read_run(tmp_path / "runs" / served.default_run)
    assert len(run.calls) == 40
    assert verify(tmp_path / "runs" / served.default_run).state == "sealed"


def children(pid: int) -> list[int]:
    """The workers, and not multiprocessing's resource tracker."""
    found = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_calls_are_shown_as_they_end(serve: Any, tachograph: Any) -> None:
    """`calls --follow` shows each call when it ends, and ends when the run does."""
    served = serve("--run", "watched")
    ask(served.url)
    follower = tachograph.start("calls", "watched", "--follow")
    assert follower.stdout is not None
    assert "Timestamp" in follower.stdout.readline()
    assert "stop" in follower.stdout.readline()
    threading.Timer(0.2, ask, (served.url,)).start()
    assert "stop" in follower.stdout.readline()
    served.stop()
    rest, said = follower.communicate(timeout=20)
    assert follower.returncode == 0, said
    assert rest == ""


def test_the_tables_show_what_was_recorded(serve: Any, tachograph: Any) -> None:
    """`runs`, `calls`, `verify` and `body` agree with one another, as text and as JSON."""
    served = serve("--run", "tables")
    ask(served.url)
    ask(served.url, {**QUESTION, "stream": False, "temperature": 0.5})
    opened = tachograph("verify", "tables")
    assert opened.returncode == 6
    assert opened.stdout.startswith("open: 2 calls")
    served.stop()
    (listed,) = json.loads(tachograph("runs", "--json").stdout)
    assert (listed["run_id"], listed["calls"], listed["sealed"]) == ("tables", 2, True)
    calls = [json.loads(line) for line in tachograph("calls", "tables", "--json").stdout.splitlines()]
    assert [call["sequence"] for call in calls] == [1, 2]
    table = tachograph("calls", "tabl").stdout.splitlines()
    assert table[0].split() == ["Timestamp", "Request", "hash", "Prompt", "Completion", "Latency", "TTFT", "Finish"]
    assert calls[0]["request_hash"][:12] in table[1]
    body = tachograph("body", "tables", calls[0]["request"]["body_hash"][:16]).stdout
    assert json.loads(body) == QUESTION
    sealed = tachograph("verify", "tables", "--json")
    assert sealed.returncode == 0
    assert json.loads(sealed.stdout)["state"] == "sealed"


def test_a_run_key_names_its_run(serve: Any, tachograph: Any, tmp_path: Path) -> None:
    """`tachograph key RUN` gives a key whose calls belong to that run, whichever process serves them."""
    served = serve("--workers", "2")
    key = tachograph("key", "mine").stdout.strip()
    for _ in range(8):
        ask(served.url, key=key)
    served.stop()
    assert len(read_run(tmp_path / "runs" / "mine").calls) == 8


def test_an_altered_run_is_told(serve: Any, tachograph: Any, tmp_path: Path) -> None:
    """`verify` exits with 1 and says what was altered."""
    served = serve("--run", "altered")
    ask(served.url)
    served.stop()
    journal = tmp_path / "runs" / "altered" / "trace.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"chat m"', b'"chat n"'))
    done = tachograph("verify", "altered")
    assert done.returncode == 1
    assert "is altered" in done.stdout


@contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tachograph-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def can_mount() -> bool:
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "probe", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a small file system can be mounted by root only")
def test_calls_go_on_when_the_disk_is_full(serve: Any, tmp_path: Path) -> None:
    """On a full disk no call fails; what cannot be written is said loudly, and written once there is room."""
    with full_disk(tmp_path / "disk") as disk:
        served = serve("--store", str(disk / "runs"), "--run", "full")
        ask(served.url)
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            fill(file)
        for _ in range(5):
            large = {"role": "user", "content": os.urandom(20_000).hex()}
            assert ask(served.url, {**QUESTION, "messages": [large]})["choices"]
        ballast.unlink()
        ask(served.url)
        said = served.stop()
        assert "cannot be written" in said
        assert "Traceback" not in said
        run = read_run(disk / "runs" / "full")
        assert len(run.calls) == 7
        assert verify(disk / "runs" / "full").state == "sealed", verify(disk / "runs" / "full").problems
        assert any(call.bodies_lost for call in run.calls)


def fill(file: Any) -> None:
    size = 65536
    while size:
        try:
            file.write(b"x" * size)
        except OSError:
            size //= 2


@pytest.mark.skipif(not can_mount(), reason="a small file system can be mounted by root only")
def test_a_disk_that_stays_full_is_a_loud_error(serve: Any, tmp_path: Path) -> None:
    """If there is no room until the end, the proxy exits with an error that says what is lost."""
    with full_disk(tmp_path / "disk") as disk:
        served = serve("--store", str(disk / "runs"), "--run", "full")
        ask(served.url)
        with (disk / "ballast").open("wb", buffering=0) as file:
            fill(file)
        ask(served.url, {**QUESTION, "seed": 1})
        said = served.stop()
        assert served.process.returncode == 3
        assert "could not be written and are lost" in said
        assert "Traceback" not in said
