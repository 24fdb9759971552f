"""Spans that were announced and never written: of calls that a killed proxy had in flight, of runs that nobody closed.

A reader of the journal knows them by their announcements. A backend that is sent none of these is sent a span in their place,
marked as interrupted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from .. import _names as names
from .._errors import StoreError
from .._reader import journal_path
from ._edit import Span, attributes_of, each_span, with_attributes
from ._profile import TracesData

__all__ = ["left_open", "with_unended"]

_INTERRUPTED: Final = "interrupted"
_MESSAGE: Final = "its recorder ended before it did"
_KINDS: Final = (names.RUN, names.AGENT, names.CALL, names.CHECK)
_CLIENT: Final = 3
_INTERNAL: Final = 1
_ERROR: Final = 2

Attributes = Mapping[str, Any]
_NAMES: Final[Mapping[str, Callable[[Attributes], str]]] = {
    names.RUN: lambda told: f"run {told.get(names.TASK_ID, told.get(names.RUN_ID))}",
    names.AGENT: lambda told: f"invoke_agent {told.get(names.AGENT_NAME, '')}".strip(),
    names.CALL: lambda told: f"{told.get(names.OPERATION, 'call')} {told.get(names.REQUEST_MODEL, '')}".strip(),
    names.CHECK: lambda _: "check",
}


def with_unended(data: TracesData, folder: Path) -> TracesData:
    """A line of the run in a folder; that of a seal with the spans that will not come any more.

    Raises:
        InputError, StoreError: the journal cannot be read.
    """
    sealed = [attributes for span in each_span(data) if _kind(attributes := attributes_of(span)) == names.SEAL]
    if not sealed:
        return data
    number = sealed[0].get(names.JOURNAL_LINE)
    missing = _lines(_read(folder), lambda line: number is None or line is None or line < number)
    return {**data, "resourceSpans": [*data["resourceSpans"], *missing["resourceSpans"]]}


def left_open(folder: Path) -> TracesData:
    """What a run announced behind its last seal and did not write. Ask of one that nobody has open: else it may still come.

    Raises:
        InputError, StoreError: the journal cannot be read.
    """
    found = _read(folder)
    return _lines(found, lambda line: line is None or line > found.sealed)


def _read(folder: Path) -> "_Found":
    found = _Found()
    path = journal_path(folder)
    try:
        with path.open("rb") as journal:
            for line in journal:
                found.take(line)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    return found


def _lines(found: "_Found", meant: Callable[[int | None], bool]) -> TracesData:
    """The spans that are missing and were announced in the lines that are meant."""
    missing = [one for one in found.announced.values() if one.span_id not in found.ended]
    made = [_made(one, found) for one in missing if meant(one.attributes.get(names.JOURNAL_LINE))]
    return {"resourceSpans": [resource for data in made for resource in data["resourceSpans"]]}


@dataclass(frozen=True, slots=True)
class _Announced:
    data: TracesData
    """The line that announces it."""
    kind: str
    span_id: str
    start_ns: int
    attributes: Attributes


@dataclass(slots=True)
class _Found:
    announced: dict[str, _Announced] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    """When spans ended, Unix time in nanoseconds."""
    latest: int = 0
    """The latest moment of all, Unix time in nanoseconds."""
    sealed: int = 0
    """The line of the last seal; 0 if there is none."""

    def take(self, line: bytes) -> None:
        """Take a line of the journal; what is no JSON is passed over."""
        try:
            data = orjson.loads(line)
            spans = list(each_span(data))
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        for span in spans:
            self._take_span(data, span)

    def _take_span(self, data: TracesData, span: Span) -> None:
        attributes = attributes_of(span)
        kind = _kind(attributes)
        start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        self.latest = max(self.latest, end)
        if kind == names.SEAL:
            self.sealed = attributes.get(names.JOURNAL_LINE, 0)
        elif kind in _KINDS:
            self.ended[span["spanId"]] = end
        elif (begun := kind.removesuffix(names.START_SUFFIX)) in _KINDS and "parentSpanId" in span:
            of = span["parentSpanId"]
            self.announced.setdefault(of, _Announced(data, begun, of, start, attributes))

    def parent_of(self, one: _Announced) -> str | None:
        """The run for all but calls; the agent that ran then, or the tunnel that it came through, for these."""
        if one.kind == names.RUN:
            return None
        if tunnel := one.attributes.get(names.CALL_TUNNEL):
            return str(tunnel)
        agents = self._running(names.AGENT, one.start_ns) if one.kind == names.CALL else ()
        return next(iter([*agents, *self._running(names.RUN, 0)]), None)

    def _running(self, kind: str, at_ns: int) -> Iterable[str]:
        for one in self.announced.values():
            if one.kind == kind and (not at_ns or one.start_ns <= at_ns <= self.ended.get(one.span_id, at_ns)):
                yield one.span_id


def _made(one: _Announced, found: _Found) -> TracesData:
    """The line of a span that was not written. When a call ended is not known: it ends where it began."""
    parent = found.parent_of(one)
    is_call = one.kind == names.CALL
    announcement = next(each_span(one.data))
    span: Span = {
        "traceId": announcement["traceId"],
        "spanId": one.span_id,
        **({"parentSpanId": parent} if parent else {}),
        "name": _NAMES[one.kind](one.attributes),
        "kind": _CLIENT if is_call else _INTERNAL,
        "startTimeUnixNano": str(one.start_ns),
        "endTimeUnixNano": str(one.start_ns if is_call else max(found.latest, one.start_ns)),
        "status": {"code": _ERROR, "message": _MESSAGE},
        "attributes": announcement.get("attributes") or [],
    }
    changes = {
        names.SPAN_KIND: one.kind,
        names.ERROR_TYPE: _INTERRUPTED,
        **({names.CALL_OUTCOME: _INTERRUPTED} if is_call else {}),
        **({names.RUN_STATUS: "open"} if one.kind == names.RUN else {}),
    }
    resource = one.data["resourceSpans"][0]
    scope = resource["scopeSpans"][0]
    return {"resourceSpans": [{**resource, "scopeSpans": [{**scope, "spans": [with_attributes(span, changes)]}]}]}


def _kind(attributes: Attributes) -> str:
    return str(attributes.get(names.SPAN_KIND, ""))
