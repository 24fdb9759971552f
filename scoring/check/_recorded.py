"""A check as attributes of its span, and back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ...traces import BodyReader, Run, SpanRecord, StoreError
from ._read_report import read_report
from ._result import CheckResult, ToldVerdict
from ._rules import RULES_VERSION
from ._verdict import judge_check

__all__ = ["check_attributes", "recorded_check", "with_report"]

_KIND: Final = "tachograph.span"
_CHECK: Final = "check"
_COMMAND: Final = "tachograph.check.command"
_EXIT_CODE: Final = "process.exit.code"
_TIMED_OUT: Final = "tachograph.check.timed_out"
_DURATION: Final = "tachograph.check.duration_ns"
_STDOUT: Final = "tachograph.check.stdout"
_STDERR: Final = "tachograph.check.stderr"
_REPORT: Final = "tachograph.check.report"
_PROMISED: Final = "tachograph.check.report_promised"
_FORMAT: Final = "tachograph.check.report_format"
_EXPECTED: Final = "tachograph.check.expected_tests"
_FRESH: Final = "tachograph.check.fresh_copy"
_SET_ASIDE: Final = "tachograph.check.set_aside"
_SET_ASIDE_RULES: Final = "tachograph.check.set_aside_rules"
_RESTORED: Final = "tachograph.check.restored"
_PASSED: Final = "tachograph.check.passed"
_RULES_VERSION: Final = "tachograph.check.rules_version"
_STATUS: Final = "test.suite.run.status"
_NOT_HERE: Final[tuple[None, None]] = (None, None)
_MOST_PATHS: Final = 500
"""That a span names: the rest is counted in one more."""


def check_attributes(check: CheckResult, stdout: str, stderr: str, report: str | None) -> dict[str, Any]:
    """The attributes from which `recorded_check` makes the same result again, and what it says, for readers who do not.

    Args:
        check: how the check ended. Its tests have no attributes: they are read from what was kept.
        stdout: the hash under which the run keeps it.
        stderr: as well.
        report: of the report file; None if there is none.
    """
    code = -(check.signal or 0) if check.exit_code is None else check.exit_code
    passed = judge_check(check).passed
    attributes = {
        _STATUS: "timed_out" if check.timed_out else "success" if passed else "failure",
        _PASSED: passed,
        _COMMAND: check.command,
        _EXIT_CODE: code,
        _TIMED_OUT: check.timed_out,
        _DURATION: check.duration_ns,
        _STDOUT: stdout,
        _STDERR: stderr,
        _REPORT: report,
        _PROMISED: check.report_promised,
        _FORMAT: check.report_format,
        _EXPECTED: check.expected_tests,
        _FRESH: check.fresh_copy,
        _SET_ASIDE: _cut(check.set_aside),
        _SET_ASIDE_RULES: check.set_aside_rules[:_MOST_PATHS],
        _RESTORED: _cut(check.restored),
        _RULES_VERSION: RULES_VERSION if check.fresh_copy else None,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def recorded_check(run: Run, bodies: BodyReader | None) -> CheckResult | None:
    """The run's check, from its span and what was kept of it; None if there was none. The last one, if there were several.

    Args:
        run: the run.
        bodies: those of the run; None if it was read from where there are none: what the recorder judged stands then.
    """
    spans = [span for span in run.spans if span.attributes.get(_KIND) in (_CHECK, f"{_CHECK}.start")]
    ended = [span for span in spans if span.attributes.get(_KIND) == _CHECK]
    if ended:
        return _result(ended[-1], bodies)
    if not spans:
        return None
    problem = "the check began, and the recording ended before it did"
    return CheckResult(command=spans[-1].attributes.get(_COMMAND), exit_code=None, problem=problem)


def with_report(check: CheckResult) -> CheckResult:
    """The result with the tests that its outputs and its report tell of."""
    if check.stdout is None or check.stderr is None:
        return check
    files = {} if check.report is None else {check.report_promised or "report": check.report}
    found = read_report(check.stdout, check.stderr, files, check.report_promised)
    return replace(
        check,
        report_format=found.format,
        tests=found.tests,
        problem=check.problem or found.problem,
        remarks=found.remarks,
    )


def _result(span: SpanRecord, bodies: BodyReader | None) -> CheckResult:
    given = span.attributes
    code = given.get(_EXIT_CODE)
    timed_out = given.get(_TIMED_OUT, given.get(_STATUS) == "timed_out")
    outputs = (_STDOUT, _STDERR, _REPORT)
    kept = {name: _kept(bodies, given, name) if bodies is not None else _NOT_HERE for name in outputs}
    told = ToldVerdict(passed=given.get(_PASSED), by_report=_FORMAT in given) if bodies is None else None
    lost = next((said for _, said in kept.values() if said), span.status_message or None)
    expected = given.get(_EXPECTED)
    return with_report(
        CheckResult(
            command=given.get(_COMMAND),
            exit_code=code if isinstance(code, int) and code >= 0 else None,
            signal=-code if isinstance(code, int) and code < 0 else None,
            timed_out=bool(timed_out),
            duration_ns=given.get(_DURATION, span.end_ns - span.start_ns),
            stdout=kept[_STDOUT][0],
            stderr=kept[_STDERR][0],
            report=kept[_REPORT][0],
            report_promised=given.get(_PROMISED),
            expected_tests=None if expected is None else tuple(expected),
            fresh_copy=given.get(_FRESH),
            set_aside=tuple(given.get(_SET_ASIDE, ())),
            set_aside_rules=tuple(given.get(_SET_ASIDE_RULES, ())),
            restored=tuple(given.get(_RESTORED, ())),
            problem=lost,
            told=told,
        )
    )


def _kept(bodies: BodyReader, given: Mapping[str, Any], name: str) -> tuple[bytes | None, str | None]:
    """What was kept under the hash of an attribute, or why it cannot be had."""
    digest = given.get(name)
    if not isinstance(digest, str):
        return None, None
    try:
        return bodies.get(digest), None
    except (KeyError, StoreError) as error:
        return None, f"{name}: the record names {digest} and does not have it: {error}"


def _cut(paths: tuple[str, ...]) -> tuple[str, ...]:
    more = len(paths) - _MOST_PATHS
    return paths if more <= 0 else (*paths[:_MOST_PATHS], f"… and {more} more")
