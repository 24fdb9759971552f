"""What `go test -json` prints: the events of test2json, one a line (`go doc test2json`; build events: `go help buildjson`)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ._report import Report, clip, settle
from ._result import TestCase, TestOutcome

__all__ = ["FORMAT", "Package", "put_together", "read_go_json"]

FORMAT: Final = "go"
_OUTCOMES: Final[dict[str, TestOutcome]] = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_LONGEST_OUTPUT: Final = 500
"""Characters of what a test printed that are kept for the case that it fails."""


@dataclass(slots=True)
class _Test:
    outcome: TestOutcome | None = None
    seconds: float | None = None
    output: str = ""


@dataclass(slots=True)
class Package:
    """What is known of one package's tests."""

    tests: dict[str, _Test] = field(default_factory=dict)
    """By name; without an outcome if it began and did not end."""
    outcome: TestOutcome | None = None
    """None if the package did not come to its end."""
    output: str = ""

    def begin(self, name: str) -> None:
        """A test began. One that had a result runs again: the worse result will count."""
        self.tests.setdefault(name, _Test())

    def end(self, name: str, outcome: TestOutcome, seconds: float | None) -> None:
        """A test ended. What did not begin has no result."""
        test = self.tests.get(name)
        if test is not None and test.outcome != "failed":
            test.outcome, test.seconds = outcome, seconds

    def say(self, name: str | None, text: str) -> None:
        """A test printed something, or the package."""
        teller = self if name is None else self.tests.get(name)
        if teller is not None and len(teller.output) < _LONGEST_OUTPUT:
            teller.output += text


def read_go_json(stdout: bytes) -> Report | None:
    """The results in the events of `go test -json`; None if there are none. Names are `PACKAGE::TEST`."""
    packages: dict[str, Package] = {}
    builds: dict[str, str] = {}
    for event in _events(stdout):
        name, test, action = event.get("Package"), event.get("Test"), event["Action"]
        if action == "build-output":
            path = str(event.get("ImportPath"))
            builds[path] = (builds.get(path, "") + str(event.get("Output") or ""))[:_LONGEST_OUTPUT]
        if not isinstance(name, str):
            continue
        package = packages.setdefault(name, Package())
        test = test if isinstance(test, str) else None
        if action == "output":
            if event.get("OutputType") != "frame":
                package.say(test, str(event.get("Output") or ""))
        elif action == "run" and test is not None:
            package.begin(test)
        elif action in _OUTCOMES and test is not None:
            package.end(test, _OUTCOMES[action], _seconds(event))
        elif action in _OUTCOMES:
            package.outcome = _OUTCOMES[action]
            package.output = builds.get(str(event.get("FailedBuild")), package.output)
    return put_together(packages) if packages else None


def put_together(packages: dict[str, Package]) -> Report:
    """The report on all packages.

    A package that failed and has no failed test (it could not be built, its process died), or did not come to its end, is a
    case of its own, an `error`; so is a test that began and did not end.
    """
    tests, remarks = settle(case for name, package in packages.items() for case in _cases(name, package))
    cut = [name for name, package in packages.items() if package.outcome is None]
    problem = f"the report breaks off: nothing is said of how {cut[0] or 'the last package'} ended" if cut else None
    return Report(FORMAT, tests, problem, remarks)


def _cases(name: str, package: Package) -> Iterator[TestCase]:
    prefix, failed = f"{name}::" if name else "", False
    for test_name, test in package.tests.items():
        failed = failed or test.outcome in (None, "failed")
        message = clip(test.output) if test.outcome != "passed" else None
        if test.outcome is None:
            message = clip(f"it began and did not end\n{test.output}")
        yield TestCase(name=prefix + test_name, outcome=test.outcome or "error", seconds=test.seconds, message=message)
    if package.outcome is None or (package.outcome == "failed" and not failed):
        said = clip(package.output) or "the package failed, and no test in it did"
        yield TestCase(name=name or "go test", outcome="error", message=said if package.outcome else "it did not end")


def _events(stdout: bytes) -> Iterator[dict[str, Any]]:
    for line in stdout.split(b"\n"):
        if line.startswith(b"{"):
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(event, dict) and isinstance(event.get("Action"), str):
                yield event


def _seconds(event: dict[str, Any]) -> float | None:
    seconds = event.get("Elapsed")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return None
    return float(seconds)
