"""Whether a check was passed: its exit code and its report have to say so, both.

Three values, as in Kleene's logic: if one of the two says no, it is no; if one is not known, the other's yes is not enough.
"""

import signal
from dataclasses import dataclass
from typing import Final

from ._result import CheckResult

__all__ = ["Verdict", "judge_check"]

_NOT_STARTED: Final = {126: "cannot be executed", 127: "was not found"}
"""What `sh` says with its exit code of a command that it did not run (POSIX, Shell Command Language, 2.8.2)."""
_TOLD: Final = {
    True: "the recorder judged that it was passed; its outputs are not here",
    False: "the recorder judged that it was not passed; its outputs are not here",
    None: "the recorder found nothing in its outputs that can be relied upon; they are not here",
}
_CRASHES: Final = frozenset(
    {signal.SIGILL, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV, signal.SIGTRAP}
)
"""Signals that a program brings upon itself: the tested code crashed. Any other one came from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check says of the run."""

    passed: bool | None
    """None if it says nothing that can be relied upon."""
    reason: str
    """Why, in one sentence."""
    by_report: bool
    """Whether a report had a part in it; else it rests on the exit code alone."""
    no_tests: bool = False
    """The report says that no test ran, or that all were skipped."""
    disagreement: str | None = None
    """How exit code and report contradict each other; None if they do not."""
    unmet: tuple[str, ...] | None = None
    """Expected tests that did not run and pass, in the order in which the task names them; None if no report tells."""


def judge_check(check: CheckResult) -> Verdict:
    """Say whether a check was passed.

    A check that ran out of time, or crashed, was not passed. One that was never started, was ended from outside, or ran no
    test, says nothing: whatever its exit code is.
    """
    if check.told is not None:
        return Verdict(passed=check.told.passed, reason=_TOLD[check.told.passed], by_report=check.told.by_report)
    for broken in (_never_ran(check), _ended_early(check), _without_tests(check), _without_report(check)):
        if broken is not None:
            return broken
    return _conclude(check)


def _never_ran(check: CheckResult) -> Verdict | None:
    if check.timed_out or check.signal is not None:
        return None
    if check.exit_code is None:
        return _unknown(check, check.problem or "it is not known how the check ended")
    if check.exit_code in _NOT_STARTED:
        said = _NOT_STARTED[check.exit_code]
        return _unknown(check, f"the check did not run: its command {said} (exit code {check.exit_code})")
    return None


def _ended_early(check: CheckResult) -> Verdict | None:
    if check.timed_out:
        return Verdict(passed=False, reason="the check ran out of time", by_report=False, unmet=_unmet(check))
    if check.signal is None:
        return None
    if check.signal in _CRASHES:
        return Verdict(
            passed=False, reason=f"the check crashed (signal {check.signal})", by_report=False, unmet=_unmet(check)
        )
    return _unknown(check, f"signal {check.signal} ended the check from outside")


def _without_tests(check: CheckResult) -> Verdict | None:
    if check.tests is None or any(test.outcome != "skipped" for test in check.tests):
        return None
    how = f"all {len(check.tests)} tests were skipped" if check.tests else "no test ran"
    return Verdict(
        passed=None,
        reason=f"{how}, by the check's {check.report_format} report (exit code {check.exit_code})",
        by_report=True,
        no_tests=True,
        unmet=_unmet(check),
    )


def _without_report(check: CheckResult) -> Verdict | None:
    if check.tests is not None or not (check.report_promised or check.expected_tests):
        return None
    found = check.problem or "the check left no report that is understood"
    return _unknown(check, f"{found} (exit code {check.exit_code})")


def _conclude(check: CheckResult) -> Verdict:
    by_exit_code, by_report, unmet = check.exit_code == 0, _by_report(check), _unmet(check)
    said = f"exit code {check.exit_code}"
    if by_report is None:
        if by_exit_code and (check.report_promised or check.expected_tests):
            return _unknown(check, f"{said}, but the report cannot be relied upon: {check.problem}")
        return Verdict(
            passed=by_exit_code, reason=f"{said}, and no report that can be relied upon", by_report=False, unmet=unmet
        )
    found = "its report says that all passed" if by_report else _shortfall(check, unmet)
    return Verdict(
        passed=by_exit_code and by_report,
        reason=f"{said}, and {found}" if by_exit_code == by_report else f"{said}, but {found}",
        by_report=True,
        disagreement=None if by_exit_code == by_report else f"{said}, but {found}",
        unmet=unmet,
    )


def _by_report(check: CheckResult) -> bool | None:
    if check.tests is None:
        return None
    if _unmet(check) or any(test.outcome in ("failed", "error") for test in check.tests):
        return False
    return None if check.problem is not None else True


def _shortfall(check: CheckResult, unmet: tuple[str, ...] | None) -> str:
    failed = sum(test.outcome in ("failed", "error") for test in check.tests or ())
    said = [f"{failed} of {len(check.tests or ())} tests failed"] if failed else []
    said += [f"{len(unmet)} of {len(check.expected_tests or ())} expected tests did not run and pass"] if unmet else []
    return "by its report " + ", ".join(said)


def _unmet(check: CheckResult) -> tuple[str, ...] | None:
    if check.tests is None:
        return None
    passed = {test.name for test in check.tests if test.outcome == "passed"}
    return tuple(name for name in check.expected_tests or () if name not in passed)


def _unknown(check: CheckResult, reason: str) -> Verdict:
    return Verdict(passed=None, reason=reason, by_report=False, unmet=_unmet(check))
