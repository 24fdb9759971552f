"""What a terminal shows of a program's output, line by line, without its escape sequences."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["shown_lines"]

_LONGEST_LINE: Final = 4096
"""Characters of a line that are looked at; of a longer one the last ones count."""

# ECMA-48: control sequences (CSI), strings (OSC, DCS, SOS, PM, APC), and escapes of one character.
_CONTROL: Final = r"\x1b\[[0-?]*[ -/]*[@-~]"
_STRING: Final = r"\x1b[]PX^_].*?(?:\x07|\x1b\\|$)"
_OTHER_ESCAPE: Final = r"\x1b[ -/]*[0-~]?"
_PIECE: Final = re.compile(rf"{_CONTROL}|{_STRING}|{_OTHER_ESCAPE}|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+", re.DOTALL)
_DELETE: Final = "\x7f"
_ERASES_TO_END: Final = frozenset({"\x1b[K", "\x1b[0K", "\x1b[J", "\x1b[0J"})
_ERASES_LINE: Final = frozenset({"\x1b[2K", "\x1b[1K", "\x1b[2J"})


def shown_lines(chunks: Iterable[str]) -> Iterator[str]:
    """The lines of some output as they stand when they are left: what was overwritten or erased is gone.

    Movements of the cursor to other lines are passed over, so programs that paint whole screens come out in the order of
    their writing.

    Args:
        chunks: the output in pieces, cut anywhere. No more than one line of it is held.
    """
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from map(_shown, lines)
        rest = rest[-_LONGEST_LINE:]
    if rest:
        yield _shown(rest)


def _shown(line: str) -> str:
    cells: list[str] = []
    at = 0
    for piece in _PIECE.findall(line[-_LONGEST_LINE:]):
        if piece == "\r":
            at = 0
        elif piece == "\b":
            at = max(at - 1, 0)
        elif piece in _ERASES_TO_END:
            del cells[at:]
        elif piece in _ERASES_LINE:
            cells[:at] = " " * at
            del cells[at:]
        elif piece == "\t" or (piece >= " " and piece != _DELETE):
            cells += " " * (at - len(cells))
            cells[at : at + len(piece)] = piece
            at += len(piece)
    return "".join(cells).rstrip()
