"""Reading runs: from a run's folder, a journal, or an OTLP/JSON file that a Collector wrote.

All reading streams, line by line; only the calls that are open at a time are held.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from . import _names as names
from ._call import Call
from ._errors import InputError, StoreError
from ._otlp import SpanRecord, decode_line
from ._run import CallFold, Run, RunFold, tail_of

__all__ = [
    "JOURNAL_NAME",
    "is_live",
    "journal_path",
    "read_announcement",
    "read_calls",
    "read_run",
    "read_spans",
    "refuse_newer",
    "spans_containing",
]

JOURNAL_NAME: Final = "trace.jsonl"


def journal_path(where: Path) -> Path:
    """The journal of a run's folder, or the file itself.

    Raises:
        InputError: there is none.
        StoreError: it cannot be looked for.
    """
    try:
        path = where / JOURNAL_NAME if stat.S_ISDIR(where.stat().st_mode) else where
        found = stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        found = False
    except OSError as error:
        raise StoreError(f"{where}: cannot be read: {error.strerror}") from error
    if not found:
        raise InputError(
            f"{where}: no recorded run here (a run is a folder with {JOURNAL_NAME}); `tachograph runs` lists them"
        )
    return path


def read_spans(where: Path) -> Iterator[SpanRecord]:
    """All spans in a run's folder or an OTLP/JSON file, in the order of their lines.

    A line that is no JSON is passed over: a writer was killed while writing it (`verify` tells of such lines).

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    return spans_containing(journal_path(where))


def spans_containing(path: Path, containing: bytes = b"") -> Iterator[SpanRecord]:
    """The spans of those lines of a journal that contain some bytes.

    Raises:
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    try:
        with path.open("rb") as lines:
            for line in lines:
                if containing in line:
                    with suppress(ValueError):
                        for span in decode_line(line):
                            refuse_newer(span, path)
                            yield span
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def refuse_newer(span: SpanRecord, path: Path) -> None:
    """Refuse what cannot be understood here.

    Raises:
        StoreError: a newer tachograph wrote the span.
    """
    version = span.scope_attributes.get(names.JOURNAL_FORMAT_KEY)
    if isinstance(version, int) and version > names.JOURNAL_FORMAT:
        raise StoreError(f"{path}: written by a newer tachograph (journal format {version}); update to read it")


def read_announcement(journal: Path) -> SpanRecord | None:
    """The announcement of a run, if that is the journal's first line. Raises OSError.

    Raises:
        StoreError: a newer tachograph wrote it.
    """
    with journal.open("rb") as lines, suppress(ValueError):
        for span in decode_line(lines.readline()):
            refuse_newer(span, journal)
            if span.attributes.get(names.SPAN_KIND) == names.RUN + names.START_SUFFIX:
                return span
    return None


def is_live(folder: Path) -> bool:
    """Whether some process has this run open for writing. Its lock ends with the process, however that ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_calls(where: Path) -> Iterator[Call]:
    """The calls of a record as they ended, then those that did not, as `in_flight` or `interrupted`.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    path = journal_path(where)
    # Asked before and after: a run that was closed while it was read has no interrupted calls.
    live = is_live(path.parent)
    fold = CallFold(_tails(path))
    for span in spans_containing(path):
        call = fold.add(span)
        if call is not None:
            yield call
    if fold.has_unended:
        yield from fold.unended("in_flight" if live or is_live(path.parent) else "interrupted")


def _tails(path: Path) -> dict[str, dict[str, Any]]:
    """What was learnt of calls after their spans had been written. There are few of these."""
    tails: dict[str, dict[str, Any]] = {}
    for span in spans_containing(path, f'"{names.TAIL}"'.encode()):
        if tail := tail_of(span):
            tails.setdefault(span.parent_id or "", {}).update(tail)
    return tails


def read_run(where: Path) -> Run:
    """One run, whole. Hold a run that is too large for that by `read_calls` and `read_spans` instead.

    Raises:
        InputError: there is no record, or it holds several runs.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    path = journal_path(where)
    was_live = is_live(path.parent)
    fold = RunFold(_tails(path))
    for span in spans_containing(path):
        fold.add(span)
    found = fold.run_ids
    if len(found) > 1:
        raise InputError(f"{where}: holds {len(found)} runs; read its calls with read_calls, or each run with open")
    live = is_live(path.parent)
    return fold.run(found.pop() if found else where.name, live=live, was_live=was_live or live)
