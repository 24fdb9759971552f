"""The lines of a unified diff."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["PatchLine", "patch_lines"]

Side = Literal["added", "removed", "kept"]

_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_SIDES: Final[dict[bytes, Side]] = {b"+": "added", b"-": "removed", b" ": "kept"}


@dataclass(frozen=True, slots=True)
class PatchLine:
    """One line of a hunk."""

    side: Side
    """`kept`: it stands around what changed."""
    number: int
    """From 1; where it is now, of a removed line where it was."""
    text: str
    """Without its end. Bytes that are no UTF-8 are replaced."""
    hunk: int
    """From 0. Lines of another hunk do not stand beside it."""


def patch_lines(patch: bytes) -> tuple[PatchLine, ...]:
    """The lines of one file's unified diff, in its order; empty if it has no hunks, as of a binary file.

    The numbers in a hunk's head say how long it is: so a line such as `--- a` in it is taken for what it is. What is cut off
    ends the hunk.
    """
    return tuple(_lines(patch))


def _lines(patch: bytes) -> Iterator[PatchLine]:
    old = new = old_end = new_end = 0
    hunk = -1
    for line in patch.split(b"\n"):
        if old >= old_end and new >= new_end:
            head = _HUNK.match(line)
            if head:
                old, new = int(head[1]), int(head[3])
                old_end, new_end = old + _count(head[2]), new + _count(head[4])
                hunk += 1
            continue
        side = _SIDES.get(line[:1])
        if side is None:
            continue  # `\ No newline at end of file`
        text = line[1:].decode("utf-8", "replace").removesuffix("\r")
        yield PatchLine(side, old if side == "removed" else new, text, hunk)
        old += side != "added"
        new += side != "removed"


def _count(text: bytes | None) -> int:
    return 1 if text is None else int(text)
