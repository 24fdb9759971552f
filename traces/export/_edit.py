"""Spans of a line as OTLP/JSON, looked into and changed without touching the line that was read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from .._otlp import SpanRecord, decode_attributes, decode_line, encode_attributes
from ._profile import TracesData

__all__ = ["AddingAttributes", "Span", "attributes_of", "each_span", "edited", "with_attributes"]

Span: TypeAlias = dict[str, Any]
"""One span as OTLP/JSON has it."""

_ATTRIBUTES: Final = "attributes"


def each_span(data: TracesData) -> Iterator[Span]:
    """The spans of a line."""
    for resource in data["resourceSpans"]:
        for scope in resource.get("scopeSpans") or ():
            yield from scope.get("spans") or ()


def edited(data: TracesData, edit: Callable[[Span], Span | None]) -> TracesData | None:
    """The line with each span as `edit` gives it, without those of which it gives None; None if no span is left."""
    resources = []
    for resource in data["resourceSpans"]:
        scopes = []
        for scope in resource.get("scopeSpans") or ():
            spans = [kept for span in scope.get("spans") or () if (kept := edit(span)) is not None]
            if spans:
                scopes.append({**scope, "spans": spans})
        if scopes:
            resources.append({**resource, "scopeSpans": scopes})
    return {**data, "resourceSpans": resources} if resources else None


def attributes_of(span: Span) -> dict[str, Any]:
    """A span's attributes by name."""
    return decode_attributes(span.get(_ATTRIBUTES))


def with_attributes(span: Span, changes: Mapping[str, Any]) -> Span:
    """The span with these attributes in the place of those of the same names; a value of None takes one away."""
    if not changes:
        return span
    kept = [pair for pair in span.get(_ATTRIBUTES) or () if pair["key"] not in changes]
    told = {name: value for name, value in changes.items() if value is not None}
    return {**span, _ATTRIBUTES: [*kept, *encode_attributes(told)]}


@dataclass(frozen=True, slots=True)
class AddingAttributes:
    """A profile's `enrich` that adds attributes to spans."""

    told: Callable[[SpanRecord, Path], Mapping[str, Any]]
    """What to add to a span of the run in a folder."""

    def __call__(self, data: TracesData, folder: Path) -> TracesData:
        """The line with them."""
        records = {record.span_id: record for record in decode_line(orjson.dumps(data))}
        made = edited(data, lambda span: with_attributes(span, self.told(records[span["spanId"].lower()], folder)))
        return made or data
