"""A store of many runs, made fast: a few are recorded by the project's own recorder, the others are copies with other ids."""

import random
import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import product
from pathlib import Path

from tachograph.traces import Call, CallRequest, CallResponse, RunRecording, RunStore, Timing, Usage

__all__ = ["AGENTS", "SPANS_BESIDE_CALLS", "make_store"]

AGENTS = ("aider", "codex", "opencode")
_MODELS = ("gpt-5.2", "claude-sonnet-5")
_TASKS = 4
SPANS_BESIDE_CALLS = 8
"""Of a run: its announcement, agent and check with theirs, its own span, its seal, a score."""
_MILLISECOND = 1_000_000


def make_store(store: Path, runs: int, spans: int) -> int:
    """Fill a store; gives the bytes of its journals.

    Args:
        store: the folder, which is made.
        runs: how many.
        spans: of each run, an even number; two of them make a call.
    """
    calls = (spans - SPANS_BESIDE_CALLS) // 2
    store.mkdir()
    templates = list(_templates(store.parent / "templates", calls))
    size = 0
    for number in range(runs):
        name, trace, journal = templates[number % len(templates)]
        run_id = f"run-{number:08}".encode()
        folder = store / run_id.decode()
        folder.mkdir()
        journal = journal.replace(trace, _trace_of(run_id)).replace(name, run_id)
        (folder / "trace.jsonl").write_bytes(journal)
        size += len(journal)
    return size


def _trace_of(run_id: bytes) -> bytes:
    return sha256(run_id).hexdigest()[:32].encode()


def _templates(place: Path, calls: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Recorded runs, of each agent with each model at each task: name, trace, journal."""
    for number, (agent, model, task) in enumerate(product(AGENTS, _MODELS, range(_TASKS))):
        name = f"template-{number:03}"
        attributes = {
            "tachograph.task.id": f"task-{task}",
            "tachograph.agent.name": agent,
            "tachograph.model": model,
            "tachograph.sweep.id": "benchmark",
        }
        run = RunStore(place).open_run(name, attributes)
        _record(run, agent, model, calls, random.Random(number))
        run.close()
        journal = (run.folder / "trace.jsonl").read_bytes()
        yield name.encode(), _trace_of(name.encode()), journal


def _record(run: RunRecording, agent: str, model: str, calls: int, chance: random.Random) -> None:
    with run.span("agent", f"invoke_agent {agent}") as span:
        run.calls_below = span.get_span_context()
        for turn in range(calls):
            _record_call(run, model, turn, chance)
    passed = chance.random() < 0.6
    with run.span("check", "check a-task") as span:
        span.set_attributes(
            {
                "process.exit.code": int(not passed),
                "tachograph.check.passed": passed,
                "tachograph.check.command": "pytest",
            }
        )
    with run.span("score", "score pass_rate") as span:
        span.set_attributes({"gen_ai.evaluation.name": "pass_rate", "gen_ai.evaluation.score.value": float(passed)})


def _record_call(run: RunRecording, model: str, turn: int, chance: random.Random) -> None:
    request = CallRequest(
        method="POST",
        path="/v1/chat/completions",
        query=None,
        server_address="api.example.com",
        server_port=443,
        api="chat_completions",
        provider="openai",
        model=model,
        streamed=True,
        session_id=None,
        body_hash=chance.randbytes(32).hex(),
        bytes=20_000 + turn,
        sent_body_hash=None,
        sent_bytes=None,
        head="Host: api.example.com\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nUser-Agent: an-agent/1.0",
    )
    start_ns = time.time_ns()
    opened = run.start_call(request, start_ns, None)
    first = chance.randrange(100, 4_000) * _MILLISECOND
    call = Call(
        run_id=run.run_id,
        span_id="",
        sequence=turn + 1,
        attempt=1,
        outcome="completed",
        error_type=None,
        message=None,
        discarded=False,
        request=request,
        request_hash=chance.randbytes(32).hex(),
        response=CallResponse(
            status=200,
            model=f"{model}-2026-08-01",
            id=f"chatcmpl-{turn}",
            upstream_request_id=chance.randbytes(8).hex(),
            finish_reasons=("tool_calls",),
            tool_calls=(),
            body_hash=chance.randbytes(32).hex(),
            bytes=4_000,
            delivered_body_hash=None,
            delivered_bytes=4_000,
            head="content-type: text/event-stream\r\ntransfer-encoding: chunked\r\nserver: example",
        ),
        usage=Usage(
            source="provider",
            input_tokens=5_000 + chance.randrange(5_000),
            output_tokens=50 + chance.randrange(500),
            cache_read_tokens=chance.randrange(4_000),
        ),
        timing=Timing(
            start_ns=start_ns,
            request_read=50_000,
            upstream_sent=90_000,
            headers=first - _MILLISECOND,
            first_byte_in=first,
            first_byte_out=first + 20_000,
            first_content=first + 2 * _MILLISECOND,
            last_byte=first + 900 * _MILLISECOND,
            end=first + 901 * _MILLISECOND,
            largest_gap=30 * _MILLISECOND,
            chunks=40,
        ),
        bodies_lost=None,
    )
    run.end_call(opened, call)
