"""What `go test -v` prints. Without `-v` it names only the tests that failed."""

import re
from typing import Final

from ._go import Package, put_together
from ._report import Report, plain_lines
from ._result import TestOutcome

__all__ = ["read_go_text"]

_MARKS: Final = (b"=== RUN", b"ok  \t", b"FAIL\t", b"?   \t")
_BEGINS: Final = re.compile(r"=== RUN   (\S+)$")
_ENDS: Final = re.compile(r"--- (PASS|FAIL|SKIP): (\S+) \(([0-9]+\.[0-9]+)s\)$")
"""Searched in a line: what a test printed without a newline stands before it."""
_PACKAGE: Final = re.compile(r"(ok  |FAIL|\?   )\t(\S+)(?:\t(.*)| (\[(?:build|setup) failed\]))?$")
_OUTCOMES: Final[dict[str, TestOutcome]] = {"PASS": "passed", "FAIL": "failed", "SKIP": "skipped"}
_PACKAGE_OUTCOMES: Final[dict[str, TestOutcome]] = {"ok  ": "passed", "FAIL": "failed", "?   ": "skipped"}
_WITHOUT_TESTS: Final = ("[no test files]", "[no tests to run]")


def read_go_text(stdout: bytes) -> Report | None:
    """The results in what `go test -v` printed; None if it did not. Names are `PACKAGE::TEST`."""
    if not any(mark in stdout for mark in _MARKS):
        return None
    packages: dict[str, Package] = {}
    current = Package()
    begun = silent = False
    for line in plain_lines(stdout):
        if match := _BEGINS.match(line):
            begun = True
            current.begin(match[1])
        elif "--- " in line and (match := _ENDS.search(line)):
            if match[1] == "FAIL":
                current.begin(match[2])
            current.end(match[2], _OUTCOMES[match[1]], float(match[3]))
        elif match := _PACKAGE.match(line):
            current.outcome = _PACKAGE_OUTCOMES[match[1]]
            current.output = line
            silent = silent or not (begun or _is_empty(match))
            begun = False
            packages[match[2]] = current
            current = Package()
    if current.tests:
        packages[""] = current
    if not packages:
        return None
    report = put_together(packages)
    if not silent:
        return report
    problem = "the report does not name the tests that passed: run go test with -v or -json"
    return report._replace(tests=report.tests or None, problem=problem)


def _is_empty(match: re.Match[str]) -> bool:
    """Whether the package's line says that there was nothing to name: no tests, or none that could be built."""
    kind, _, rest, not_built = match.groups()
    return kind == "?   " or bool(not_built) or any(words in (rest or "") for words in _WITHOUT_TESTS)
