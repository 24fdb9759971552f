"""The commands of a task itself: its setup, and the check that decides pass or fail."""

from collections.abc import Mapping
from pathlib import Path

from ..scoring.check import CheckResult, read_beneath, with_report
from ..traces import LaunchError
from ._fresh_place import FreshPlace
from ._quiet_command import CommandOutcome, run_quietly
from ._task import Task

__all__ = ["check_result", "run_check", "run_setup"]

_LARGEST_REPORT = 64 * 2**20
"""Bytes of a report file that are kept; what is longer is cut there, and does not read as a whole report."""


async def run_check(task: Task, workdir: Path, env: Mapping[str, str]) -> CommandOutcome:
    """Run the task's check in `workdir`, with exactly this environment, and end whatever it leaves running.

    Raises:
        LaunchError: The command cannot be started.
    """
    return await run_quietly(_shell(task.check_command), workdir, env, task.check_timeout)


def check_result(task: Task, workdir: Path, outcome: CommandOutcome, fresh: FreshPlace) -> CheckResult:
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


async def run_setup(task: Task, workdir: Path, env: Mapping[str, str]) -> CommandOutcome | None:
    """Run the task's setup, if it has one, the way the check is run; None if it has none.

    Raises:
        LaunchError: The command cannot be started, or it failed; the message has the end of its output.
    """
    if task.setup_command is None:
        return None
    outcome = await run_quietly(_shell(task.setup_command), workdir, env, task.check_timeout)
    if not outcome.passed:
        how, _, said = outcome.failure.partition(": ")
        raise LaunchError(f"the setup of task {task.id} {how}: {task.setup_command}\n{said}")
    return outcome


def _shell(line: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", line)
