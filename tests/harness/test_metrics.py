"""`serve --metrics`, as Prometheus meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Scrape:
    """What one look at `/metrics` gives."""

    def __init__(self, text: str) -> None:
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels."""
        found = [s.value for s in self.samples if s.name == f"tachograph_{name}" and labels.items() <= s.labels.items()]
        return sum(found)

    def has(self, name: str) -> bool:
        return any(sample.name == f"tachograph_{name}" for sample in self.samples)


class Served:
    """A `tachograph serve --metrics` that runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        lines: list[str] = []
        while not lines or "metrics at" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read() if process.stderr else ""
        self.url = lines[0].split()[2]
        self.metrics = lines[-1].split()[-1]

    def ask(self, run: str | None = None, **more: Any) -> None:
        url = self.url if run is None else f"{self.url.removesuffix('/v1')}/r/{run}/v1"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/chat/completions", json.dumps(QUESTION | more).encode(), headers)
        with OPENER.open(request, timeout=60) as response:
            response.read()

    def scrape(self) -> Scrape:
        with OPENER.open(self.metrics, timeout=60) as response:
            return Scrape(response.read().decode())

    def scrape_until(self, holds: Callable[[Scrape], bool]) -> Scrape:
        deadline = time.monotonic() + 60
        while not holds(scrape := self.scrape()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return scrape

    def children(self) -> dict[str, int]:
        """The processes that it started, by the port that they listen on being its own or the metrics'."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        found = [int(child) for task in tasks for child in (task / "children").read_text().split()]
        spawned = [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
        return {("metrics" if _nice(child) else f"worker {number}"): child for number, child in enumerate(spawned)}

    def stop(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=60)
        return said


def _nice(pid: int) -> bool:
    """The process of the metrics is nice to the others."""
    return os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)


@pytest.fixture
def serve(tachograph: Any, rule_upstream: Any) -> Iterator[Callable[..., Served]]:
    upstream = rule_upstream(lambda _: "hello yourself")
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Served:
        options = ("--port", "0", "--metrics", "0", *arguments)
        started.append(tachograph.start("serve", "--upstream", upstream.url, *options))
        return Served(started[-1])

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_numbers_are_those_of_the_calls(serve: Any, tachograph: Any) -> None:
    """A scrape tells what `calls --json` tells, the moment that a call has ended, and nothing is dropped."""
    served = serve("--run", "counted", "--workers", "2")
    for number in range(6):
        served.ask(stream=bool(number % 2))
    scrape = served.scrape()
    served.ask(run="another")
    calls = [json.loads(line) for line in tachograph("calls", "counted", "--json").stdout.splitlines()]
    assert scrape("calls_total") == len(calls) == 6
    assert scrape("calls_total", api="chat_completions", model="m", outcome="completed", status_class="2xx") == 6
    for kind in ("input", "output"):
        told = sum(call["usage"][f"{kind}_tokens"] for call in calls)
        assert scrape("token_usage_total", token_type=kind) == told
    assert scrape("token_usage_total", usage_source="injected") > 0
    assert not scrape.has("calls_without_usage_total")
    assert scrape("operation_duration_seconds_count") == 6
    total = sum(call["timing"]["end"] for call in calls) / 1e9
    assert scrape("operation_duration_seconds_sum") == pytest.approx(total)
    assert scrape("operation_time_to_first_token_seconds_count") == 3
    assert scrape("request_bytes_total") == sum(call["request"]["bytes"] for call in calls)
    assert (scrape("calls_open"), scrape("runs_open"), scrape("journal_unread_bytes")) == (0, 1, 0)
    for drop in ("journal_unwritten_lines", "journal_lost_lines_total", "calls_bodies_lost_total"):
        assert scrape.has(drop)
        assert scrape(drop) == 0
    assert served.scrape()("calls_total") == 7
    said = served.stop()
    assert "another: 1 calls, sealed" in said
    assert "Traceback" not in said
    assert served.process.returncode == 0


