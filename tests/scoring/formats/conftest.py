"""Runs to write in other forms: recorded ones, and scored ones made of values."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring import AxisValue, Outcome, RunRecord, unmeasured
from tachograph.scoring.formats import ScoredRun
from tachograph.scoring.transcript import read_transcript
from tachograph.traces import (
    BodyReader,
    Call,
    CallRequest,
    CallResponse,
    RunRecording,
    RunStore,
    Timing,
    Usage,
    read_run,
)

START = 1_700_000_000_123_456_789
SECOND = 1_000_000_000
SOLVED = Outcome(party="solved", reason="passed", message="the check passed")
USED = Usage(source="provider", input_tokens=100, output_tokens=20, cache_read_tokens=60, reasoning_tokens=5)


class Agent:
    """Records what an agent asks and is answered, a call every ten seconds, sending its whole history with each."""

    def __init__(self, recording: RunRecording) -> None:
        self._recording = recording
        self._calls = 0
        self.history: list[dict[str, Any]] = []

    def ask(self, *messages: dict[str, Any], answer: dict[str, Any] | None, **changed: Any) -> Call:
        """Record a call that adds messages to the history. An answer of None was never given."""
        self.history += messages
        body = json.dumps({"model": "a-model", "messages": self.history}).encode()
        told = {"choices": [{"index": 0, "message": answer, "finish_reason": "stop"}]}
        answered = b"" if answer is None else json.dumps(told).encode()
        if answer is not None:
            self.history.append(answer)
        return self.record(body, answered, **changed)

    def record(self, body: bytes, answer: bytes, **changed: Any) -> Call:
        self._calls += 1
        request = self._request(body, **changed.pop("request", {}))
        bodies = self._recording.bodies
        bodies.put_request(body, request.body_hash or "")
        grown = bodies.new_response()
        grown.add(answer)
        bodies.put_response(grown)
        start_ns = START + self._calls * 10 * SECOND
        opened = self._recording.start_call(request, start_ns, None)
        members: dict[str, Any] = {
            "run_id": self._recording.run_id,
            "span_id": "",
            "sequence": opened.sequence,
            "attempt": 1,
            "outcome": "completed",
            "error_type": None,
            "message": None,
            "discarded": False,
            "request": request,
            "request_hash": None,
            "response": self._response(answer, changed.pop("status", 200)),
            "usage": USED,
            "timing": Timing(
                start_ns=start_ns,
                request_read=1_000,
                upstream_sent=2_000,
                first_byte_in=SECOND,
                first_byte_out=SECOND + 500,
                first_content=SECOND,
                last_byte=2 * SECOND,
                end=2 * SECOND,
            ),
            "bodies_lost": None,
        }
        call = Call(**members | changed)
        self._recording.end_call(opened, call)
        return call

    def _request(self, body: bytes, **changed: Any) -> CallRequest:
        members: dict[str, Any] = {
            "method": "POST",
            "path": "/v1/chat/completions",
            "query": None,
            "server_address": "127.0.0.1",
            "server_port": 80,
            "api": "chat_completions",
            "provider": "openai",
            "model": "a-model",
            "streamed": True,
            "session_id": None,
            "body_hash": sha256(body).hexdigest(),
            "bytes": len(body),
            "sent_body_hash": None,
            "sent_bytes": None,
            "head": "Content-Type: application/json",
        }
        return CallRequest(**members | changed)

    def _response(self, answer: bytes, status: int) -> CallResponse:
        return CallResponse(
            status=status,
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

    def recorded(self) -> RunRecord:
        """The run as it lies on disk."""
        folder: Path = self._recording.folder
        run = read_run(folder)
        return RunRecord(run=run, transcript=read_transcript(run.calls, BodyReader(folder / "bodies")))


@pytest.fixture(scope="session")
def start_agent() -> type[Agent]:
    return Agent


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    recording = RunStore(tmp_path / "runs").open_run("the-run")
    yield Agent(recording)
    recording.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A scored run of values."""

    run_id: str = "r1"
    identity: dict[str, Any] = field(
        default_factory=lambda: {"agent": "aider", "model": "m", "task": "t", "attempt": 1}
    )
    start_ns: int = START
    end_ns: int | None = START + 1_500_000_000
    outcome: Outcome = SOLVED
    axes: tuple[AxisValue, ...] = ()


def measured(axis: str, value: float, **changed: Any) -> AxisValue:
    members: dict[str, Any] = {
        "axis": axis,
        "value": value,
        "status": "measured",
        "bound": "exact",
        "unit": "1",
        "source": "check",
        "n": 1,
        "reason": None,
        "formula": f"{axis}/x",
        "version": 1,
    }
    return AxisValue(**members | changed)


def missing(axis: str, reason: str) -> AxisValue:
    return unmeasured(axis, "missing", reason, formula=f"{axis}/x", version=1)


@pytest.fixture(scope="session")
def scored_run() -> Callable[..., ScoredRun]:
    return Scored


@pytest.fixture(scope="session")
def value_of() -> Callable[..., AxisValue]:
    return measured


@pytest.fixture(scope="session")
def missing_value() -> Callable[[str, str], AxisValue]:
    return missing
