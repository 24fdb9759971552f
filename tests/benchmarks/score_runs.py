"""How fast recorded runs are scored from disk, in one command, and how much memory that takes.

python tests/benchmarks/score_runs.py [--runs N] [--calls N] [--json]

The runs are recorded first, by the same code as the proxy's: a growing conversation of a coding agent with tool calls, a
workdir before and after, a check. Scoring reads all of it, and leaves scorecard and spans in each run's folder.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from tachograph.scoring.workdir import snapshot
from tachograph.traces import (
    Call,
    CallRequest,
    CallResponse,
    RunRecording,
    RunStore,
    Timing,
    Usage,
    canonical_request_hash,
)

_MILLISECOND = 1_000_000
_CODE = 'def read(path: str) -> bytes:\n    """Read a file, "whole"."""\n    return Path(path).read_bytes()\n'


def main() -> int:
    """Record, score, report; exits with 1 if scoring failed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="tachograph-score-") as place:
        store = Path(place) / "runs"
        begin = time.perf_counter()
        _record_all(Path(place), store, options.runs, options.calls)
        recorded = time.perf_counter() - begin
        size = sum(path.stat().st_size for path in store.rglob("*") if path.is_file())
        begin = time.perf_counter()
        command = [sys.executable, "-m", "tachograph.harness", "score", str(store), "--require", "pass_rate>=1"]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        seconds = time.perf_counter() - begin
        cards = sum(1 for _ in store.glob("*/scorecard.json"))
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = {
        "runs": options.runs,
        "calls_a_run": options.calls,
        "mib_on_disk": round(size / 2**20, 1),
        "seconds_to_record": round(recorded, 2),
        "seconds_to_score": round(seconds, 2),
        "runs_per_second": round(options.runs / seconds, 1),
        "peak_mib_of_the_largest_process": round(usage.ru_maxrss / 1024, 1),
        "processes": os.cpu_count(),
        "scorecards": cards,
    }
    if options.json:
        print(json.dumps(report))  # noqa: T201
    else:
        print(result.stdout.splitlines()[-1])  # noqa: T201
        for name, value in report.items():
            print(f"{name.replace('_', ' '):>32}  {value}")  # noqa: T201
    return result.returncode if cards == options.runs else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs scored a second.")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _record_all(place: Path, store: Path, runs: int, calls: int) -> None:
    for state, text in (("before", "a - b"), ("after", "a + b")):
        folder = place / state / "src"
        folder.mkdir(parents=True)
        (folder / "calc.py").write_text(f"def add(a, b):\n    return {text}\n")
        (folder / "read.py").write_text(_CODE)
        os.utime(folder / "read.py", (0, 0))
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(_record, place, store, calls), range(runs), chunksize=32))


def _record(place: Path, store: Path, calls: int, number: int) -> None:
    attributes = {
        "tachograph.task.id": f"task-{number % 25}",
        "tachograph.task.expected": ("src/calc.py",),
        "tachograph.task.protected": ("tests/**",),
        "tachograph.agent.name": "an-agent",
        "tachograph.model": "a-model",
    }
    run = RunStore(store).open_run(f"run-{number:06}", attributes)
    snapshot(place / "before", file=run.folder / "workdir.before")
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": _CODE * 40},
        {"role": "user", "content": f"task {number}"},
    ]
    with run.span("agent", "invoke_agent an-agent") as agent:
        run.calls_below = agent.get_span_context()
        for turn in range(calls):
            messages += _call(run, messages, turn)
    snapshot(place / "after", file=run.folder / "workdir.after")
    with run.span("check", "check") as check:
        check.set_attributes(
            {
                "process.exit.code": 0,
                "tachograph.check.passed": True,
                "tachograph.check.command": "pytest",
                "tachograph.check.stdout": run.keep(b"test_calc.py .\n\n1 passed in 0.01s\n"),
                "tachograph.check.stderr": run.keep(b""),
            }
        )
    run.close()


def _call(run: RunRecording, messages: list[dict[str, Any]], turn: int) -> list[dict[str, Any]]:
    """Record one call; gives the messages that it adds."""
    question = {"model": "gpt-4o", "messages": messages, "tools": []}
    arguments = json.dumps({"path": "src/calc.py", "content": _CODE * (turn % 3)})
    tool_call = {"id": f"c{turn}", "type": "function", "function": {"name": "write_file", "arguments": arguments}}
    message = {"role": "assistant", "content": f"Step {turn}.", "tool_calls": [tool_call]}
    usage = {"prompt_tokens": 1000 + turn, "completion_tokens": 50}
    body = json.dumps(question).encode()
    answer = json.dumps(
        {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": usage}
    ).encode()
    request = CallRequest(
        method="POST",
        path="/v1/chat/completions",
        query=None,
        server_address="127.0.0.1",
        server_port=80,
        api="chat_completions",
        provider="openai",
        model="gpt-4o",
        streamed=False,
        session_id=None,
        body_hash=sha256(body).hexdigest(),
        bytes=len(body),
        sent_body_hash=None,
        sent_bytes=None,
        head="Content-Type: application/json",
    )
    run.bodies.put_request(body, request.body_hash or "")
    start_ns = time.time_ns()
    opened = run.start_call(request, start_ns, None)
    response = run.bodies.new_response()
    response.add(answer)
    run.bodies.put_response(response)
    run.end_call(opened, _ended(run, request, question, answer, start_ns=start_ns, turn=turn))
    return [message, {"role": "tool", "tool_call_id": f"c{turn}", "content": f"wrote src/calc.py ({turn})"}]


def _ended(
    run: RunRecording, request: CallRequest, question: object, answer: bytes, *, start_ns: int, turn: int
) -> Call:
    return Call(
        run_id=run.run_id,
        span_id="",
        sequence=turn + 1,
        attempt=1,
        outcome="completed",
        error_type=None,
        message=None,
        discarded=False,
        request=request,
        request_hash=canonical_request_hash(question),
        response=CallResponse(
            status=200,
            model="gpt-4o-2024-11-20",
            id=f"r{turn}",
            upstream_request_id=None,
            finish_reasons=("tool_calls",),
            tool_calls=(),
            body_hash=sha256(answer).hexdigest(),
            bytes=len(answer),
            delivered_body_hash=None,
            delivered_bytes=len(answer),
            head="Content-Type: application/json",
        ),
        usage=Usage(source="provider", input_tokens=1000 + turn, output_tokens=50),
        timing=Timing(
            start_ns=start_ns,
            request_read=1000,
            upstream_sent=2000,
            headers=_MILLISECOND,
            first_byte_in=_MILLISECOND,
            first_byte_out=_MILLISECOND,
            last_byte=_MILLISECOND,
            end=_MILLISECOND,
            chunks=1,
        ),
        bodies_lost=None,
    )


if __name__ == "__main__":
    sys.exit(main())
