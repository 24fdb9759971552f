"""The screen of a recorded terminal: pyte's, with what programs of today rely on beyond it."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from pyte import modes
from pyte.charsets import LAT1_MAP
from pyte.screens import Char, Cursor, Margins, Screen, StaticDefaultDict

from ._terminal_style import apply_rendition

__all__ = ["RecordedScreen"]

_MOST_COMBINED: Final = 8
"""Characters in one cell."""
_MOST_LOOKS: Final = 256
"""Of those whose cells are kept ready."""

_WORK_OF_NARROW, _WORK_OF_CHARACTER = 2, 30
_NARROW: Final = re.compile("[ -~\u00a1-\u00ac\u00ae-\u02ff\u2190-\u21ff\u2500-\u25fc\u2800-\u28ff]+")
"""Text of a column each, the common part of it."""

_Line = StaticDefaultDict[int, Char]


class _Cells(dict[str, Char]):
    """Cells of one look, by their character."""

    def __init__(self, attributes: Char) -> None:
        super().__init__()
        self.attributes = attributes

    def __missing__(self, character: str) -> Char:
        cell = self[character] = self.attributes._replace(data=character)
        return cell


class RecordedScreen(Screen):
    """What a terminal shows. Nothing it is told makes it fail, resize itself or grow.

    Beyond pyte: the alternate screen; one place for a saved cursor; erasing leaves the background and nothing else; scrolling
    keeps what is known of the lines that it moves; text after a character of no width is not lost.
    """

    def __init__(self, columns: int, lines: int) -> None:
        """Make an empty screen."""
        self.known: list[int | None] = [None] * lines
        """By row: where its line stands among the lines of the recording; None: it may have changed since."""
        self._cells: dict[Char, _Cells] = {}
        self._main: tuple[dict[int, _Line], Cursor] | None = None
        self._saved: tuple[Cursor, str, str, int, bool] | None = None
        self.last = " "
        """The last character that was written."""
        self.work = 0
        """How much there was to do so far, in tenths of a microsecond or so."""
        super().__init__(columns, lines)

    def reset(self) -> None:
        """As a terminal that was just switched on."""
        super().reset()
        self._main = self._saved = None

    def settle(self) -> None:
        """Forget what is known of the lines that were written to."""
        for row in self.dirty:
            if row < self.lines:
                self.known[row] = None
        self.dirty.clear()

    def line_at(self, row: int) -> list[Char | None]:
        """The cells of a row; None: nothing was ever written there. The second half of a wide character is empty."""
        line = self.buffer.get(row)
        return [] if line is None else [line.get(column) for column in range(self.columns)]

    # Text

    def draw(self, data: str) -> None:
        """Write text without control characters."""
        self.last = data[-1]
        charset = self.g1_charset if self.charset else self.g0_charset
        if not _NARROW.fullmatch(data) or charset is not LAT1_MAP or modes.IRM in self.mode:
            self.work += _WORK_OF_CHARACTER * len(data)
            self._draw_slowly(data)
            return
        cells = self._cells_now()
        self.work += _WORK_OF_NARROW * len(data)
        while data:
            if self.cursor.x >= self.columns and modes.DECAWM in self.mode:
                self.carriage_return()
                self.linefeed()
            elif self.cursor.x >= self.columns:
                self.cursor.x, data = self.columns - 1, data[-1]
            begin = self.cursor.x
            end = min(begin + len(data), self.columns)
            self.buffer[self.cursor.y].update(
                zip(range(begin, end), map(cells.__getitem__, data[: end - begin]), strict=True)
            )
            data = data[end - begin :]
            self.cursor.x = end
            self.dirty.add(self.cursor.y)

    def _cells_now(self) -> _Cells:
        attributes = self.cursor.attrs
        if (cells := self._cells.get(attributes)) is None:
            if len(self._cells) > _MOST_LOOKS:
                self._cells.clear()
            cells = self._cells[attributes] = _Cells(attributes)
        return cells

    def _draw_slowly(self, data: str) -> None:
        # One at a time: pyte drops what follows a character of no width. Marks of direction have no place in a grid of cells.
        for character in data:
            if unicodedata.combining(character):
                if self.cursor.x > 0 and len(self.buffer[self.cursor.y][self.cursor.x - 1].data) < _MOST_COMBINED:
                    super().draw(character)
            elif unicodedata.category(character) != "Cf":
                super().draw(character)

    def repeat(self, count: int) -> None:
        """Write the last character again, a line of it at most."""
        self.draw(self.last * min(count, self.columns))

    def render(self, parameters: Sequence[Sequence[int]]) -> None:
        """Change the looks of what is written from now on."""
        self.cursor.attrs = apply_rendition(self.cursor.attrs, parameters)

    # Erasing

    def erase_in_display(self, how: int = 0, *_args: Any, **_kwargs: Any) -> None:
        """Erase from the cursor on (0), up to it (1), or all."""
        rows = {0: range(self.cursor.y + 1, self.lines), 1: range(self.cursor.y)}.get(how, range(self.lines))
        for row in rows:
            self._erase(row, 0, self.columns)
        if how in {0, 1}:
            self.erase_in_line(how)

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - pyte's form
        """Erase from the cursor on (0), up to it (1), or all."""
        first = min(self.cursor.x, self.columns - 1) if how == 0 else 0
        self._erase(self.cursor.y, first, self.cursor.x + 1 if how == 1 else self.columns)

    def erase_characters(self, count: int | None = None) -> None:
        """Erase some from the cursor on."""
        self._erase(self.cursor.y, self.cursor.x, self.cursor.x + (count or 1))

    def _erase(self, row: int, first: int, end: int) -> None:
        self.dirty.add(row)
        end = min(end, self.columns)
        background = self.cursor.attrs.bg
        if background != "default":
            self.buffer[row].update(dict.fromkeys(range(first, end), Char(" ", bg=background)))
        elif first == 0 and end == self.columns:
            self.buffer.pop(row, None)
        elif (line := self.buffer.get(row)) is not None:
            for column in range(first, end):
                line.pop(column, None)

    # Scrolling

    def index(self) -> None:
        """Go down a line; at the bottom, scroll."""
        top, bottom = self._region
        if self.cursor.y == bottom:
            self._shift(top, bottom, 1)
        else:
            self.cursor.y = min(self.cursor.y + 1, self.lines - 1)

    def reverse_index(self) -> None:
        """Go up a line; at the top, scroll."""
        top, bottom = self._region
        if self.cursor.y == top:
            self._shift(top, bottom, -1)
        else:
            self.cursor.y = max(self.cursor.y - 1, 0)

    def scroll_up(self, count: int | None = None) -> None:
        """Scroll, wherever the cursor is."""
        self._shift(*self._region, count or 1)

    def scroll_down(self, count: int | None = None) -> None:
        """Scroll the other way."""
        self._shift(*self._region, -(count or 1))

    def insert_lines(self, count: int | None = None) -> None:
        """Make room at the cursor."""
        top, bottom = self._region
        if top <= self.cursor.y <= bottom:
            self._shift(self.cursor.y, bottom, -(count or 1))
            self.carriage_return()

    def delete_lines(self, count: int | None = None) -> None:
        """Take lines out at the cursor."""
        top, bottom = self._region
        if top <= self.cursor.y <= bottom:
            self._shift(self.cursor.y, bottom, count or 1)
            self.carriage_return()

    @property
    def _region(self) -> Margins:
        return self.margins or Margins(0, self.lines - 1)

    def _shift(self, top: int, bottom: int, by: int) -> None:
        """Move lines up (`by` > 0) or down, within a region."""
        self.settle()
        rows = range(top, bottom + 1)
        for row in rows if by > 0 else reversed(rows):
            source = row + by
            line = self.buffer.pop(source, None) if source in rows else None
            self.known[row] = self.known[source] if source in rows else None
            if line is not None:
                self.buffer[row] = line
            elif source in rows:
                self.buffer.pop(row, None)
            else:
                self._erase(row, 0, self.columns)

    # The cursor, the size, and the other screen

    def cursor_to_line(self, line: int | None = None) -> None:
        """Go to a line in the same column."""
        self.cursor_position(line, min(self.cursor.x, self.columns - 1) + 1)

    def back_tab(self) -> None:
        """Go to the tab stop before."""
        self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def save_cursor(self) -> None:
        """Keep the cursor and how it writes, in place of what was kept before."""
        self._saved = (
            _copy(self.cursor),
            self.g0_charset,
            self.g1_charset,
            self.charset,
            modes.DECOM in self.mode,
        )

    def restore_cursor(self) -> None:
        """Take up what was kept, which stays kept; at first, that is the upper left."""
        if self._saved is None:
            self.cursor_position()
            return
        cursor, self.g0_charset, self.g1_charset, self.charset, has_origin = self._saved
        self.mode = self.mode | {modes.DECOM} if has_origin else self.mode - {modes.DECOM}
        hidden = self.cursor.hidden
        self.cursor = _copy(cursor)
        self.cursor.hidden = hidden
        self.ensure_hbounds()
        self.ensure_vbounds()

    def show_alternate(self, *, on: bool) -> None:
        """Go to the alternate screen, which is empty then, or back to what was left, cursor and all."""
        if on == (self._main is not None):
            return
        self.dirty.update(range(self.lines))
        if self._main is None:
            self._main = dict(self.buffer), _copy(self.cursor)
            self.buffer.clear()
        else:
            lines, cursor = self._main
            self._main = None
            self.buffer.clear()
            self.buffer.update((row, line) for row, line in lines.items() if row < self.lines)
            self.cursor = _copy(cursor)
            self.ensure_hbounds()
            self.ensure_vbounds()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Take another size. Lines that do not fit go at the top, as far as the cursor stands too low; columns on the right."""
        height, width = lines or self.lines, columns or self.columns
        self.margins = None
        if (too_low := self.cursor.y - height + 1) > 0:
            self._shift(0, self.lines - 1, too_low)
            self.cursor.y -= too_low
        for row in [row for row in self.buffer if row >= height]:
            del self.buffer[row]
        self.lines, self.columns = height, width
        self.known = [None] * height
        self.dirty.clear()
        self.tabstops = set(range(8, width, 8))
        self.ensure_hbounds()
        self.ensure_vbounds()


def _copy(cursor: Cursor) -> Cursor:
    copied = Cursor(cursor.x, cursor.y, cursor.attrs)
    copied.hidden = cursor.hidden
    return copied
