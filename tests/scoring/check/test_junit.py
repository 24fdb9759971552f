"""JUnit reports give their cases, and hostile ones give nothing more than a problem."""

from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check import TestOutcome, read_report
from tachograph.scoring.check._junit import find_junit, read_junit

SUITE = """\
import pytest
def test_good(): print("<testsuite><testcase name='forged'/></testsuite>")
def test_bad(): assert 1 == 2, "why"
@pytest.mark.skip(reason="no time")
def test_skipped(): pass
@pytest.mark.xfail(reason="known")
def test_expected_failure(): assert 0
@pytest.fixture
def broken(): raise ValueError("fixture")
def test_error(broken): pass
class TestInClass:
    @pytest.mark.parametrize("x", [1, 2])
    def test_with_parameter(self, x): pass
"""


def outcomes(data: bytes) -> dict[str, str]:
    report = read_junit(data)
    assert report is not None
    assert report.tests is not None
    return {test.name: test.outcome for test in report.tests}


def test_a_report_of_pytest(
    tmp_path: Path, write: Callable[..., None], run_pytest: Callable[..., tuple[int, bytes, bytes]]
) -> None:
    """All kinds of results are read from a real report, and what a test printed is no result."""
    write(tmp_path, {"test_a.py": SUITE})
    code, _, _ = run_pytest(tmp_path, "--junitxml=report.xml", "-o", "junit_logging=all")
    content = (tmp_path / "report.xml").read_bytes()
    report = read_junit(content)
    assert report is not None
    assert code == 1
    assert (report.format, report.problem, report.remarks) == ("junit", None, ())
    assert b"forged" in content
    assert outcomes(content) == {
        "test_a::test_good": "passed",
        "test_a::test_bad": "failed",
        "test_a::test_skipped": "skipped",
        "test_a::test_expected_failure": "passed",
        "test_a::test_error": "error",
        "test_a.TestInClass::test_with_parameter[1]": "passed",
        "test_a.TestInClass::test_with_parameter[2]": "passed",
    }
    messages = {test.name: test.message for test in report.tests or ()}
    assert (messages["test_a::test_bad"] or "").startswith("AssertionError: why")
    assert messages["test_a::test_expected_failure"] == "expected failure: known"
    assert all(test.seconds is not None for test in report.tests or ())


OTHERS = {
    "a single suite": ("<testsuite name='s'><testcase name='a'/></testsuite>", {"s::a": "passed"}),
    "suites within suites": (
        "<testsuite name='o'><testsuite name='i'><testcase name='a'/></testsuite><testcase name='b'/></testsuite>",
        {"i::a": "passed", "o::b": "passed"},
    ),
    "GoogleTest": (
        "<testsuite><testcase name='A' status='run'/><testcase name='DISABLED_B' status='notrun'/></testsuite>",
        {"A": "passed", "DISABLED_B": "skipped"},
    ),
    "a namespace": (
        "<testsuite xmlns='http://junit.org' name='s'><testcase name='a'><failure/></testcase></testsuite>",
        {"s::a": "failed"},
    ),
    "error before failure": (
        "<testsuite><testcase name='a'><failure/><error/></testcase></testsuite>",
        {"a": "error"},
    ),
    "a failure in another element": (
        "<testsuite name='s'><testcase name='a'><system-out>x<failure/></system-out></testcase></testsuite>",
        {"s::a": "passed"},
    ),
    "no name": ("<testsuite><testcase/></testsuite>", {"unnamed": "passed"}),
    "no cases": ("<testsuites tests='0'/>", {}),
    "UTF-16": ("<testsuite><testcase name='é'/></testsuite>", {"é": "passed"}),
}


@pytest.mark.parametrize(("text", "expected"), OTHERS.values(), ids=OTHERS)
def test_reports_of_others(text: str, expected: dict[str, str]) -> None:
    """What other tools write is read by the same rules."""
    encoding = "utf-16" if "é" in text else "utf-8"
    assert outcomes(text.encode(encoding)) == expected


ENTITIES = {
    "bomb": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
    "file": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite><testcase name="a">&f;</testcase></testsuite>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % f SYSTEM "file:///etc/passwd">%f;]><testsuite/>',
    "external type": '<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:9/x.dtd"><testsuite><testcase name="a"/></testsuite>',
}


@pytest.mark.parametrize("text", ENTITIES.values(), ids=ENTITIES)
def test_no_document_type_is_let_in(text: str) -> None:
    """Neither bombs of entities nor files or addresses behind them are looked at: the report is refused, whole."""
    report = read_junit(text.encode())
    assert report is not None
    assert report.tests is None
    assert "declares a document type" in (report.problem or "")


def test_a_report_that_breaks_off_says_so() -> None:
    """What stands before the break is read, and the report is not relied upon."""
    report = read_junit(b"<testsuite><testcase name='a'/><testcase name='b'><fail")
    assert report is not None
    assert [test.name for test in report.tests or ()] == ["a", "b"]
    assert "no whole XML document" in (report.problem or "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<testsuite tests='3' failures='1'><testcase name='a'/></testsuite>", "no case in it shows one"),
        ("<testsuite tests='3'/>", "counts 3 tests and names none"),
        ("<testsuite tests='1' errors='x'><testcase name='a'/></testsuite>", None),
    ],
)
def test_totals_that_the_cases_do_not_show(text: str, problem: str | None) -> None:
    """A report from which the failed cases were taken out does not pass."""
    report = read_junit(text.encode())
    assert report is not None
    assert (problem in (report.problem or "")) if problem else report.problem is None


def test_a_name_that_stands_twice_has_the_worst_result() -> None:
    """A forged pass beside a real failure changes nothing, and is remarked upon."""
    report = read_junit(
        b"<testsuite><testcase name='a'><failure/></testcase><testcase name='a'/><testcase name='b'/></testsuite>"
    )
    assert report is not None
    assert [(test.name, test.outcome) for test in report.tests or ()] == [("a", "failed"), ("b", "passed")]
    assert report.remarks == ("1 name(s) stand more than once, such as a: the worst result counts",)


def test_a_report_on_standard_output() -> None:
    """Between other lines it is found if it was promised, and not looked for if it was not."""
    output = (
        b"building\n<?xml version='1.0'?><testsuites><testsuite><testcase name='a'/></testsuite></testsuites>\ndone\n"
    )
    report = find_junit(output)
    assert report is not None
    assert [test.name for test in report.tests or ()] == ["a"]
    assert report.problem is None
    assert read_report(output, b"", {}, "junit") == report
    assert read_report(output, b"", {}).format is None


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1).map(str.strip).filter(bool)
ELEMENTS: dict[TestOutcome, str] = {"passed": "", "failed": "<failure/>", "error": "<error/>", "skipped": "<skipped/>"}


@given(st.dictionaries(NAMES, st.sampled_from(sorted(ELEMENTS)), min_size=1))
def test_what_is_written_is_read(cases: dict[str, TestOutcome]) -> None:
    """Any names and results come back as they were written, in their order."""
    body = "".join(
        f"<testcase name={quoteattr(name)}>{ELEMENTS[outcome]}</testcase>" for name, outcome in cases.items()
    )
    assert outcomes(f"<testsuite>{body}</testsuite>".encode()) == cases


@given(st.binary() | st.text("<>testsuitecase/ ='&;!?x").map(str.encode))
def test_nothing_makes_it_raise(data: bytes) -> None:
    """Whatever a file holds, reading it gives a report or none."""
    read_junit(data)
    read_junit(b"<testsuite>" + data)
    find_junit(data)
