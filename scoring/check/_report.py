"""What a reader makes of the output of a test runner, and what all readers share."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from ._result import TestCase, TestOutcome

__all__ = ["Report", "clip", "plain_lines", "settle"]

_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
"""Colours and other control sequences of terminals: ECMA-48, sections 5.4 and 5.6."""
_LONGEST_LINE: Final = 64 * 1024
"""Characters. What is longer is no line of a report."""
_LONGEST_MESSAGE: Final = 500
_WORST_LAST: Final[tuple[TestOutcome, ...]] = ("passed", "skipped", "failed", "error")


class Report(NamedTuple):
    """The results of tests, as they stand in the output of a runner."""

    format: str | None
    """`junit`, `pytest`, `unittest`, `cargo`, `go`; None if no report was found."""
    tests: tuple[TestCase, ...] | None
    """Each name once. Empty if it says that none ran; None if it does not name those that ran."""
    problem: str | None
    """Why it cannot be relied upon: it breaks off, or contradicts itself; None if nothing is wrong with it."""
    remarks: tuple[str, ...] = ()
    """What else is odd about it."""


def plain_lines(data: bytes) -> list[str]:
    """The lines of an output without colours. What is not UTF-8 is replaced, and a line of 64 KiB or more is empty.

    Only a newline ends a line: what else `str.splitlines` takes for an end would let a test begin a line of its own.
    """
    text = data.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return [line.removesuffix("\r") if len(line) < _LONGEST_LINE else "" for line in text.split("\n")]


def clip(message: str | None) -> str | None:
    """A test's message as it is kept; None if it is empty."""
    text = (message or "").strip()
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def settle(cases: Iterable[TestCase]) -> tuple[tuple[TestCase, ...], tuple[str, ...]]:
    """Each name once, with the worst of its outcomes, and a remark if one stood twice.

    A line that a test forges cannot make its result better, then.
    """
    settled: dict[str, TestCase] = {}
    twice: dict[str, None] = {}
    for case in cases:
        other = settled.get(case.name)
        if other is not None:
            twice[case.name] = None
        if other is None or _WORST_LAST.index(case.outcome) > _WORST_LAST.index(other.outcome):
            settled[case.name] = case
    if not twice:
        return tuple(settled.values()), ()
    remark = f"{len(twice)} name(s) stand more than once, such as {next(iter(twice))}: the worst result counts"
    return tuple(settled.values()), (remark,)
