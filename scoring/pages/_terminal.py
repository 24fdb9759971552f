"""What an agent's terminal showed, from its recording: an asciicast v2 file, as still pictures."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson

from ...traces import Run, StoreError
from ._moments import Moments
from ._terminal_control import TerminalStream
from ._terminal_pictures import PictureRoll
from ._terminal_screen import RecordedScreen

__all__ = ["read_terminal", "terminal_of"]

_NAME: Final = "terminal.cast"
_MOST_COLUMNS, _MOST_ROWS = 500, 200
_MOST_PICTURES: Final = 10_000
_MOST_BYTES: Final = 600_000
"""Of the pictures, as JSON."""
_LONGEST_LINE: Final = 16 * 1024**2
"""Bytes of one event."""
_MOST_WORK: Final = 150_000_000
"""In tenths of a microsecond or so: a recording that would take much longer is not shown to its end."""
_LATEST_SECOND: Final = 1e8
_PIECE: Final = 65_536
"""Characters of an event that are taken at a time."""
_SIZE: Final = re.compile(r"0*([1-9][0-9]{0,5})x0*([1-9][0-9]{0,5})")


@dataclass(slots=True)
class _Flaws:
    """What of a recording is not shown."""

    unreadable: int = 0
    """Lines that are no event."""
    too_large: bool = False
    left_out_after_ms: float | None = None


def terminal_of(folder: Path, run: Run, moments: Moments) -> tuple[dict[str, Any] | None, str | None]:
    """The recording of a run's folder, of the form `Terminal`, or None and why there is none.

    It begins when the span of the agent does, since its own header tells no more than the second.

    Raises:
        StoreError: it cannot be read.
    """
    agents = [span.start_ns for span in run.spans if span.attributes.get("tachograph.span") in ("agent", "agent.start")]
    agent = min(agents, default=run.start_ns)
    return read_terminal(folder / _NAME, moments.at(agent))


def read_terminal(
    path: Path, start_ms: float, *, most_work: int = _MOST_WORK
) -> tuple[dict[str, Any] | None, str | None]:
    """The recording in a file, of the form `Terminal`, or None and why there is none.

    Args:
        path: an asciicast v2 file. What in it is no event is passed over and counted; its last line may be cut off.
        start_ms: when it began, in milliseconds since the start of the run.
        most_work: after how much, in units of about a tenth of a microsecond, it is left where it is.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = _size(file.readline(_LONGEST_LINE))
            if size is None:
                return None, "the recording of the terminal is no asciicast of version 2"
            return _played(file, size, start_ms, most_work), None
    except (FileNotFoundError, NotADirectoryError):
        return None, "the terminal was not recorded"
    except OSError as error:
        raise StoreError(f"cannot read the terminal's recording {path}: {error.strerror}") from error


def _size(line: bytes) -> tuple[int, int] | None:
    """Columns and rows of a header."""
    header = _json(line)
    if not isinstance(header, dict) or header.get("version") != 2:  # noqa: PLR2004 - asciicast v2
        return None
    columns, rows = header.get("width"), header.get("height")
    if not (isinstance(columns, int) and isinstance(rows, int) and columns > 0 and rows > 0):
        return None
    return columns, rows


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _played(file: IO[bytes], size: tuple[int, int], start_ms: float, most_work: int) -> dict[str, Any]:
    flaws = _Flaws()
    columns, rows = _within(size, flaws)
    largest = columns, rows
    screen = RecordedScreen(columns, rows)
    stream = TerminalStream(screen)
    roll = PictureRoll(screen, most_pictures=_MOST_PICTURES, most_bytes=_MOST_BYTES)
    now = 0.0
    for at_ms, piece in _events(file, flaws):
        now = max(now, at_ms)
        roll.event(now)
        if isinstance(piece, str):
            stream.feed(piece)
        else:
            columns, rows = _within(piece, flaws)
            screen.resize(rows, columns)
            largest = max(largest[0], columns), max(largest[1], rows)
        if screen.work > most_work:
            flaws.left_out_after_ms = now
            break
    roll.close()
    return {
        "columns": largest[0],
        "rows": largest[1],
        "start_ms": start_ms,
        "duration_ms": now,
        **roll.as_json(),
        "note": _note(flaws, roll),
    }


def _within(size: tuple[int, int], flaws: _Flaws) -> tuple[int, int]:
    columns, rows = size
    flaws.too_large |= columns > _MOST_COLUMNS or rows > _MOST_ROWS
    return min(columns, _MOST_COLUMNS), min(rows, _MOST_ROWS)


def _events(file: IO[bytes], flaws: _Flaws) -> Iterator[tuple[float, str | tuple[int, int]]]:
    """Moments in milliseconds, and what was written then, in pieces, or the new size."""
    while line := file.readline(_LONGEST_LINE):
        event = _json(line)
        is_whole = line.endswith(b"\n")
        while not line.endswith(b"\n") and (line := file.readline(_LONGEST_LINE)):
            is_whole = True
        match event:
            case [int() | float() as second, str() as kind, str() as data] if 0 <= second <= _LATEST_SECOND:
                if kind == "o":
                    for first in range(0, len(data), _PIECE):
                        yield second * 1000, data[first : first + _PIECE]
                elif kind == "r" and (size := _SIZE.fullmatch(data)):
                    yield second * 1000, (int(size[1]), int(size[2]))
            case _:
                # A last line without its end is one that was being written.
                flaws.unreadable += is_whole


def _note(flaws: _Flaws, roll: PictureRoll) -> str | None:
    told = []
    if roll.is_thinned:
        told.append(f"the recording is long: pictures are at least {roll.interval_ms / 1000:.2g} s apart")
    if flaws.left_out_after_ms is not None:
        told.append(f"it goes on after {flaws.left_out_after_ms / 1000:.0f} s, which is too much for a page")
    if flaws.too_large:
        told.append(f"the terminal was larger than the {_MOST_COLUMNS} columns and {_MOST_ROWS} rows that are shown")
    if flaws.unreadable:
        told.append(f"{flaws.unreadable} lines of the recording could not be read")
    return "; ".join(told) or None
