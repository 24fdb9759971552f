"""What pytest prints: the lines of `-v`, the short summary of `-rA`, and the totals at the end.

Names come from both; the totals say whether they are all. What tests print stands before the summary, so the last summary and
the last totals are pytest's own, unless the process under test ended it and wrote them: no text can rule that out.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ._report import Report, clip, plain_lines, settle
from ._result import TestCase, TestOutcome

__all__ = ["FORMAT", "read_pytest"]

FORMAT: Final = "pytest"
_OUTCOMES: Final[dict[str, TestOutcome]] = {
    "PASSED": "passed",
    "FAILED": "failed",
    "SUBFAILED": "failed",
    "ERROR": "error",
    "SKIPPED": "skipped",
    "XFAIL": "passed",
    "XPASS": "passed",
}
_COUNTED: Final = {
    "passed": ("PASSED",),
    "failed": ("FAILED", "SUBFAILED"),
    "error": ("ERROR",),
    "errors": ("ERROR",),
    "skipped": ("SKIPPED",),
    "xfailed": ("XFAIL",),
    "xpassed": ("XPASS",),
}
"""The words of the totals, with the words of the lines that they count."""
_MARKS: Final = (b" in ", b"test session")
_SESSION: Final = re.compile(r"=+ test sessions? starts =+$")
_SUMMARY: Final = re.compile(r"=+ short test summary info =+$")
_TOTALS: Final = re.compile(
    r"=* ?((?:[0-9]+ [a-z ]+(?:, )?)+|no tests ran|(?:no|[0-9/]+) tests? collected.*) in [0-9.]+s(?: \([0-9:]+\))?(?: =+)?$"
)
_COUNT: Final = re.compile(r"([0-9]+) ([a-z]+)(?:, |$)")
_PERCENTAGE: Final = re.compile(r"\[ *[0-9]{1,3}%\]$")
_PROGRESS_WORDS: Final = ("PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS")
_SUMMED_UP: Final = re.compile(
    r"(PASSED|FAILED|SUBFAILED|ERROR|SKIPPED|XFAIL|XPASS)((?:\[[^\]]*\] ?)?(?:\([^)]*\))?) (.+)$"
)
_SKIPPED: Final = re.compile(r"\[([0-9]{1,6})\] (.*?): (.*)$")
"""The summary names the place of a skip, and how many tests were skipped there, instead of the tests."""
_MOST_PIECES: Final = 20
"""How many ` - ` a node id may hold."""
_SECTION: Final = re.compile(r"=+ .* =+$")


class _Line(NamedTuple):
    """What one line says of one test."""

    word: str
    name: str
    part: str = ""
    """Of a subtest: which one."""
    message: str = ""


def read_pytest(stdout: bytes) -> Report | None:
    """The results in what pytest printed; None if it did not. Names are node ids, such as `tests/test_a.py::test_b[1]`."""
    if not any(mark in stdout for mark in _MARKS):
        return None
    lines = plain_lines(stdout)
    session = next((number for number, line in enumerate(lines) if _SESSION.match(line)), None)
    totals = next((number for number in range(len(lines) - 1, -1, -1) if _is_totals(lines[number])), None)
    if totals is None:
        return None if session is None else _broken_off()
    match = _TOTALS.match(lines[totals])
    assert match is not None
    said = _distinct([*_progress(lines[:totals]), *_summary(lines[:totals])])
    missing = _missing(match[1], said)
    tests, remarks = _settle(said)
    problem = f"the report does not name all that it counts ({missing}): run pytest with -rA or --junitxml"
    return Report(FORMAT, tests if tests or not missing else None, problem if missing else None, remarks)


def _is_totals(line: str) -> bool:
    """Whether this is pytest's last line: it counts tests, or says that there were none."""
    match = _TOTALS.match(line) if line.rstrip("= ").endswith(("s", ")")) else None
    if match is None:
        return False
    words = {word for _, word in _COUNT.findall(match[1])}
    return " tests " in f" {match[1]}" or " test " in match[1] or bool(words & (_COUNTED.keys() | {"deselected"}))


