"""A check is passed if its exit code and its report say so, both; what cannot be relied upon says nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check import CheckResult, TestCase, TestOutcome, judge_check


def result(exit_code: int | None = 0, *outcomes: TestOutcome, **changed: Any) -> CheckResult:
    tests = tuple(TestCase(name=f"t{number}", outcome=outcome) for number, outcome in enumerate(outcomes))
    return CheckResult(**{"command": "check", "exit_code": exit_code, "tests": tests or None} | changed)


CASES: dict[str, tuple[CheckResult, bool | None, str, str | None]] = {
    "both say yes": (result(0, "passed", "skipped"), True, "exit code 0, and its report says that all passed", None),
    "both say no": (result(1, "passed", "failed"), False, "exit code 1, and by its report 1 of 2 tests failed", None),
    "exit 0 with a failure": (
        result(0, "error"),
        False,
        "exit code 0, but by its report 1 of 1 tests failed",
        "exit code 0, but",
    ),
    "exit 1 with none": (
        result(1, "passed"),
        False,
        "exit code 1, but its report says that all passed",
        "exit code 1, but",
    ),
    "no report, none promised": (result(0), True, "exit code 0, and no report that can be relied upon", None),
    "no report, exit 1": (result(1), False, "exit code 1, and no report that can be relied upon", None),
    "a promised report is missing": (
        result(0, report_promised="r.xml", problem="the check left no report r.xml"),
        None,
        "the check left no report r.xml (exit code 0)",
        None,
    ),
    "a promised report is missing, exit 1": (
        result(1, report_promised="cargo", problem="none"),
        None,
        "none (exit code 1)",
        None,
    ),
    "tests are expected, no report": (
        result(0, expected_tests=("t0",)),
        None,
        "the check left no report that is understood (exit code 0)",
        None,
    ),
    "a damaged report, promised": (
        result(0, "passed", report_promised="cargo", problem="it breaks off"),
        None,
        "exit code 0, but the report cannot be relied upon: it breaks off",
        None,
    ),
    "a damaged report, not promised": (
        result(0, "passed", problem="it breaks off"),
        True,
        "exit code 0, and no report that can be relied upon",
        None,
    ),
    "a damaged report with a failure": (
        result(0, "failed", report_promised="cargo", problem="it breaks off"),
        False,
        "exit code 0, but by its report 1 of 1 tests failed",
        "exit code 0, but",
    ),
    "no test ran": (
        result(0, tests=(), report_format="unittest"),
        None,
        "no test ran, by the check's unittest report (exit code 0)",
        None,
    ),
    "no test ran, exit 5": (
        result(5, tests=(), report_format="pytest"),
        None,
        "no test ran, by the check's pytest",
        None,
    ),
    "all were skipped": (result(0, "skipped", "skipped"), None, "all 2 tests were skipped, by", None),
    "out of time": (result(None, "passed", timed_out=True, signal=15), False, "the check ran out of time", None),
    "out of time, and exit 0": (result(0, "passed", timed_out=True), False, "the check ran out of time", None),
    "crashed": (result(None, signal=11), False, "the check crashed (signal 11)", None),
    "killed": (result(None, signal=9), None, "signal 9 ended the check from outside", None),
    "no such command": (result(127), None, "its command was not found (exit code 127)", None),
    "not executable": (result(126), None, "its command cannot be executed (exit code 126)", None),
    "no end is known": (result(None), None, "it is not known how the check ended", None),
    "never ended": (result(None, problem="the recording ended"), None, "the recording ended", None),
}


@pytest.mark.parametrize("name", CASES)
def test_every_way_to_end(name: str) -> None:
    """Each says yes, no, or nothing, and why."""
    check, passed, reason, disagreement = CASES[name]
    verdict = judge_check(check)
    assert verdict.passed is passed
    assert reason in verdict.reason
    assert (verdict.disagreement or "").startswith(disagreement or "")
    assert (verdict.disagreement is None) == (disagreement is None)
    assert verdict.no_tests == ("no test ran" in reason or "skipped, by" in reason)


@pytest.mark.parametrize("how", ["failed", "error", "skipped", None])
def test_an_expected_test_that_did_not_run_and_pass(how: TestOutcome | None) -> None:
    """Failed, skipped or not there: the check is not passed, though its exit code is 0 and all others passed."""
    outcomes: tuple[TestOutcome, ...] = ("passed",) if how is None else ("passed", how)
    verdict = judge_check(result(0, *outcomes, expected_tests=("t0", "t1")))
    assert verdict.passed is False
    assert verdict.unmet == ("t1",)
    assert "1 of 2 expected tests did not run and pass" in verdict.reason
    assert verdict.disagreement is not None
    assert judge_check(result(0, "passed", "passed", expected_tests=("t0", "t1"))).passed is True


OUTCOMES: tuple[TestOutcome, ...] = ("passed", "failed", "error", "skipped")
RESULTS = st.builds(
    CheckResult,
    command=st.none(),
    exit_code=st.none() | st.integers(0, 130),
    signal=st.none() | st.integers(1, 15),
    timed_out=st.booleans(),
    report_promised=st.none() | st.just("cargo"),
    tests=st.none()
    | st.lists(st.sampled_from(OUTCOMES), max_size=4).map(lambda outcomes: result(0, *outcomes).tests or ()),
    expected_tests=st.none() | st.just(("t0",)),
    problem=st.none() | st.just("odd"),
)


@given(RESULTS)
def test_only_what_is_all_known_passes(check: CheckResult) -> None:
    """A pass means exit code 0 in time, no failed test, and every expected one passed: nothing that is missing can help."""
    verdict = judge_check(check)
    if verdict.passed:
        names = {test.name for test in check.tests or () if test.outcome == "passed"}
        assert check.exit_code == 0
        assert check.signal is None
        assert not check.timed_out
        assert not any(test.outcome in ("failed", "error") for test in check.tests or ())
        assert names >= set(check.expected_tests or ())
        assert check.tests is None or names or check.problem
        assert not (check.problem and (check.report_promised or check.expected_tests))


@given(RESULTS)
def test_an_answer_always(check: CheckResult) -> None:
    """Every result that can be recorded has a verdict with a reason, the same each time."""
    assert judge_check(check) == judge_check(check)
    assert judge_check(check).reason
