"""Following all journals of a store as they grow."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import _names as names
from .._otlp import SpanRecord, decode_line
from .._reader import JOURNAL_NAME
from ._fold import MetricsFold

__all__ = ["StoreFollower", "journal_sizes"]

_NANOSECONDS: Final = 1_000_000_000
_AT_ONCE: Final = 16 * 2**20
"""Bytes of one journal read at a time: whoever asks for the numbers waits for them."""
_RECORDED: Final = f'"{names.SPAN_KIND}"'.encode()


@dataclass(slots=True)
class _Journal:
    offset: int
    """Up to where it has been read, in bytes."""
    unread: int = 0
    """Bytes that were there and not read, since there was too much of it."""
    newest_ns: int = 0
    """End of the last span that was read: Unix time, nanoseconds."""


def journal_sizes(store: Path) -> dict[str, int]:
    """The size of each journal of a store, in bytes, by run id. Empty if there is no store yet."""
    sizes = {}
    for run_id in _folders(store):
        with suppress(OSError):
            sizes[run_id] = (store / run_id / JOURNAL_NAME).stat().st_size
    return sizes


class StoreFollower:
    """Folds the lines that come to a store's journals after some moment."""

    def __init__(self, store: Path, start: Mapping[str, int]) -> None:
        """Take the store, and how long its journals were at that moment, as `journal_sizes` tells."""
        self._store = store
        self._journals = {run_id: _Journal(size) for run_id, size in start.items()}
        self.fold = MetricsFold()
        """What has come of it so far."""

    def read_on(self) -> None:
        """Read what is new. A journal that cannot be read is tried again the next time."""
        for run_id, size in journal_sizes(self._store).items():
            journal = self._journals.setdefault(run_id, _Journal(0))
            if size != journal.offset:
                with suppress(OSError):
                    self._read(run_id, journal)

    @property
    def read_up_to(self) -> dict[str, int]:
        """Up to where the journals that grew have been read, in bytes, by run id."""
        return {run_id: journal.offset for run_id, journal in self._journals.items() if journal.newest_ns}

    @property
    def unread_bytes(self) -> int:
        """Bytes that were there at the last look and have not been read."""
        return sum(journal.unread for journal in self._journals.values())

    def lag(self, now_ns: int) -> float:
        """Seconds since the end of the newest span that was read of the journal that is furthest behind; 0 if none is."""
        behind = [journal.newest_ns for journal in self._journals.values() if journal.unread]
        return (now_ns - min(behind)) / _NANOSECONDS if behind else 0.0

    @property
    def newest_ns(self) -> int:
        """End of the newest span that was read, Unix time in nanoseconds; 0 if none was."""
        return max((journal.newest_ns for journal in self._journals.values()), default=0)

    def _read(self, run_id: str, journal: _Journal) -> None:
        with (self._store / run_id / JOURNAL_NAME).open("rb") as lines:
            size = os.fstat(lines.fileno()).st_size
            lines.seek(min(journal.offset, size))
            journal.offset = lines.tell()
            until = journal.offset + _AT_ONCE
            whole = True
            while journal.offset < until and (line := lines.readline()):
                if not line.endswith(b"\n"):
                    whole = False  # somebody is writing it
                    break
                journal.offset += len(line)
                self._take(run_id, journal, line)
        journal.unread = max(0, size - journal.offset) if whole else 0

    def _take(self, run_id: str, journal: _Journal, line: bytes) -> None:
        if _RECORDED not in line:
            return
        with suppress(ValueError):
            for span in decode_line(line):
                journal.newest_ns = max(journal.newest_ns, span.end_ns)
                self._add(run_id, span)

    def _add(self, run_id: str, span: SpanRecord) -> None:
        self.fold.add(run_id, span)
        if span.attributes.get(names.SPAN_KIND) == names.SEAL:
            self.fold.close(run_id)


def _folders(store: Path) -> Iterator[str]:
    with suppress(OSError), os.scandir(store) as entries:
        yield from (entry.name for entry in entries if not entry.name.startswith("."))
