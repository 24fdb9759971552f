"""The lines of a terminal, each kept once."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final
from unicodedata import east_asian_width

from pyte.screens import Char

from ._terminal_style import style_of

__all__ = ["LineTable"]

_BLANK: Final = Char(" ")
_FIELDS: Final = ('["",00],', '["",00,00],')
_Run = tuple[str, Char, int]
"""Text, its looks, and how many columns each of its characters takes."""


class LineTable:
    """Every line that was ever shown, and its place."""

    def __init__(self) -> None:
        """Make one with the empty line at place 0."""
        self._places: dict[tuple[_Run, ...], int] = {(): 0}
        self.sizes = [2]
        """By place: about how many bytes of JSON the line takes."""

    def place_of(self, cells: Sequence[Char | None]) -> int:
        """The place of a row's line. What is left of a wide character that was half overwritten is blank."""
        runs = tuple(_runs(cells))
        place = self._places.setdefault(runs, len(self.sizes))
        if place == len(self.sizes):
            self.sizes.append(2 + sum(len(text.encode()) + len(_FIELDS[width > 1]) for text, _, width in runs))
        return place

    def as_json(self, used: Iterable[int]) -> tuple[list[list[list[Any]]], list[dict[str, Any]], dict[int, int]]:
        """Lines and styles of a page, those used and no others, in the order of their use; and where a place is in them."""
        lines = list(self._places)
        places = {place: new for new, place in enumerate(dict.fromkeys(used))}
        styles: dict[Char, int] = {}
        written = []
        for place in places:
            runs = []
            for text, style, width in lines[place]:
                number = styles.setdefault(style, len(styles))
                runs.append([text, number] if width == 1 else [text, number, width])
            written.append(runs)
        return written, [style_of(style) for style in styles], places


def _runs(cells: Sequence[Char | None]) -> Iterable[_Run]:
    shown = [_BLANK if cell is None else cell for cell in cells]
    while shown and _is_blank(shown[-1]):
        shown.pop()
    pieces = list(_pieces(shown))
    for (style, width), run in groupby(pieces, key=lambda piece: piece[1:]):
        yield "".join(text for text, *_ in run), style, width


def _pieces(cells: Sequence[Char]) -> Iterable[tuple[str, Char, int]]:
    """Characters with their looks, and the columns that they take."""
    followers = [*cells[1:], _BLANK][: len(cells)]
    is_second_half = False
    for cell, after in zip(cells, followers, strict=True):
        if is_second_half:
            is_second_half = False
            continue
        text, style = cell.data or " ", cell._replace(data=" ")
        is_second_half = not after.data and not text.isascii()
        if not is_second_half and east_asian_width(text[0]) in "WF":
            text = " "
        yield text, style, 1 + is_second_half


def _is_blank(cell: Char) -> bool:
    return cell.data == " " and cell.bg == "default" and not (cell.underscore or cell.reverse or cell.strikethrough)
