"""What is sent is what was recorded: the same message as the official encoders make of the same span."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from tachograph.traces._otlp import Envelope, encode_span
from tachograph.traces.export._batches import Line, body_of, encoded, in_batches
from tachograph.traces.export._protobuf import to_protobuf

RESOURCE = Resource({"service.name": "tachograph"})
SCOPE = InstrumentationScope("tachograph", "0.1.0", "https://schema", {"form": 1})


def context(span_id: int) -> SpanContext:
    return SpanContext(0xA17F, span_id, is_remote=False, trace_flags=TraceFlags(1))


def make_span(number: int = 7) -> ReadableSpan:
    attributes: Any = {
        "text": "é\n",
        "count": 2**62,
        "below": -5,
        "ratio": 0.1,
        "infinite": float("inf"),
        "is": True,
        "is not": False,
        "empty": "",
        "all": ("a", "b"),
        "none": (),
        "raw": b"\0\xff",
    }
    return ReadableSpan(
        "chat m",
        context(number),
        parent=context(number + 1),
        resource=RESOURCE,
        instrumentation_scope=SCOPE,
        kind=SpanKind.CLIENT,
        attributes=attributes,
        events=(Event("gen_ai.evaluation.result", {"score": 0.5}, timestamp=5),),
        links=(Link(context(3), {"why": "scored"}),),
        status=Status(StatusCode.ERROR, "it broke"),
        start_time=1_795_403_376_061_208_440,
        end_time=1_795_403_376_071_390_721,
    )


def line_of(span: ReadableSpan) -> bytes:
    return Envelope(RESOURCE, SCOPE).line(encode_span(span), b"")


def by_the_official_classes(line: bytes) -> ExportTraceServiceRequest:
    """OTLP has ids in hex, where protobuf's own JSON has base64."""

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

    request = ExportTraceServiceRequest()
    ParseDict(with_base64_ids(orjson.loads(line)), request)
    return request


def comparable(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """Without what is said differently and means the same: the order of attributes, and the flags' own sampling bit."""
    for resource in request.resource_spans:
        resource.ClearField("schema_url")
        for scope in resource.scope_spans:
            for span in scope.spans:
                for member in (span, *span.links):
                    member.flags &= ~0xFF
                    if member is not span:
                        member.ClearField("flags")
    return request


def test_a_line_is_what_the_official_encoder_makes_of_the_span() -> None:
    """Our journal's line, as protobuf, equals the message of OpenTelemetry's own exporter."""
    ours = ExportTraceServiceRequest.FromString(to_protobuf(orjson.loads(line_of(make_span()))))
    assert comparable(ours) == comparable(encode_spans([make_span()]))


def test_a_line_is_what_the_official_json_encoder_makes_of_the_span() -> None:
    """The same by the JSON of OpenTelemetry's own exporter, read by the official classes."""
    encoder = pytest.importorskip(
        "opentelemetry.exporter.otlp.json.common.trace_encoder",
        reason="OpenTelemetry's encoder of JSON is a beta that wants one version of the SDK: the Makefile installs it",
    )
    official = by_the_official_classes(orjson.dumps(encoder.encode_spans([make_span()]).to_dict()))
    ours = by_the_official_classes(line_of(make_span()))
    assert comparable(ours) == comparable(official)


def test_what_is_sent_is_what_was_recorded(tmp_path: Path, store: Any, record: Any) -> None:
    """Each line of a real journal is, as protobuf, what the official classes read in it."""
    del tmp_path
    run = store.open_run("a-run", {"tachograph.task.id": "a-task"})
    record(run)
    run.close("completed")
    lines = (store.folder / "a-run" / "trace.jsonl").read_bytes().splitlines()
    assert len(lines) > 3
    for line in lines:
        assert ExportTraceServiceRequest.FromString(to_protobuf(orjson.loads(line))) == by_the_official_classes(line)


values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"stringValue": text}, st.text()),
        st.builds(lambda number: {"intValue": str(number)}, st.integers(-(2**63), 2**63 - 1)),
        st.builds(lambda number: {"doubleValue": number}, st.floats(allow_nan=False, allow_infinity=False)),
        st.builds(lambda flag: {"boolValue": flag}, st.booleans()),
        st.builds(lambda data: {"bytesValue": base64.b64encode(data).decode()}, st.binary()),
        st.just({}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"arrayValue": {"values": items}}, st.lists(inner, max_size=3)),
        st.builds(
            lambda items: {"kvlistValue": {"values": [{"key": key, "value": item} for key, item in items.items()]}},
            st.dictionaries(st.text(), inner, max_size=3),
        ),
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_any_attributes(attributes: dict[str, Any]) -> None:
    """Whatever a value is, it is what the official classes read."""
    span = {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }
    data = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    official = by_the_official_classes(orjson.dumps(data))
    assert ExportTraceServiceRequest.FromString(to_protobuf(data)) == official


def test_unknown_members_are_passed_over() -> None:
    """As receivers of OTLP/JSON must."""
    data = orjson.loads(line_of(make_span()))
    known = to_protobuf(data)
    data["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["later"] = {"a": 1}
    assert to_protobuf({**data, "later": 1}) == known


@pytest.mark.parametrize(
    "data", [{}, {"resourceSpans": 1}, {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xy"}]}]}]}]
)
def test_what_is_no_otlp_is_a_value_error(data: Any) -> None:
    """So that its line is passed over."""
    with pytest.raises(ValueError):
        to_protobuf(data)


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 50))
def test_batches(sizes: list[int], limit: int) -> None:
    """Every line is in one batch, in order; a batch of many fits the limit; one that is longer goes alone."""
    lines = [
        Line(end=place, recorded={}, folder=Path(), payload=b"x" * size) for place, size in enumerate(sizes, start=1)
    ]
    batches = list(in_batches(lines, limit))
    assert [line for batch in batches for line in batch] == lines
    for batch in batches:
        assert len(batch) == 1 or sum(len(line.payload) for line in batch) <= limit


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf", "grpc"])
def test_a_body_holds_all_spans(protocol: Any) -> None:
    """Lines put together are one message."""
    spans = [make_span(number) for number in range(1, 4)]
    lines = [
        Line(end=1, recorded=None, folder=Path(), payload=encoded(orjson.loads(line_of(span)), protocol))
        for span in spans
    ]
    body = body_of(lines, protocol)
    read = by_the_official_classes(body) if protocol == "http/json" else ExportTraceServiceRequest.FromString(body)
    found = [span.span_id for resource in read.resource_spans for span in resource.scope_spans[0].spans]
    assert found == [number.to_bytes(8) for number in range(1, 4)]
