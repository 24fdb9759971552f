"""Calls to record, and runs that are recorded whole."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tachograph.traces import Call, CallRequest, CallResponse, RunRecording, RunStore, Timing, Usage

# A busy machine is no fault of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

RequestMaker = Callable[..., CallRequest]
CallMaker = Callable[..., Call]
CallRecorder = Callable[..., Call]


def make_request(body: bytes = b"{}", **changed: Any) -> CallRequest:
    members: dict[str, Any] = {
        "method": "POST",
        "path": "/v1/chat/completions",
        "query": None,
        "server_address": "127.0.0.1",
        "server_port": 8000,
        "api": "chat_completions",
        "provider": "openai",
        "model": "a-model",
        "streamed": False,
        "session_id": None,
        "body_hash": sha256(body).hexdigest(),
        "bytes": len(body),
        "sent_body_hash": None,
        "sent_bytes": None,
        "head": (("Content-Type", "application/json"), ("X-Trace", "é")),
    }
    return CallRequest(**members | changed)


def make_call(request: CallRequest, answer: bytes = b"{}", start_ns: int = 0, **changed: Any) -> Call:
    response = CallResponse(
        status=200,
        model="a-model-2026",
        id="r1",
        upstream_request_id=None,
        finish_reasons=("stop",),
        tool_calls=(),
        body_hash=sha256(answer).hexdigest(),
        bytes=len(answer),
        delivered_body_hash=None,
        delivered_bytes=len(answer),
        head="content-type: application/json",
    )
    members: dict[str, Any] = {
        "run_id": "",
        "span_id": "",
        "sequence": None,
        "attempt": 1,
        "outcome": "completed",
        "error_type": None,
        "message": None,
        "discarded": False,
        "request": request,
        "request_hash": request.body_hash,
        "response": response,
        "usage": Usage(source="provider", input_tokens=12, output_tokens=3),
        "timing": Timing(start_ns=start_ns, request_read=1_000, upstream_sent=2_000, end=1_000_000),
        "bodies_lost": None,
    }
    return Call(**members | changed)


def record_call(run: RunRecording, body: bytes = b"{}", answer: bytes = b"{}", **changed: Any) -> Call:
    """Record one call as the proxy does: bodies first, the announcement, the end."""
    request = make_request(body)
    run.bodies.put_request(body, request.body_hash or "")
    start_ns = time.time_ns()
    opened = run.start_call(request, start_ns, None)
    response = run.bodies.new_response()
    response.add(answer)
    run.bodies.put_response(response)
    call = make_call(request, answer, start_ns, run_id=run.run_id, sequence=opened.sequence, **changed)
    run.end_call(opened, call)
    return call


@pytest.fixture(scope="session")
def new_request() -> RequestMaker:
    return make_request


@pytest.fixture(scope="session")
def new_call() -> CallMaker:
    return make_call


@pytest.fixture(scope="session")
def record() -> CallRecorder:
    return record_call


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
def run(store: RunStore) -> Iterator[RunRecording]:
    """An open run. The test need not close it."""
    recording = store.open_run("the-run", {"tachograph.task.id": "a-task"})
    yield recording
    recording._opened.close()


class RecorderProcess:
    """A process that records, told what to do by lines: see `record_run.py`."""

    def __init__(self, store: Path, env: dict[str, str]) -> None:
        script = Path(__file__).with_name("record_run.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(store)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )

    def send(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the process ended"
        return answer.rstrip("\n")

    def tell(self, command: str) -> str:
        self.send(command)
        return self.answer()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def recorder(store: RunStore) -> Iterator[Callable[..., RecorderProcess]]:
    started: list[RecorderProcess] = []

    def start(folder: Path | None = None, **env: str) -> RecorderProcess:
        process = RecorderProcess(folder or store.folder, env)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
