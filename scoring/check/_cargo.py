"""What `cargo test` prints: libtest's lines on standard output, and on standard error which program they come from.

Captured output of tests stands between `failures:` or `successes:` and the totals, and is never read for results. A program's
part counts as whole only if its totals agree with the results above them and with the number of tests that it announced.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from ._report import Report, clip, plain_lines, settle
from ._result import TestCase, TestOutcome

__all__ = ["FORMAT", "Part", "Program", "build_failures", "put_together", "read_cargo", "started_programs"]

FORMAT: Final = "cargo"
_MARKS: Final = (b"running ", b"could not compile")
_ANNOUNCED: Final = re.compile(r"running ([0-9]{1,9}) tests?$")
_TOTALS: Final = re.compile(
    r"test result: (?:ok|FAILED)\. ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored; ([0-9]+) measured; [0-9]+ filtered out"
)
_OUTCOME: Final = re.compile(r"(ok|FAILED|ignored|bench:)(?:,? .*)?$")
_OUTCOMES: Final[dict[str, TestOutcome]] = {
    "ok": "passed",
    "FAILED": "failed",
    "ignored": "skipped",
    "bench:": "passed",
}
_MODE: Final = re.compile(r" - (?:should panic|compile fail|compile)$")
"""What libtest adds to the names of some tests."""
_QUIET_FAILURE: Final = " --- FAILED"
_SECTIONS: Final = frozenset({"failures:", "successes:"})
_CAPTURED: Final = re.compile(r"---- (.+) (?:stdout|stderr) ----$")
_PROGRAM: Final = re.compile(r" +Running (?:unittests )?(.+)$")
_DOC_TESTS: Final = re.compile(r" +(Doc-tests \S+)$")
_NOT_BUILT: Final = re.compile(r"error: (could not compile `[^`]+`(?: \([^)]*\))?)")
_HASH: Final = re.compile(r"-[0-9a-f]{16}$")
_LISTED: Final = " " * 4
"""What stands before each name in the list of failures, which ends the captured output."""
_SHOWN_LINES: Final = 12
"""Of what a failed test printed."""


class Program(NamedTuple):
    """A program with tests, as cargo names it when it starts it."""

    path: str
    """Of its source, or `Doc-tests CRATE`."""
    binary: str
    """Its file's name without the hash; empty for doc-tests."""
    documents: bool = False


@dataclass(slots=True)
class Part:
    """What one program printed."""

    announced: int
    suite: str | None = None
    results: list[TestCase] = field(default_factory=list)
    printed: dict[str, list[str]] = field(default_factory=dict)
    """The first lines of what tests printed, by name."""
    complete: bool = False
    quiet: bool = False
    """Its totals are there, and no names."""

    def agrees_with(self, totals: Sequence[int]) -> bool:
        """Whether passed, failed and ignored, with benchmarks among the passed, are as many as the results."""
        counted = Counter(case.outcome for case in self.results)
        passed, failed, ignored, measured = totals
        return (counted["passed"], counted["failed"], counted["skipped"]) == (passed + measured, failed, ignored) and (
            sum(totals) == self.announced
        )

    def is_summed_up_by(self, totals: Sequence[int]) -> bool:
        """Whether the totals are right, and the results name only what failed: `cargo test --quiet`."""
        return 0 < self.announced == sum(totals) and [case.outcome for case in self.results] == ["failed"] * totals[1]


def read_cargo(stdout: bytes, stderr: bytes = b"") -> Report | None:
    """The results in what `cargo test` printed; None if it printed nothing.

    Names are `PROGRAM::NAME`, such as `tests/retry.rs::gives_up` or `src/lib.rs::tests::works`. A program that could not be
    built, or did not come to its end, is a case of its own, an `error`.
    """
    if not any(mark in stdout or mark in stderr for mark in _MARKS):
        return None
    printed, said = plain_lines(stdout), plain_lines(stderr)
    # With `2>&1` all of it is on standard output.
    programs = started_programs(said) or started_programs(printed)
    return put_together(list(_parts(printed)), programs, build_failures([*said, *printed]))


def put_together(parts: Sequence[Part], programs: Sequence[Program], failures: Sequence[TestCase]) -> Report | None:
    """The report that the parts of all programs make.

    Args:
        parts: what the programs printed.
        programs: those that cargo says it started; none if it does not say.
        failures: what could not be built. It counts if nothing ran: cargo builds all before it runs the first.
    """
    if not parts:
        return Report(FORMAT, settle(failures)[0], None) if failures else None
    _name_suites(parts, programs)
    problems = [problem for part in parts if (problem := _problem(part))]
    if len(programs) > len(parts):
        problems.append(f"cargo started {len(programs)} programs with tests, and {len(parts)} of them reported")
    tests, remarks = settle(case for part in parts for case in _cases(part))
    named = tests if tests or not any(part.quiet for part in parts) else None
    return Report(FORMAT, named, "; ".join(problems) or None, remarks)


