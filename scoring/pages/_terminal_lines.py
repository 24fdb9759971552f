"""The lines of a terminal, each kept once."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final
from unicodedata import east_asian_width

from pyte.screens import Char

from ._terminal_style import style_of

__all__ = ["LineTable"]

_BLANK: Final = Char(" ")
_FIELDS: Final = ('["",00],', '["",00,00],')
_Looks = tuple[Any, ...]
"""A cell without its character."""
_Run = tuple[str, _Looks, int]
"""Text, its looks, and how many columns each of its characters takes."""
_LOOKS_AND_WIDTH: Final = itemgetter(1, 2)


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
        styles: dict[_Looks, int] = {}
        written = []
        for place in places:
            runs = []
            for text, looks, width in lines[place]:
                number = styles.setdefault(looks, len(styles))
                runs.append([text, number] if width == 1 else [text, number, width])
            written.append(runs)
        return written, [style_of(Char(" ", *looks)) for looks in styles], places


def _runs(cells: Sequence[Char | None]) -> Iterable[_Run]:
    for (looks, width), run in groupby(_characters(cells), key=_LOOKS_AND_WIDTH):
        yield "".join([character for character, *_ in run]), looks, width


def _characters(cells: Sequence[Char | None]) -> Iterable[_Run]:
    """Characters of a row up to the last that is seen, with their looks, and the columns that they take."""
    end = len(cells)
    while end and _is_blank(cells[end - 1]):
        end -= 1
    column = 0
    while column < end:
        cell = cells[column] or _BLANK
        character, width = cell[0] or " ", 1
        if not character.isascii():
            after = cells[column + 1] if column + 1 < len(cells) else None
            if after is not None and not after[0]:
                width = 2
            elif east_asian_width(character[0]) in "WF":
                character = " "
        yield character, cell[1:], width
        column += width


def _is_blank(cell: Char | None) -> bool:
    if cell is None:
        return True
    return cell.data == " " and cell.bg == "default" and not (cell.underscore or cell.reverse or cell.strikethrough)
