"""Following a journal that grows."""

from contextlib import suppress
from pathlib import Path

from ._errors import StoreError
from ._otlp import SpanRecord, decode_line
from ._reader import journal_path, refuse_newer

__all__ = ["JournalFollower"]


class JournalFollower:
    """Gives the spans of a journal as their lines are written."""

    def __init__(self, where: Path) -> None:
        """Begin at the start of the journal.

        Raises:
            InputError: there is none.
            StoreError: it cannot be read.
        """
        self._path = journal_path(where)
        self._offset = 0

    def new_spans(self) -> list[SpanRecord]:
        """The spans of the lines that were completed since the last call.

        Raises:
            StoreError: the journal cannot be read, or a newer tachograph wrote it.
        """
        spans: list[SpanRecord] = []
        try:
            with self._path.open("rb") as journal:
                journal.seek(self._offset)
                for line in journal:
                    if not line.endswith(b"\n"):
                        break
                    self._offset += len(line)
                    with suppress(ValueError):
                        spans.extend(decode_line(line))
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be read: {error.strerror}") from error
        for span in spans:
            refuse_newer(span, self._path)
        return spans
