"""A span on disk is what was put in, in the form that every OTLP reader takes."""

import base64
import json
import math
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tachograph.traces import SpanRecord, call_from_span, is_call, read_calls, read_spans
from tachograph.traces._otlp import (
    LINE_LIMIT,
    SPAN_LIMIT,
    Envelope,
    decode_attributes,
    decode_line,
    encode_attributes,
    encode_moment,
    encode_span,
)

# Ships no types, and nothing but a test needs it.
from google.protobuf import json_format  # isort: skip

TRACE_ID = 0xA17F07727C9A0EE8F37C0F50042960B9
SPAN_ID = 0x5A3F0DEC8F736BA3
PARENT_ID = 0x8018A24398C2C918
START = 1_795_403_376_061_208_440
END = 1_795_403_376_071_390_721


def context(span_id: int, *, is_remote: bool = False) -> SpanContext:
    return SpanContext(TRACE_ID, span_id, is_remote=is_remote, trace_flags=TraceFlags(1))


def make_span(name: str = "chat m", **members: Any) -> ReadableSpan:
    times = {"start_time": START, "end_time": END}
    return ReadableSpan(name, context(SPAN_ID), parent=context(PARENT_ID), **times | members)


def envelope() -> Envelope:
    resource = Resource({"service.name": "tachograph"})
    return Envelope(resource, InstrumentationScope("tachograph", "0.1.0", "https://schema", {"form": 1}))


def line_of(span: ReadableSpan, *more: dict[str, Any]) -> bytes:
    return envelope().line(encode_span(span), as_json(list(more)))


def as_json(attributes: list[dict[str, Any]]) -> bytes:
    return b",".join(map(orjson.dumps, attributes))


def context_of(span: ReadableSpan) -> SpanContext:
    found = span.get_span_context()
    assert found is not None
    return found


def decoded(line: bytes) -> SpanRecord:
    (span,) = decode_line(line)
    return span


def parsed_by_protobuf(line: bytes) -> Any:
    """What the official definition makes of a line. OTLP has ids in hex, where protobuf's own JSON has base64."""

    def with_base64_ids(value: Any) -> Any:
        if isinstance(value, list):
            return [with_base64_ids(item) for item in value]
        if not isinstance(value, dict):
            return value
        ids = {"traceId", "spanId", "parentSpanId"}
        return {
            name: base64.b64encode(bytes.fromhex(item)).decode() if name in ids else with_base64_ids(item)
            for name, item in value.items()
        }

    return json_format.ParseDict(with_base64_ids(json.loads(line)), TracesData())


def test_a_line_is_what_the_official_definition_says() -> None:
    """A line parses as `TracesData`, no member unknown, and every member is what was put in."""
    attributes: dict[str, Any] = {
        "text": "é",
        "count": 2**62,
        "ratio": 0.42,
        "is": True,
        "all": ("a", "b"),
        "raw": b"\0\xff",
    }
    link = Link(context(7), {"why": "scored"})
    span = make_span(
        kind=SpanKind.CLIENT,
        attributes=attributes,
        links=(link,),
        status=Status(StatusCode.ERROR, "it broke"),
    )
    data = parsed_by_protobuf(line_of(span, {"key": "more", "value": {"intValue": "9"}}))
    (resource_spans,) = data.resource_spans
    assert [(item.key, item.value.string_value) for item in resource_spans.resource.attributes] == [
        ("service.name", "tachograph")
    ]
    (scope_spans,) = resource_spans.scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version, scope_spans.schema_url) == (
        "tachograph",
        "0.1.0",
        "https://schema",
    )
    assert scope_spans.scope.attributes[0].value.int_value == 1
    (read,) = scope_spans.spans
    assert read.trace_id == TRACE_ID.to_bytes(16)
    assert read.span_id == SPAN_ID.to_bytes(8)
    assert read.parent_span_id == PARENT_ID.to_bytes(8)
    assert (read.name, read.kind, read.flags) == ("chat m", 3, 0x100)
    assert (read.start_time_unix_nano, read.end_time_unix_nano) == (START, END)
    assert (read.status.code, read.status.message) == (2, "it broke")
    assert (read.links[0].span_id, read.links[0].attributes[0].value.string_value) == ((7).to_bytes(8), "scored")
    values = {item.key: item.value for item in read.attributes}
    assert values["text"].string_value == "é"
    assert values["count"].int_value == 2**62
    assert values["ratio"].double_value == 0.42
    assert values["is"].bool_value is True
    assert [item.string_value for item in values["all"].array_value.values] == ["a", "b"]
    assert values["raw"].bytes_value == b"\0\xff"
    assert values["more"].int_value == 9


