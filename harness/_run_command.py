"""`tachograph run`: from the command line to runs, watched as they go on."""

import argparse
import asyncio
import contextlib
import functools
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, TextIO

from ..proxy import AgentEndpoint, Proxy, Tally
from ..traces import InputError
from ._agent import Agent, command_agent, load_agent
from ._assignment import Assignment
from ._loop import run_program
from ._masking import mask_logs
from ._private_memory import forget_environments_secrets, keep_memory_private
from ._run import Phase, RunReport, run_once
from ._task import load_task, require_tools
from ._upstream import chosen_upstream, refuse_without_key, settings_from

__all__ = ["run"]

_REFRESH: Final = 0.25
"""Seconds between two looks at a run."""
_FAILED: Final = 1
_OUTCOMES: Final = {True: "passed", False: "failed", None: "not graded"}
"""In words, by what the check says."""


def run(options: argparse.Namespace) -> int:
    """Run an agent at a task, once or more; 0 if at least one attempt passed its check, else 1."""
    keep_memory_private()
    agent = _chosen_agent(options)
    task = load_task(options.task)
    require_tools(task)
    with chosen_upstream(options) as (address, own_model):
        model = options.model or own_model
        if model is None:
            raise InputError("--model is missing: the model's name, as the upstream knows it")
        settings = settings_from(options, address, require_keys=True)
        forget_environments_secrets(settings.upstream_secrets())
        refuse_without_key(settings)
        assignments = [
            Assignment(
                task=task,
                agent=agent,
                model=model,
                sweep=options.sweep,
                attempt=attempt,
                sandbox=options.sandbox,
                keep=options.keep / str(attempt) if options.keep else None,
            )
            for attempt in range(1, options.attempts + 1)
        ]
        reports = run_program(functools.partial(_run_all, Proxy(settings), assignments, options))
    passed = sum(report.verdict.passed is True for report in reports)
    if not options.json and len(reports) > 1:
        print(f"{passed} of {len(reports)} attempts passed")
    return 0 if passed else _FAILED


def _chosen_agent(options: argparse.Namespace) -> Agent:
    if (options.agent is None) == (not options.agent_command):
        raise InputError("give either --agent NAME, or the agent's command line after --")
    return load_agent(options.agent) if options.agent else command_agent(options.agent_command)


async def _run_all(proxy: Proxy, assignments: list[Assignment], options: argparse.Namespace) -> list[RunReport]:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    reports = []
    mask_logs(proxy.redactor)
    await proxy.start()
    try:
        for assignment in assignments:
            async with _watched(assignment, sys.stderr) as watch:
                report = await run_once(proxy, assignment, watch.phase_begins)
            reports.append(report)
            _print_report(assignment, report, watch, as_json=options.json)
    finally:
        await proxy.stop()
    return reports


@dataclass(slots=True)
class _Watch:
    """What people see of a run while it goes on: one line that changes on a terminal, a line a phase elsewhere."""

    assignment: Assignment
    out: TextIO
    started: float
    phase: Phase = "prepare"
    endpoint: AgentEndpoint | None = None

    def phase_begins(self, phase: Phase, endpoint: AgentEndpoint) -> None:
        self.phase, self.endpoint = phase, endpoint
        if not self.out.isatty():
            print(f"tachograph: {endpoint.run_id}: {phase}", file=self.out, flush=True)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def counts(self) -> str:
        tally = self.endpoint.tally if self.endpoint else Tally()
        told = f"{_count(tally.input_tokens)} tokens in, {_count(tally.output_tokens)} out"
        untold = f" ({tally.calls_without_usage} calls told none)" if tally.calls_without_usage else ""
        return f"{tally.calls} calls, {told}{untold}, {self.seconds:.1f} s"

    async def refresh(self) -> None:
        while True:
            print(f"\r\x1b[K{self.assignment.cell}: {self.phase}, {self.counts()}", end="", file=self.out, flush=True)
            await asyncio.sleep(_REFRESH)


@contextlib.asynccontextmanager
async def _watched(assignment: Assignment, out: TextIO) -> AsyncIterator[_Watch]:
    watch = _Watch(assignment, out, time.monotonic())
    if not out.isatty():
        yield watch
        return
    refreshing = asyncio.get_running_loop().create_task(watch.refresh())
    try:
        yield watch
    finally:
        refreshing.cancel()
        print("\r\x1b[K", end="", file=out, flush=True)


def _print_report(assignment: Assignment, report: RunReport, watch: _Watch, *, as_json: bool) -> None:
    summary = _summary(assignment, report, watch)
    if as_json:
        print(json.dumps(summary), flush=True)
        return
    outcome = _OUTCOMES[report.verdict.passed]
    seal = f"sealed {report.seal.head[:16]}" if report.seal else "not sealed"
    print(f"{outcome}  {report.run_id}  {watch.counts()}, {seal}", flush=True)
    if not report.verdict.passed:
        print(f"        {report.verdict.reason}; agent {_how_agent_ended(report)}", flush=True)


def _summary(assignment: Assignment, report: RunReport, watch: _Watch) -> dict[str, Any]:
    tally = watch.endpoint.tally if watch.endpoint else Tally()
    return {
        "run_id": report.run_id,
        "cell": assignment.cell,
        "status": report.status,
        "passed": report.verdict.passed,
        "verdict": report.verdict.reason,
        "agent_exit_code": report.agent.exit_code,
        "agent_timed_out": report.agent.timed_out,
        "check_exit_code": report.check.exit_code,
        "check_timed_out": report.check.timed_out,
        "calls": tally.calls,
        "calls_without_usage": tally.calls_without_usage,
        "input_tokens": tally.input_tokens,
        "output_tokens": tally.output_tokens,
        "seconds": watch.seconds,
        "seal": report.seal.head if report.seal else None,
    }


def _count(tokens: int | None) -> str:
    return "-" if tokens is None else f"{tokens:,}"


def _how_agent_ended(report: RunReport) -> str:
    agent = report.agent
    if agent.timed_out:
        return "timed out"
    return f"died of signal {agent.signal}" if agent.signal else f"ended with exit code {agent.exit_code}"
