"""Runs as JUnit XML, by the schema of Jenkins' xUnit plugin, read back by the reader that reads everybody's.

`junit-10.xsd` is of that plugin (MIT licence, in the file), as pytest's source distribution carries it.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring import AxisValue, Finding, Outcome, Party, load_record, score
from tachograph.scoring.axes._blast_radius import blast_radius
from tachograph.scoring.axes._tokens import tokens
from tachograph.scoring.check._junit import read_junit
from tachograph.scoring.formats import ScoredRun, junit

SCHEMA = xmlschema.XMLSchema10(str(Path(__file__).with_name("junit-10.xsd")))
SECOND = 1_000_000_000
New = Callable[..., ScoredRun]


def checked(runs: Sequence[ScoredRun]) -> ET.Element:
    """The report, if it is valid."""
    document = junit(runs)
    SCHEMA.validate(io.BytesIO(document))
    return ET.fromstring(document)


def outcomes(runs: Sequence[ScoredRun]) -> dict[str, str]:
    """What the reader of a check's report makes of it."""
    report = read_junit(junit(runs))
    assert report is not None
    assert (report.problem, report.remarks) == (None, ())
    return {test.name: test.outcome for test in report.tests or ()}


def cell_of(agent: str, task: str = "t", attempt: int | None = 1) -> dict[str, Any]:
    return {"agent": agent, "model": "m", "task": task, "attempt": attempt}


def ended(party: Party) -> Outcome:
    return Outcome(party=party, reason="so", message=f"by {party}")


def test_outcomes_and_counts(scored_run: New) -> None:
    """Whose doing it was decides: an agent's failure, others' error, nobody's is skipped; every party has its place."""
    runs = [
        scored_run(run_id=party, identity=cell_of("aider", task=party), outcome=ended(party))
        for party in get_args(Party)
    ]
    assert outcomes(runs) == {
        "aider/m::solved#run1": "passed",
        "aider/m::agent#run1": "failed",
        "aider/m::provider#run1": "error",
        "aider/m::check#run1": "error",
        "aider/m::harness#run1": "error",
        "aider/m::cancelled#run1": "skipped",
        "aider/m::unknown#run1": "skipped",
    }
    root = checked(runs)
    (suite,) = root
    counts = {"tests": "7", "failures": "1", "errors": "3"}
    assert counts.items() <= root.attrib.items()
    assert (counts | {"skipped": "2", "name": "aider/m"}).items() <= suite.attrib.items()
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.attrib == {"type": "agent.so", "message": "by agent"}


def test_values_and_what_is_not_known(
    scored_run: New, value_of: Callable[..., AxisValue], missing_value: Callable[[str, str], AxisValue]
) -> None:
    """A bound is written as one, and what was not measured as the word for it: never as 0."""
    found = Finding(rule="test-edited", severity="high", message="edited", path="tests/a.py", line=3)
    axes = (
        value_of("pass_rate", 1, findings=(found,)),
        value_of("damage", 0.1),
        value_of("tokens", 1906.0, unit="{token}", status="partial", bound="lower", reason="one call told none"),
        missing_value("integrity", "no workdir"),
    )
    suite = checked([scored_run(axes=axes)])[0]
    properties = {prop.attrib["name"]: prop.attrib["value"] for prop in suite.iterfind("properties/property")}
    assert properties == {
        "t#run1/run": "r1",
        "t#run1/pass_rate": "1",
        "t#run1/damage": "0.1",
        "t#run1/tokens": ">=1906",
        "t#run1/integrity": "missing",
    }
    assert (suite.findtext("testcase/system-out") or "").split("\n") == [
        "run r1",
        "solved: passed: the check passed",
        "pass_rate: 1",
        "damage: 0.1",
        "tokens: >=1906 {token} (one call told none)",
        "integrity: missing (no workdir)",
        "high: test-edited: edited (tests/a.py:3)",
    ]


