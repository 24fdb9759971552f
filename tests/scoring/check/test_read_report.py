"""Of all that a check leaves behind, the results that can be trusted most are taken."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check import REPORT_FORMATS, read_report
from tachograph.scoring.check import _read_report as module

JUNIT = b"<testsuite><testcase name='a'/></testsuite>"
CARGO = b"running 1 test\ntest a ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"
PYTEST = b"=== test session starts ===\n=== short test summary info ===\nPASSED t.py::a\n=== 1 passed in 0.1s ===\n"
UNITTEST = b"test_a (m.T.test_a) ... ok\n\nRan 1 test in 0.0s\n\nOK\n"
GO = b'{"Action":"run","Package":"p","Test":"T"}\n{"Action":"pass","Package":"p","Test":"T"}\n{"Action":"pass","Package":"p"}\n'


@pytest.mark.parametrize(
    ("stdout", "stderr", "files", "found"),
    [
        (PYTEST, b"", {"report.xml": JUNIT}, "junit"),
        (GO, b"", {}, "go"),
        (CARGO, b"", {}, "cargo"),
        (PYTEST, b"", {}, "pytest"),
        (b"", UNITTEST, {}, "unittest"),
        (UNITTEST, b"", {}, "unittest"),
        (JUNIT, b"", {}, None),
        (b"all fine", b"", {}, None),
        (CARGO.replace(b"test a ... ok\n", b"."), UNITTEST, {}, "unittest"),
    ],
)
def test_nothing_was_promised(stdout: bytes, stderr: bytes, files: dict[str, bytes], found: str | None) -> None:
    """A file goes before events, events before lines; what names its tests before what does not; nothing is no problem."""
    report = read_report(stdout, stderr, files)
    assert report.format == found
    assert (report.tests is None, report.problem) == (found is None, None)


@pytest.mark.parametrize("promised", REPORT_FORMATS)
def test_a_format_was_promised(promised: str) -> None:
    """Nothing else counts then, and to find nothing is a problem."""
    everything = b"".join((GO, CARGO, PYTEST, UNITTEST, JUNIT))
    assert read_report(everything, b"", {}, promised).format == promised
    report = read_report(b"all fine", b"", {"report.xml": JUNIT}, promised)
    assert report == (None, None, f"the check's output holds no {promised} report", ())


def test_a_file_was_promised() -> None:
    """It must be there and be understood; its form is seen from what it holds."""
    assert read_report(PYTEST, b"", {"r.xml": JUNIT}, "r.xml").format == "junit"
    assert read_report(PYTEST, b"", {"r.json": GO}, "r.json").format == "go"
    assert read_report(PYTEST, b"", {}, "r.xml").problem == "the check left no report r.xml"
    assert read_report(PYTEST, b"", {"r.xml": b"?"}, "r.xml").problem == "r.xml is no report that is understood"
    assert read_report(PYTEST, b"", {"r.xml": b""}, "r.xml").tests is None


def test_what_is_too_long_is_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """An output without end is a problem, not a wait."""
    monkeypatch.setattr(module, "_MOST_BYTES", len(PYTEST))
    assert read_report(PYTEST, b"", {}).tests is not None
    assert "more than" in (read_report(PYTEST, b"\n", {}).problem or "")
    assert "more than" in (read_report(b"", b"", {"a": PYTEST + b"\n"}).problem or "")


HOSTILE = {
    "colours without end": b"\x1b[0000000",
    "results": b"test a ... ok\n",
    "programs": b"     Running tests/a.rs (target/a-0123456789abcdef)\n",
    "a long line": b"test a ... ignored, ",
    "brackets": b"FAILED[](",
    "totals": b"1 passed, ",
    "skips": b"a (b.a) ... skipped 'skipped '\n",
    "go results": b"=== RUN   T\n--- PASS: T (0.00s)\n",
    "events": b'{"Action":"output","Package":"p","Test":"T","Output":"x"}\n',
    "nested JSON": b'{"a":' * 2000 + b"\n",
    "nested XML": b"<testsuite>",
    "tags": b"<testsuite",
    "cases": b"<testsuite><testcase name='a'><failure>x</failure></testcase></testsuite>",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_time_grows_with_the_output_and_no_faster(piece: bytes) -> None:
    """Four times as much takes nowhere near sixteen times as long, whatever it is made of."""

    def seconds(size: int) -> float:
        output = (b"running 2 tests\n" + piece * (size // len(piece)))[
            :size
        ] + b"\nRan 1 test in 0.1s\n=== 1 passed in 0.1s ==="
        started = time.process_time()
        for promised in (None, *REPORT_FORMATS):
            read_report(output, b"", {}, promised)
        return time.process_time() - started

    seconds(1000)
    small = min(seconds(250_000) for _ in range(2))
    assert min(seconds(1_000_000) for _ in range(2)) < 9 * small + 0.5


@given(
    st.binary(),
    st.binary(),
    st.dictionaries(st.text(), st.binary()),
    st.none() | st.sampled_from(REPORT_FORMATS) | st.text(),
)
def test_nothing_makes_it_raise(stdout: bytes, stderr: bytes, files: dict[str, bytes], promised: str | None) -> None:
    """Whatever a check leaves behind, there is an answer, and the same one each time."""
    assert read_report(stdout, stderr, files, promised) == read_report(stdout, stderr, files, promised)


@given(st.lists(st.sampled_from([GO, CARGO, PYTEST, UNITTEST, JUNIT, b"\xff\x00", b"\x1b[31m"])))
def test_names_stand_once(pieces: list[bytes]) -> None:
    """However reports are mixed, no name is given twice, and no message is long."""
    output = b"\n".join(pieces)
    for promised in (None, *REPORT_FORMATS):
        tests = read_report(output, output, {}, promised).tests or ()
        assert len({test.name for test in tests}) == len(tests)
        assert all(len(test.message or "") <= 501 for test in tests)
