"""What pytest prints gives its results, and what tests print does not."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check._pytest import read_pytest

Runner = Callable[..., tuple[int, bytes, bytes]]
SUITE = r'''
import pytest, unittest
FORGED = """
=========================== short test summary info ============================
PASSED test_a.py::test_bad
PASSED test_a.py::forged
============================== 9 passed in 0.01s ===============================
"""
def test_good(): print(FORGED)
def test_bad():
    print(FORGED)
    assert 1 == 2, "why - not"
@pytest.mark.parametrize("x", ["a - b", "[q] - r"])
def test_with_parameter(x): assert x == "a - b"
@pytest.mark.skip(reason="no - time")
def test_skipped(): pass
@pytest.mark.xfail(reason="known - bug")
def test_expected_failure(): assert 0
@pytest.mark.xfail
def test_unexpected_success(): pass
@pytest.fixture
def broken_after():
    yield
    raise ValueError("teardown")
def test_teardown(broken_after): pass
'''
RESULTS = {
    "test_a.py::test_good": "passed",
    "test_a.py::test_bad": "failed",
    "test_a.py::test_with_parameter[a - b]": "passed",
    "test_a.py::test_with_parameter[[q] - r]": "failed",
    "test_a.py::test_expected_failure": "passed",
    "test_a.py::test_unexpected_success": "passed",
    "test_a.py::test_teardown": "error",
}


def outcomes(output: bytes) -> tuple[dict[str, str] | None, str | None]:
    report = read_pytest(output)
    assert report is not None
    tests: dict[str, str] | None = None if report.tests is None else {test.name: test.outcome for test in report.tests}
    return tests, report.problem


@pytest.mark.parametrize("options", [("-rA",), ("-rA", "--color=yes"), ("-rA", "-q"), ("-rA", "--tb=no")])
def test_the_short_summary(tmp_path: Path, write: Callable[..., None], run_pytest: Runner, options: tuple[str]) -> None:
    """`-rA` names every test but skipped ones, which it names by their place. Colours, and what tests print, do not matter."""
    write(tmp_path, {"test_a.py": SUITE})
    _, stdout, _ = run_pytest(tmp_path, *options)
    tests, problem = outcomes(stdout)
    assert tests == {**RESULTS, "test_a.py:15": "skipped"}
    assert problem is None


@pytest.mark.parametrize("options", [("-v",), ("-v", "-rA")])
def test_verbose_lines(tmp_path: Path, write: Callable[..., None], run_pytest: Runner, options: tuple[str]) -> None:
    """`-v` names skipped tests as well."""
    write(tmp_path, {"test_a.py": SUITE})
    _, stdout, _ = run_pytest(tmp_path, *options)
    tests, problem = outcomes(stdout)
    assert tests == {**RESULTS, "test_a.py::test_skipped": "skipped"}
    assert problem is None


def test_names_that_are_missing(tmp_path: Path, write: Callable[..., None], run_pytest: Runner) -> None:
    """Without an option, passed tests have no names: only the failed ones are told, and what to do about it."""
    write(tmp_path, {"test_a.py": SUITE, "test_b.py": "def test_good(): pass\n"})
    tests, problem = outcomes(run_pytest(tmp_path, "test_a.py")[1])
    assert tests == {name: result for name, result in RESULTS.items() if result in ("failed", "error")}
    assert "run pytest with -rA" in (problem or "")
    tests, problem = outcomes(run_pytest(tmp_path, "test_b.py")[1])
    assert tests is None
    assert "(1 passed)" in (problem or "")


@pytest.mark.parametrize("options", [("-k", "nothing"), ("--co",), ("--co", "-q"), ("-k", "nothing", "-q")])
def test_no_test_ran(tmp_path: Path, write: Callable[..., None], run_pytest: Runner, options: tuple[str]) -> None:
    """A run that chose none, or only listed them, says so."""
    write(tmp_path, {"test_a.py": SUITE})
    assert outcomes(run_pytest(tmp_path, "-rA", *options)[1]) == ({}, None)


def test_an_empty_folder(tmp_path: Path, run_pytest: Runner) -> None:
    """As does one that found none."""
    assert outcomes(run_pytest(tmp_path)[1]) == ({}, None)


def test_what_cannot_be_imported_is_an_error(tmp_path: Path, write: Callable[..., None], run_pytest: Runner) -> None:
    """A module that breaks before its first test is a case of its own."""
    write(tmp_path, {"test_a.py": "import nothing_of_this_name\n"})
    assert outcomes(run_pytest(tmp_path, "-rA")[1]) == ({"test_a.py": "error"}, None)


def test_parts_of_a_test(tmp_path: Path, write: Callable[..., None], run_pytest: Runner) -> None:
    """A test one of whose parts failed did not pass, though pytest says that it did."""
    suite = """
    import unittest
    class T(unittest.TestCase):
        def test_parts(self):
            for i in range(3):
                with self.subTest(i=i):
                    self.assertEqual(i, 1)
    """
    write(tmp_path, {"test_a.py": suite.replace("\n    ", "\n")})
    tests, problem = outcomes(run_pytest(tmp_path, "-rA")[1])
    assert tests == {"test_a.py::T::test_parts": "failed"}
    assert problem is None


def test_a_process_that_ends_itself(tmp_path: Path, write: Callable[..., None], run_pytest: Runner) -> None:
    """A session that was ended by the code under test, with exit code 0, has not passed."""
    write(tmp_path, {"test_a.py": "import os\ndef test_a(): os._exit(0)\n"})
    code, stdout, _ = run_pytest(tmp_path, "-rA", "-s")
    assert code == 0
    tests, problem = outcomes(stdout)
    assert tests == {"pytest": "error"}
    assert "breaks off" in (problem or "")


def test_lines_that_do_not_agree_with_the_totals() -> None:
    """A line too many, or one too few, shows."""
    text = "=== test session starts ===\n=== short test summary info ===\nPASSED a.py::b\nPASSED a.py::c\n=== {} in 0.1s ===\n"
    assert outcomes(text.format("2 passed").encode())[1] is None
    assert "1 passed" in (outcomes(text.format("1 passed").encode())[1] or "")
    assert "no PASSED" in (outcomes(text.format("1 failed").encode())[1] or "")
    assert "3 passed" in (outcomes(text.format("3 passed, 1 warning").encode())[1] or "")


@given(st.binary() | st.text("=PASEDFIL []()%0123456789 in.s\n-:tesra").map(str.encode))
def test_nothing_makes_it_raise(data: bytes) -> None:
    """Whatever is printed, reading it gives a report or none."""
    read_pytest(data)
    read_pytest(
        b"=== test session starts ===\n" + data + b"\n=== short test summary info ===\n" + data + b"\n1 passed in 0.1s"
    )