def test_times(scored_run: New) -> None:
    """Seconds; a sum is left out if one is not known; the begin is the earliest."""
    runs = [
        scored_run(run_id="a", identity=cell_of("x", "one"), start_ns=2 * SECOND, end_ns=4 * SECOND + 1_999_999),
        scored_run(run_id="b", identity=cell_of("x", "two"), start_ns=SECOND, end_ns=1_000 * SECOND),
        scored_run(run_id="c", identity=cell_of("y"), end_ns=None),
    ]
    root = checked(runs)
    x, y = root
    assert [case.attrib["time"] for case in x.iterfind("testcase")] == ["2.001", "999.000"]
    assert x.attrib["time"] == "1001.001"
    assert x.attrib["timestamp"] == "1970-01-01T00:00:01.000000Z"
    assert "time" not in y.attrib
    assert "time" not in y[1].attrib
    assert "time" not in root.attrib


def test_names_are_unique_and_the_same_next_time(scored_run: New) -> None:
    """A CI follows a test case by its name: task and attempt, with the run's id only where that is not enough."""
    same = [scored_run(run_id=run_id, identity=cell_of("x")) for run_id in ("a", "b")]
    others = [
        scored_run(run_id="c", identity=cell_of("x", attempt=2)),
        scored_run(run_id="d", identity=cell_of("y", attempt=None)),
        scored_run(run_id="e", identity={}),
    ]
    assert list(outcomes([*same, *others])) == [
        "unknown/unknown::e",
        "x/m::t#run1 a",
        "x/m::t#run1 b",
        "x/m::t#run2",
        "y/m::t",
    ]


def test_attempts_are_in_the_order_of_numbers(scored_run: New) -> None:
    """The tenth comes after the second."""
    runs = [scored_run(run_id=f"r{number}", identity=cell_of("x", attempt=number)) for number in (10, 2, 1)]
    assert list(outcomes(runs)) == ["x/m::t#run1", "x/m::t#run2", "x/m::t#run10"]


@given(st.permutations(range(5)))
def test_the_order_of_runs_says_nothing(scored_run: New, order: list[int]) -> None:
    """The same runs give the same bytes."""
    runs = [
        scored_run(run_id=f"r{number}", identity=cell_of("xy"[number % 2], str(number // 2))) for number in range(5)
    ]
    assert junit([runs[number] for number in order]) == junit(runs)


@pytest.mark.parametrize("runs", [0, 1])
def test_nothing_to_say(scored_run: New, runs: int) -> None:
    """No runs, or a run with no axis, is a valid report."""
    assert len(checked([scored_run(identity={})] * runs)) == runs


@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_gives_a_valid_document(scored_run: New, text: str) -> None:
    """Control characters, halves of characters, markup: nothing gets out of its place, and nothing is lost unseen."""
    identity = {"agent": text, "model": text, "task": text, "attempt": 1}
    outcome = Outcome(party="agent", reason="failed", message=text)
    root = checked([scored_run(identity=identity, outcome=outcome)])
    assert [element.tag for element in root.iter()][:3] == ["testsuites", "testsuite", "properties"]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    told = failure.attrib["message"]
    assert len(told) >= len(text)
    if text.isprintable():
        assert told == text


def test_how_hostile_characters_are_shown(scored_run: New) -> None:
    """As their escapes, so that a reader sees that something is there; a name's byte that is no UTF-8 as that byte."""
    message = "\x1b[31m\x00 \r\ud83d \udcff \ufffe é 𝄞"
    outcome = Outcome(party="agent", reason="failed", message=message)
    failure = checked([scored_run(outcome=outcome)]).find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["message"] == failure.text == r"\x1b[31m\x00 \x0d\ud83d \xff \ufffe é 𝄞"


def test_the_published_cell(cell: Callable[..., Path]) -> None:
    """A real scorecard is a scored run."""
    record = load_record(cell())
    scored = score(record, {"blast_radius": blast_radius, "tokens": tokens}, [])
    suite = checked([scored])[0]
    properties = {prop.attrib["name"]: prop.attrib["value"] for prop in suite.iterfind("properties/property")}
    (name,) = (prop for prop in properties if prop.endswith("/blast_radius"))
    assert float(properties[name]) == 0.8571428571428571
    assert properties[name.replace("blast_radius", "tokens")] == "missing"
