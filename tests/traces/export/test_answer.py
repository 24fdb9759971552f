"""What a collector's answer means is what the OTLP specification says of it."""

import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from tachograph.traces.export._answer import (
    Accepted,
    Answer,
    Misaddressed,
    Refused,
    Retry,
    TooLarge,
    read_grpc_answer,
    read_http_answer,
)
from tachograph.traces.export._backoff import Backoff

PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="too old")
).SerializeToString()
RETRYABLE = {429, 502, 503, 504}
MISADDRESSED = {*range(300, 400), 401, 403, 404, 405, 407, 421}
KINDS = {**dict.fromkeys(RETRYABLE, Retry), **dict.fromkeys(MISADDRESSED, Misaddressed), 413: TooLarge}


@given(st.integers(300, 599))
def test_a_status(status: int) -> None:
    """Four are tried again, 413 is split, some say that the address or the key is wrong, and nothing else is sent again."""
    assert isinstance(read_http_answer(status, {}, b""), KINDS.get(status, Refused))


@pytest.mark.parametrize(
    ("content_type", "body", "meant"),
    [
        ("", b"", Accepted()),
        ("text/plain", b"", Accepted()),
        ("application/json", b"{}", Accepted()),
        ("application/json; charset=utf-8", b"null", Accepted()),
        ("application/json", b'{"partialSuccess":{}}', Accepted()),
        (
            "application/json",
            b'{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}',
            Accepted(rejected_spans=3, message="too old"),
        ),
        ("application/x-protobuf", PARTIAL, Accepted(rejected_spans=3, message="too old")),
    ],
)
def test_a_success(content_type: str, body: bytes, meant: Answer) -> None:
    """Of either form, whole or in part."""
    assert read_http_answer(200, {"content-type": content_type}, body) == meant


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html", b"<html>log in</html>"),
        ("text/plain", b"ok"),
        ("application/json", b"{"),
        ("application/x-protobuf", b"\xff\xff"),
    ],
)
def test_a_success_that_is_none(content_type: str, body: bytes) -> None:
    """What no collector answers is not taken for a yes: a page to log in has status 200, too."""
    assert isinstance(read_http_answer(200, {"content-type": content_type}, body), Misaddressed)


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/x-protobuf", "text/html", ""]))
def test_no_bytes_are_a_fault(body: bytes, content_type: str) -> None:
    """Whatever comes has a meaning."""
    for status in (200, 400, 503):
        assert read_http_answer(status, {"content-type": content_type}, body)


def test_retry_after() -> None:
    """Seconds or a date; what is neither is not there."""

    def after(value: str) -> float | None:
        answer = read_http_answer(503, {"retry-after": value}, b"")
        assert isinstance(answer, Retry)
        return answer.after

    assert after("7") == 7
    assert after("soon") is None
    assert after("") is None
    date = after(email.utils.formatdate(time.time() + 100, usegmt=True))
    assert date is not None
    assert 50 < date <= 100
    assert after("Thu, 01 Jan 1970 00:00:00 GMT") == 0


@pytest.mark.parametrize(
    ("code", "retry_after", "kind"),
    [
        *((code, None, Retry) for code in ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE")),
        *((code, None, Retry) for code in ("UNAVAILABLE", "DATA_LOSS")),
        ("RESOURCE_EXHAUSTED", 1.0, Retry),
        ("RESOURCE_EXHAUSTED", None, TooLarge),
        *((code, 1.0, Refused) for code in ("UNKNOWN", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS")),
        *((code, None, Refused) for code in ("FAILED_PRECONDITION", "INTERNAL")),
        *((code, 1.0, Misaddressed) for code in ("PERMISSION_DENIED", "UNIMPLEMENTED", "UNAUTHENTICATED")),
    ],
)
def test_a_code_of_grpc(code: str, retry_after: float | None, kind: type[Answer]) -> None:
    """The table of the specification."""
    assert isinstance(read_grpc_answer(code, "why", retry_after), kind)


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_a_pause(failures: int, asked: float | None, chance: float) -> None:
    """Grows and ends growing, is never shorter than asked within a limit, and never without end."""
    backoff = Backoff()
    pause = backoff.pause(failures, asked, lambda: chance)
    assert 0 < pause <= 700
    if asked is None:
        assert pause <= backoff.longest
    else:
        assert pause >= min(asked, backoff.longest_asked)
