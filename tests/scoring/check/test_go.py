"""What go prints gives its results: outputs of go 1.27.3, with the paths of its machine taken out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check import Report
from tachograph.scoring.check._go import read_go_json
from tachograph.scoring.check._go_text import read_go_text

OUTPUTS = Path(__file__).with_name("outputs")
RESULTS = {
    "example.com/m::TestAdd": "passed",
    "example.com/m::TestBad": "failed",
    "example.com/m::TestSkip": "skipped",
    "example.com/m::TestTable": "failed",
    "example.com/m::TestTable/one": "failed",
    "example.com/m::TestTable/two_words": "failed",
    "example.com/m::TestTable/a/b": "failed",
    "example.com/m::ExampleAdd": "passed",
    "example.com/m/broken": "error",
    "example.com/m/ex::TestA": "passed",
    "example.com/m/ex::TestP": "failed",
    "example.com/m/pan::TestA": "passed",
    "example.com/m/pan::TestP": "failed",
    "example.com/m/sub::TestAdd": "passed",
}
"""Printed and forged results, a package that does not compile, one that exits, one that panics, one without tests."""


def outcomes(report: Report | None) -> tuple[dict[str, str] | None, str | None]:
    assert report is not None
    return None if report.tests is None else {test.name: test.outcome for test in report.tests}, report.problem


def test_events() -> None:
    """Each package and test has its result; failures have what was printed, and builds what the compiler said."""
    report = read_go_json((OUTPUTS / "go-test.jsonl").read_bytes())
    assert outcomes(report) == (RESULTS, None)
    messages = {test.name: test.message or "" for test in (report.tests if report else None) or ()}
    assert messages["example.com/m::TestBad"] == "m_test.go:4: why 1"
    assert "cannot use" in messages["example.com/m/broken"]
    assert messages["example.com/m/ex::TestP"].startswith("panic: unexpected call to os.Exit(0) during test")


def test_lines() -> None:
    """`-v` prints the same, with results behind what a test printed without a newline; what did not begin has no result."""
    output = (OUTPUTS / "go-test-v.txt").read_bytes()
    assert b"\n--- PASS: TestForged" in output
    assert b"\nno newline--- PASS: TestAdd" in output
    assert outcomes(read_go_text(output)) == (RESULTS, None)


def test_lines_without_v() -> None:
    """Without it, only failures have names, and the report says what to do about it."""
    passed = b"ok  \texample.com/m/sub\t0.002s\n?   \texample.com/m/none\t[no test files]\n"
    tests, problem = outcomes(read_go_text(passed))
    assert tests is None
    assert "with -v or -json" in (problem or "")
    failed = b"--- FAIL: TestBad (0.00s)\n    m_test.go:4: why 1\nFAIL\nFAIL\texample.com/m\t0.003s\n" + passed
    tests, problem = outcomes(read_go_text(failed))
    assert tests == {"example.com/m::TestBad": "failed"}
    assert "with -v or -json" in (problem or "")


NOTHING_RAN = {
    "no test files": b"?   \texample.com/m/none\t[no test files]\n",
    "none chosen": b"testing: warning: no tests to run\nPASS\nok  \texample.com/m/sub\t0.003s [no tests to run]\n",
    "none chosen, cached": b"testing: warning: no tests to run\nPASS\nok  \texample.com/m/sub\t(cached) [no tests to run]\n",
}


@pytest.mark.parametrize("output", NOTHING_RAN.values(), ids=NOTHING_RAN)
def test_no_test_ran(output: bytes) -> None:
    """What go calls a success is no test at all here."""
    assert outcomes(read_go_text(output)) == ({}, None)


def event(**members: Any) -> bytes:
    return json.dumps({name.capitalize(): value for name, value in members.items()}).encode() + b"\n"


def test_events_that_break_off() -> None:
    """A test without an end, and a package without one, are errors."""
    output = event(action="run", package="p", test="TestA") + event(
        action="output", package="p", test="TestA", output="hm\n"
    )
    tests, problem = outcomes(read_go_json(output))
    assert tests == {"p::TestA": "error", "p": "error"}
    assert problem == "the report breaks off: nothing is said of how p ended"
    tests, problem = outcomes(read_go_text(b"=== RUN   TestA\n"))
    assert tests == {"TestA": "error", "go test": "error"}
    assert "breaks off" in (problem or "")


def test_a_package_that_fails_without_a_failed_test() -> None:
    """`TestMain` can exit as it likes: the package's own result counts."""
    output = event(action="run", package="p", test="TestA") + event(
        action="pass", package="p", test="TestA", elapsed=0.5
    )
    report = read_go_json(output + event(action="fail", package="p"))
    assert outcomes(report) == ({"p::TestA": "passed", "p": "error"}, None)
    assert [test.seconds for test in (report.tests if report else None) or ()] == [0.5, None]


def test_a_failure_is_not_taken_back() -> None:
    """A test that failed once and passed in another round, or in a forged line, has failed."""
    lines = b"=== RUN   TestA\n--- FAIL: TestA (0.00s)\n=== RUN   TestA\n--- PASS: TestA (0.00s)\nFAIL\tp\t0.1s\n"
    assert outcomes(read_go_text(lines)) == ({"p::TestA": "failed"}, None)


@given(st.binary() | st.text('{}":,ActionPackageTestrunpassfail =-\n\t0123').map(str.encode))
def test_nothing_makes_it_raise(data: bytes) -> None:
    """Whatever is printed, reading it gives a report or none."""
    for output in (
        data,
        b'{"Action":"run","Package":"p",' + data + b"}",
        b"=== RUN   T\n" + data + b"\nFAIL\tp\t" + data,
    ):
        read_go_json(output)
        read_go_text(output)


@given(
    st.dictionaries(st.text(min_size=1), st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists))
)
def test_events_of_any_type(members: dict[str, Any]) -> None:
    """JSON of the right form with members of the wrong type is no obstacle, either."""
    named = {**dict.fromkeys(("Action", "Package", "Test", "Elapsed", "Output"), "run"), **members}
    read_go_json(json.dumps(named).encode() + b"\n" + json.dumps({**named, "Elapsed": members}).encode())
