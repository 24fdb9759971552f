"""What `python -m unittest -v` prints, on standard error: a line or two for each test, and totals at the end."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from ._report import Report, clip, plain_lines, settle
from ._result import TestCase, TestOutcome

__all__ = ["FORMAT", "read_unittest"]

FORMAT: Final = "unittest"
_MARK: Final = b"Ran "
_TOTALS: Final = re.compile(r"Ran ([0-9]{1,9}) tests? in [0-9.]+s$")
_VERDICT: Final = re.compile(r"(OK|FAILED|NO TESTS RAN)(?: \(.*\))?$")
_TEST: Final = re.compile(r"(\w+) \(([\w.<>]+)\)")
_THEN: Final = " ... "
"""Between a test, or the first line of its docstring, and its result."""
_BROKEN: Final = re.compile(r"(FAIL|ERROR|UNEXPECTED SUCCESS): (\w+) \(([\w.<>]+)\)")
"""The head of a failure's details. A part of a test (`subTest`) is told of here only."""
_RULE: Final = "=" * 70
_SHOWN_LINES: Final = 6
"""Of the details of a failure, from their end, where its message stands."""
_OUTCOMES: Final[dict[str, TestOutcome]] = {
    "ok": "passed",
    "FAIL": "failed",
    "ERROR": "error",
    "expected failure": "passed",
    "unexpected success": "failed",
}
_SKIPPED: Final = "skipped "
"""Followed by the reason, as a Python literal."""
_FIXTURES: Final = frozenset({"setUpClass", "tearDownClass", "setUpModule", "tearDownModule"})
"""What breaks before or after its tests is reported like a test and not counted as one."""


def read_unittest(output: bytes) -> Report | None:
    """The results in what unittest printed; None if it did not. Names are dotted, such as `test_retry.RetryTest.test_once`."""
    if _MARK not in output:
        return None
    lines = plain_lines(output)
    end = next((number for number in range(len(lines) - 1, -1, -1) if _TOTALS.match(lines[number])), None)
    totals = _TOTALS.match(lines[end]) if end is not None else None
    if end is None or totals is None:
        return None
    details = next((number for number, line in enumerate(lines[:end]) if line == _RULE), end)
    named, remarks = settle(_cases(lines[:details]))
    tests = _with_failures(named, lines[details:end])
    ran = int(totals[1])
    if ran and not named:
        return Report(FORMAT, tests or None, "the report does not name the tests that passed: run unittest with -v")
    verdict = next((match[1] for line in lines[end:] if (match := _VERDICT.match(line))), None)
    return Report(FORMAT, tests, _problem(ran, tests, verdict), remarks)


def _cases(lines: Sequence[str]) -> Iterator[TestCase]:
    """The results as `-v` prints them."""
    pending: str | None = None
    result: str | None = None
    for line in lines:
        pieces = line.split(_THEN)
        begun = 0
        # Before Python 3.11 a test whose parts failed had no result of its own: the next one begins on its line.
        while begun < len(pieces) and (match := _TEST.fullmatch(pieces[begun])):
            if pending:
                yield _case(pending, result)
            pending, result, begun = _name(match[1], match[2]), None, begun + 1
        if pending and result is None:
            # The result; or the first line of the test's docstring and the result; or what the test printed, and then it.
            result = _result(_THEN.join(pieces[begun:]))
    if pending:
        yield _case(pending, result)


def _name(method: str, place: str) -> str:
    """Dotted: before Python 3.11 the place was the class."""
    return place if place.endswith(f".{method}") else f"{place}.{method}"


def _result(text: str) -> str | None:
    """The result at the end of a line."""
    before, skipped, reason = text.partition(_SKIPPED)
    if skipped and (not before or before.endswith(_THEN)):
        return skipped + reason
    return next((word for word in _OUTCOMES if text.endswith(word)), None)


def _with_failures(tests: Sequence[TestCase], details: Sequence[str]) -> tuple[TestCase, ...]:
    """The tests with what the details of the failures say of them. They count: a test can print a result, too."""
    failures: dict[str, TestOutcome] = {}
    told: dict[str, deque[str]] = {}
    name, before = "", ""
    for line in details:
        if before == _RULE and (match := _BROKEN.match(line)):
            name = _name(match[2], match[3])
            failures.setdefault(name, "error" if match[1] == "ERROR" else "failed")
        elif line.strip("=-"):
            told.setdefault(name, deque(maxlen=_SHOWN_LINES)).append(line)
        before = line
    cases = {test.name: test for test in tests}
    for name, outcome in failures.items():
        cases[name] = TestCase(name=name, outcome=outcome, message=clip("\n".join(told.get(name, ()))))
    return tuple(cases.values())


def _case(name: str, result: str | None) -> TestCase:
    if result is None:
        return TestCase(name=name, outcome="error", message="it began and did not end")
    if result.startswith(_SKIPPED):
        return TestCase(name=name, outcome="skipped", message=clip(result.removeprefix(_SKIPPED).strip("'\"")))
    return TestCase(name=name, outcome=_OUTCOMES[result], message=result if " " in result else None)


def _problem(ran: int, tests: Sequence[TestCase], verdict: str | None) -> str | None:
    counted = [test for test in tests if test.name.rpartition(".")[2] not in _FIXTURES]
    # Whether a skipped test counts as run differs between versions of Python.
    least = sum(test.outcome != "skipped" for test in counted)
    broken = sum(test.outcome in ("failed", "error") for test in tests)
    if not least <= ran <= len(counted):
        return f"the report's totals count {ran} tests, and it names {len(counted)}"
    if verdict is None:
        return "the report breaks off: it has no verdict"
    if (verdict == "FAILED") != bool(broken):
        return f"the report says {verdict}, and {broken} of its tests did not pass"
    return None
