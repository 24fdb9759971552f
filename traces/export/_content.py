"""What was said, on the spans of calls: only where it is asked for, and only as much as fits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import orjson

from .. import _names as names
from .._errors import InputError
from .._otlp import SpanRecord, decode_line, encode_attributes
from ._edit import Span, attributes_of, edited, with_attributes
from ._profile import TracesData

__all__ = ["CAPTURE_VARIABLE", "CONTENT_LIMIT", "AddingContent", "Content", "ContentPlace", "content_place"]

CAPTURE_VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The variable by which OpenTelemetry's own instrumentations are asked for content."""
CONTENT_LIMIT: Final = 256 * 1024
"""Bytes of JSON that the content of one call may take, unless told otherwise."""
ContentPlace = Literal["none", "span", "event", "span_and_event"]
"""Where content goes."""
_PLACES: Final[Mapping[str, ContentPlace]] = {
    "": "none",
    "no_content": "none",
    "false": "none",
    "span_only": "span",
    "true": "span",
    "event_only": "event",
    "span_and_event": "span_and_event",
}
"""By the values of the variable: those of opentelemetry-util-genai 1.3, and `true` and `false` of the packages before it."""
_EVENT: Final = "gen_ai.client.inference.operation.details"
_LEFT_OUT: Final = "tachograph.content.left_out"
_MISSING: Final = "tachograph.content.missing"
_INPUT: Final = "gen_ai.input.messages"
_IDENTITY: Final = (names.OPERATION, names.PROVIDER, names.REQUEST_MODEL)
_ORDER: Final = ("gen_ai.output.messages", "gen_ai.system_instructions", _INPUT, "gen_ai.tool.definitions")
"""What comes first where not all fits."""

Content: TypeAlias = tuple[Mapping[str, list[Any]], str | None]
"""What a call said, by attribute, and why some of it is not known; None if all is."""


def content_place(value: str) -> ContentPlace:
    """Where content goes by a value of `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`, in either case.

    Raises:
        InputError: it is none of its values.
    """
    try:
        return _PLACES[value.strip().lower()]
    except KeyError:
        known = ", ".join(word for word in _PLACES if word)
        raise InputError(f"{CAPTURE_VARIABLE} is {value!r}: it must be one of {known}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddingContent:
    """A profile's `enrich` that adds what calls said."""

    read: Callable[[SpanRecord, Path], Content | None]
    """What the call of a span in a run's folder said; None if the span is no call of a model."""
    place: ContentPlace
    """Attributes hold it as JSON, an event as structured values."""
    limit: int = CONTENT_LIMIT
    """Bytes of JSON for one call. What does not fit is left out by whole messages, the oldest first, and the span says so."""

    def __call__(self, data: TracesData, folder: Path) -> TracesData:
        """The line with what its calls said."""
        records = {record.span_id: record for record in decode_line(orjson.dumps(data))}
        return edited(data, lambda span: self._edit(span, records[span["spanId"].lower()], folder)) or data

    def _edit(self, span: Span, record: SpanRecord, folder: Path) -> Span:
        content = self.read(record, folder)
        if content is None:
            return span
        said, missing = content
        try:
            kept, left_out = _fitting(said, self.limit)
            made = self._added(span, kept)
        except (RecursionError, orjson.JSONEncodeError):
            made, left_out, missing = span, [], "it is nested too deeply"
        notes: dict[str, Any] = {_LEFT_OUT: left_out, _MISSING: missing}
        return with_attributes(made, {name: note for name, note in notes.items() if note})

    def _added(self, span: Span, kept: Mapping[str, list[Any]]) -> Span:
        if self.place in ("span", "span_and_event"):
            span = with_attributes(span, {name: orjson.dumps(value).decode() for name, value in kept.items()})
        if self.place in ("event", "span_and_event") and kept:
            span = {**span, "events": [*(span.get("events") or ()), _event(span, kept)]}
        return span


def _event(span: Span, kept: Mapping[str, list[Any]]) -> dict[str, Any]:
    told = attributes_of(span)
    known: dict[str, Any] = {name: told[name] for name in _IDENTITY if name in told}
    return {
        "timeUnixNano": span["endTimeUnixNano"],
        "name": _EVENT,
        "attributes": encode_attributes(known | dict(kept)),
    }


def _fitting(said: Mapping[str, list[Any]], limit: int) -> tuple[dict[str, list[Any]], list[str]]:
    """As much of it as fits, and what is left out, in words."""
    kept: dict[str, list[Any]] = {}
    left_out = []
    for name in _ORDER:
        items = said.get(name, [])
        sizes = [len(orjson.dumps(item)) + 1 for item in items]
        # The newest of a conversation, whole messages; anything else all or not at all.
        first = 0 if sum(sizes) < limit else _first_that_fits(sizes, limit) if name == _INPUT else len(items)
        if first:
            left_out.append(f"{name}: {first} of {len(items)}")
        if items[first:]:
            kept[name] = items[first:]
            limit -= sum(sizes[first:]) + 1
    return kept, left_out


def _first_that_fits(sizes: list[int], limit: int) -> int:
    first = len(sizes)
    while first and sum(sizes[first - 1 :]) < limit:
        first -= 1
    return first