def test_events_have_times_and_attributes() -> None:
    """What happened during a span is in its line, as the official definition has it."""
    provider = TracerProvider(shutdown_on_exit=False)
    span = provider.get_tracer("t").start_span("s")
    span.add_event("gen_ai.evaluation.result", {"gen_ai.evaluation.score.value": 0.75}, timestamp=START)
    span.end()
    assert isinstance(span, ReadableSpan)
    read = parsed_by_protobuf(line_of(span)).resource_spans[0].scope_spans[0].spans[0]
    assert (read.events[0].name, read.events[0].time_unix_nano) == ("gen_ai.evaluation.result", START)
    assert read.events[0].attributes[0].value.double_value == 0.75
    assert read.parent_span_id == b""


def test_a_remote_parent_is_told() -> None:
    """Flags 768 say that the parent is known to be another process's."""
    span = ReadableSpan("s", context(SPAN_ID), parent=context(PARENT_ID, is_remote=True), start_time=1, end_time=2)
    assert orjson.loads(encode_span(span))["flags"] == 0x300


texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    texts,
    st.binary(),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner).map(tuple) | st.dictionaries(texts, inner, max_size=5), max_leaves=20
)


@given(st.dictionaries(texts, values, max_size=8))
def test_attributes_come_back_as_they_were(attributes: dict[str, Any]) -> None:
    """Whatever an attribute may be, nested ones included, reading gives what was written, and protobuf agrees on it."""
    line = line_of(make_span(), *encode_attributes(attributes))
    assert decoded(line).attributes == attributes
    again = parsed_by_protobuf(line).resource_spans[0].scope_spans[0].spans[0]
    assert {item.key for item in again.attributes} == set(attributes)


def test_no_attribute_is_one_too_many() -> None:
    """There is no limit of 128 attributes, which would drop the first ones without a word."""
    attributes = {f"name {number}": number for number in range(1000)}
    assert decoded(line_of(make_span(attributes=attributes))).attributes == attributes


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_beyond_json_come_back(number: float) -> None:
    """JSON has no word for them; the protobuf encoding has, and its reader takes it."""
    line = line_of(make_span(attributes={"n": number}))
    assert repr(decoded(line).attributes["n"]) == repr(number)
    value = parsed_by_protobuf(line).resource_spans[0].scope_spans[0].spans[0].attributes[0].value
    assert repr(value.double_value) == repr(number)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_integers_beyond_64_bits_are_told_as_text(number: int) -> None:
    """An integer that no reader could take is not lost, and does not make the line unreadable."""
    line = line_of(make_span(attributes={"n": number}))
    assert decoded(line).attributes == {"n": str(number)}
    assert parsed_by_protobuf(line)


def test_lone_surrogates_do_not_make_a_line_unreadable() -> None:
    """What is no Unicode text is replaced wherever it stands: orjson, Go and Rust refuse a whole line for it."""
    bad = "a\ud800b"
    span = make_span(bad, attributes={bad: bad, "in": {bad: (bad,)}}, status=Status(StatusCode.ERROR, bad))
    line = line_of(span)
    read = decoded(line)
    assert (read.name, read.status_message) == ("a?b", "a?b")
    assert read.attributes == {"a?b": "a?b", "in": {"a?b": ("a?b",)}}
    assert parsed_by_protobuf(line)


def test_a_span_that_would_not_fit_a_line_loses_its_longest_attributes() -> None:
    """An upstream may say anything at any length. The line stays below 1 MiB, keeps all it can, and counts the rest."""
    long = {"message": "x" * 2**21, "model": "\x01" * 2**20, "hash": "f" * 64, "status": 200}
    for encoded in (
        encode_span(make_span("n" * 2**21, attributes=long, status=Status(StatusCode.ERROR, "m" * 2**21))),
        encode_moment("call.start", context_of(make_span()), long, START),
    ):
        assert len(encoded) <= SPAN_LIMIT
        line = envelope().line(encoded, as_json(encode_attributes({"last": 1})))
        assert len(line) < LINE_LIMIT
        assert decoded(line).attributes == {"hash": "f" * 64, "status": 200, "last": 1}
        assert orjson.loads(encoded)["droppedAttributesCount"] == 2
        assert parsed_by_protobuf(line)


def test_a_moment_is_a_span_of_no_duration_below_another() -> None:
    """Announcements are found by their parent, have an id of their own, and are valid spans."""
    line = envelope().line(encode_moment("call.start", context_of(make_span()), {"a": 1}, END), b"")
    read = decoded(line)
    assert (read.parent_id, read.start_ns, read.end_ns) == (f"{SPAN_ID:016x}", END, END)
    assert read.span_id != f"{SPAN_ID:016x}"
    assert read.attributes == {"a": 1}
    assert parsed_by_protobuf(line).resource_spans[0].scope_spans[0].spans[0].kind == 1


