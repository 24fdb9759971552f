"""Runs as JUnit XML, so that any CI shows them: a run is a test case, an agent with a model is a suite.

Valid by `junit-10.xsd` of Jenkins' xUnit plugin, which lets suites have properties and cases have none: a case's values stand
among its suite's properties by its name, and once more in its output, for people.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final
from xml.etree import ElementTree as ET

from .._axis_value import AxisValue, Bound
from .._outcome import Party
from ._scored_run import ScoredRun, in_order, name_of, setting_of
from ._text import timestamp, xml_text

__all__ = ["junit"]

_ELEMENTS: Final[dict[Party, str | None]] = {
    "solved": None,
    "agent": "failure",
    "provider": "error",
    "check": "error",
    "harness": "error",
    "cancelled": "skipped",
    "unknown": "skipped",
}
"""What a test case holds, by whose doing the end of the run was. A run that was not judged is neither passed nor failed."""
_COUNTS: Final = {"failures": "failure", "errors": "error", "skipped": "skipped"}
_BOUNDS: Final[dict[Bound, str]] = {"exact": "", "lower": ">=", "upper": "<="}
_MILLISECOND: Final = 1_000_000


def junit(runs: Iterable[ScoredRun]) -> bytes:
    """A JUnit report of scored runs.

    Solved is passed; what the agent failed is a failure; what provider, check or harness broke is an error; what was cancelled
    or not judged is skipped. A value that is a bound is written as `>=1906` or `<=0.5`; instead of one that was not measured
    stands the word that says so. Times are in seconds, and left out if not known.

    Args:
        runs: in any order; the same runs give the same bytes.
    """
    ordered = in_order(runs)
    root = ET.Element("testsuites", _attributes({"name": "tachograph", **_totals(ordered)}))
    for setting, members in groupby(ordered, key=setting_of):
        _write_suite(root, setting, list(members))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _write_suite(root: ET.Element, setting: str, runs: Sequence[ScoredRun]) -> None:
    skipped = sum(_element_of(run) == "skipped" for run in runs)
    begin = timestamp(min(run.start_ns for run in runs))
    attributes = {"name": setting, **_totals(runs), "skipped": str(skipped), "timestamp": begin}
    suite = ET.SubElement(root, "testsuite", _attributes(attributes))
    properties = ET.SubElement(suite, "properties")
    names = _names(runs)
    for run, name in zip(runs, names, strict=True):
        stated = {"run": run.run_id, **{value.axis: _figure(value) for value in run.axes}}
        for key, figure in stated.items():
            ET.SubElement(properties, "property", _attributes({"name": f"{name}/{key}", "value": figure}))
    for run, name in zip(runs, names, strict=True):
        _write_case(suite, setting, name, run)


def _write_case(suite: ET.Element, setting: str, name: str, run: ScoredRun) -> None:
    case = ET.SubElement(suite, "testcase", _attributes({"classname": setting, "name": name, "time": _seconds([run])}))
    element, outcome = _element_of(run), run.outcome
    if element is not None:
        said = {"type": f"{outcome.party}.{outcome.reason}", "message": outcome.message}
        ET.SubElement(case, element, _attributes(said)).text = xml_text(outcome.message)
    ET.SubElement(case, "system-out").text = xml_text("\n".join(_lines(run)))


def _element_of(run: ScoredRun) -> str | None:
    return _ELEMENTS[run.outcome.party]


def _totals(runs: Sequence[ScoredRun]) -> dict[str, str | None]:
    counts = Counter(map(_element_of, runs))
    broken = {name: str(counts[_COUNTS[name]]) for name in ("failures", "errors")}
    return {"tests": str(len(runs)), **broken, "time": _seconds(runs)}


def _names(runs: Sequence[ScoredRun]) -> list[str]:
    """A name for each, with its id where two runs would have the same."""
    names = list(map(name_of, runs))
    count = Counter(names)
    return [name if count[name] == 1 else f"{name} {run.run_id}" for name, run in zip(names, runs, strict=True)]


def _seconds(runs: Sequence[ScoredRun]) -> str | None:
    """How long they took together; None unless that is known of each."""
    if not runs:
        return None
    total = 0
    for run in runs:
        if run.end_ns is None:
            return None
        total += max(run.end_ns - run.start_ns, 0) // _MILLISECOND
    return f"{total // 1000}.{total % 1000:03d}"


def _figure(value: AxisValue) -> str:
    if value.value is None or value.bound is None:
        return value.status
    number = float(value.value)
    return _BOUNDS[value.bound] + (str(int(number)) if number.is_integer() else repr(number))


def _lines(run: ScoredRun) -> list[str]:
    """A run for people: its end, its values, its findings."""
    lines = [f"run {run.run_id}", f"{run.outcome.party}: {run.outcome.reason}: {run.outcome.message}"]
    for value in run.axes:
        unit = "" if value.unit == "1" or value.value is None else f" {value.unit}"
        lines.append(f"{value.axis}: {_figure(value)}{unit}" + (f" ({value.reason})" if value.reason else ""))
    for finding in (finding for value in run.axes for finding in value.findings):
        where = finding.path if finding.line is None else f"{finding.path}:{finding.line}"
        lines.append(f"{finding.severity}: {finding.rule}: {finding.message}" + (f" ({where})" if where else ""))
    return lines


def _attributes(given: Mapping[str, str | None]) -> dict[str, str]:
    return {name: xml_text(value) for name, value in given.items() if value is not None}
