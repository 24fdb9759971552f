"""`tachograph runs`, `calls`, `verify` and `body`: what was recorded, read from the disk."""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from .. import traces
from ..traces import Call, InputError, Run, RunStore
from ._selection import find_run
from ._table import format_row, print_table

__all__ = ["body", "calls", "runs", "verify"]

_EXIT_CODES: Final = {"sealed": 0, "damaged": 1, "open": 6}
_FOLLOW_PAUSE: Final = 0.2
"""Seconds between two looks at a journal."""
_CALL_HEADINGS: Final = ("Timestamp", "Request hash", "Prompt", "Completion", "Latency", "TTFT", "Finish")
_CALL_WIDTHS: Final = (24, 12, 9, 10, 9, 9, 20)
_CALL_RIGHT: Final = {2, 3, 4, 5}
_UNKNOWN: Final = "-"


def runs(options: argparse.Namespace) -> int:
    """List the runs of a store."""
    found = [traces.read_run(folder) for folder in RunStore(options.store).run_folders()]
    if options.json:
        print(json.dumps([_run_summary(run) for run in found]))
        return 0
    if not found:
        print(f"no runs in {options.store}")
        return 0
    headings = ("Run", "Started", "Status", "Check", "Calls", "Prompt", "Completion", "Seal")
    print_table(headings, [_run_row(_run_summary(run)) for run in found], right=(4, 5, 6))
    return 0


def _run_summary(run: Run) -> dict[str, Any]:
    checks = [span.attributes.get("tachograph.check.passed") for span in run.spans]
    passed = next((word for word in checks if word is not None), None)
    return {
        "run_id": run.run_id,
        "cell": run.attributes.get("tachograph.cell.id"),
        "started": _timestamp(run.start_ns),
        "status": "running" if run.live else run.status,
        "passed": passed,
        "calls": len(run.calls),
        "calls_without_usage": sum(call.usage.source == "absent" for call in run.calls),
        "input_tokens": _sum(call.usage.input_tokens for call in run.calls),
        "output_tokens": _sum(call.usage.output_tokens for call in run.calls),
        "sealed": run.sealed,
    }


def _run_row(summary: dict[str, Any]) -> list[str]:
    return [
        summary["run_id"],
        summary["started"],
        summary["status"],
        {True: "passed", False: "failed", None: _UNKNOWN}[summary["passed"]],
        str(summary["calls"]),
        _count(summary["input_tokens"]),
        _count(summary["output_tokens"]),
        "sealed" if summary["sealed"] else "open",
    ]


def calls(options: argparse.Namespace) -> int:
    """Show the calls of a run."""
    folder = find_run(options.store, options.run)
    if options.follow:
        shown = _followed(folder)
    else:
        shown = iter(sorted(traces.read_calls(folder), key=lambda call: call.timing.start_ns))
    if not options.json:
        print(format_row(_CALL_HEADINGS, _CALL_WIDTHS, _CALL_RIGHT), flush=True)
    for call in shown:
        if options.json:
            print(json.dumps(dataclasses.asdict(call)), flush=True)
        else:
            print(format_row(_call_row(call), _CALL_WIDTHS, _CALL_RIGHT), flush=True)
    return 0


def _followed(folder: Path) -> Iterator[Call]:
    follower = traces.JournalFollower(folder)
    while True:
        live = traces.is_live(folder)
        for span in follower.new_spans():
            if traces.is_call(span):
                yield traces.call_from_span(span)
        if not live:
            return
        time.sleep(_FOLLOW_PAUSE)


def _call_row(call: Call) -> list[str]:
    finish = ",".join(call.response.finish_reasons) if call.response else ""
    if call.error_type is not None or call.outcome in ("interrupted", "in_flight"):
        finish = call.error_type or call.outcome
    return [
        _timestamp(call.timing.start_ns),
        (call.request_hash or call.request.body_hash or _UNKNOWN)[:12],
        _count(call.usage.input_tokens),
        _count(call.usage.output_tokens),
        _milliseconds(call.timing.end),
        _milliseconds(call.timing.first_content if call.request.streamed else None),
        finish or _UNKNOWN,
    ]


def verify(options: argparse.Namespace) -> int:
    """Say whether a run is whole; exits with 0 sealed, 1 damaged, 6 open."""
    result = traces.verify(find_run(options.store, options.run))
    survey = result.survey
    if options.json:
        told = {
            "state": result.state,
            "problems": result.problems,
            "notes": result.notes,
            "lines": survey.lines,
            "calls": survey.calls,
            "finished_calls": survey.finished_calls,
            "seal": survey.seal.head if survey.seal else None,
        }
        print(json.dumps(told))
        return _EXIT_CODES[result.state]
    seal = f", seal {survey.seal.head}" if survey.seal else ""
    print(f"{result.state}: {survey.calls} calls, {survey.lines} lines, {len(survey.body_hashes)} bodies{seal}")
    for sentence in (*result.problems, *result.notes):
        print(f"  {sentence}")
    return _EXIT_CODES[result.state]


def body(options: argparse.Namespace) -> int:
    """Write a recorded body to standard output; what is masked in it is said on standard error."""
    folder = find_run(options.store, options.run)
    bodies = traces.BodyReader(folder / "bodies")
    found = [digest for digest in bodies if digest.startswith(options.hash.lower())]
    if len(found) != 1:
        what = "no body" if not found else f"{len(found)} bodies"
        raise InputError(f"{folder}: {what} with a hash that begins with {options.hash}; `calls --json` shows them")
    content, about = bodies.get(found[0]), bodies.masked(found[0])
    if about is not None:
        counts = ", ".join(f"{count} {kind}" for kind, count in about.counts.items())
        print(f"tachograph: secrets are masked in this body: {counts}", file=sys.stderr)
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
    return 0


def _timestamp(unix_ns: int) -> str:
    moment = datetime.fromtimestamp(unix_ns // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _sum(counts: Iterator[int | None]) -> int | None:
    """The sum of what is known; None if nothing is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _count(count: int | None) -> str:
    return _UNKNOWN if count is None else f"{count:,}"


def _milliseconds(nanoseconds: int | None) -> str:
    return _UNKNOWN if nanoseconds is None else f"{nanoseconds / 1e6:,.0f} ms"
