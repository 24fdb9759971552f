"""The context of a trace that others began, as it stands in headers and environments (W3C Trace Context)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

__all__ = ["CONTEXT_HEADERS", "RemoteContext", "read_context", "traceparent"]

_TRACEPARENT: Final = "traceparent"
CONTEXT_HEADERS: Final = (_TRACEPARENT, "tracestate", "baggage")
"""What carries such a context over HTTP, in lower case."""
_NOWHERE: Final = Context()
_PROPAGATOR: Final = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteContext:
    """A span of another program, in a trace of its own."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    trace_state: str | None = None
    """What the tracing systems on its way added, as a `tracestate` header; None if nothing."""


def read_context(headers: Mapping[str, str]) -> SpanContext | None:
    """The context that a request came with; None without one, and if it is malformed.

    Args:
        headers: by lower-case name.
    """
    if _TRACEPARENT not in headers:
        return None
    found = get_current_span(_PROPAGATOR.extract(headers, _NOWHERE)).get_span_context()
    return found if found.is_valid else None


def traceparent(span: SpanContext) -> str:
    """The value of a `traceparent` header, or of the variable TRACEPARENT, that makes others go on from a span."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags & 1:02x}"