def test_two_hundred_runs_are_one_page(serve: Any) -> None:
    """Runs are no label: the calls of 200 of them are in the same few numbers."""
    served = serve()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: served.ask(run=f"r{number}"), range(200)))
    scrape = served.scrape()
    assert scrape("calls_total") == 200
    assert scrape("runs_open") == 201
    assert len([sample for sample in scrape.samples if sample.name == "tachograph_calls_total"]) == 1


def test_the_end_of_the_metrics_disturbs_no_call(serve: Any) -> None:
    """Killed, it is started again on the same port, and counts what it had counted."""
    served = serve("--workers", "2")
    served.ask()
    before = served.scrape()
    killed = served.children()["metrics"]
    os.kill(killed, signal.SIGKILL)
    for _ in range(5):
        served.ask()
    after = served.scrape()
    assert (before("calls_total"), after("calls_total")) == (1, 6)
    assert served.children()["metrics"] != killed
    assert "the process of the metrics died; another takes its place" in served.stop()


def test_a_worker_that_is_killed_takes_no_number_back(serve: Any) -> None:
    """After kill -9 of a worker the counters go on from where they were."""
    served = serve("--workers", "2")
    for _ in range(10):
        served.ask()
    assert served.scrape()("calls_total") == 10
    worker = next(pid for name, pid in served.children().items() if name != "metrics")
    os.kill(worker, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while worker in (now := served.children().values()) or len(now) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for _ in range(10):
        served.ask()
    scrape = served.scrape()
    assert (scrape("calls_total"), scrape("journal_lost_lines_total")) == (20, 0)
    served.stop()


def test_it_ends_with_the_proxy_however_that_ends(serve: Any) -> None:
    """A proxy that is killed leaves nobody behind on the port of the metrics."""
    served = serve()
    served.ask()
    served.scrape()
    metrics = served.children()["metrics"]
    served.process.kill()
    served.process.communicate()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{metrics}").exists() and _state(metrics) != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        found = re.search(r"\) (\w)", Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return "Z"
    return found[1] if found else ""


def test_others_may_not_read_them_unless_told(tachograph: Any) -> None:
    """An address that others can reach is refused in plain words, and what is no address, too."""
    options = ("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--metrics")
    refused = tachograph(*options, "0.0.0.0:0")
    assert refused.returncode == 2
    assert "--metrics-outside" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "is no [HOST:]PORT" in tachograph(*options, "here").stderr


def can_mount() -> bool:
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "probe", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a small file system can be mounted by root only")
def test_a_full_disk_is_loud(serve: Any, tmp_path: Path) -> None:
    """Lines that cannot be written are told while they wait, are no more when there is room, and lost bodies stay told."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tachograph-test", disk], check=True)
    try:
        served = serve("--store", str(disk / "runs"), "--run", "full", "--workers", "2")
        served.ask()
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(b"x" * 1024)
                except OSError:
                    break
        for _ in range(4):
            served.ask(user=os.urandom(20_000).hex())
        full = served.scrape_until(lambda scrape: scrape("journal_unwritten_lines") > 0)
        assert full("journal_lag_seconds") >= 0
        ballast.unlink()
        for _ in range(20):
            served.ask()
        free = served.scrape_until(lambda scrape: scrape("journal_unwritten_lines") == 0)
        assert free("calls_bodies_lost_total") > 0
        served.stop()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_missing_extra_is_told(tmp_path: Path) -> None:
    """Without prometheus-client the command says what to install."""
    program = (
        "import sys; sys.modules['prometheus_client'] = None; from tachograph.harness._cli import main; "
        "sys.exit(main(['serve', '--upstream', 'http://127.0.0.1:9/v1', '--port', '0', '--metrics', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'tachograph[metrics]'" in done.stderr
    assert "Traceback" not in done.stderr
