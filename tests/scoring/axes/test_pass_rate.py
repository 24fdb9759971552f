"""The value, the reference cell's keys, and all that makes them right."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring import RunRecord
from tachograph.scoring.axes import pass_rate
from tachograph.scoring.check import CheckResult, TestCase, TestOutcome
from tachograph.traces import Run

RUN = Run(
    run_id="r", status="completed", live=False, sealed=True, start_ns=1, end_ns=2, attributes={}, calls=(), spans=()
)
CELL_KEYS = {"pass", "exit_code", "timed_out", "stdout_tail", "stderr_tail", "partial_score"}


def cases(*outcomes: TestOutcome) -> tuple[TestCase, ...]:
    return tuple(TestCase(name=f"t{number}", outcome=outcome) for number, outcome in enumerate(outcomes))


def record(exit_code: int | None = 0, **changed: Any) -> RunRecord:
    known = {"command": "c", "exit_code": exit_code, "stdout": b"out", "stderr": b"err", "fresh_copy": True}
    return RunRecord(run=RUN, check=CheckResult(**known | changed))


def test_a_pass_that_both_say() -> None:
    """1, measured, by exit code and report, with all tests told."""
    value = pass_rate(record(tests=cases("passed", "skipped"), report_format="cargo", report_promised="cargo"))
    assert (value.value, value.status, value.bound, value.source, value.n) == (
        1.0,
        "measured",
        "exact",
        "exit_code+report",
        1,
    )
    assert value.details["counts"] == {"passed": 1, "failed": 0, "error": 0, "skipped": 1}
    assert value.details["tests"][0] == {"name": "t0", "outcome": "passed", "seconds": None, "message": None}
    assert (value.flags, value.evidence, value.details["no_tests"]) == ((), (), False)


def test_the_keys_of_the_reference_cell() -> None:
    """All of them are there, with the types that it shows, whatever came of the check."""
    for check in (record(), record(1, tests=cases("failed")), record(None)):
        assert pass_rate(check).details.keys() >= CELL_KEYS
    details = pass_rate(record(1, stdout=b"x" * 5000 + b"\xff", timed_out=True)).details
    assert {key: details[key] for key in CELL_KEYS - {"stdout_tail"}} == {
        "pass": 0,
        "exit_code": 1,
        "timed_out": True,
        "stderr_tail": "err",
        "partial_score": None,
    }
    assert details["stdout_tail"] == "x" * 1999 + "\N{REPLACEMENT CHARACTER}"
    assert details["stdout"] == {"sha256": hashlib.sha256(b"x" * 5000 + b"\xff").hexdigest(), "bytes": 5001}


def test_the_exit_code_alone() -> None:
    """Where nothing was promised and nothing found it decides, and the value says what it rests on."""
    for code, expected in ((0, 1.0), (1, 0.0)):
        value = pass_rate(record(code))
        assert (value.value, value.status, value.source) == (expected, "measured", "exit_code")
        assert "exit_code_alone" in value.flags
        assert (value.details["partial_score"], value.details["counts"], value.details["no_tests"]) == (
            None,
            None,
            None,
        )


@pytest.mark.parametrize(
    ("changed", "flag", "reason"),
    [
        ({"tests": (), "report_format": "pytest"}, "no_tests", "no test ran"),
        ({"tests": cases("skipped")}, "no_tests", "all 1 tests were skipped"),
        ({"report_promised": "r.xml", "problem": "the check left no report r.xml"}, "report_problem", "left no report"),
        ({"exit_code": 127}, None, "was not found"),
        ({"exit_code": None}, None, "not known how the check ended"),
        ({"exit_code": None, "signal": 9}, None, "from outside"),
    ],
)
def test_a_check_that_says_nothing_is_an_error(changed: dict[str, Any], flag: str | None, reason: str) -> None:
    """Not a pass and not a failure: None, with the reason, and all that is known of it."""
    value = pass_rate(record(**changed))
    assert (value.value, value.status) == (None, "error")
    assert reason in (value.reason or "")
    assert flag is None or flag in value.flags
    assert value.details["pass"] is None


def test_no_check() -> None:
    """A run without one has no value, and says why."""
    value = pass_rate(RunRecord(run=RUN, reasons={"check": "none was given"}))
    assert (value.value, value.status, value.reason) == (None, "missing", "none was given")
    assert pass_rate(RunRecord(run=RUN)).reason == "no check was recorded"


def test_exit_code_and_report_that_disagree() -> None:
    """Either's no is a no, and the disagreement shows."""
    for check in (record(0, tests=cases("failed")), record(1, tests=cases("passed"))):
        value = pass_rate(check)
        assert value.value == 0.0
        assert "disagreement" in value.flags
        assert "but" in value.details["disagreement"]


