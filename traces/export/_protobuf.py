"""OTLP/JSON to protobuf, by the official classes.

Built member by member: `json_format.ParseDict` takes several times as long, and wants ids in base64 where OTLP/JSON has hex.
Unknown members are passed over, as the specification of OTLP/JSON asks.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData as TracesDataMessage

from ._profile import TracesData

__all__ = ["to_protobuf"]

_Converter: TypeAlias = Callable[[Any], Any]
_Fields: TypeAlias = dict[str, tuple[str, _Converter]]
"""From the name in JSON to the name in protobuf, and how the value is converted."""


def to_protobuf(data: TracesData) -> bytes:
    """A line as a serialized `TracesData`, which is also an `ExportTraceServiceRequest`.

    Several of them one behind the other are one message with all of their spans: repeated fields add up.

    Raises:
        ValueError: it is no OTLP/JSON.
    """
    try:
        message = TracesDataMessage(resource_spans=_each(_resource_spans, data["resourceSpans"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not OTLP/JSON traces: {error!r}") from error
    serialized: bytes = message.SerializeToString()
    return serialized


def _each(convert: _Converter, members: Iterable[Any] | None) -> list[Any]:
    return [convert(member) for member in members or ()]


def _converted(names: _Fields, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a message, by their protobuf names."""
    return {
        names[name][0]: names[name][1](value) for name, value in data.items() if name in names and value is not None
    }


def _any_value(value: Mapping[str, Any]) -> AnyValue:
    for kind, content in value.items():
        if kind == "stringValue":  # most of them
            return AnyValue(string_value=content)
        if kind in _VALUES and content is not None:
            name, convert = _VALUES[kind]
            return AnyValue(**{name: convert(content)})
    return AnyValue()


def _key_value(pair: Mapping[str, Any]) -> KeyValue:
    return KeyValue(key=pair["key"], value=_any_value(pair.get("value") or {}))


def _attributes(pairs: Any) -> list[KeyValue]:
    return _each(_key_value, pairs)


_VALUES: Final[_Fields] = {
    "boolValue": ("bool_value", bool),
    "intValue": ("int_value", int),
    "doubleValue": ("double_value", float),
    "bytesValue": ("bytes_value", base64.b64decode),
    "arrayValue": ("array_value", lambda array: ArrayValue(values=_each(_any_value, array.get("values")))),
    "kvlistValue": ("kvlist_value", lambda pairs: KeyValueList(values=_attributes(pairs.get("values")))),
}
_COUNTED_ATTRIBUTES: Final[_Fields] = {
    "attributes": ("attributes", _attributes),
    "droppedAttributesCount": ("dropped_attributes_count", int),
}
_IDS: Final[_Fields] = {
    "traceId": ("trace_id", bytes.fromhex),
    "spanId": ("span_id", bytes.fromhex),
    "traceState": ("trace_state", str),
    "flags": ("flags", int),
}
_EVENT: Final[_Fields] = {"timeUnixNano": ("time_unix_nano", int), "name": ("name", str), **_COUNTED_ATTRIBUTES}
_LINK: Final[_Fields] = {**_IDS, **_COUNTED_ATTRIBUTES}
_STATUS: Final[_Fields] = {"code": ("code", int), "message": ("message", str)}
_SPAN: Final[_Fields] = {
    **_IDS,
    **_COUNTED_ATTRIBUTES,
    "parentSpanId": ("parent_span_id", bytes.fromhex),
    "name": ("name", str),
    "kind": ("kind", int),
    "startTimeUnixNano": ("start_time_unix_nano", int),
    "endTimeUnixNano": ("end_time_unix_nano", int),
    "events": ("events", lambda events: _each(lambda event: Span.Event(**_converted(_EVENT, event)), events)),
    "droppedEventsCount": ("dropped_events_count", int),
    "links": ("links", lambda links: _each(lambda link: Span.Link(**_converted(_LINK, link)), links)),
    "droppedLinksCount": ("dropped_links_count", int),
    "status": ("status", lambda status: Status(**_converted(_STATUS, status))),
}
_SCOPE: Final[_Fields] = {"name": ("name", str), "version": ("version", str), **_COUNTED_ATTRIBUTES}
_SCOPE_SPANS: Final[_Fields] = {
    "scope": ("scope", lambda scope: InstrumentationScope(**_converted(_SCOPE, scope))),
    "spans": ("spans", lambda spans: _each(lambda span: Span(**_converted(_SPAN, span)), spans)),
    "schemaUrl": ("schema_url", str),
}
_RESOURCE_SPANS: Final[_Fields] = {
    "resource": ("resource", lambda resource: Resource(**_converted(_COUNTED_ATTRIBUTES, resource))),
    "scopeSpans": (
        "scope_spans",
        lambda scopes: _each(lambda scope: ScopeSpans(**_converted(_SCOPE_SPANS, scope)), scopes),
    ),
    "schemaUrl": ("schema_url", str),
}


def _resource_spans(data: Mapping[str, Any]) -> ResourceSpans:
    return ResourceSpans(**_converted(_RESOURCE_SPANS, data))
