"""How the OpenTelemetry SDK is set up to record one run: its ids, its processor, its limits."""

import hashlib
import os
from importlib.metadata import version
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Tracer

from . import _names as names
from ._errors import StoreError
from ._journal import Journal
from ._otlp import Envelope, encode_span
from ._redaction import Redactor

__all__ = ["JournalProcessor", "make_envelope", "make_tracer", "refuse_disabled_sdk", "root_span_id_of", "trace_id_of"]

_UNLIMITED: Final = SpanLimits(
    max_attributes=SpanLimits.UNSET,
    max_span_attributes=SpanLimits.UNSET,
    max_events=SpanLimits.UNSET,
    max_links=SpanLimits.UNSET,
    max_event_attributes=SpanLimits.UNSET,
    max_link_attributes=SpanLimits.UNSET,
    max_attribute_length=SpanLimits.UNSET,
    max_span_attribute_length=SpanLimits.UNSET,
)
"""Explicit, since the defaults drop the earliest attributes beyond 128, and the environment may set worse ones."""


def trace_id_of(run_id: str) -> int:
    """The trace of a run: the first 16 bytes of sha256 of its id, so that a late score lands in it."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:16])


def root_span_id_of(run_id: str) -> int:
    """The span of a run itself: the next 8 bytes."""
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[16:24])


class _RunIds(IdGenerator):
    """The run's trace id, its root's span id first, random span ids after that."""

    def __init__(self, run_id: str) -> None:
        self._trace_id = trace_id_of(run_id)
        self._first: int | None = root_span_id_of(run_id)
        self._random = RandomIdGenerator()

    def generate_span_id(self) -> int:
        first, self._first = self._first, None
        return first if first is not None else self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        return self._trace_id

    def is_trace_id_random(self) -> bool:
        return False


class JournalProcessor(SpanProcessor):
    """Writes each span to the journal as it ends, in the caller's thread.

    A processor and not an exporter: what a processor raises comes out of `span.end()`, an exporter's failure is swallowed.
    """

    def __init__(self, journal: Journal, redactor: Redactor) -> None:
        """Take the journal, and what masks the secrets in it."""
        self._journal = journal
        self._redactor = redactor

    def on_end(self, span: ReadableSpan) -> None:
        """Write a span that has ended."""
        self._journal.append(encode_span(span, self._redactor))


def _resource() -> Resource:
    # Not Resource.create: that adds a random instance id and reads the environment, and the record is to be reproducible.
    return Resource(
        {
            "service.name": "tachograph",
            "service.version": version("tachograph"),
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
            "telemetry.sdk.version": version("opentelemetry-sdk"),
            names.OPENINFERENCE_PROJECT: "tachograph",
        }
    )


_SCOPE_ATTRIBUTES: Final = {names.JOURNAL_FORMAT_KEY: names.JOURNAL_FORMAT}


def make_envelope() -> Envelope:
    """What stands around each span of a journal."""
    scope = InstrumentationScope(names.SCOPE, version("tachograph"), names.SCHEMA_URL, _SCOPE_ATTRIBUTES)
    return Envelope(_resource(), scope)


def refuse_disabled_sdk() -> None:
    """Refuse to record what would not be recorded.

    Raises:
        StoreError: the environment disables the SDK, whatever it is told here.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise StoreError("OTEL_SDK_DISABLED is set, and nothing could be recorded: unset it")


def make_tracer(run_id: str, processor: SpanProcessor) -> Tracer:
    """A tracer whose every span goes to one processor. The first span it starts is the run's own.

    Args:
        run_id: the run, which determines the trace.
        processor: where the spans go.
    """
    provider = TracerProvider(
        # Always on: the default would record nothing for an agent that sends a `traceparent` with the sampled flag off.
        sampler=ALWAYS_ON,
        resource=_resource(),
        shutdown_on_exit=False,
        id_generator=_RunIds(run_id),
        span_limits=_UNLIMITED,
    )
    provider.add_span_processor(processor)
    return provider.get_tracer(names.SCOPE, version("tachograph"), names.SCHEMA_URL, _SCOPE_ATTRIBUTES)
