"""Which lines of a text became which: the matching of two texts, and the hunks of a unified diff."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from itertools import pairwise, takewhile
from typing import Final

__all__ = ["TextDiff", "lines_of", "text_diff"]

_CONTEXT: Final = 3
_MOST_EDITS: Final = 1000
"""Where no line is unique, two parts that differ in more lines than this count as replaced."""
_ROUNDS: Final = 64
"""So often, at most, matching begins anew between the lines that matched."""
_NOWHERE: Final = (-2, None)
_NO_NEWLINE: Final = b"\n\\ No newline at end of file\n"

Run = tuple[int, int, int]
"""A run of equal lines: where it begins in the one text and in the other, and its length."""
_Way = tuple[Run, "_Way"] | None
"""Runs, the last one first."""
Change = tuple[str, int, int, int, int]
"""An opcode of `difflib`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDiff:
    """How one text became another."""

    lines_added: int
    lines_removed: int
    bytes_added: int
    """Bytes of the lines that were added, with their newlines."""
    bytes_removed: int
    hunks: bytes
    """As in a unified diff, with three lines of context; without a header."""


def lines_of(text: bytes) -> list[bytes]:
    r"""The lines of a text, each with the `\n` at its end; the last may have none."""
    *whole, rest = text.split(b"\n")
    lines = [line + b"\n" for line in whole]
    return [*lines, rest] if rest else lines


def text_diff(before: bytes, after: bytes) -> TextDiff:
    """Compare two texts line by line.

    Lines that occur once in both anchor the matching (patience diff); between them, the shortest edit script is taken. The time
    is bounded for any texts: parts without anchors that have little in common count as replaced.
    """
    old, new = lines_of(before), lines_of(after)
    groups = list(_Matched(old, new).get_grouped_opcodes(_CONTEXT))
    changes = [change for group in groups for change in group if change[0] != "equal"]
    removed = [line for _, start, end, _, _ in changes for line in old[start:end]]
    added = [line for _, _, _, start, end in changes for line in new[start:end]]
    return TextDiff(
        lines_added=len(added),
        lines_removed=len(removed),
        bytes_added=sum(map(len, added)),
        bytes_removed=sum(map(len, removed)),
        hunks=b"".join(piece for group in groups for piece in _hunk(group, old, new)),
    )


class _Matched(SequenceMatcher[bytes]):
    """The standard library's opcodes and groups, over the matching of this module."""

    def __init__(self, old: Sequence[bytes], new: Sequence[bytes]) -> None:
        super().__init__(None, old, new, autojunk=False)
        self._blocks = [Match(*run) for run in (*_joined(sorted(_runs(old, new))), (len(old), len(new), 0))]

    def get_matching_blocks(self) -> list[Match]:
        return self._blocks


def _runs(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[Run]:
    parts = [(0, len(old), 0, len(new), _ROUNDS)]
    while parts:
        i, i_end, j, j_end, rounds = parts.pop()
        size = _common(zip(old[i:i_end], new[j:j_end], strict=False))
        yield i, j, size
        i, j = i + size, j + size
        size = _common(zip(reversed(old[i:i_end]), reversed(new[j:j_end]), strict=False))
        i_end, j_end = i_end - size, j_end - size
        yield i_end, j_end, size
        if i == i_end or j == j_end:
            continue
        if rounds and (anchors := _anchors(old[i:i_end], new[j:j_end])):
            starts = [(i, j), *((i + a, j + b) for a, b in anchors)]
            parts += [
                (a, a_end, b, b_end, rounds - 1) for (a, b), (a_end, b_end) in pairwise([*starts, (i_end, j_end)])
            ]
        else:
            yield from ((i + a, j + b, size) for a, b, size in _shortest(old[i:i_end], new[j:j_end]))


def _common(pairs: Iterable[tuple[bytes, bytes]]) -> int:
    """How many pairs are equal before the first that is not."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int]]:
    """Places of lines that occur once in either text, as many as stand in the same order in both."""
    in_old, in_new = _once(old), _once(new)
    pairs = [(place, in_new[line]) for line, place in in_old.items() if line in in_new]
    return _longest_rising(pairs)


def _once(lines: Sequence[bytes]) -> dict[bytes, int]:
    counts = Counter(lines)
    return {line: place for place, line in enumerate(lines) if counts[line] == 1}


def _longest_rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest part of pairs, which rise in their first members, that rises in the second ones too."""
    tops: list[int] = []
    """The lowest last member of a rising part of each length."""
    at: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = bisect_left(tops, place)
        before.append(at[length - 1] if length else -1)
        tops[length : length + 1] = [place]
        at[length : length + 1] = [number]
    rising, number = [], at[-1] if at else -1
    while number >= 0:
        rising.append(pairs[number])
        number = before[number]
    return rising[::-1]


def _shortest(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[Run]:
    """The runs of a shortest edit script (Myers 1986, the greedy algorithm), the last one first; none if it is too long.

    `reached` has, for each diagonal (place in old less place in new), how far one gets in old, and the runs on the way there.
    """
    reached: dict[int, tuple[int, _Way]] = {1: (0, None)}
    for edits in range(min(len(old) + len(new), _MOST_EDITS) + 1):
        for diagonal in range(-edits, edits + 1, 2):
            below, above = reached.get(diagonal - 1, _NOWHERE), reached.get(diagonal + 1, _NOWHERE)
            place, way = above if above[0] > below[0] else (below[0] + 1, below[1])
            start = place
            while place < len(old) and place - diagonal < len(new) and old[place] == new[place - diagonal]:
                place += 1
            if place > start:
                way = ((start, start - diagonal, place - start), way)
            reached[diagonal] = place, way
            if place >= len(old) and place - diagonal >= len(new):
                while way is not None:
                    run, way = way
                    yield run
                return


def _joined(runs: Iterable[Run]) -> list[Run]:
    """Runs without the empty ones, those that touch made one."""
    joined: list[Run] = []
    for a, b, size in runs:
        if joined and joined[-1][0] + joined[-1][2] == a and joined[-1][1] + joined[-1][2] == b:
            joined[-1] = (*joined[-1][:2], joined[-1][2] + size)
        elif size:
            joined.append((a, b, size))
    return joined


def _hunk(group: Sequence[Change], old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[bytes]:
    first, last = group[0], group[-1]
    yield b"@@ -%b +%b @@\n" % (_place(first[1], last[2]), _place(first[3], last[4]))
    for tag, old_start, old_end, new_start, new_end in group:
        if tag == "equal":
            yield from _signed(b" ", old[old_start:old_end])
        else:
            yield from _signed(b"-", old[old_start:old_end])
            yield from _signed(b"+", new[new_start:new_end])


def _place(start: int, end: int) -> bytes:
    """First line, counted from 1, and number of lines; of no lines, the line before them."""
    size = end - start
    return b"%d" % (start + 1) if size == 1 else b"%d,%d" % (start + (size > 0), size)


def _signed(sign: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield sign + line if line.endswith(b"\n") else sign + line + _NO_NEWLINE