def started_programs(lines: Sequence[str]) -> list[Program]:
    """The programs that cargo says it starts, in order."""
    programs = []
    for line in lines:
        if match := _PROGRAM.match(line):
            path, _, binary = match[1].removesuffix(")").partition(" (")
            programs.append(Program(path, _HASH.sub("", binary.rpartition("/")[2])))
        elif match := _DOC_TESTS.match(line):
            programs.append(Program(match[1], "", documents=True))
    return programs


def build_failures(lines: Sequence[str]) -> list[TestCase]:
    """A case for each crate or program that could not be compiled."""
    matches = filter(None, map(_NOT_BUILT.match, lines))
    return [TestCase(name=match[1], outcome="error", message=clip(match.string)) for match in matches]


def _name_suites(parts: Sequence[Part], programs: Sequence[Program]) -> None:
    """Say of each part which program printed it: both streams are in the same order.

    Doc-tests come last, and may be run by several programs that are not named.
    """
    paths = Counter(program.path for program in programs)
    names = [f"{path} ({binary})" if paths[path] > 1 and binary else path for path, binary, _ in programs]
    documents = [program.path for program in programs if program.documents]
    if documents:
        names += [documents[-1] if len(documents) == 1 else "Doc-tests"] * (len(parts) - len(names))
    for part, name in zip(parts, names, strict=False):
        part.suite = name


def _parts(lines: Sequence[str]) -> Iterator[Part]:
    """The parts of an output, told apart by what they announce."""
    part: Part | None = None
    captured = False
    pending: str | None = None
    last = ""
    for line in lines:
        if not captured and (match := _ANNOUNCED.match(line)):
            if part:
                yield part
            part, pending = Part(int(match[1])), None
        elif part is None:
            continue
        elif match := _TOTALS.match(line):
            totals = [int(number) for number in match.groups()]
            part.complete = part.agrees_with(totals)
            part.quiet = part.is_summed_up_by(totals)
            if part.complete or (captured and last.startswith(_LISTED)):
                yield part
                part, captured = None, False
        elif captured:
            pending = _read_captured(part, line, pending)
        elif line in _SECTIONS:
            captured, pending = True, None
        else:
            pending = _read_result(part, line, pending)
        last = line or last
    if part:
        yield part


def _read_result(part: Part, line: str, pending: str | None) -> str | None:
    """Read a line of results; gives the test whose name was printed and whose result was not yet."""
    name, separator, result = line.removeprefix("test ").partition(" ... ")
    if line.endswith(_QUIET_FAILURE):
        name, result = line.removesuffix(_QUIET_FAILURE), "FAILED"
    elif not line.startswith("test ") or not separator:
        name, result = pending or "", line
    if not name:
        return None
    match = _OUTCOME.match(result)
    if match is None:
        return name
    message = result.partition(", ")[2] or None if match[1] == "ignored" else None
    part.results.append(TestCase(name=_MODE.sub("", name), outcome=_OUTCOMES[match[1]], message=clip(message)))
    return None


def _read_captured(part: Part, line: str, name: str | None) -> str | None:
    """Read a line of what the test of this name printed; gives the test whose lines follow."""
    if match := _CAPTURED.match(line):
        return _MODE.sub("", match[1])
    if name is not None and len(printed := part.printed.setdefault(name, [])) < _SHOWN_LINES:
        printed.append(line)
    return name


def _problem(part: Part) -> str | None:
    if part.complete:
        return None
    if part.quiet:
        return "the report does not name the tests that passed: run cargo test without --quiet"
    results = f"{part.suite or 'a program'} announced {part.announced} tests and gave {len(part.results)} results"
    return f"{results}, with totals that do not agree or none: it broke off, or something else printed into its report"


def _cases(part: Part) -> Iterator[TestCase]:
    prefix = f"{part.suite}::" if part.suite else ""
    for case in part.results:
        printed = part.printed.get(case.name, ()) if case.outcome == "failed" else ()
        yield replace(case, name=prefix + case.name, message=case.message or clip("\n".join(printed)))
    if not part.complete and not part.quiet:
        yield TestCase(name=part.suite or "cargo test", outcome="error", message=_problem(part))
