"""Findings as SARIF, by the schema of OASIS: every result has a place, and what was not looked at is said."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote_to_bytes, urlsplit

import orjson
from hypothesis import given
from hypothesis import strategies as st
from sarif_kit import assert_valid

from tachograph.scoring import AxisValue, Finding, Severity, load_record, score
from tachograph.scoring.formats import ScoredRun, sarif

EDITED = Finding(
    rule="test-edited", severity="high", message="edited", path="tests/a.py", line=3, call="c" * 16, excerpt="assert 1"
)
CLAIMED = Finding(rule="claim-without-test", severity="medium", message="no test ran after the last edit")
Scored = Callable[..., ScoredRun]
Value = Callable[..., AxisValue]


def checked(runs: Iterable[ScoredRun], **rules: str) -> Any:
    """The one run of the log, if the log is valid and JSON."""
    log = sarif(runs, {name.replace("_", "-"): said for name, said in rules.items()})
    assert orjson.loads(orjson.dumps(log)) == log
    assert_valid(log)
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["locations"]
    return run


def with_findings(scored_run: Scored, value_of: Value, *findings: Finding, **changed: Any) -> ScoredRun:
    return scored_run(axes=(value_of("integrity", 0.0, findings=findings),), **changed)


def test_a_finding_and_its_place(scored_run: Scored, value_of: Value) -> None:
    """Rule, level, place and who did it; one that concerns no file is placed at the run's record."""
    run = checked([with_findings(scored_run, value_of, EDITED, CLAIMED)], test_edited="Tests were edited.")
    driver = run["tool"]["driver"]
    assert [(rule["id"], rule["help"]["text"]) for rule in driver["rules"]] == [
        ("claim-without-test", "Claim without test"),
        ("test-edited", "Tests were edited."),
    ]
    claimed, edited = run["results"]
    assert (edited["ruleId"], edited["level"], claimed["level"]) == ("test-edited", "error", "warning")
    assert edited["message"]["text"] == "edited (aider/m: t#run1)"
    assert edited["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "tests/a.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }
    assert claimed["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "r1/trace.jsonl", "uriBaseId": "RUNS"}
    }
    assert edited["properties"] == {
        "run": "r1",
        "severity": "high",
        "call": "c" * 16,
        "excerpt": "assert 1",
        "task": "t",
        "agent": "aider",
        "model": "m",
        "attempt": 1,
    }
    assert run["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_levels(scored_run: Scored, value_of: Value) -> None:
    """Every severity has a level."""
    findings = [replace(EDITED, severity=severity, line=at) for at, severity in enumerate(get_args(Severity), start=1)]
    results = checked([with_findings(scored_run, value_of, *findings)])["results"]
    assert [result["level"] for result in results] == ["note", "note", "warning", "error", "error"]


def test_nothing_found_is_not_nothing_looked_at(
    scored_run: Scored, value_of: Value, missing_value: Callable[[str, str], AxisValue]
) -> None:
    """A run that was looked at and is clean has no result; one that was not, or only in part, is named."""
    clean = scored_run(run_id="clean", axes=(value_of("integrity", 1.0),))
    blind = scored_run(run_id="blind", axes=(missing_value("integrity", "no workdir"),))
    half = value_of("integrity", 1.0, status="partial", bound="upper", reason="no transcript")
    runs = [clean, blind, scored_run(run_id="half", axes=(half,)), scored_run(run_id="unscored")]
    run = checked(runs)
    assert run["results"] == []
    (invocation,) = run["invocations"]
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == [
        "blind: integrity is not, or not wholly, known: no workdir",
        "half: integrity is not, or not wholly, known: no transcript",
        "unscored: integrity is not, or not wholly, known: it was not scored",
    ]
    assert checked([])["results"] == []


def fingerprints(runs: Iterable[ScoredRun]) -> list[str]:
    return [result["partialFingerprints"]["tachographFinding/v1"] for result in checked(runs)["results"]]


def test_fingerprints(scored_run: Scored, value_of: Value) -> None:
    """The same when the sweep is run again and the file has moved on; another for each finding, cell and attempt."""
    first = with_findings(scored_run, value_of, EDITED)
    again = with_findings(scored_run, value_of, replace(EDITED, line=9, call="d" * 16, message="others"), run_id="r2")
    assert fingerprints([first]) == fingerprints([again])
    others = [
        with_findings(scored_run, value_of, EDITED, replace(EDITED, line=8), replace(EDITED, path="tests/b.py")),
        with_findings(scored_run, value_of, EDITED, run_id="r3", identity={"task": "t", "attempt": 2}),
        with_findings(scored_run, value_of, EDITED, run_id="r4", identity={}),
        with_findings(scored_run, value_of, EDITED, run_id="r5", identity={}),
    ]
    found = fingerprints(others)
    assert len(set(found)) == len(found) == 6


@given(st.permutations(range(4)), st.permutations([EDITED, CLAIMED, replace(EDITED, line=8)]))
def test_the_order_of_runs_says_nothing(
    scored_run: Scored, value_of: Value, order: list[int], findings: list[Finding]
) -> None:
    """The same findings give the same bytes."""
    runs = [with_findings(scored_run, value_of, *findings, run_id=f"r{number}") for number in range(4)]
    ordered = [
        with_findings(scored_run, value_of, EDITED, replace(EDITED, line=8), CLAIMED, run_id=f"r{n}") for n in range(4)
    ]
    assert orjson.dumps(sarif([runs[number] for number in order])) == orjson.dumps(sarif(ordered))


@given(path=st.binary(min_size=1, max_size=30).filter(lambda path: b"\0" not in path and not path.startswith(b"/")))
def test_any_path_is_a_relative_reference(scored_run: Scored, value_of: Value, path: bytes) -> None:
    """A file's name may be any bytes: it is a path below the workdir all the same, and can be read back."""
    name = path.decode("utf-8", "surrogateescape")
    run = checked([with_findings(scored_run, value_of, replace(EDITED, path=name, message=name))])
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert urlsplit(uri)[:2] == ("", "")
    assert unquote_to_bytes(uri) == path


def test_text_of_an_agent_makes_no_links(scored_run: Scored, value_of: Value) -> None:
    """In a message, `[text](address)` is a link: a name that an agent chose is shown as it is."""
    finding = replace(EDITED, message="see [here](elsewhere)")
    text = checked([with_findings(scored_run, value_of, finding)])["results"][0]["message"]["text"]
    assert text.startswith(r"see \[here\](elsewhere)")


def test_the_published_cell(cell: Callable[..., Path]) -> None:
    """A real scorecard is a scored run."""
    scored = score(load_record(cell()), {}, [])
    run = checked([scored])
    assert run["results"] == []
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 1
