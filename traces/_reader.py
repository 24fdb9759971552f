"""Reading runs: from a run's folder, a journal, or an OTLP/JSON file that a Collector wrote.

All reading streams, line by line; only the calls that are open at a time are held.
"""

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from . import _names as names
from ._call import Call, Outcome
from ._errors import InputError, StoreError
from ._journal import without_stamp
from ._otlp import SpanRecord, decode_line
from ._span import call_from_span, is_call, is_recorded

__all__ = [
    "JOURNAL_NAME",
    "Run",
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
_OF_CALLS: Final = frozenset({names.CALL, names.CALL + names.START_SUFFIX, names.TAIL, names.MESSAGE})
"""Kinds of spans that are calls, or tell of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt of one agent with one model at one task, as it was recorded."""

    run_id: str
    status: str
    """`completed`, `timeout`, `aborted`, …; `open` if the run has not been closed, or its recorder was killed."""
    live: bool
    """A process has the run open for writing."""
    sealed: bool
    start_ns: int
    """Unix time, nanoseconds."""
    end_ns: int | None
    """None while the run is open."""
    attributes: Mapping[str, Any]
    """Attributes of the run's span, or of its announcement while it is open."""
    calls: tuple[Call, ...]
    """In the order in which they came, without those that only carried others."""
    spans: tuple[SpanRecord, ...]
    """All other spans: agent, check, snapshots, scores, their announcements, the seal."""
    tunnels: tuple[Call, ...] = ()
    """Upgrades to WebSocket that only carried calls, which are among `calls`: no work of a model but theirs."""


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
    tails = _tails(path)
    announced: dict[str, SpanRecord] = {}
    # Calls that ended before they were announced: only in files whose lines were put in another order.
    early: set[str] = set()
    for span in spans_containing(path):
        kind = span.attributes.get(names.SPAN_KIND)
        if kind == names.CALL + names.START_SUFFIX:
            call_id = span.parent_id or span.span_id
            if call_id in early:
                early.discard(call_id)
            else:
                announced[call_id] = span
        elif is_call(span):
            tail = tails.get(span.span_id)
            call = call_from_span(replace(span, attributes={**span.attributes, **tail}) if tail else span)
            start = announced.pop(span.span_id, None)
            if start is None and kind == names.CALL:
                early.add(span.span_id)
            if call.sequence is None and start is not None:
                call = replace(call, sequence=call_from_span(start, ended=False).sequence)
            yield call
    if announced:
        outcome: Outcome = "in_flight" if live or is_live(path.parent) else "interrupted"
        for span in announced.values():
            yield replace(call_from_span(span, ended=False), outcome=outcome)


def _tails(path: Path) -> dict[str, dict[str, Any]]:
    """What was learnt of calls after their spans had been written. There are few of these."""
    tails: dict[str, dict[str, Any]] = {}
    for span in spans_containing(path, f'"{names.TAIL}"'.encode()):
        if span.attributes.get(names.SPAN_KIND) == names.TAIL and span.parent_id:
            own = without_stamp(span.attributes) | {names.SPAN_KIND: names.CALL}
            tails.setdefault(span.parent_id, {}).update(own)
    return tails


def read_run(where: Path) -> Run:
    """One run, whole. Hold a run that is too large for that by `read_calls` and `read_spans` instead.

    Raises:
        InputError: there is no record, or it holds several runs.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    spans: list[SpanRecord] = []
    root: SpanRecord | None = None
    announced: SpanRecord | None = None
    sealed = False
    for span in read_spans(where):
        kind = span.attributes.get(names.SPAN_KIND)
        sealed = kind == names.SEAL or (sealed and not is_recorded(span))
        if is_recorded(span) and kind != names.SEAL:
            root = None  # the run went on
        if kind == names.RUN:
            root = span
        elif kind == names.RUN + names.START_SUFFIX:
            announced = announced or span
        elif kind not in _OF_CALLS and not is_call(span):
            spans.append(span)
    found = sorted(read_calls(where), key=lambda call: (call.timing.start_ns, call.sequence or 0))
    run_id = _only_run_id([span for span in (root, announced) if span], found, where)
    known = root or announced
    start = known.start_ns if known else min((call.timing.start_ns for call in found), default=0)
    return Run(
        run_id=run_id,
        status=root.attributes.get(names.RUN_STATUS, "completed") if root else "open",
        live=is_live(journal_path(where).parent),
        sealed=sealed,
        start_ns=start,
        end_ns=root.end_ns if root else None,
        attributes=known.attributes if known else {},
        calls=tuple(call for call in found if not call.only_carries_calls),
        spans=tuple(spans),
        tunnels=tuple(call for call in found if call.only_carries_calls),
    )


def _only_run_id(roots: list[SpanRecord], calls: list[Call], where: Path) -> str:
    found = {call.run_id for call in calls} | {span.attributes.get(names.RUN_ID, span.trace_id) for span in roots}
    if len(found) > 1:
        raise InputError(f"{where}: holds {len(found)} runs; read its calls with read_calls, which tell their run")
    return found.pop() if found else where.name
