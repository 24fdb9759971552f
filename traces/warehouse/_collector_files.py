"""Runs in the files of a Collector's `file` exporter: OTLP/JSON lines.

A line may hold many spans of several runs, lines stand in any order, and what was sent again stands there twice. So the files
are read once to learn which line has spans of which run, eight bytes a line and run; then each run's lines are read again.
"""

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from .. import _names as names
from .._errors import InputError, StoreError
from .._otlp import SpanRecord, decode_line
from .._reader import refuse_newer
from .._run import Run
from ._source import RunHead, head_attributes, run_of

__all__ = ["CollectorFiles"]

_OFFSET_BITS: Final = 48
_MOST_FILES: Final = 2**16
_LINES_HELD: Final = 8
"""Decoded lines that are kept: runs that are read one after the other may share some."""
_BEGINNING: Final = frozenset({names.RUN, names.RUN + names.START_SUFFIX})


class _Place(NamedTuple):
    traces: frozenset[str]
    lines: "array[int]"
    """The file's number, and in its lower 48 bits where the line begins."""


@dataclass(slots=True)
class _Trace:
    lines: "array[int]"
    run_id: str | None = None
    session: str | None = None
    attributes: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CollectorFiles:
    """One or several files, which hold any number of runs."""

    files: tuple[Path, ...]

    def heads(self) -> Iterator[RunHead]:
        """As `RunSource`; in the order of their first lines.

        Raises:
            InputError: no file holds a line of OTLP/JSON traces, or there are too many files.
            StoreError: a file cannot be read, or a newer tachograph wrote it.
        """
        if len(self.files) > _MOST_FILES:
            raise InputError(
                f"{self.files[0].parent}: {len(self.files)} files, and at most {_MOST_FILES} can be read at once"
            )
        found: dict[str, _Trace] = {}
        for number, path in enumerate(self.files):
            for offset, spans in _lines(path):
                _note(found, number << _OFFSET_BITS | offset, spans)
        if not found:
            raise InputError(
                f"{self.files[0]}: no line of OTLP/JSON traces; the file exporter must write `format: json`, not compressed"
            )
        runs: dict[str, list[tuple[str, _Trace]]] = {}
        for trace_id, one in found.items():
            runs.setdefault(one.run_id or one.session or trace_id, []).append((trace_id, one))
        for run_id, traces in runs.items():
            attributes = next((one.attributes for _, one in traces if one.attributes is not None), {})
            yield RunHead(run_id=run_id, attributes=attributes, place=_place(traces))

    def read(self, heads: Iterable[RunHead]) -> Iterator[Run]:
        """As `RunSource`."""
        reader = _LineReader(self.files)
        try:
            for head in heads:
                yield run_of(reader.spans(head.place), head.run_id)
        except OSError as error:
            raise StoreError(f"{error.filename}: cannot be read: {error.strerror}") from error
        finally:
            reader.close()

    def __iter__(self) -> Iterator[Run]:
        """All runs."""
        yield from self.read(self.heads())


def _lines(path: Path) -> Iterator[tuple[int, list[SpanRecord]]]:
    """The spans of each line, with where it begins. What is no OTLP/JSON is passed over, as in a journal."""
    offset = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                with suppress(ValueError):
                    spans = list(decode_line(line))
                    for span in spans:
                        refuse_newer(span, path)
                    yield offset, spans
                offset += len(line)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error


def _place(traces: list[tuple[str, _Trace]]) -> _Place:
    if len(traces) == 1:
        ((trace_id, one),) = traces
        return _Place(frozenset([trace_id]), one.lines)
    lines = sorted({line for _, one in traces for line in one.lines})
    return _Place(frozenset(trace_id for trace_id, _ in traces), array("Q", lines))


def _note(found: dict[str, _Trace], line: int, spans: Iterable[SpanRecord]) -> None:
    for span in spans:
        one = found.get(span.trace_id)
        if one is None:
            one = found[span.trace_id] = _Trace(array("Q"))
        if not one.lines or one.lines[-1] != line:
            one.lines.append(line)
        if one.run_id is None and isinstance(run_id := span.attributes.get(names.RUN_ID), str):
            one.run_id = run_id
        if one.session is None and isinstance(session := span.attributes.get(names.SESSION_ID), str):
            one.session = session
        if one.attributes is None and span.attributes.get(names.SPAN_KIND) in _BEGINNING:
            one.attributes = head_attributes(span)


class _LineReader:
    """Lines by where they stand, decoded once if they are asked for soon again."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self._files = files
        self._open: tuple[int, BinaryIO] | None = None
        self._held: OrderedDict[int, dict[str, list[SpanRecord]]] = OrderedDict()

    def spans(self, place: _Place) -> Iterator[SpanRecord]:
        """The spans of one run. Raises OSError."""
        for line in place.lines:
            held = self._decoded(line)
            for trace_id in place.traces:
                yield from held.get(trace_id, ())

    def _decoded(self, line: int) -> dict[str, list[SpanRecord]]:
        if line not in self._held:
            traces: dict[str, list[SpanRecord]] = {}
            with suppress(ValueError):  # the file was changed meanwhile
                for span in decode_line(self._read(line)):
                    traces.setdefault(span.trace_id, []).append(span)
            self._held[line] = traces
            if len(self._held) > _LINES_HELD:
                self._held.popitem(last=False)
        return self._held[line]

    def _read(self, line: int) -> bytes:
        number, offset = line >> _OFFSET_BITS, line & ((1 << _OFFSET_BITS) - 1)
        if self._open is None or self._open[0] != number:
            self.close()
            self._open = number, self._files[number].open("rb")
        self._open[1].seek(offset)
        return self._open[1].readline()

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
