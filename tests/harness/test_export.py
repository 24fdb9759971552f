"""`tachograph export` and `serve --export`, as their user meets them."""

import functools
import json
import os
import random
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tachograph.proxy import RecordingTransport
from tachograph.traces import is_call, read_spans
from tachograph.traces.export import read_status
from tests.export_collector import Collector

SECRET = "sk-" + "x" * 20
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
PATIENCE = 60.0
"""Seconds after which a test gives up waiting for what must come."""


def ask(url: str, number: int) -> None:
    body = json.dumps({**QUESTION, "seed": number}).encode()
    request = urllib.request.Request(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
        response.read()


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    threads = [path / "children" for path in Path(f"/proc/{pid}/task").iterdir()]
    return sorted({int(word) for path in threads for word in path.read_text().split()} | set(map(int, found)))


def forwarder_of(pid: int) -> int | None:
    """The process that is spawned beside the one that keeps track of shared resources."""
    for child in children(pid):
        words = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in words:
            return child
    return None


def has_another_forwarder(pid: int, than: int) -> bool:
    return forwarder_of(pid) not in (than, None)


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return value


def record_first(folder: Path) -> None:
    """A run of one call, in the program itself."""
    answer = {"id": "1", "model": "m", "choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 1}}
    inner = httpx2.MockTransport(lambda _: httpx2.Response(200, json=answer))
    with RecordingTransport(store=folder / "runs", run="first", transport=inner) as transport:
        httpx2.Client(transport=transport).post("http://m/v1/chat/completions", json=QUESTION)


def recorded_calls(store: Path) -> set[str]:
    return {
        span.span_id for journal in store.glob("*/trace.jsonl") for span in read_spans(journal.parent) if is_call(span)
    }


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector().start()
    yield made
    made.stop()


class Served:
    def __init__(self, process: Any) -> None:
        self.process = process
        first = process.stdout.readline()
        assert first.startswith("tachograph: recording http://"), first + process.stderr.read()
        self.url = first.split()[2]

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, said
        assert "Traceback" not in said
        return str(said)


@pytest.fixture
def serve(tachograph: Any, rule_upstream: Any) -> Iterator[Callable[..., Served]]:
    upstream = rule_upstream(lambda _: "hello yourself")
    started: list[Any] = []

    def start(*arguments: str, **env: str) -> Served:
        started.append(tachograph.start("serve", "--upstream", upstream.url, "--port", "0", *arguments, **env))
        return Served(started[-1])

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_runs_are_exported_once_and_the_status_tells(tachograph: Any, collector: Collector, tmp_path: Path) -> None:
    """`export RUN --to URL` sends what was not sent, and `--status` shows how far it is."""
    record_first(tmp_path)
    for expected in (True, False):
        done = tachograph("export", "first", "--to", collector.url, "--json")
        assert done.returncode == 0, done.stderr
        assert (json.loads(done.stdout)["spans"] > 0) is expected
    assert collector.collected.calls == recorded_calls(tmp_path / "runs")
    (status,) = json.loads(tachograph("export", "--status", "--json").stdout)
    assert (status["url"], status["runs"], status["bytes_left"]) == (f"{collector.url}/v1/traces", 1, 0)


def test_the_environment_is_enough_and_no_header_is_seen(serve: Any, collector: Collector, tmp_path: Path) -> None:
    """`serve` exports when the standard variables are set; the forwarder's argv and environment hold no header."""
    headers = f"authorization=Bearer%20{SECRET}"
    served = serve(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_HEADERS=headers)
    ask(served.url, 1)
    until(lambda: collector.collected.calls)
    assert collector.collected.headers[0]["authorization"] == f"Bearer {SECRET}"
    pid = until(lambda: forwarder_of(served.process.pid))
    for name in ("cmdline", "environ"):
        assert SECRET.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    said = served.stop()
    assert f"exporting to {collector.url}" in said
    assert SECRET not in said
    assert collector.collected.calls == recorded_calls(tmp_path / "runs")
    assert not [
        path for path in (tmp_path / "runs").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def check_kills(serve: Any, collector: Collector, store: Path, calls: int, kills: int) -> str:
    """Calls pass a proxy whose forwarder is killed at random moments, to a collector that fails half of the time."""
    chance = random.Random()
    collector.fault = lambda _: chance.choice(("503 with Retry-After", "cut", "slow", "slow", None, None))
    served = serve("--export", collector.url)
    numbers = iter(range(calls))
    killed = threading.Event()

    def record() -> None:
        """Evenly over all kills, and the rest at once."""
        for number in numbers:
            ask(served.url, number)
            killed.wait(2.5 * kills / calls)

    recording = threading.Thread(target=record)
    recording.start()
    for _ in range(kills):
        pid = until(lambda: forwarder_of(served.process.pid))
        time.sleep(chance.uniform(0.5, 2.5))  # the moment is what is random
        os.kill(pid, signal.SIGKILL)
        until(functools.partial(has_another_forwarder, served.process.pid, pid))
    killed.set()
    recording.join()
    collector.fault = lambda _: None
    recorded = recorded_calls(store)
    assert len(recorded) == calls
    until(lambda: collector.collected.calls == recorded_calls(store))
    said = served.stop()
    assert said.count("another takes its place") == kills
    assert not collector.collected.changed
    came = collector.collected
    again = sum(came.spans.values()) - len(came.spans)
    return (
        f"\n{kills} kills of the forwarder, {came.faults.total()} faults in {came.requests} requests: {calls} calls "
        f"recorded, {len(came.calls)} arrived, {again} spans came again, {len(came.changed)} of them changed\n"
    )


def test_calls_arrive_whenever_the_forwarder_is_killed(
    serve: Any, collector: Collector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All calls arrive; the agent notices nothing; what comes twice has the same id and content."""
    said = check_kills(serve, collector, tmp_path / "runs", calls=100, kills=2)
    with capsys.disabled():
        sys.stdout.write(said)


@pytest.mark.slow
def test_a_thousand_calls_arrive_whenever_the_forwarder_is_killed(
    serve: Any, collector: Collector, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same, at twenty moments."""
    said = check_kills(serve, collector, tmp_path / "runs", calls=1000, kills=20)
    with capsys.disabled():
        sys.stdout.write(said)


def test_a_collector_that_is_down_does_not_keep_the_proxy(
    serve: Any, tachograph: Any, collector: Collector, tmp_path: Path
) -> None:
    """Calls pass, the end of `serve` is bounded, and the next export sends what was left."""
    collector.stop()
    served = serve("--export", collector.url, "--run", "first")
    ask(served.url, 1)
    (status,) = until(lambda: [found for found in read_status(tmp_path / "runs") if found.failing])
    assert (status.runs_left, status.running) == (1, True)
    assert "sealed" in served.stop()
    collector.start()
    assert tachograph("export", "first", "--to", collector.url).returncode == 0
    assert collector.collected.calls == recorded_calls(tmp_path / "runs")


def test_dead_letters_are_told_and_sent_again(tachograph: Any, collector: Collector, tmp_path: Path) -> None:
    """What is refused for good ends the command with 1 and a word on where it is; another command sends it again."""
    record_first(tmp_path)
    collector.fault = lambda _: "400"
    refused = tachograph("export", "first", "--to", collector.url)
    assert refused.returncode == 1
    assert "dead-letters.jsonl" in refused.stderr
    assert "told to fail" in tachograph("export", "--status").stdout
    collector.fault = lambda _: None
    again = tachograph("export", "--dead-letters", "--to", collector.url)
    assert again.returncode == 0, again.stderr
    assert collector.collected.calls == recorded_calls(tmp_path / "runs")


def test_ctrl_c_ends_an_export_that_can_go_on(tachograph: Any, collector: Collector, tmp_path: Path) -> None:
    """Exit code 130, no traceback, and no call is sent that was acknowledged."""
    record_first(tmp_path)
    following = tachograph.start("export", "--follow", "--to", collector.url)
    until(lambda: collector.collected.calls)
    until(lambda: read_status(tmp_path / "runs")[0].bytes_left == 0)
    following.send_signal(signal.SIGINT)
    _, said = following.communicate(timeout=30)
    assert following.returncode == 130
    assert said == ""
    assert tachograph("export", "first", "--to", collector.url).stdout.startswith("0 spans")
    assert set(collector.collected.spans.values()) == {1}
    assert collector.collected.calls == recorded_calls(tmp_path / "runs")


@pytest.mark.parametrize(
    "arguments",
    [
        ("export",),
        ("export", "first", "--to", "http://c", "--header", SECRET),
        ("export", "first", "--to", "http://c", "--header-file", "no-such-file"),
        ("export", "first", "--follow", "--to", "http://c"),
        ("serve", "--upstream", "http://127.0.0.1:9/v1", "--export", "ftp://c"),
    ],
)
def test_bad_input_is_said(tachograph: Any, arguments: tuple[str, ...]) -> None:
    """Exit code 2, one line, no traceback, no key."""
    done = tachograph(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("tachograph: ")
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
