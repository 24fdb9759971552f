"""What a table of texts says comes back with its types; what a server does wrong is one clear error."""

import json
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tachograph.traces
from tachograph.traces import Call, CallRequest, CallResponse, InputError, Run, StoreError, Timing, Usage, read_run
from tachograph.traces._otlp import decode_line, encode_attributes
from tachograph.traces._span import call_attributes, call_from_span, request_attributes
from tachograph.traces.warehouse._clickhouse import span_from_row
from tachograph.traces.warehouse._source import run_of

OK = b"HTTP/1.1 200 OK\r\n"
# What a line of JSON and a text column both hold: no lone surrogates, no NUL.
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
digits = st.sampled_from(["1", "-1", "true", "null", "[]", "1e5", "", "NaN"])
counts = st.integers(0, 2**62)
hints = typing.get_type_hints


def members(holder: type, **fixed: Any) -> st.SearchStrategy[Any]:
    """Values of a dataclass whose members are texts, integers, or None."""
    strategies = {
        name: st.none() | counts if annotation == int | None else st.none() | words | digits
        for name, annotation in hints(holder).items()
        if annotation in (int | None, str | None)
    }
    return st.builds(holder, **{**strategies, **fixed})


calls = st.builds(
    Call,
    run_id=words.filter(bool),
    span_id=st.just("b" * 16),
    sequence=counts,
    attempt=st.none() | counts,
    retry_of=st.none() | words,
    outcome=st.sampled_from(["completed", "upstream_cut"]),
    error_type=st.none() | digits,
    message=st.none() | words,
    discarded=st.booleans(),
    request=members(CallRequest, method=words.filter(bool), path=words, streamed=st.booleans()),
    request_hash=st.none() | words,
    response=members(
        CallResponse,
        finish_reasons=st.lists(words).map(tuple),
        tool_calls=st.just(()),
        refused=st.booleans(),
        service_tier=st.none() | digits,
    ),
    usage=members(Usage, source=st.sampled_from(["provider", "estimated"])),
    timing=members(Timing, start_ns=counts, end=st.integers(0, 2**60)),
    bodies_lost=st.none() | words,
    bodies_masked=st.none() | st.just({"a" * 64: "b" * 64}),
    tunnel=st.none(),
)


@given(call=calls)
def test_a_call_comes_back_from_texts(call: Call, collector_rows: Any, selected: Any) -> None:
    """Numbers, truth values and lists have their types again; a text that looks like one stays a text."""
    attributes = {**request_attributes(call.request), **call_attributes(call)}
    span = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "name": "chat",
        "startTimeUnixNano": str(call.timing.start_ns),
        "endTimeUnixNano": str(call.timing.start_ns + (call.timing.end or 0)),
        "attributes": encode_attributes(attributes),
    }
    line = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "tachograph"}, "spans": [span]}]}]}
    (read,) = decode_line(json.dumps(line).encode())
    (row,) = collector_rows(line)
    assert call_from_span(span_from_row(selected(row))) == call_from_span(read)


def test_a_run_comes_back_from_rows(
    varied: Callable[[str], Path], journal_lines: Any, collector_rows: Any, selected: Any, collected: Any
) -> None:
    """All that a recorded run has: nothing that its attributes hold is lost as a text."""
    folder = varied("a")
    rows = [selected(row) for line in journal_lines(folder) for row in collector_rows(line)]
    spans = [span_from_row(row) for row in rows]
    run: Run = run_of(reversed(spans), "unknown")
    assert run == collected(read_run(folder))


def test_values_that_cannot_be_read_are_absent(collector_rows: Any, selected: Any) -> None:
    """A number that is none is no zero; an end before the start, and the older exporter's words, are understood."""
    span = {"traceId": "A" * 32, "spanId": "b" * 16, "name": "chat", "startTimeUnixNano": "9", "endTimeUnixNano": "4"}
    told = {"gen_ai.usage.input_tokens": "many", "tachograph.call.discarded": "perhaps", "tachograph.agent.argv": "{}"}
    line = {
        "resourceSpans": [{"scopeSpans": [{"scope": {}, "spans": [{**span, "attributes": encode_attributes(told)}]}]}]
    }
    (row,) = collector_rows(line)
    read = span_from_row(selected({**row, "StatusCode": "STATUS_CODE_ERROR"}))
    assert (read.attributes, read.trace_id, read.start_ns, read.end_ns, read.status_code) == ({}, "a" * 32, 9, 4, 2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", r"refused \(HTTP 403\): nope"),
        (OK + b'Content-Length: 90\r\n\r\n{"TraceId', "cannot be read"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}\n{}\r\n", "cannot be read"),
        (OK + b"\r\nCode: 241. DB::Exception: Memory limit\n", "broke off: Code: 241"),
        (OK + b'\r\n{"exception": "Code: 159. Timeout"}\n', "broke off: Code: 159"),
        (OK + b'\r\n{"TraceId": {}}\n', "is not as a Collector's"),
        (OK + b"\r\n[1]\n", "is not as a Collector's"),
        (b"", "cannot be read"),
        (b"no HTTP\r\n\r\n", "cannot be read"),
    ],
)
def test_a_failing_server_is_one_error(stub: Any, answer: bytes, said: str) -> None:
    """Refused, cut, or failing in the midst of its rows: never a shorter answer that looks whole."""
    stub.answers.append(answer)
    with pytest.raises(StoreError, match=said):
        list(tachograph.traces.open(f"http://127.0.0.1:{stub.port}/?database=otel").heads())


def test_the_password_is_not_in_the_address(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would show in lists of processes: it comes from the environment, goes in a header, and is in no error."""
    secret = "pass-" + "x" * 12
    with pytest.raises(InputError, match="CLICKHOUSE_PASSWORD") as refused:
        tachograph.traces.open(f"clickhouse://me:{secret}@127.0.0.1/otel")
    assert secret not in str(refused.value)
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", secret)
    stub.answers.append(b"HTTP/1.1 500 Oh\r\n\r\n")
    source = tachograph.traces.open(f"clickhouse://me@127.0.0.1:{stub.port}/otel?table=spans")
    with pytest.raises(StoreError) as failed:
        list(source)
    ((target, headers, query),) = stub.asked
    assert secret not in f"{failed.value}{source!r}{target}{query}"
    assert (headers["X-ClickHouse-User"], headers["X-ClickHouse-Key"]) == ("me", secret)
    assert "FROM `spans`" in query


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("clickhouse://", "no host"),
        ("clickhouse://host:9000/otel", "native protocol"),
        ("clickhouse://host:99999/otel", "[Pp]ort"),
        ("https://host/?db=otel", "'db' is not known"),
        ("clickhouse://host/otel`; DROP", "no name of a database"),
        ("clickhouse://host/otel?table=a b", "no name of a table"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(address: str, said: str) -> None:
    """Before anything is asked."""
    with pytest.raises(InputError, match=said):
        tachograph.traces.open(address)
