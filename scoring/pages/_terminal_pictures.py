"""Still pictures of a screen, as many as a page has room for."""

from dataclasses import dataclass
from typing import Any, Final

from ._terminal_lines import LineTable
from ._terminal_screen import RecordedScreen

__all__ = ["Picture", "PictureRoll"]

_FIRST_INTERVAL_MS: Final = 33.0
"""Events that are nearer than that make one picture: no more are seen in a second of a screen."""
_WORK_OF_CELL: Final = 2
"""As the screen counts it."""
_PICTURE_BYTES, _ROW_BYTES = 44, 10
"""About what a picture, and a row in it, take as JSON."""


@dataclass(slots=True)
class Picture:
    """What changed on the screen up to a moment."""

    at_ms: float
    rows: dict[int, int]
    """Places of lines by row."""
    cursor: tuple[int, int] | None


class PictureRoll:
    """Pictures as they are taken. When they grow too many, every second goes, and from then on half as many are taken."""

    def __init__(self, screen: RecordedScreen, *, most_pictures: int, most_bytes: int) -> None:
        """Take pictures of this screen, at most so many and, as JSON, of about so many bytes."""
        self._screen = screen
        self._most_pictures = most_pictures
        self._most_bytes = most_bytes
        self._shown: dict[int, int] = {}
        self._pending_ms: float | None = None
        self._begin_ms = 0.0
        self.lines = LineTable()
        self.pictures: list[Picture] = []
        self.interval_ms = _FIRST_INTERVAL_MS
        """Milliseconds that lie between two pictures at least."""

    @property
    def is_thinned(self) -> bool:
        """There are fewer pictures than a screen could show."""
        return self.interval_ms > _FIRST_INTERVAL_MS

    def event(self, at_ms: float) -> None:
        """Tell, before the screen is changed, when it will be."""
        if self._pending_ms is not None and at_ms - self._begin_ms >= self.interval_ms:
            self.flush()
        if self._pending_ms is None:
            self._begin_ms = at_ms
        self._pending_ms = at_ms

    def flush(self) -> None:
        """Take the picture that is due."""
        if self._pending_ms is None:
            return
        screen = self._screen
        screen.settle()
        rows = {}
        for row in range(max(screen.lines, len(self._shown))):
            place = self._place(row)
            if self._shown.get(row, 0) != place:
                rows[row] = self._shown[row] = place
        hidden = screen.cursor.hidden
        cursor = None if hidden else (screen.cursor.y, min(screen.cursor.x, screen.columns - 1))
        before = self.pictures[-1].cursor if self.pictures else (0, 0)
        if rows or cursor != before:
            self.pictures.append(Picture(self._pending_ms, rows, cursor))
        self._pending_ms = None
        if len(self.pictures) > 2 * self._most_pictures:
            self._thin()

    def _place(self, row: int) -> int:
        """Where the line of a row is; rows that the screen has lost are empty."""
        if row >= self._screen.lines:
            return 0
        place = self._screen.known[row]
        if place is None:
            place = self._screen.known[row] = self.lines.place_of(self._screen.line_at(row))
            self._screen.work += self._screen.columns * _WORK_OF_CELL
        return place

    def close(self) -> None:
        """Take the last picture, and leave no more than there is room for."""
        self.flush()
        while len(self.pictures) > 1 and (
            len(self.pictures) > self._most_pictures or self._json_bytes() > self._most_bytes
        ):
            self._thin()

    def _json_bytes(self) -> int:
        used = {place for picture in self.pictures for place in picture.rows.values()}
        rows = sum(len(picture.rows) for picture in self.pictures)
        lines = sum(self.lines.sizes[place] for place in used)
        return lines + rows * _ROW_BYTES + len(self.pictures) * _PICTURE_BYTES

    def _thin(self) -> None:
        """Put pictures together that are nearer to each other than twice the interval."""
        self.interval_ms *= 2
        kept: list[Picture] = []
        begin = 0.0
        shown: dict[int, int] = {}
        for picture in self.pictures:
            if kept and picture.at_ms - begin < self.interval_ms:
                kept[-1].rows |= picture.rows
                kept[-1].at_ms, kept[-1].cursor = picture.at_ms, picture.cursor
            else:
                begin = picture.at_ms
                kept.append(Picture(picture.at_ms, dict(picture.rows), picture.cursor))
        for picture in kept:
            picture.rows = {row: place for row, place in picture.rows.items() if shown.get(row, 0) != place}
            shown |= picture.rows
        self.pictures = kept

    def as_json(self) -> dict[str, Any]:
        """Lines, styles and pictures, of the form `Terminal`."""
        used = [place for picture in self.pictures for place in picture.rows.values()]
        lines, styles, places = self.lines.as_json(used)
        return {
            "lines": lines,
            "styles": styles,
            "pictures": [
                {
                    "at_ms": round(picture.at_ms, 1),
                    "rows": [[row, places[place]] for row, place in sorted(picture.rows.items())],
                    "cursor": picture.cursor,
                }
                for picture in self.pictures
            ],
        }
