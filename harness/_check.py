"""The commands of a task itself: its setup, and the check that decides pass or fail."""

import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..scoring.check import CheckResult, read_beneath, with_report
from ..traces import LaunchError
from ._fresh_place import FreshPlace
from ._processes import end_all, exit_status, overran, start
from ._task import Task

__all__ = ["CheckOutcome", "check_result", "run_check", "run_setup"]

_SHOWN_BYTES = 4096
_LARGEST_REPORT = 64 * 2**20
"""Bytes of a report file that are kept; what is longer is cut there, and does not read as a whole report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOutcome:
    """How a check, or a setup, ended."""

    exit_code: int | None
    """None if a signal ended it."""
    signal: int | None
    """None if it exited by itself."""
    timed_out: bool
    started_ns: int
    """Unix time, nanoseconds."""
    duration_ns: int
    """Until the command exited or its time was up, by a monotonic clock."""
    stdout: bytes
    """The whole of it."""
    stderr: bytes
    """The whole of it."""

    @property
    def passed(self) -> bool:
        """Exit code 0 within the time."""
        return self.exit_code == 0 and not self.timed_out


async def run_check(task: Task, workdir: Path, env: Mapping[str, str]) -> CheckOutcome:
    """Run the task's check in `workdir`, with exactly this environment, and end whatever it leaves running.

    Raises:
        LaunchError: The command cannot be started.
    """
    return await _run(task.check_command, workdir, env, task.check_timeout)


def check_result(task: Task, workdir: Path, outcome: CheckOutcome, fresh: FreshPlace) -> CheckResult:
    """What a check that ran in a fresh place says, with the results that its report tells of."""
    report, problem = None, None
    if task.report_path is not None:
        try:
            report = read_beneath(workdir, task.report_path, _LARGEST_REPORT)
        except OSError as error:
            problem = f"the check's report {task.report_path} cannot be read: {error.strerror}"
    return with_report(
        CheckResult(
            command=task.check_command,
            exit_code=outcome.exit_code,
            signal=outcome.signal,
            timed_out=outcome.timed_out,
            duration_ns=outcome.duration_ns,
            stdout=outcome.stdout,
            stderr=outcome.stderr,
            report=report,
            report_promised=task.check_report,
            expected_tests=task.check_tests,
            fresh_copy=True,
            set_aside=tuple(item.path for item in fresh.set_aside),
            set_aside_rules=tuple(item.rule for item in fresh.set_aside),
            restored=fresh.restored,
            problem=problem,
        )
    )


async def run_setup(task: Task, workdir: Path, env: Mapping[str, str]) -> CheckOutcome | None:
    """Run the task's setup, if it has one, the way the check is run; None if it has none.

    Raises:
        LaunchError: The command cannot be started, or it failed; the message has the end of its output.
    """
    if task.setup_command is None:
        return None
    outcome = await _run(task.setup_command, workdir, env, task.check_timeout)
    if not outcome.passed:
        raise LaunchError(f"the setup of task {task.id} {_failure(outcome)}: {task.setup_command}\n{_tail(outcome)}")
    return outcome


async def _run(command: str, workdir: Path, env: Mapping[str, str], seconds: float) -> CheckOutcome:
    # Files and not pipes: a process left behind cannot hold the output open, and no output is too long for them.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started_ns, begin = time.time_ns(), time.monotonic_ns()
        descriptors = (subprocess.DEVNULL, stdout.fileno(), stderr.fileno())
        process = start("/bin/sh", ("/bin/sh", "-c", command), workdir, env, descriptors)
        try:
            timed_out = await overran(process, seconds)
            duration_ns = time.monotonic_ns() - begin
        finally:
            await end_all(process, env)
        exit_code, signal = exit_status(process)
        stdout.seek(0)
        stderr.seek(0)
        return CheckOutcome(
            exit_code=exit_code,
            signal=signal,
            timed_out=timed_out,
            started_ns=started_ns,
            duration_ns=duration_ns,
            stdout=stdout.read(),
            stderr=stderr.read(),
        )


def _failure(outcome: CheckOutcome) -> str:
    if outcome.timed_out:
        return f"did not end within {outcome.duration_ns / 1e9:.0f} s"
    return (
        f"failed with exit code {outcome.exit_code}" if outcome.signal is None else f"died of signal {outcome.signal}"
    )


def _tail(outcome: CheckOutcome) -> str:
    return (outcome.stdout + outcome.stderr)[-_SHOWN_BYTES:].decode("utf-8", "replace")
