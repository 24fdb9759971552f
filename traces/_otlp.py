"""OTLP/JSON: spans to lines and back.

A line of the journal is one `TracesData` with one span, unchanged a valid OTLP/HTTP JSON request body. Encoding rules:
opentelemetry-proto, "JSON Protobuf Encoding" (ids in hex, enums as integers, 64-bit integers as strings). The reader
takes whatever a Collector writes: many resources, scopes and spans in a line.
"""

import base64
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, format_span_id, format_trace_id
from opentelemetry.util.types import Attributes

from ._context import RemoteContext
from ._redaction import Redactor
from ._span_masking import masked_span

__all__ = [
    "LINE_LIMIT",
    "NO_ATTRIBUTES",
    "SPAN_LIMIT",
    "EncodedAttributes",
    "Envelope",
    "SpanRecord",
    "clean_text",
    "decode_attributes",
    "decode_line",
    "encode_attributes",
    "encode_attributes_once",
    "encode_moment",
    "encode_span",
]

LINE_LIMIT: Final = 2**20
"""A line is shorter than this many bytes: a Collector's file receiver cuts longer ones in two and drops both halves."""
SPAN_LIMIT: Final = LINE_LIMIT - 2**14
"""Bytes of an encoded span, which leaves room for the rest of its line."""
_LONGEST_NAME: Final = 1024
_LONGEST_MESSAGE: Final = 8 * 1024
_MAX_INT: Final = 2**63
_REMOTE_PARENT_KNOWN: Final = 0x100
_REMOTE_PARENT: Final = 0x200
_ATTRIBUTES: Final = b'"attributes":['


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """One span as it was read."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    """Unix time, nanoseconds."""
    end_ns: int
    attributes: Mapping[str, Any]
    status_code: int
    """0 unset, 1 ok, 2 error."""
    status_message: str
    resource: Mapping[str, Any] = field(repr=False)
    scope: str
    scope_attributes: Mapping[str, Any] = field(repr=False)
    links: tuple[RemoteContext, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedAttributes:
    """Attributes that several spans have, encoded once and masked."""

    text: bytes
    """JSON objects with commas between them."""
    dropped: int = 0
    """How many were too long."""


NO_ATTRIBUTES: Final = EncodedAttributes(b"")


class Envelope:
    """What stands around the spans of one resource and scope, encoded once."""

    def __init__(self, resource: Resource, scope: InstrumentationScope) -> None:
        """Encode the resource and the scope."""
        described = {"name": scope.name, "version": scope.version, "attributes": encode_attributes(scope.attributes)}
        self._head = b'{"resourceSpans":[{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[' % (
            orjson.dumps({"attributes": encode_attributes(resource.attributes)}),
            orjson.dumps(described),
        )
        self._tail = b'],"schemaUrl":%b}]}]}\n' % orjson.dumps(scope.schema_url or "")

    def line(self, span: bytes, more_attributes: bytes) -> bytes:
        """A whole line, with more attributes, JSON with commas between them, added to an encoded span."""
        # The attributes stand last in the span, so that the span need not be encoded while other writers wait.
        separator = b"," if more_attributes and not span.endswith(b"[]}") else b""
        return b"".join((self._head, span[:-2], separator, more_attributes, b"]}", self._tail))


def encode_attributes_once(attributes: Mapping[str, Any], redactor: Redactor) -> EncodedAttributes:
    """Attributes for several spans, masked by `redactor`, and short enough to leave each span as much room again."""
    # A span with nothing else in it is masked and cut as any other.
    data = _fitting({"attributes": encode_attributes(attributes)}, redactor, SPAN_LIMIT // 2)
    before, _, text = data.partition(_ATTRIBUTES)
    dropped = 0 if before == b"{" else orjson.loads(data).get("droppedAttributesCount", 0)
    return EncodedAttributes(text[:-2], dropped)


def encode_span(span: ReadableSpan, redactor: Redactor | None = None, more: EncodedAttributes = NO_ATTRIBUTES) -> bytes:
    """One span as a JSON object whose last member is `attributes`, its texts masked by `redactor`.

    Args:
        span: has ended.
        redactor: masks its texts; None: they hold no secrets.
        more: attributes that it has beside its own.
    """
    context = span.get_span_context()
    if context is None:
        raise ValueError("a span without a context cannot be recorded")
    encoded: dict[str, Any] = {
        "traceId": format_trace_id(context.trace_id),
        "spanId": format_span_id(context.span_id),
        "flags": _REMOTE_PARENT_KNOWN,
        "name": span.name[:_LONGEST_NAME],
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
    }
    if span.parent is not None:
        encoded["parentSpanId"] = format_span_id(span.parent.span_id)
        encoded["flags"] |= _REMOTE_PARENT if span.parent.is_remote else 0
    if span.status.status_code.value:
        encoded["status"] = {"code": span.status.status_code.value}
        if span.status.description:
            encoded["status"]["message"] = span.status.description[:_LONGEST_MESSAGE]
    if span.events:
        encoded["events"] = [
            {
                "timeUnixNano": str(event.timestamp),
                "name": event.name,
                "attributes": encode_attributes(event.attributes),
            }
            for event in span.events
        ]
    if span.links:
        encoded["links"] = [_encode_link(link) for link in span.links]
    # A copy is a plain dictionary: the SDK's own takes a lock for each item.
    attributes: dict[str, Any] = (span.attributes or {}).copy()  # type: ignore[attr-defined] # it is no bare Mapping
    encoded["attributes"] = encode_attributes(attributes)
    return _with_more(encoded, redactor, more)


def encode_moment(
    name: str,
    parent: SpanContext,
    attributes: Mapping[str, Any],
    at_ns: int,
    redactor: Redactor | None = None,
    *,
    links: Sequence[Link] = (),
    more: EncodedAttributes = NO_ATTRIBUTES,
) -> bytes:
    """A span of no duration below another one, in the form of `encode_span`.

    Args:
        name: its name.
        parent: of the span that it is below.
        attributes: its attributes.
        at_ns: Unix time, nanoseconds.
        redactor: masks its texts; None: they hold no secrets.
        links: to spans of other traces.
        more: attributes that it has beside these.
    """
    moment = str(at_ns)
    encoded: dict[str, Any] = {
        "traceId": format_trace_id(parent.trace_id),
        "spanId": format_span_id(random.getrandbits(64)),
        "parentSpanId": format_span_id(parent.span_id),
        "flags": _REMOTE_PARENT_KNOWN,
        "name": name,
        "kind": 1,
        "startTimeUnixNano": moment,
        "endTimeUnixNano": moment,
    }
    if links:
        encoded["links"] = [_encode_link(link) for link in links]
    encoded["attributes"] = encode_attributes(attributes)
    return _with_more(encoded, redactor, more)


def _with_more(encoded: dict[str, Any], redactor: Redactor | None, more: EncodedAttributes) -> bytes:
    """The span as JSON, with more attributes."""
    if more.dropped:
        encoded = {"droppedAttributesCount": more.dropped, **encoded}
    data = _fitting(encoded, redactor, SPAN_LIMIT - len(more.text))
    return data if not more.text else with_attributes(data, more.text)


def with_attributes(span: bytes, text: bytes) -> bytes:
    """A span in the form of `encode_span` with more attributes, JSON with commas between them."""
    # The attributes stand last in the span, so that it need not be encoded again.
    return b"".join((span[:-2], b"" if span.endswith(b"[]}") else b",", text, b"]}"))


def _fitting(encoded: dict[str, Any], redactor: Redactor | None, limit: int) -> bytes:
    """The span as JSON. What an upstream says has no limit, and a line has: the longest attributes are left out then."""
    try:
        data = orjson.dumps(encoded)
    except orjson.JSONEncodeError:  # a lone surrogate somewhere: rare, so that it is not looked for in each text
        encoded = _clean(encoded)
        data = orjson.dumps(encoded)
    if redactor is not None and (masked := masked_span(encoded, data, redactor)) is not encoded:
        encoded = masked
        data = orjson.dumps(encoded)
    while len(data) > limit and encoded["attributes"]:
        attributes = encoded.pop("attributes")
        attributes.remove(max(attributes, key=lambda attribute: len(orjson.dumps(attribute))))
        encoded["droppedAttributesCount"] = encoded.get("droppedAttributesCount", 0) + 1
        encoded["attributes"] = attributes
        data = orjson.dumps(encoded)
    return data


def _encode_link(link: Link) -> dict[str, Any]:
    context: SpanContext = link.context
    encoded: dict[str, Any] = {
        "traceId": format_trace_id(context.trace_id),
        "spanId": format_span_id(context.span_id),
        "attributes": encode_attributes(link.attributes),
    }
    if context.trace_state:
        encoded["traceState"] = context.trace_state.to_header()
    return encoded


def encode_attributes(attributes: Attributes | Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP key-value objects."""
    return [
        # Most are texts, and there are some sixty of them in a call.
        {"key": name, "value": {"stringValue": value} if type(value) is str else _encode_value(value)}
        for name, value in (attributes or {}).items()
    ]


