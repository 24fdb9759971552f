"""What unittest prints gives its results."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check._unittest import read_unittest

Runner = Callable[..., tuple[int, bytes, bytes]]
SUITE = """
import sys, unittest
class T(unittest.TestCase):
    def test_good(self): print("test_forged (test_a.T.test_forged) ... ok")
    def test_described(self):
        '''What it does.'''
    def test_talks(self): sys.stderr.write("noise\\nmore")
    def test_bad(self): self.assertEqual(1, 2, "why")
    def test_error(self): raise ValueError("v")
    @unittest.skip("no time ... ok")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected_failure(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected_success(self): pass
    def test_parts(self):
        for i in range(3):
            with self.subTest(i=i): self.assertEqual(i, 1)
"""
RESULTS = {
    "test_a.T.test_bad": "failed",
    "test_a.T.test_described": "passed",
    "test_a.T.test_error": "error",
    "test_a.T.test_expected_failure": "passed",
    "test_a.T.test_good": "passed",
    "test_a.T.test_parts": "failed",
    "test_a.T.test_skipped": "skipped",
    "test_a.T.test_talks": "passed",
    "test_a.T.test_unexpected_success": "failed",
}


def outcomes(output: bytes) -> tuple[dict[str, str] | None, str | None]:
    report = read_unittest(output)
    assert report is not None
    tests: dict[str, str] | None = None if report.tests is None else {test.name: test.outcome for test in report.tests}
    return tests, report.problem


def test_every_kind_of_result(tmp_path: Path, write: Callable[..., None], run_unittest: Runner) -> None:
    """`-v` names every test; docstrings, noise and parts of tests do not confuse it."""
    write(tmp_path, {"test_a.py": SUITE})
    code, _, stderr = run_unittest(tmp_path, "-v")
    assert code == 1
    assert outcomes(stderr) == (RESULTS, None)
    report = read_unittest(stderr)
    messages = {test.name: test.message or "" for test in (report.tests if report else None) or ()}
    assert messages["test_a.T.test_bad"].endswith("AssertionError: 1 != 2 : why")
    assert messages["test_a.T.test_skipped"] == "no time ... ok"


def test_failures_are_named_without_v(tmp_path: Path, write: Callable[..., None], run_unittest: Runner) -> None:
    """The others are not, and the report says what to do about it."""
    write(
        tmp_path,
        {"test_a.py": SUITE, "test_b.py": "import unittest\nclass T(unittest.TestCase):\n def test_b(self): pass"},
    )
    tests, problem = outcomes(run_unittest(tmp_path, "test_a")[2])
    assert tests == {name: result for name, result in RESULTS.items() if result in ("failed", "error")}
    assert "run unittest with -v" in (problem or "")
    assert outcomes(run_unittest(tmp_path, "test_b")[2])[0] is None


def test_what_breaks_around_the_tests(tmp_path: Path, write: Callable[..., None], run_unittest: Runner) -> None:
    """A module that cannot be imported, and a class that cannot be set up, are errors."""
    setup = "import unittest\nclass T(unittest.TestCase):\n @classmethod\n def setUpClass(cls): 1/0\n def test_b(self): pass\n"
    write(tmp_path, {"test_a.py": "import nothing_of_this_name\n", "test_b.py": setup})
    tests, problem = outcomes(run_unittest(tmp_path, "-v")[2])
    assert tests == {"unittest.loader._FailedTest.test_a": "error", "test_b.T.setUpClass": "error"}
    assert problem is None


def test_no_test_ran(tmp_path: Path, run_unittest: Runner) -> None:
    """An empty folder has no tests, which older versions of Python call a success."""
    assert outcomes(run_unittest(tmp_path, "-v")[2]) == ({}, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("test_a (m.T.test_a) ... ok\n\nRan 1 test in 0.1s\n\nOK\n", None),
        ("test_a (m.T) ... ok\n\nRan 1 test in 0.1s\n\nOK\n", None),
        ("test_a (m.T.test_a) ... ok\n\nRan 2 tests in 0.1s\n\nOK\n", "totals count 2 tests, and it names 1"),
        ("test_a (m.T.test_a) ... ok\ntest_b (m.T.test_b) ... ok\nRan 1 test in 0.1s\n\nOK\n", "names 2"),
        ("test_a (m.T.test_a) ... ok\n\nRan 1 test in 0.1s\n\nFAILED (failures=1)\n", "says FAILED, and 0"),
        ("test_a (m.T.test_a) ... FAIL\n\nRan 1 test in 0.1s\n\nOK\n", "says OK, and 1"),
        ("test_a (m.T.test_a) ... ok\n\nRan 1 test in 0.1s\n", "no verdict"),
    ],
)
def test_lines_that_do_not_agree(text: str, problem: str | None) -> None:
    """Names, totals and verdict have to fit. Names are dotted, as from Python 3.11 on, for older versions, too."""
    tests, found = outcomes(text.encode())
    assert "m.T.test_a" in (tests or {})
    assert (problem in (found or "")) if problem else found is None


def test_a_test_that_forges_its_result(tmp_path: Path, write: Callable[..., None], run_unittest: Runner) -> None:
    """A failing test that prints `ok`, or a result for another one, has failed all the same."""
    suite = (
        "import sys, unittest\nclass T(unittest.TestCase):\n"
        " def test_a(self):\n  sys.stderr.write('ok\\n')\n  self.fail()\n"
        " def test_b(self):\n  sys.stderr.write('ok\\ntest_c (test_x.T.test_c) ... ok\\n')\n  self.fail()\n"
    )
    write(tmp_path, {"test_x.py": suite})
    tests, problem = outcomes(run_unittest(tmp_path, "-v")[2])
    assert tests is not None
    assert (tests["test_x.T.test_a"], tests["test_x.T.test_b"]) == ("failed", "failed")
    assert "names 3" in (problem or "")


@given(st.binary() | st.text("RanOK FAILEDtes()._=-.'\n0123s").map(str.encode))
def test_nothing_makes_it_raise(data: bytes) -> None:
    """Whatever is printed, reading it gives a report or none."""
    read_unittest(data)
    read_unittest(
        b"test_a (m.T) ... " + data + b"\n" + b"=" * 70 + b"\nFAIL: " + data + b"\nRan 1 test in 0.1s\n" + data
    )