def collector_span(name: str, number: int, **members: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": 1_000_000_000, "endTimeUnixNano": "2500000000"}
    ids = {"traceId": "A17F07727C9A0EE8F37C0F50042960B9", "spanId": f"00000000000000{number:02X}"}
    return {"name": name, "kind": 3, "newMember": [1], **times, **ids, **members}


def test_a_collectors_file_is_read(tmp_path: Path) -> None:
    """Many resources, scopes and spans a line, unknown and absent members, nulls, ids in upper case: all are read."""
    chat = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "gpt"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": 7}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "8"}},
        {"key": "gen_ai.response.finish_reasons", "value": {"arrayValue": {"values": [{"stringValue": "stop"}]}}},
        {"key": "gen_ai.response.time_to_first_chunk", "value": {"doubleValue": 0.25}},
        {"key": "http.response.status_code", "value": {"intValue": "200"}},
        {"key": "session.id", "value": {"stringValue": "theirs"}},
        {"key": "odd", "value": {"newKind": 1}},
        {"key": "none"},
        {"key": "null", "value": None},
    ]
    first = {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "theirs"}}]},
        "scopeSpans": [
            {"spans": [collector_span("chat gpt", 10, attributes=chat), collector_span("tool", 11, status=None)]},
            {"scope": {"name": "their-scope"}, "spans": [collector_span("http", 12, parentSpanId="00000000000000AB")]},
            {},
        ],
    }
    second = {
        "resource": None,
        "scopeSpans": [{"scope": None, "spans": [collector_span("chat gpt", 13, attributes=chat)]}],
    }
    metrics: dict[str, Any] = {"resourceMetrics": []}
    path = tmp_path / "traces.json"
    lines = [{"resourceSpans": [first, second, {}]}, metrics, {"resourceSpans": [second]}]
    path.write_bytes(b"\n".join(map(orjson.dumps, lines)))

    spans = list(read_spans(path))
    assert [span.name for span in spans] == ["chat gpt", "tool", "http", "chat gpt", "chat gpt"]
    assert spans[0].trace_id == "a17f07727c9a0ee8f37c0f50042960b9"
    assert spans[2].parent_id == "00000000000000ab"
    assert spans[2].scope == "their-scope"
    assert spans[0].resource == {"service.name": "theirs"}
    assert spans[3].resource == {}
    assert spans[0].attributes["null"] is None

    calls = list(read_calls(path))
    assert len(calls) == 3
    call = calls[0]
    assert (call.run_id, call.outcome, call.sequence) == ("theirs", "completed", None)
    assert (call.request.model, call.request.method, call.request.streamed) == ("gpt", "POST", False)
    assert (call.usage.source, call.usage.input_tokens, call.usage.output_tokens) == ("provider", 7, 8)
    assert call.usage.cache_read_tokens is None
    assert call.response is not None
    assert (call.response.status, call.response.finish_reasons) == (200, ("stop",))
    assert (call.timing.start_ns, call.timing.first_byte_in, call.timing.end) == (10**9, 250_000_000, 1_500_000_000)


def test_spans_of_other_tools_without_usage_say_so() -> None:
    """Absent is not zero: a foreign span without counts gives None with a reason, and a lone finish reason is no word salad."""
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "text_completion"}},
        {"key": "gen_ai.response.finish_reasons", "value": {"stringValue": "stop"}},
        {"key": "gen_ai.response.id", "value": {"stringValue": "r"}},
        {"key": "gen_ai.response.time_to_first_chunk", "value": {"stringValue": "0.5"}},
    ]
    span = decoded(
        orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [collector_span("x", 1, attributes=attributes)]}]}]})
    )
    assert is_call(span)
    call = call_from_span(span)
    assert (call.usage.source, call.usage.input_tokens) == ("absent", None)
    assert call.usage.reason
    assert call.response is not None
    assert call.response.finish_reasons == ("stop",)
    assert call.timing.first_byte_in is None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'{"resourceSpans":7}',
        b'{"resourceSpans":[7]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":1,"spanId":2}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"b","attributes":[{"key":"k","value":7}]}]}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"b","startTimeUnixNano":"soon"}]}]}]}',
    ],
)
def test_what_is_no_span_is_one_kind_of_error(line: bytes) -> None:
    """A reader has one thing to catch, whatever stands in the line."""
    with pytest.raises(ValueError):
        list(decode_line(line))


def test_an_absent_list_of_attributes_is_none() -> None:
    """A Collector leaves out what is empty."""
    assert decode_attributes(None) == {}
    assert encode_attributes(None) == []
