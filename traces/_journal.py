"""The journal of a run: `trace.jsonl`, one OTLP/JSON line a span, each line chained to the one before it.

Any number of processes may append to one journal. Each line carries its number, how many calls had been announced by
then, and the sha256 of the line before; whoever appends first looks, under the file's lock, at what others appended.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import _names as names
from ._appending import SharedFile
from ._errors import StoreError
from ._otlp import LINE_LIMIT, SPAN_LIMIT, Envelope, SpanRecord, decode_line

__all__ = ["NO_LINE", "Journal", "Stamp", "check_of", "stamp_in", "without_stamp"]

NO_LINE: Final = "0" * 64
"""What the first line says the line before it hashes to."""
_STAMP: Final = (names.JOURNAL_LINE, names.JOURNAL_CALLS, names.JOURNAL_PREVIOUS)
_CHECK: Final = b',{"key":"%b","value":{"stringValue":"%%b"}}' % names.JOURNAL_CHECK.encode()

_ATTRIBUTES: Final = (
    b'{"key":"%b","value":{"intValue":"%%d"}},{"key":"%b","value":{"intValue":"%%d"}},'
    b'{"key":"%b","value":{"stringValue":"%%b"}}'
    % (names.JOURNAL_LINE.encode(), names.JOURNAL_CALLS.encode(), names.JOURNAL_PREVIOUS.encode())
)

_logger = logging.getLogger("tachograph.journal")


class Stamp(NamedTuple):
    """A line's place in its journal."""

    line: int
    """Number of the line, from 1."""
    calls: int
    """Calls announced up to and with this line."""
    previous: str
    """Hex sha256 of the line before it, without its newline; `NO_LINE` for the first."""

    def attributes(self) -> bytes:
        """As OTLP attributes, JSON, with commas between them."""
        return _ATTRIBUTES % (self.line, self.calls, self.previous.encode())


def stamp_in(spans: Iterable[SpanRecord]) -> Stamp | None:
    """The stamp that a line's spans carry; None if they carry none."""
    for span in spans:
        line, calls, previous = (span.attributes.get(key) for key in _STAMP)
        if isinstance(line, int) and isinstance(calls, int) and isinstance(previous, str):
            return Stamp(line, calls, previous)
    return None


def without_stamp(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A span's attributes but for its line's place."""
    return {name: value for name, value in attributes.items() if name not in _STAMP}


def check_of(line: bytes, said: str) -> str:
    """What the check of a line must be that says `said`: hex sha256 of the line without the check."""
    return hashlib.sha256(line.replace(_CHECK % said.encode("utf-8", "replace"), b"", 1)).hexdigest()


class _Waiting(NamedTuple):
    span: bytes
    announces_call: bool
    checked: bool


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
        self._torn = False
        self._failing = False
        self._unwritten: list[_Waiting] = []

    @property
    def unwritten(self) -> int:
        """Lines that could not be written so far."""
        return len(self._unwritten)

    def append(self, span: bytes, *, announces_call: bool = False, checked: bool = False) -> Stamp | None:
        """Append an encoded span; None if it has to wait for the disk.

        Args:
            span: in the form of `encode_span`.
            announces_call: it is counted as a call's announcement.
            checked: the line gets its own hash, since no line after it may come to hold that.

        Raises:
            StoreError: the span makes too long a line; nothing is written.
        """
        if len(span) > SPAN_LIMIT:
            raise StoreError(f"{self._file.path}: a span of {len(span)} bytes does not fit a line")
        self._unwritten.append(_Waiting(span, announces_call, checked))
        return self.flush()

    def flush(self) -> Stamp | None:
        """Write what waits; the stamp of the last line if all of it could be written."""
        stamp = None
        if not self._unwritten:
            return None
        try:
            with self._file as end:
                self._catch_up(end)
                while self._unwritten:
                    stamp = self._write(self._unwritten[0])
                    del self._unwritten[0]
        except OSError as error:
            if not self._failing:
                self._failing = True
                _logger.error("%s: cannot be written, kept in memory for now: %s", self._file.path, error.strerror)  # noqa: TRY400
            return None
        if self._failing:
            self._failing = False
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

    def _write(self, waiting: _Waiting) -> Stamp:
        stamp = Stamp(self._last.line + 1, self._last.calls + waiting.announces_call, self._head)
        attributes = stamp.attributes()
        line = self._envelope.line(waiting.span, attributes)
        if waiting.checked:
            check = hashlib.sha256(line[:-1]).hexdigest()
            line = self._envelope.line(waiting.span, attributes + _CHECK % check.encode())
        # A line that a killed writer left torn is ended in the same write: no line ends without one that follows it.
        self._file.append(b"\n" + line if self._torn else line, self._end)
        self._end += len(line) + self._torn
        self._torn = False
        self._last, self._head = stamp, hashlib.sha256(line[:-1]).hexdigest()
        return stamp

    def _catch_up(self, end: int) -> None:
        """Take in what others appended, and whether the last line is torn."""
        if end == self._end:
            return
        start, found = end, False
        while start > self._end and not found:
            start = max(self._end, start - LINE_LIMIT)
            found = self._find_last(self._file.read(start, end).split(b"\n"))
        self._torn = end > 0 and self._file.read(end - 1, end) != b"\n"
        self._end = end

    def _find_last(self, lines: list[bytes]) -> bool:
        for line in reversed(lines):
            with suppress(ValueError):
                stamp = stamp_in(decode_line(line))
                if stamp is not None:
                    self._last, self._head = stamp, hashlib.sha256(line).hexdigest()
                    return True
        return False
