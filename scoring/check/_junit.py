"""JUnit XML, as pytest, Surefire, Gradle, GoogleTest, jest-junit, gotestsum and others write it.

The parser is the standard library's expat, without a tree: a report of any size or depth is read as it streams. A document
type declaration ends the reading: no JUnit report needs one, and without it there are no entities, neither bombs nor files.
"""

import math
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import ParseError, XMLParser

from ._report import Report, clip, settle
from ._result import TestCase, TestOutcome

__all__ = ["FORMAT", "find_junit", "read_junit"]

FORMAT: Final = "junit"
_ROOTS: Final = frozenset({"testsuites", "testsuite"})
_OUTCOMES: Final[Mapping[str, TestOutcome]] = {"failure": "failed", "error": "error", "skipped": "skipped"}
"""A case's outcome by the element in it; the first of the three that is there, `error` before `failure`."""
_NOT_RUN: Final = frozenset({"notrun", "disabled", "skipped"})
"""GoogleTest's way to say so, in the attribute `status`."""
_EXPECTED_FAILURE: Final = "pytest.xfail"
_START: Final = re.compile(rb"<\?xml|<testsuites?[\s>/]")
_END: Final = re.compile(rb"</testsuites?\s*>|<testsuites?[^<>]*/>")


class _DoctypeError(Exception):
    """The document declares a document type."""


@dataclass(slots=True)
class _Case:
    name: str
    attributes: Mapping[str, str]
    found: dict[str, tuple[Mapping[str, str], list[str]]] = field(default_factory=dict)
    """By the element's name: its attributes and text, of the first one."""

    def result(self) -> TestCase:
        kind = next((kind for kind in ("error", "failure", "skipped") if kind in self.found), None)
        given, text = self.found[kind] if kind else ({}, [])
        outcome: TestOutcome = _OUTCOMES[kind] if kind else "passed"
        message = clip(given.get("message") or "".join(text))
        if outcome == "skipped" and given.get("type") == _EXPECTED_FAILURE:
            outcome, message = "passed", clip(f"expected failure: {message or ''}")
        elif kind is None and self.attributes.get("status") in _NOT_RUN:
            outcome = "skipped"
        return TestCase(name=self.name, outcome=outcome, seconds=_seconds(self.attributes), message=message)


class _Document:
    """What the parser tells of, element by element: the target of an `XMLParser`."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.suites: list[str] = []
        self.cases: list[_Case] = []
        self.declared: dict[str, int] = {"tests": 0, "failures": 0, "errors": 0}
        self.root: str | None = None

    def doctype(self, *_: str | None) -> None:
        raise _DoctypeError

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        self.root = self.root or name
        parent = self.path[-1] if self.path else None
        self.path.append(name)
        if name == "testsuite":
            if parent != "testsuite":
                self._declare(attributes)
            self.suites.append(attributes.get("name", ""))
        elif name == "testcase" and parent == "testsuite":
            self.cases.append(_Case(_name(attributes, self.suites[-1]), attributes))
        elif parent == "testcase" and name in _OUTCOMES and self.cases:
            self.cases[-1].found.setdefault(name, (attributes, []))

    def _declare(self, attributes: Mapping[str, str]) -> None:
        for name in self.declared:
            with_digits = attributes.get(name, "")
            self.declared[name] += int(with_digits) if re.fullmatch("[0-9]{1,9}", with_digits) else 0

    def data(self, text: str) -> None:
        if len(self.path) > 1 and self.path[-2] == "testcase" and self.path[-1] in _OUTCOMES:
            self.cases[-1].found[self.path[-1]][1].append(text[:1000])

    def end(self, _tag: str) -> None:
        if self.path.pop() == "testsuite":
            self.suites.pop()

    def close(self) -> None:
        """Nothing is left to be done when the document ends."""


def read_junit(data: bytes) -> Report | None:
    """The results in a JUnit document; None if the bytes hold none. Names are `CLASSNAME::NAME`."""
    document, problem = _Document(), None
    parser = XMLParser(target=document)  # noqa: S314 - no document type is let in, see above
    try:
        parser.feed(data)
        parser.close()
    except _DoctypeError:
        return Report(FORMAT, None, "the JUnit report declares a document type, which no test runner writes: not read")
    except (ParseError, ValueError, LookupError) as error:
        problem = f"the JUnit report is no whole XML document: {error}"
    if document.root not in _ROOTS:
        return None
    tests, remarks = settle(case.result() for case in document.cases)
    return Report(FORMAT, tests, problem or _contradiction(document, tests), remarks)


def find_junit(output: bytes) -> Report | None:
    """The results in a JUnit document that stands in an output, between other lines; None if there is none."""
    start = _START.search(output)
    if start is None:
        return None
    ends = deque(_END.finditer(output, start.start()), maxlen=1)
    return read_junit(output[start.start() : ends[0].end() if ends else None])


def _contradiction(document: _Document, tests: tuple[TestCase, ...]) -> str | None:
    """What the totals say that the cases do not. Runners count differently (a subtest, a teardown), so only nothing is odd."""
    declared = document.declared
    if declared["tests"] and not tests:
        return f"the JUnit report counts {declared['tests']} tests and names none"
    broken = declared["failures"] + declared["errors"]
    if broken and not any(test.outcome in ("failed", "error") for test in tests):
        return f"the JUnit report counts {broken} failures and errors, and no case in it shows one"
    return None


def _name(attributes: Mapping[str, str], suite: str) -> str:
    name = attributes.get("name", "").strip() or "unnamed"
    classname = attributes.get("classname", suite).strip()
    return f"{classname}::{name}" if classname else name


def _seconds(attributes: Mapping[str, str]) -> float | None:
    try:
        seconds = float(attributes.get("time", "").replace(",", ""))
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
