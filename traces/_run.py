"""What a run is, and how the spans of its record become one: a fold, whatever the spans were read from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from . import _names as names
from ._call import Call, Outcome
from ._journal import without_stamp
from ._otlp import SpanRecord
from ._span import call_from_span, is_call, is_recorded

__all__ = ["CallFold", "Run", "RunFold", "tail_of"]

_OF_CALLS: Final = frozenset({names.CALL, names.CALL + names.START_SUFFIX, names.TAIL, names.MESSAGE})
"""Kinds of spans that are calls, or tell of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt of one agent with one model at one task, as it was recorded."""

    run_id: str
    status: str
    """`completed`, `timeout`, `aborted`, …; `open` if the run has not been closed, or its recorder was killed."""
    live: bool
    """A process has the run open for writing; of a run that was read from elsewhere than its folder: its end is not there."""
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
    missing_lines: int = 0
    """Lines of its journal that are not there, as the numbers of the others tell."""


def tail_of(span: SpanRecord) -> dict[str, Any] | None:
    """What a span says was learnt of its parent, a call, after that was written; None if it is no such span."""
    if span.attributes.get(names.SPAN_KIND) != names.TAIL or not span.parent_id:
        return None
    return without_stamp(span.attributes) | {names.SPAN_KIND: names.CALL}


class CallFold:
    """Calls out of spans, one after the other; held are only those that have not ended."""

    def __init__(self, tails: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what was learnt of calls after their spans were written, by span id (see `tail_of`)."""
        self._tails = tails
        self._announced: dict[str, SpanRecord] = {}
        # Calls that ended before they were announced: only in files whose lines were put in another order.
        self._early: set[str] = set()

    def add(self, span: SpanRecord) -> Call | None:
        """The call that a span ends; None if it ends none."""
        kind = span.attributes.get(names.SPAN_KIND)
        if kind == names.CALL + names.START_SUFFIX:
            call_id = span.parent_id or span.span_id
            if call_id in self._early:
                self._early.discard(call_id)
            else:
                self._announced[call_id] = span
            return None
        if not is_call(span):
            return None
        tail = self._tails.get(span.span_id)
        call = call_from_span(replace(span, attributes={**span.attributes, **tail}) if tail else span)
        start = self._announced.pop(span.span_id, None)
        if start is None and kind == names.CALL:
            self._early.add(span.span_id)
        if call.sequence is None and start is not None:
            call = replace(call, sequence=call_from_span(start, ended=False).sequence)
        return call

    @property
    def has_unended(self) -> bool:
        """Whether calls were announced and have not ended."""
        return bool(self._announced)

    def unended(self, outcome: Outcome) -> Iterator[Call]:
        """Those calls, with how they stand."""
        for span in self._announced.values():
            yield replace(call_from_span(span, ended=False), outcome=outcome)


class RunFold:
    """A run out of its spans, in the order of their lines."""

    def __init__(self, tails: Mapping[str, Mapping[str, Any]]) -> None:
        """As `CallFold`."""
        self._fold = CallFold(tails)
        self._calls: list[Call] = []
        self._spans: list[SpanRecord] = []
        self._root: SpanRecord | None = None
        self._announced: SpanRecord | None = None
        self._sealed = False
        self._lines = self._last_line = 0

    def add(self, span: SpanRecord) -> None:
        """Take the next span."""
        kind = span.attributes.get(names.SPAN_KIND)
        line = span.attributes.get(names.JOURNAL_LINE)
        if isinstance(line, int):
            self._lines, self._last_line = self._lines + 1, max(self._last_line, line)
        self._sealed = kind == names.SEAL or (self._sealed and not is_recorded(span))
        if is_recorded(span) and kind != names.SEAL:
            self._root = None  # the run went on
        if kind == names.RUN:
            self._root = span
        elif kind == names.RUN + names.START_SUFFIX:
            self._announced = self._announced or span
        elif (call := self._fold.add(span)) is not None:
            self._calls.append(call)
        elif kind not in _OF_CALLS:
            self._spans.append(span)

    @property
    def has_end(self) -> bool:
        """Whether the run was closed, and nothing was recorded since."""
        return self._root is not None

    @property
    def run_ids(self) -> set[str]:
        """The runs that the spans belong to: one, or the source holds several."""
        roots = [span for span in (self._root, self._announced) if span]
        named = {span.attributes.get(names.RUN_ID, span.trace_id) for span in roots}
        return {call.run_id for call in self._all_calls("interrupted")} | named

    def run(self, run_id: str, *, live: bool, was_live: bool) -> Run:
        """The run.

        Args:
            run_id: its id.
            live: as in `Run`.
            was_live: calls that have not ended are `in_flight`, else `interrupted`.
        """
        calls = sorted(
            self._all_calls("in_flight" if was_live else "interrupted"),
            key=lambda call: (call.timing.start_ns, call.sequence or 0),
        )
        known = self._root or self._announced
        return Run(
            run_id=run_id,
            status=self._root.attributes.get(names.RUN_STATUS, "completed") if self._root else "open",
            live=live,
            sealed=self._sealed,
            start_ns=known.start_ns if known else min((call.timing.start_ns for call in calls), default=0),
            end_ns=self._root.end_ns if self._root else None,
            attributes=known.attributes if known else {},
            calls=tuple(call for call in calls if not call.only_carries_calls),
            spans=tuple(self._spans),
            tunnels=tuple(call for call in calls if call.only_carries_calls),
            missing_lines=max(0, self._last_line - self._lines),
        )

    def _all_calls(self, outcome: Outcome) -> list[Call]:
        return [*self._calls, *self._fold.unended(outcome)]