def _encode_value(value: Any) -> dict[str, Any]:
    encode = _ENCODERS.get(type(value))
    return encode(value) if encode else {"stringValue": str(value)}


def _encode_int(value: int) -> dict[str, Any]:
    return {"intValue": str(value)} if -_MAX_INT <= value < _MAX_INT else {"stringValue": str(value)}


def _encode_list(values: Sequence[Any]) -> dict[str, Any]:
    return {"arrayValue": {"values": [_encode_value(item) for item in values]}}


_NOT_FINITE: Final = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
_ENCODERS: Final[Mapping[type, Callable[[Any], dict[str, Any]]]] = {
    str: lambda value: {"stringValue": value},
    bool: lambda value: {"boolValue": value},
    int: _encode_int,
    float: lambda value: {"doubleValue": value if math.isfinite(value) else _NOT_FINITE[str(value)]},
    type(None): lambda _: {},
    bytes: lambda value: {"bytesValue": base64.b64encode(value).decode()},
    tuple: _encode_list,
    list: _encode_list,
    dict: lambda value: {"kvlistValue": {"values": encode_attributes(value)}},
}


def _clean(value: Any) -> Any:
    """The same with every text clean."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(name): _clean(member) for name, member in value.items()}
    return value


def clean_text(value: str) -> str:
    """The text, a lone surrogate replaced: no JSON reader but Python's would take it."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def decode_line(line: bytes) -> Iterator[SpanRecord]:
    """The spans of one line. Unknown members are passed over.

    Raises:
        ValueError: it is no OTLP/JSON traces object.
    """
    data = orjson.loads(line)
    try:
        for resource_spans in data["resourceSpans"]:
            resource = decode_attributes((resource_spans.get("resource") or {}).get("attributes"))
            for scope_spans in resource_spans.get("scopeSpans") or ():
                scope = scope_spans.get("scope") or {}
                scope_attributes = decode_attributes(scope.get("attributes"))
                for span in scope_spans.get("spans") or ():
                    yield _decode_span(span, resource, scope.get("name", ""), scope_attributes)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not OTLP/JSON traces: {error!r}") from error