def _broken_off() -> Report:
    broken = TestCase(name="pytest", outcome="error", message="it began and did not come to its end")
    return Report(FORMAT, (broken,), "the report breaks off: pytest began and printed no totals")


def _progress(lines: Sequence[str]) -> Iterator[_Line]:
    """The lines of `-v`, which end where the first section begins."""
    begun = False
    for line in lines:
        if _SESSION.match(line):
            begun = True
        elif begun and _SECTION.match(line):
            return
        elif line.endswith("%]") and (said := _progress_line(line)):
            yield said


def _progress_line(line: str) -> _Line | None:
    """What `NODE_ID WORD (REASON)   [ 12%]` says."""
    text, bracket, percentage = line.rpartition("[")
    if not _PERCENTAGE.match(bracket + percentage):
        return None
    text = text.rstrip()
    for word in _PROGRESS_WORDS:
        if text.endswith(f" {word}"):
            return _Line(word, text.removesuffix(f" {word}"))
        name, found, reason = text.partition(f" {word} (")
        if found and reason.endswith(")"):
            return _Line(word, name, message=reason[:-1])
    return None


def _summary(lines: Sequence[str]) -> Iterator[_Line]:
    """The lines of the last short summary."""
    start = next((number for number in range(len(lines) - 1, -1, -1) if _SUMMARY.match(lines[number])), len(lines))
    for line in lines[start + 1 :]:
        match = _SUMMED_UP.match(line)
        if match is None:
            continue
        word, part, rest = match.groups()
        if word == "SKIPPED":
            if skip := _SKIPPED.match(rest):
                yield from (_Line(word, skip[2], str(number), skip[3]) for number in range(int(skip[1])))
        else:
            yield _Line(word, *_name_and_message(rest, part))


def _name_and_message(text: str, part: str) -> tuple[str, str, str]:
    """A node id, a subtest and a message: ` - ` stands between, and may stand in the brackets of a node id, too."""
    pieces = text.split(" - ")
    for count in range(1, min(len(pieces), _MOST_PIECES)):
        name = " - ".join(pieces[:count])
        if name.count("[") == name.count("]"):
            return name, part, " - ".join(pieces[count:])
    return text, part, ""


def _distinct(said: Sequence[_Line]) -> list[_Line]:
    """Each thing that is said once: with `-v` and `-rA` most stands twice, and skips by name and by place."""
    named = any(line.word == "SKIPPED" and not line.part for line in said)
    once: dict[tuple[str, str, str], _Line] = {}
    for line in said:
        key = line.word, line.name, line.part
        if key not in once or not once[key].message:
            once[key] = line
    return [line for line in once.values() if not (named and line.word == "SKIPPED" and line.part)]


def _missing(totals: str, said: Sequence[_Line]) -> str:
    """What the totals count and the lines do not say, or not as often; empty if they agree."""
    words = Counter(line.word for line in said)
    counts = [(int(number), word) for number, word in _COUNT.findall(totals) if word in _COUNTED]
    known = {word for _, name in counts for word in _COUNTED[name]}
    wrong = [f"{number} {word}" for number, word in counts if number != sum(words[name] for name in _COUNTED[word])]
    return ", ".join([*wrong, *(f"no {word}" for word in words if word not in known)])


def _settle(said: Sequence[_Line]) -> tuple[tuple[TestCase, ...], tuple[str, ...]]:
    """A test has one line; but its teardown, or a part of it, may break after it passed: then that counts, without remark."""
    cases = []
    broken = {line.name for line in said if line.word in ("ERROR", "SUBFAILED")}
    for word, name, part, message in said:
        if word == "PASSED" and name in broken:
            continue
        shown = f"{name} ({part})" if word == "SKIPPED" and part not in ("", "0") else name
        text = (
            f"expected failure: {message}" if word == "XFAIL" else "unexpected success" if word == "XPASS" else message
        )
        cases.append(TestCase(name=shown, outcome=_OUTCOMES[word], message=clip(text)))
    tests, remarks = settle(cases)
    return tests, () if broken else remarks
