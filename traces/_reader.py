"""Reading runs: from a run's folder, a journal, or an OTLP/JSON file that a Collector wrote.

All reading streams, line by line; only the calls that are open at a time are held.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from . import _names as names
from ._call import Call
from ._errors import InputError, StoreError
from ._otlp import SpanRecord, decode_line
from ._span import call_from_span, is_call

__all__ = ["JOURNAL_NAME", "Run", "is_live", "journal_path", "read_calls", "read_run", "read_spans"]

JOURNAL_NAME: Final = "trace.jsonl"


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
    """In the order in which they came."""
    spans: tuple[SpanRecord, ...]
    """All other spans: agent, check, snapshots, scores."""


def journal_path(where: Path) -> Path:
    """The journal of a run's folder, or the file itself.

    Raises:
        InputError: there is none.
    """
    path = where / JOURNAL_NAME if where.is_dir() else where
    if not path.is_file():
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
    path = journal_path(where)
    try:
        with path.open("rb") as lines:
            for line in lines:
                with suppress(ValueError):
                    for span in decode_line(line):
                        _refuse_newer(span, path)
                        yield span
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def _refuse_newer(span: SpanRecord, path: Path) -> None:
    version = span.scope_attributes.get(names.JOURNAL_FORMAT_KEY, names.JOURNAL_FORMAT)
    if version > names.JOURNAL_FORMAT:
        raise StoreError(f"{path}: written by a newer tachograph (journal format {version}); update to read it")


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
    tails = _tails(where)
    announced: dict[str, SpanRecord] = {}
    for span in read_spans(where):
        if span.attributes.get(names.SPAN_KIND) == names.CALL + names.START_SUFFIX:
            announced[span.parent_id or span.span_id] = span
        elif is_call(span):
            announced.pop(span.span_id, None)
            tail = tails.get(span.span_id)
            yield call_from_span(replace(span, attributes={**span.attributes, **tail}) if tail else span)
    if announced:
        outcome: Any = "in_flight" if where.is_dir() and is_live(where) else "interrupted"
        for span in announced.values():
            yield replace(call_from_span(span, ended=False), outcome=outcome)


def _tails(where: Path) -> dict[str, dict[str, Any]]:
    """What was learnt of calls after their spans had been written. There are few of these."""
    wanted = f'"{names.TAIL}"'.encode()
    tails: dict[str, dict[str, Any]] = {}
    with journal_path(where).open("rb") as lines:
        for line in lines:
            if wanted in line:
                with suppress(ValueError):
                    for span in decode_line(line):
                        if span.attributes.get(names.SPAN_KIND) == names.TAIL and span.parent_id:
                            own = {k: v for k, v in span.attributes.items() if not k.startswith("tachograph.journal.")}
                            tails.setdefault(span.parent_id, {}).update(own | {names.SPAN_KIND: names.CALL})
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
        sealed = kind == names.SEAL or (sealed and span.scope != names.SCOPE)
        if kind == names.RUN:
            root = span
        elif kind == names.RUN + names.START_SUFFIX:
            announced = announced or span
        elif kind not in (names.CALL, names.CALL + names.START_SUFFIX, names.TAIL) and not is_call(span):
            spans.append(span)
    calls = tuple(sorted(read_calls(where), key=lambda call: (call.timing.start_ns, call.sequence or 0)))
    run_id = _only_run_id([span for span in (root, announced) if span], calls, where)
    known = root or announced
    start = known.start_ns if known else min((call.timing.start_ns for call in calls), default=0)
    return Run(
        run_id=run_id,
        status=root.attributes.get(names.RUN_STATUS, "completed") if root else "open",
        live=where.is_dir() and is_live(where),
        sealed=sealed,
        start_ns=start,
        end_ns=root.end_ns if root else None,
        attributes=known.attributes if known else {},
        calls=calls,
        spans=tuple(spans),
    )


def _only_run_id(roots: list[SpanRecord], calls: tuple[Call, ...], where: Path) -> str:
    found = {call.run_id for call in calls} | {span.attributes.get(names.RUN_ID, span.trace_id) for span in roots}
    if len(found) > 1:
        raise InputError(f"{where}: holds {len(found)} runs; read its calls with read_calls, which tell their run")
    return found.pop() if found else where.name
