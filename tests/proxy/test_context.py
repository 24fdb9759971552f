"""Agents with OpenTelemetry of their own: their context is honoured, and goes to no provider."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tachograph.traces import SpanRecord, read_context, read_spans, traceparent

if TYPE_CHECKING:
    from tests.proxy.conftest import Upstream, Wire

ASKED = {"model": "m", "messages": []}
PROPAGATOR = TraceContextTextMapPropagator()
OF_A_TRACE = (b"traceparent", b"tracestate", b"baggage")


def lines(span: Span) -> list[str]:
    """The header lines that an instrumented client sends."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier, set_span_in_context(span))
    return [f"{name}: {value}" for name, value in carrier.items()]


def agents_span(sampler: Sampler = ALWAYS_ON, parent: str | None = None) -> Span:
    tracer = TracerProvider(sampler=sampler).get_tracer("agent")
    return tracer.start_span("step", context=PROPAGATOR.extract({} if parent is None else {"traceparent": parent}))


def spans_of_calls(store: Path) -> list[SpanRecord]:
    return [span for span in read_spans(store / "default") if span.attributes.get("tachograph.span") == "call"]


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
async def test_a_call_links_to_the_agents_span(wire: "Wire", upstream: "Upstream", sampler: Sampler) -> None:
    """The call stays in its run's one trace and tells the agent's span, sampled or not; the provider is told nothing."""
    upstream.answer(upstream.whole(b"{}"))
    agent, own = await wire.agent(), agents_span(sampler)
    await agent.post(ASKED, *lines(own), "tracestate: vendor=a", "Baggage: user=somebody")
    (call,), (span,) = wire.calls(), spans_of_calls(wire.store)
    remote = own.get_span_context()
    assert call.context is not None
    assert (call.context.trace_id, call.context.span_id) == (f"{remote.trace_id:032x}", f"{remote.span_id:016x}")
    assert call.context.trace_state == "vendor=a"
    assert span.trace_id != call.context.trace_id
    assert not [name for name in OF_A_TRACE if upstream.received[0].all(name)]
    assert "Baggage: user=somebody" in (call.request.head or ""), "the record says what the agent sent"


async def test_a_malformed_context_is_ignored(wire: "Wire", upstream: "Upstream") -> None:
    """A header that is no `traceparent` changes nothing but that it does not pass."""
    upstream.answer(upstream.whole(b"{}"))
    agent = await wire.agent()
    assert (await agent.post(ASKED, "traceparent: nonsense")).status == 200
    assert wire.calls()[0].context is None
    assert upstream.received[0].one(b"traceparent") is None


async def test_an_agent_goes_on_with_the_runs_trace(wire: "Wire", upstream: "Upstream") -> None:
    """A span of the agent's below the run's own is the call's parent: run, agent's spans and call are one tree."""
    upstream.answer(upstream.whole(b"{}"))
    proxy = await wire.serve(default_run="default")
    recording = proxy.open_run("default").recording
    own = agents_span(parent=traceparent(recording.calls_below))
    agent = await wire.connect(proxy.port)
    endpoint = proxy.open_run("default")
    await agent.post(ASKED, *lines(own), f"Authorization: Bearer {endpoint.key}")
    (span,) = spans_of_calls(wire.store)
    assert span.parent_id == f"{own.get_span_context().span_id:016x}"
    assert span.trace_id == f"{own.get_span_context().trace_id:032x}"
    assert span.links == ()
    assert wire.calls()[0].context is None


async def test_a_call_that_never_ended_keeps_its_link(wire: "Wire", upstream: "Upstream") -> None:
    """The announcement tells the agent's context: it is known of calls that a killed recorder left open."""
    arrived = asyncio.Event()

    def rule(_: object) -> "list[asyncio.Event]":
        arrived.set()
        return [asyncio.Event()]

    upstream.rule = rule
    agent, own = await wire.agent(), agents_span()
    await agent.send_post(ASKED, *lines(own))
    await arrived.wait()
    (call,) = wire.calls()
    assert call.outcome == "in_flight"
    assert call.context is not None
    assert call.context.span_id == f"{own.get_span_context().span_id:016x}"
    await agent.hang_up()


async def test_the_calls_own_context_goes_up_when_asked(wire: "Wire", upstream: "Upstream") -> None:
    """With `propagate_context` the upstream gets the span of the call, once, and never the agent's."""
    upstream.answer(upstream.whole(b"{}"))
    agent, own = await wire.agent(propagate_context=True), agents_span()
    await agent.post(ASKED, *lines(own), "tracestate: vendor=a", "baggage: user=somebody")
    (span,), seen = spans_of_calls(wire.store), upstream.received[0]
    told = read_context({"traceparent": (seen.one(b"traceparent") or b"").decode()})
    assert told is not None
    assert (f"{told.trace_id:032x}", f"{told.span_id:016x}") == (span.trace_id, span.span_id)
    assert not seen.all(b"tracestate") + seen.all(b"baggage")
