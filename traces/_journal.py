"""The journal of a run: `trace.jsonl`, one OTLP/JSON line a span, each line chained to the one before it.

Any number of processes may append to one journal. Each line carries its number, how many calls had been announced by
then, and the sha256 of the line before; whoever appends first looks, under the file's lock, at what others appended.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import _names as names
from ._appending import SharedFile
from ._errors import StoreError
from ._otlp import Envelope, decode_line

__all__ = ["LINE_LIMIT", "NO_LINE", "Journal", "Stamp", "stamp_of"]

LINE_LIMIT: Final = 2**20
"""A line is shorter than this many bytes: a Collector's file receiver cuts longer ones in two and drops both halves."""
_ENVELOPE_LIMIT: Final = 2**14
NO_LINE: Final = "0" * 64
"""What the first line says the line before it hashes to."""

_logger = logging.getLogger("tachograph.journal")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A line's place in its journal."""

    line: int
    """Number of the line, from 1."""
    calls: int
    """Calls announced up to and with this line."""
    previous: str
    """Hex sha256 of the line before it, without its newline; `NO_LINE` for the first."""

    def attributes(self) -> list[dict[str, Any]]:
        """As OTLP attributes."""
        return [
            {"key": names.JOURNAL_LINE, "value": {"intValue": str(self.line)}},
            {"key": names.JOURNAL_CALLS, "value": {"intValue": str(self.calls)}},
            {"key": names.JOURNAL_PREVIOUS, "value": {"stringValue": self.previous}},
        ]


def stamp_of(line: bytes) -> Stamp | None:
    """The stamp that a line carries; None if it carries none.

    Raises:
        ValueError: it is no OTLP/JSON line.
    """
    for span in decode_line(line):
        try:
            found = (span.attributes[key] for key in (names.JOURNAL_LINE, names.JOURNAL_CALLS, names.JOURNAL_PREVIOUS))
            return Stamp(*found)
        except KeyError:
            continue
    return None


class Journal:
    """Appends to the journal of one run.

    A line that cannot be written (a full disk) is kept in memory, said once in the log, and written before the next one:
    the calls go on, and `unwritten` says what is at stake.
    """

    def __init__(self, path: Path, envelope: Envelope) -> None:
        """Open the journal, making it if need be. Raises OSError."""
        self._file = SharedFile(path)
        self._envelope = envelope
        self._end = 0
        self._last = Stamp(0, 0, NO_LINE)
        self._head = NO_LINE
        self._unwritten: list[tuple[bytes, bool]] = []

    @property
    def unwritten(self) -> int:
        """Lines that could not be written so far."""
        return len(self._unwritten)

    def append(self, span: bytes, *, announces_call: bool = False) -> Stamp | None:
        """Append an encoded span; None if it has to wait for the disk.

        Raises:
            StoreError: the span makes too long a line; nothing is written.
        """
        if len(span) > LINE_LIMIT - _ENVELOPE_LIMIT:
            raise StoreError(f"{self._file.path}: a span of {len(span)} bytes does not fit a line")
        self._unwritten.append((span, announces_call))
        return self.flush()

    def flush(self) -> Stamp | None:
        """Write what waits; the stamp of the last line if all of it could be written."""
        stamp = None
        waited = len(self._unwritten) > 1
        try:
            with self._file as end:
                self._catch_up(end)
                while self._unwritten:
                    stamp = self._write(*self._unwritten[0])
                    del self._unwritten[0]
        except OSError as error:
            if not waited:
                _logger.error("%s: cannot be written, kept in memory for now: %s", self._file.path, error.strerror)  # noqa: TRY400
            return None
        if waited:
            _logger.warning("%s: can be written again, nothing was lost", self._file.path)
        return stamp

    def sync(self) -> None:
        """Wait until all that was appended is safe against power loss."""
        self._file.sync()

    def close(self) -> None:
        """Close the file.

        Raises:
            StoreError: lines could not be written, and are lost with this process.
        """
        if self._unwritten:
            self.flush()
        self._file.close()
        if self._unwritten:
            raise StoreError(
                f"{self._file.path}: {len(self._unwritten)} lines could not be written and are lost; "
                "free some space on the disk before the next run"
            )

    def _write(self, span: bytes, announces_call: bool) -> Stamp:  # noqa: FBT001
        stamp = Stamp(self._last.line + 1, self._last.calls + announces_call, self._head)
        line = self._envelope.line(span, stamp.attributes())
        self._file.append(line, self._end)
        self._end += len(line)
        self._last, self._head = stamp, hashlib.sha256(line[:-1]).hexdigest()
        return stamp

    def _catch_up(self, end: int) -> None:
        """Take in what others appended, and end a line that a killed writer left torn."""
        if end == self._end:
            return
        lines = self._file.read(max(self._end, end - LINE_LIMIT - 1), end).split(b"\n")
        for line in reversed(lines[:-1]):
            stamp = _stamp_or_none(line)
            if stamp is not None:
                self._last, self._head = stamp, hashlib.sha256(line).hexdigest()
                break
        self._end = end
        if lines[-1]:
            self._file.append(b"\n", end)
            self._end += 1


def _stamp_or_none(line: bytes) -> Stamp | None:
    try:
        return stamp_of(line)
    except ValueError:
        return None