def _decode_span(
    span: dict[str, Any], resource: dict[str, Any], scope: str, scope_attributes: dict[str, Any]
) -> SpanRecord:
    status = span.get("status") or {}
    return SpanRecord(
        trace_id=span["traceId"].lower(),
        span_id=span["spanId"].lower(),
        parent_id=(span.get("parentSpanId") or "").lower() or None,
        name=span.get("name") or "",
        start_ns=int(span.get("startTimeUnixNano") or 0),
        end_ns=int(span.get("endTimeUnixNano") or 0),
        attributes=decode_attributes(span.get("attributes")),
        status_code=status.get("code", 0),
        status_message=status.get("message", ""),
        resource=resource,
        scope=scope,
        scope_attributes=scope_attributes,
        links=tuple(_decode_link(link) for link in span.get("links") or ()),
    )


def _decode_link(link: dict[str, Any]) -> RemoteContext:
    trace_id, span_id = link["traceId"].lower(), link["spanId"].lower()
    return RemoteContext(trace_id=trace_id, span_id=span_id, trace_state=link.get("traceState") or None)


def decode_attributes(attributes: list[dict[str, Any]] | None) -> dict[str, Any]:
    """OTLP key-value objects as a dictionary."""
    return {item["key"]: _decode_value(item.get("value") or {}) for item in attributes or ()}


def _decode_value(value: dict[str, Any]) -> Any:
    for kind, content in value.items():
        if kind in _DECODERS and content is not None:
            return _DECODERS[kind](content)
    return None


_DECODERS: Final[Mapping[str, Any]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "bytesValue": base64.b64decode,
    "arrayValue": lambda array: tuple(_decode_value(item) for item in array.get("values") or ()),
    "kvlistValue": lambda members: decode_attributes(members.get("values")),
}