def test_partial_score_is_of_the_expected_tests() -> None:
    """A test that was skipped, or is not there, did not pass; tests that nobody asked for do not help."""
    check = record(0, tests=cases("passed", "skipped", "passed", "passed"), expected_tests=("t0", "t1", "t9"))
    value = pass_rate(check)
    assert value.value == 0.0
    assert value.details["partial_score"] == 1 / 3
    assert value.details["partial_score_of"] == "expected_tests"
    assert value.details["expected_unmet"] == ["t1", "t9"]
    assert {item.reference: item.note for item in value.evidence} == {
        "t1": "expected, and skipped",
        "t9": "expected, and not run",
    }
    value = pass_rate(record(1, tests=cases("passed", "failed", "error", "skipped")))
    assert value.details["partial_score"] == 1 / 3
    assert value.details["partial_score_of"] == "tests"
    assert [item.reference for item in value.evidence] == ["t1", "t2"]


def test_what_was_set_aside_is_told_with_its_reason() -> None:
    """Each file with the rule and why; where nothing is known of the copy, None and not an empty list."""
    check = record(set_aside=("conftest.py", "… and 3 more"), set_aside_rules=("conftest",), restored=("tests/a.rs",))
    value = pass_rate(check)
    assert value.details["set_aside"] == [
        {
            "path": "conftest.py",
            "rule": "conftest",
            "reason": "pytest runs it before the tests, and it can change their results",
        },
        {"path": "… and 3 more", "rule": None, "reason": None},
    ]
    assert value.details["restored"] == ["tests/a.rs"]
    assert {"set_aside", "restored"} <= set(value.flags)
    unknown = pass_rate(record(fresh_copy=None))
    assert (unknown.details["set_aside"], unknown.details["fresh_copy"]) == (None, None)
    assert "not_on_a_fresh_copy" in unknown.flags


def test_an_output_that_was_not_kept_is_not_an_empty_one() -> None:
    """None stays None."""
    details = pass_rate(record(stdout=None)).details
    assert (details["stdout_tail"], details["stdout"]) == (None, None)


def test_thousands_of_tests_are_told_failed_ones_first() -> None:
    """The list is cut, and no failure is cut off before a pass."""
    value = pass_rate(record(1, tests=cases(*["passed"] * 3000, "failed")))  # type: ignore[arg-type]
    assert len(value.details["tests"]) == 2000
    assert value.details["tests"][0]["name"] == "t3000"
    assert value.details["counts"]["passed"] == 3000


OUTCOMES: tuple[TestOutcome, ...] = ("passed", "failed", "error", "skipped")
RECORDS = st.builds(
    record,
    st.none() | st.integers(0, 128),
    tests=st.none() | st.lists(st.sampled_from(OUTCOMES), max_size=4).map(lambda outcomes: cases(*outcomes)),
    expected_tests=st.none() | st.just(("t0", "t1")),
    timed_out=st.booleans(),
    signal=st.none() | st.integers(1, 15),
    problem=st.none() | st.just("odd"),
    report_promised=st.none() | st.just("cargo"),
    stdout=st.none() | st.binary(),
)


@given(RECORDS)
def test_the_same_record_gives_the_same_bytes(check: RunRecord) -> None:
    """Scoring is pure, and all of it is JSON."""
    first, second = (json.dumps(pass_rate(check).details, allow_nan=False) for _ in range(2))
    assert first == second
    assert pass_rate(check) == pass_rate(check)


@given(RECORDS, st.sampled_from(["tests", "exit_code", "stdout"]))
def test_what_is_missing_never_raises_the_value(check: RunRecord, member: str) -> None:
    """Where the task names its tests, a run that lost some of its record passes only if it passed with it."""
    assert check.check is not None
    known = replace(check, check=replace(check.check, expected_tests=("t0", "t1")))
    assert known.check is not None
    nothing: Any = {member: None}
    lost = replace(known, check=replace(known.check, **nothing))
    assert pass_rate(lost).value != 1.0 or pass_rate(known).value == 1.0
