"""A check comes back from a run's folder as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.check import CheckResult, check_attributes, judge_check, recorded_check, with_report
from tachograph.traces import BodyReader, RunRecording, RunStore, read_run

CARGO = b"running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
PROGRAMS = b"     Running tests/t.rs (target/debug/deps/t-0123456789abcdef)\n"
WHOLE = CheckResult(
    command="cargo test",
    exit_code=0,
    duration_ns=12_345,
    stdout=CARGO,
    stderr=PROGRAMS,
    report_promised="cargo",
    expected_tests=("tests/t.rs::a",),
    fresh_copy=True,
    set_aside=("build.rs", "../beside"),
    set_aside_rules=("build-script", "beside-the-workdir"),
    restored=("tests/t.rs",),
)
Recorder = Callable[..., Path]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorder:
    """A run's folder with this check in it, and what else it should say."""

    def record(check: CheckResult | None, **more: Any) -> Path:
        run = RunStore(tmp_path / "runs").open_run("a-run", {})
        if check is not None:
            add_check(run, check, more)
        run.close()
        return run.folder

    return record


def add_check(run: RunRecording, check: CheckResult, more: dict[str, Any]) -> None:
    with run.span("check", "check t", attributes={"tachograph.check.command": check.command}) as span:
        stdout, stderr = run.keep(check.stdout or b""), run.keep(check.stderr or b"")
        report = None if check.report is None else run.keep(check.report)
        span.set_attributes(check_attributes(check, stdout, stderr, report) | more)


def read(folder: Path) -> CheckResult | None:
    return recorded_check(read_run(folder), BodyReader(folder / "bodies"))


JUNIT = b"<testsuite><testcase name='a'><failure message='why'/></testcase></testsuite>"
CHECKS = {
    "whole": WHOLE,
    "failed": replace(WHOLE, exit_code=101, stdout=CARGO.replace(b"ok", b"FAILED")),
    "a signal": replace(WHOLE, exit_code=None, signal=11, stdout=b"\xff\x00", stderr=b""),
    "out of time": replace(WHOLE, exit_code=0, timed_out=True),
    "a report file": replace(WHOLE, report_promised="out/r.xml", report=JUNIT),
    "a report file that is missing": replace(WHOLE, report_promised="out/r.xml"),
    "nothing promised": replace(
        WHOLE, report_promised=None, expected_tests=None, set_aside=(), set_aside_rules=(), restored=()
    ),
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_what_was_recorded_is_read(recorded: Recorder, check: CheckResult) -> None:
    """Every member comes back, and the tests are read anew from what was kept, to the same result."""
    told = with_report(check)
    assert read(recorded(told)) == told
    assert judge_check(told) == judge_check(read(recorded(told)) or told)


def test_a_run_without_a_check_has_none(recorded: Recorder) -> None:
    """That is None, and no result."""
    assert read(recorded(None)) is None


def test_a_check_that_never_ended(tmp_path: Path) -> None:
    """Its announcement is there and its span is not: it is known of, and says nothing."""
    run = RunStore(tmp_path / "runs").open_run("a-run", {})
    check_span = run.span("check", "check t", attributes={"tachograph.check.command": "c"})
    check_span.__enter__()  # and no exit, as if the recorder were killed
    check = read(run.folder)
    assert check is not None
    assert (check.command, check.exit_code) == ("c", None)
    assert check.problem == "the check began, and the recording ended before it did"
    assert judge_check(check).passed is None


def test_outputs_that_are_lost(recorded: Recorder) -> None:
    """A body that is named and not there is a problem: nothing is made of it, neither a pass nor an empty output."""
    check = read(recorded(with_report(WHOLE), **{"tachograph.check.stdout": "0" * 64}))
    assert check is not None
    assert (check.stdout, check.tests) == (None, None)
    assert "does not have it" in (check.problem or "")
    assert judge_check(check).passed is None


def test_a_record_without_the_newer_attributes(tmp_path: Path) -> None:
    """A check recorded with its exit code and outputs alone is read for what it is: nothing is known of its copy."""
    run = RunStore(tmp_path / "runs").open_run("a-run", {})
    with run.span("check", "check t", attributes={"tachograph.check.command": "c"}) as span:
        span.set_attributes(
            {
                "process.exit.code": -9,
                "test.suite.run.status": "timed_out",
                "tachograph.check.stdout": run.keep(CARGO),
                "tachograph.check.stderr": run.keep(b""),
            }
        )
    run.close()
    check = read(run.folder)
    assert check is not None
    assert (check.exit_code, check.signal, check.timed_out) == (None, 9, True)
    assert (check.fresh_copy, check.expected_tests, check.report_format) == (None, None, "cargo")
    assert judge_check(check).passed is False


def test_a_long_list_of_paths_is_cut_and_says_so(recorded: Recorder) -> None:
    """A span names five hundred, and how many more there were."""
    many = tuple(f"a/{number}/conftest.py" for number in range(700))
    told = replace(WHOLE, set_aside=many, set_aside_rules=("conftest",) * 700, restored=many)
    check = read(recorded(told))
    assert check is not None
    assert check.set_aside == (*many[:500], "… and 200 more")
    assert check.restored == (*many[:500], "… and 200 more")
    assert len(check.set_aside_rules) == 500


def test_the_last_check_counts(tmp_path: Path) -> None:
    """A run that was checked again is judged by that."""
    run = RunStore(tmp_path / "runs").open_run("a-run", {})
    for code in (1, 0):
        add_check(run, replace(WHOLE, exit_code=code), {})
    run.close()
    check = read(run.folder)
    assert check is not None
    assert check.exit_code == 0
