"""The context of an agent's own trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags

from tachograph.traces import read_context, traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.sampled_from((0, 1)))
def test_what_is_written_is_read_back(trace_id: int, span_id: int, flags: int) -> None:
    """Any context goes through a header and back, whether its trace is sampled or not."""
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    assert read_context({"traceparent": traceparent(context)}) == context


@given(st.text(), st.text())
def test_no_header_raises(value: str, state: str) -> None:
    """Whatever an agent sends there is read or ignored: it never breaks a call (law 1)."""
    read_context({"traceparent": value, "tracestate": state})
    read_context({"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": state})


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-\udcff1",
    ],
)
def test_what_is_malformed_is_ignored(value: str) -> None:
    """A header that is none by the standard is as none at all."""
    assert read_context({"traceparent": value}) is None
