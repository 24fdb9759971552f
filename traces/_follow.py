"""Following a journal that grows."""

from contextlib import suppress
from pathlib import Path

from ._otlp import SpanRecord, decode_line
from ._reader import journal_path

__all__ = ["JournalFollower"]


class JournalFollower:
    """Gives the spans of a journal as their lines are written."""

    def __init__(self, where: Path) -> None:
        """Begin at the start of the journal.

        Raises:
            InputError: there is none.
        """
        self._path = journal_path(where)
        self._offset = 0

    def new_spans(self) -> list[SpanRecord]:
        """The spans of the lines that were completed since the last call."""
        spans: list[SpanRecord] = []
        with self._path.open("rb") as journal:
            journal.seek(self._offset)
            for line in journal:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                with suppress(ValueError):
                    spans.extend(decode_line(line))
        return spans
