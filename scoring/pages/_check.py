"""What the check said: all of its output, and its tests."""

from typing import Any, Final

from .._record import RunRecord
from ..check import judge_check

__all__ = ["check_of"]

_LONGEST: Final = 2**20
"""Characters of each output."""


def check_of(record: RunRecord) -> dict[str, Any] | None:
    """The check of a run; None if none was recorded."""
    check = record.check
    if check is None:
        return None
    verdict = judge_check(check)
    stdout, stdout_cut = _text(check.stdout)
    stderr, stderr_cut = _text(check.stderr)
    lost = "its output was not kept" if stdout is None and stderr is None else None
    notes = [
        verdict.reason,
        check.problem,
        *check.remarks,
        lost,
        stdout_cut and f"{stdout_cut:,} more characters of standard output are not on the page",
        stderr_cut and f"{stderr_cut:,} more characters of standard error are not on the page",
        check.set_aside and f"left out of the check: {', '.join(check.set_aside)}",
        check.restored and f"put back as the task has them: {', '.join(check.restored)}",
    ]
    return {
        "command": check.command,
        "passed": verdict.passed,
        "exit_code": check.exit_code,
        "signal": check.signal,
        "timed_out": check.timed_out,
        "duration_ms": None if check.duration_ns is None else check.duration_ns / 1e6,
        "stdout": stdout,
        "stderr": stderr,
        "report_format": check.report_format,
        "tests": None if check.tests is None else [_test(test) for test in check.tests],
        "fresh_copy": check.fresh_copy,
        "note": "; ".join(dict.fromkeys(note for note in notes if note)),
    }


def _text(output: bytes | None) -> tuple[str | None, int]:
    """An output as far as it is on the page, and how many characters are not."""
    if output is None:
        return None, 0
    text = output.decode("utf-8", "replace")
    return text[:_LONGEST], max(len(text) - _LONGEST, 0)


def _test(test: Any) -> dict[str, Any]:
    return {"name": test.name, "outcome": test.outcome, "seconds": test.seconds, "message": test.message}
