"""Whether the task's check was passed."""

import hashlib
from collections import Counter
from itertools import zip_longest
from typing import Any, Final

from .._axis_value import AxisValue, Evidence, unmeasured
from .._record import RunRecord
from ..check import CheckResult, TestCase, TestOutcome, Verdict, explain_rule, judge_check

__all__ = ["pass_rate"]

_AXIS: Final = "pass_rate"
_FORMULA: Final = "pass_rate/exit-code-and-report"
_VERSION: Final = 1
_OUTCOMES: Final[tuple[TestOutcome, ...]] = ("passed", "failed", "error", "skipped")
_TAIL_CHARACTERS: Final = 2000
_MOST_TESTS: Final = 2000
"""That are shown one by one, the failed ones first."""
_MOST_EVIDENCE: Final = 20


def pass_rate(record: RunRecord) -> AxisValue:
    """1 if the check was passed, 0 if not: a run is one observation of the rate.

    Passed means: the check's exit code is 0, and its report names at least one test that ran, none that failed, and every
    expected one as passed. If either says no, it is no. Without a report, where the task promises none, the exit code
    decides alone, and `source` says so. A check that did not run, or ran no test, is an `error`, whatever its exit code.
    """
    check = record.check
    if check is None:
        return unmeasured(
            _AXIS,
            "missing",
            record.reasons.get("check") or "no check was recorded",
            formula=_FORMULA,
            version=_VERSION,
        )
    verdict = judge_check(check)
    details, flags = _details(check, verdict), _flags(check, verdict)
    if verdict.passed is None:
        return unmeasured(
            _AXIS, "error", verdict.reason, formula=_FORMULA, version=_VERSION, details=details, flags=flags
        )
    return AxisValue(
        axis=_AXIS,
        value=float(verdict.passed),
        status="measured",
        bound="exact",
        unit="1",
        source=details["source"],
        n=1,
        reason=None,
        formula=_FORMULA,
        version=_VERSION,
        details=details,
        flags=flags,
        evidence=tuple(_evidence(check, verdict)),
    )


def _details(check: CheckResult, verdict: Verdict) -> dict[str, Any]:
    outcomes = Counter(test.outcome for test in check.tests) if check.tests is not None else None
    return {
        "pass": None if verdict.passed is None else int(verdict.passed),
        "exit_code": check.exit_code,
        "signal": check.signal,
        "timed_out": check.timed_out,
        "stdout_tail": _tail(check.stdout),
        "stderr_tail": _tail(check.stderr),
        "partial_score": _partial_score(check, verdict),
        "partial_score_of": _partial_score_of(check),
        "source": "exit_code+report" if verdict.by_report else "exit_code",
        "reason": verdict.reason,
        "command": check.command,
        "duration_ms": None if check.duration_ns is None else check.duration_ns / 1e6,
        "report": {
            "promised": check.report_promised,
            "format": check.report_format,
            "problem": check.problem,
            "remarks": list(check.remarks),
        },
        "counts": None if outcomes is None else {name: outcomes[name] for name in _OUTCOMES},
        "tests": None if check.tests is None else [_shown(test) for test in _worst_first(check.tests)[:_MOST_TESTS]],
        "expected_tests": None if check.expected_tests is None else list(check.expected_tests),
        "expected_unmet": None if verdict.unmet is None or check.expected_tests is None else list(verdict.unmet),
        "no_tests": None if check.tests is None else not any(test.outcome != "skipped" for test in check.tests),
        "disagreement": verdict.disagreement,
        "fresh_copy": check.fresh_copy,
        "set_aside": None if check.fresh_copy is None else _set_aside(check),
        "restored": None if check.fresh_copy is None else list(check.restored),
        "stdout": _whole(check.stdout),
        "stderr": _whole(check.stderr),
    }


def _flags(check: CheckResult, verdict: Verdict) -> tuple[str, ...]:
    raised = {
        "no_tests": verdict.no_tests,
        "timed_out": check.timed_out,
        "disagreement": verdict.disagreement is not None,
        "expected_unmet": bool(verdict.unmet),
        "exit_code_alone": verdict.passed is not None and not verdict.by_report,
        "report_problem": check.problem is not None,
        "not_on_a_fresh_copy": check.fresh_copy is not True,
        "set_aside": bool(check.set_aside),
        "restored": bool(check.restored),
    }
    return tuple(name for name, holds in raised.items() if holds)


def _partial_score_of(check: CheckResult) -> str | None:
    """What the partial score is a share of: the tests that the task names, else those that ran."""
    if check.tests is None:
        return None
    return "expected_tests" if check.expected_tests else "tests"


def _partial_score(check: CheckResult, verdict: Verdict) -> float | None:
    """The share of tests that passed; None if no report tells. An expected test that was skipped, or is not there, did not."""
    ran = [test for test in check.tests or () if test.outcome != "skipped"]
    if not ran:
        return None
    if check.expected_tests and verdict.unmet is not None:
        return (len(check.expected_tests) - len(verdict.unmet)) / len(check.expected_tests)
    return sum(test.outcome == "passed" for test in ran) / len(ran)


def _set_aside(check: CheckResult) -> list[dict[str, Any]]:
    named = zip_longest(check.set_aside, check.set_aside_rules[: len(check.set_aside)])
    return [{"path": path, "rule": rule, "reason": explain_rule(rule)} for path, rule in named]


def _worst_first(tests: tuple[TestCase, ...]) -> list[TestCase]:
    return sorted(tests, key=lambda test: test.outcome not in ("failed", "error"))


def _shown(test: TestCase) -> dict[str, Any]:
    return {"name": test.name, "outcome": test.outcome, "seconds": test.seconds, "message": test.message}


def _evidence(check: CheckResult, verdict: Verdict) -> list[Evidence]:
    failed = [test for test in check.tests or () if test.outcome in ("failed", "error")]
    known = {test.name: test.outcome for test in check.tests or ()}
    notes: dict[str, str] = {test.name: test.outcome for test in failed}
    notes |= {name: f"expected, and {known.get(name, 'not run')}" for name in verdict.unmet or ()}
    return [Evidence(kind="check", reference=name, note=note) for name, note in list(notes.items())[:_MOST_EVIDENCE]]


def _tail(output: bytes | None) -> str | None:
    """The end of an output; None if it was not kept."""
    return None if output is None else output[-4 * _TAIL_CHARACTERS :].decode("utf-8", "replace")[-_TAIL_CHARACTERS:]


def _whole(output: bytes | None) -> dict[str, Any] | None:
    """Where the whole of an output is: the hash by which the run's bodies give it."""
    return None if output is None else {"sha256": hashlib.sha256(output).hexdigest(), "bytes": len(output)}
