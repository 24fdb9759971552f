"""The axis `latency`: the agent's wall time, and parts of the run's time that add up to the nanosecond."""

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._axis_value import AxisValue
from tachograph.scoring._record import RunRecord
from tachograph.scoring.axes import latency
from tachograph.traces import (
    Call,
    CallRequest,
    CallResponse,
    Run,
    RunStore,
    SpanRecord,
    Timing,
    Usage,
    call_from_span,
    read_run,
)

_BASE = 1_795_000_000_000_000_000
_MS = 1_000_000
_OWN = {"tachograph.span": "call", "tachograph.run.id": "r"}


def span(kind: str | None, start: int, end: int, number: int = 0, **attributes: Any) -> SpanRecord:
    """A span, from and to milliseconds after the start of time."""
    told = {name.replace("__", "."): value for name, value in attributes.items()}
    return SpanRecord(
        trace_id="0" * 31 + "1",
        span_id=f"{number:016x}",
        parent_id=None,
        name="a span",
        start_ns=_BASE + start * _MS,
        end_ns=_BASE + end * _MS,
        attributes={**({"tachograph.span": kind} if kind else {}), **told},
        status_code=0,
        status_message="",
        resource={},
        scope="",
        scope_attributes={},
    )


def call(start: int, end: int, number: int = 1, **told: Any) -> Call:
    made = call_from_span(span(None, start, end, number, gen_ai__operation__name="chat", **_OWN))
    timing = {name: value * _MS for name, value in told.items() if name in Timing.__slots__}
    usage = {name: value for name, value in told.items() if name in Usage.__slots__}
    return replace(
        made,
        timing=replace(made.timing, **timing),
        usage=replace(made.usage, source="provider", input_tokens=1, **usage),
        request=replace(made.request, streamed=bool(timing)),
    )


def record(
    *calls: Call, spans: tuple[SpanRecord, ...] = (), start: int | None = 0, end: int | None = 100, live: bool = False
) -> RunRecord:
    run = Run(
        run_id="r",
        status="completed",
        live=live,
        sealed=True,
        start_ns=0 if start is None else _BASE + start * _MS,
        end_ns=None if end is None else _BASE + end * _MS,
        attributes={},
        calls=calls,
        spans=spans,
    )
    return RunRecord(run=run)


def parts(found: AxisValue) -> dict[str, float]:
    return {name: part for name, part in found.details["parts_ms"].items() if part is not None}


def test_parts_of_a_run() -> None:
    """Setup, model, the agent's own time, the check and the rest, with two calls at once counted once."""
    agent = span("agent", 10, 60, 1, tachograph__agent__active_ns=48 * _MS)
    check = span("check", 70, 90, 2)
    found = latency(record(call(20, 40), call(30, 45, 2), spans=(agent, check)))
    assert (found.value, found.unit, found.status, found.bound, found.source) == (
        50.0,
        "ms",
        "measured",
        "exact",
        "agent_span",
    )
    assert parts(found) == {"setup": 10, "model": 25, "agent_other": 25, "check": 20, "unattributed": 20}
    details = found.details
    assert (details["wall_clock_ms"], details["container_active_ms"], details["model_call_ms"]) == (50.0, 48.0, 25.0)
    assert (details["model_call_sum_ms"], details["concurrency"], details["run_wall_ms"]) == (35.0, 1.4, 100.0)
    assert details["agent_overhead_ms"] == 25.0
    assert details["reasons"]["tool"] == "no span tells of tools: their time is within agent_other"


def test_tools_are_told_apart_where_spans_tell_of_them() -> None:
    """With spans of tools the agent's time has four parts; the time of both at once is neither's."""
    tools = (
        span(None, 35, 50, 3, gen_ai__operation__name="execute_tool"),
        span(None, 40, 55, 4, openinference__span__kind="TOOL"),
    )
    found = latency(record(call(20, 40), spans=(span("agent", 10, 60, 1), *tools)))
    assert parts(found) == {
        "setup": 10,
        "model": 15,
        "tool": 15,
        "model_and_tool": 5,
        "agent_other": 15,
        "unattributed": 40,
    }


def test_foreign_trace_without_spans_of_the_agent() -> None:
    """The window is then that of the calls, a lower bound, and says so; what lies outside is nobody's."""
    found = latency(record(call(20, 40), call(50, 70, 2), start=20, end=None))
    assert (found.value, found.status, found.bound, found.source) == (50.0, "partial", "lower", "calls")
    assert (
        found.reason == "no span says when the agent ran: its time is that from its first call to the end of its last"
    )
    assert parts(found) == {"model": 40, "agent_other": 10, "unattributed": 0}
    assert "run_without_end" in found.flags


def test_foreign_span_of_an_agent() -> None:
    """An `invoke_agent` span of another tool is the agent's window."""
    found = latency(record(call(20, 40), spans=(span(None, 5, 45, 1, gen_ai__operation__name="invoke_agent"),)))
    assert (found.value, found.source) == (40.0, "agent_span")


@pytest.mark.parametrize("end", [None, 0])
def test_nothing_recorded_is_no_time(end: int | None) -> None:
    """Without a span of the agent and without calls there is no wall time, and not one of 0."""
    found = latency(record(start=None if end is None else 0, end=end))
    assert (found.value, found.status) == (None, "missing")
    assert found.details["wall_clock_ms"] is None


def test_run_window_alone_is_shown_and_not_scored() -> None:
    """A run that was only opened and closed has a wall of its own, which is not the agent's."""
    found = latency(record())
    assert (found.value, found.details["run_wall_ms"]) == (None, 100.0)


def test_agent_without_an_end() -> None:
    """An agent that was announced and never ended ran at least up to the last thing known."""
    begun = replace(span("agent.start", 10, 10, 5), parent_id="a" * 16)
    found = latency(record(call(20, 45), spans=(begun,), end=None))
    assert (found.value, found.bound, found.reason) == (35.0, "lower", "the agent's end was not recorded")
    ended = replace(span("agent", 10, 60, 1), span_id="a" * 16)
    assert latency(record(call(20, 45), spans=(begun, ended))).bound == "exact"


def test_calls_outside_of_the_agents_time_are_clipped_and_flagged() -> None:
    """A call of the setup, the check, or of another clock is no time of the agent's, nor is what hangs over its end."""
    agent = span("agent", 10, 60, 1)
    found = latency(record(call(0, 5), call(50, 65, 2), call(70, 80, 3), spans=(agent,)))
    assert (found.value, found.details["model_call_ms"], found.details["model_call_bound"]) == (50.0, 10.0, "lower")
    assert (found.flags, found.details["calls_outside_agent"]) == (("calls_clipped",), 3)
    assert [evidence.reference[-1] for evidence in found.evidence] == ["1", "2", "3"]


def test_call_without_an_end_is_a_bound() -> None:
    """An interrupted call lasted at least up to the last moment known of it."""
    made = call(20, 20, first_byte_in=7)
    open_call = replace(made, outcome="interrupted", timing=replace(made.timing, end=None))
    found = latency(record(open_call, spans=(span("agent", 10, 60, 1),)))
    assert (found.details["model_call_ms"], found.details["model_call_bound"]) == (7.0, "lower")
    assert found.flags == ("calls_without_end",)


def test_clock_set_back_while_the_agent_ran() -> None:
    """A span that ends before it began is flagged; the process's own time, by another clock, stands in."""
    agent = span("agent", 10, 5, 1, tachograph__agent__active_ns=30 * _MS)
    found = latency(record(call(20, 30), spans=(agent,), end=8))
    assert (found.value, found.bound) == (30.0, "lower")
    assert found.flags == ("clock_stepped_back",)
    assert sum(parts(found).values()) == found.details["run_wall_ms"]


def test_timeout_is_flagged() -> None:
    """The time of an agent that was ended is exact, and marked as that of one that was not ready."""
    found = latency(record(spans=(span("agent", 10, 60, 1, tachograph__agent__timed_out=True),)))
    assert (found.value, found.bound, found.flags) == (50.0, "exact", ("timed_out",))
    assert found.details["model_call_ms"] is None


def test_times_of_calls() -> None:
    """Time to first content from when the request was sent, tokens over the time in which they came, the proxy's own share."""
    made = call(
        20, 60, request_read=1, upstream_sent=3, first_byte_in=10, first_byte_out=11, first_content=13, last_byte=33,
        largest_gap=4, output_tokens=100,
    )  # fmt: skip
    details = latency(record(made, spans=(span("agent", 10, 70, 1),))).details
    assert details["ttft_ms"] == {"n": 1, "min": 10.0, "max": 10.0, "p50": None, "p90": None, "p99": None}
    assert (details["output_tokens_per_second"], details["output_rate_calls"]) == (5000.0, 1)
    assert (details["proxy_ms"], details["proxy_share"], details["proxy_calls"]) == (3.0, 0.075, 1)
    assert details["largest_gap_ms"]["max"] == 4.0


def test_what_was_not_told_of_calls_is_none() -> None:
    """Calls of another tool have an end and nothing more: no rate, no first content, no share."""
    details = latency(record(call(20, 60), spans=(span("agent", 10, 70, 1),))).details
    assert details["ttft_ms"]["n"] == 0
    assert details["ttft_ms"]["max"] is None
    assert (details["output_tokens_per_second"], details["proxy_ms"], details["proxy_share"]) == (None, None, None)


@pytest.mark.parametrize(("count", "expected"), [(19, (None, None, None)), (20, (10, 18, 20)), (100, (50, 90, 99))])
def test_percentiles_need_twenty_observations(count: int, expected: tuple[float | None, ...]) -> None:
    """Below twenty there are none, and the count says so; from there on they are observations (nearest rank)."""
    calls = [call(100, 100 + length, length) for length in range(1, count + 1)]
    details = latency(record(*calls, spans=(span("agent", 0, 500, 1),), end=500)).details
    found = details["call_ms"]
    assert (found["n"], found["min"], found["max"]) == (count, 1.0, count)
    assert (found["p50"], found["p90"], found["p99"]) == expected


def test_recorded_run(tmp_path: Path) -> None:
    """A run that was really recorded: the agent's window is that of its span, its call lies within it, parts add up."""
    recording = RunStore(tmp_path / "runs").open_run("the-run", {})
    with recording.span("agent", "invoke_agent a", attributes={"gen_ai.operation.name": "invoke_agent"}) as agent:
        begin = time.time_ns()
        opened = recording.start_call(_request(), begin, None)
        recording.end_call(opened, _answered(opened.sequence, begin))
        agent.set_attribute("tachograph.agent.active_ns", 1)
        while time.time_ns() < begin + 2_000_000:
            pass
    with recording.span("check", "check t"):
        pass
    recording.close()
    found = latency(RunRecord(run=read_run(recording.folder)))
    details = found.details
    assert (found.status, found.flags, details["container_active_ms"]) == ("measured", (), 1e-6)
    assert details["model_call_ms"] == 1.0
    assert sum(part for part in details["parts_ns"].values() if part is not None) == details["run_wall_ns"]


def _request() -> CallRequest:
    texts = dict.fromkeys(("query", "session_id", "sent_body_hash", "head", "body_hash"))
    return CallRequest(
        method="POST", path="/v1/chat/completions", server_address="127.0.0.1", server_port=1, api="chat_completions",
        provider="openai", model="m", streamed=False, bytes=0, sent_bytes=None, **texts,
    )  # fmt: skip


def _answered(sequence: int | None, start_ns: int) -> Call:
    texts: dict[str, Any] = dict.fromkeys(
        ("model", "id", "upstream_request_id", "body_hash", "delivered_body_hash", "head")
    )
    response = CallResponse(status=200, finish_reasons=(), tool_calls=(), bytes=0, delivered_bytes=0, **texts)
    return Call(
        run_id="the-run", span_id="", sequence=sequence, attempt=1, outcome="completed", error_type=None, message=None,
        discarded=False, request=_request(), request_hash=None, response=response, usage=Usage(source="absent"),
        timing=Timing(start_ns=start_ns, end=_MS), bodies_lost=None,
    )  # fmt: skip


moments = st.integers(-30, 130)
spans_made = st.lists(
    st.tuples(st.sampled_from(["agent", "agent.start", "check", "tool", "workdir.snapshot"]), moments, moments),
    max_size=6,
)
calls_made = st.lists(st.tuples(moments, moments, st.booleans()), max_size=6)


def made(spans: list[Any], calls: list[Any], ended: bool) -> tuple[list[SpanRecord], list[Call], int | None]:  # noqa: FBT001
    records = [
        span(
            None if kind == "tool" else kind,
            start,
            end,
            number,
            **({"gen_ai__operation__name": "execute_tool"} if kind == "tool" else {}),
        )
        for number, (kind, start, end) in enumerate(spans, 100)
    ]
    recorded = [call(start, end, number) for number, (start, end, _) in enumerate(calls, 1)]
    recorded = [
        one if has_end else replace(one, timing=replace(one.timing, end=None))
        for one, (_, _, has_end) in zip(recorded, calls, strict=True)
    ]
    return records, recorded, 100 if ended else None


@given(spans_made, calls_made, st.booleans())
def test_parts_add_up_to_the_wall(spans: list[Any], calls: list[Any], ended: bool) -> None:  # noqa: FBT001
    """Whatever the clock did: the parts make up the run's wall, the agent's parts its value, to the nanosecond."""
    records, recorded, end = made(spans, calls, ended)
    found = latency(record(*recorded, spans=tuple(records), end=end))
    if found.value is None:
        return
    known = {name: part for name, part in found.details["parts_ns"].items() if part is not None}
    assert all(isinstance(part, int) and part >= 0 for part in known.values())
    assert sum(known.values()) == found.details["run_wall_ns"]
    assert sum(known.get(name, 0) for name in found.details["agent_parts"]) / _MS == found.value > 0
    assert found.value <= found.details["run_wall_ms"]


@given(spans_made, calls_made, st.booleans(), st.randoms(use_true_random=False))
def test_order_does_not_matter_and_scoring_is_pure(
    spans: list[Any],
    calls: list[Any],
    ended: bool,  # noqa: FBT001
    shuffler: random.Random,
) -> None:
    """The same spans and calls in any order, scored twice, give the same value, to the last detail."""
    records, recorded, end = made(spans, calls, ended)
    first = latency(record(*recorded, spans=tuple(records), end=end))
    shuffler.shuffle(records)
    shuffler.shuffle(recorded)
    again = latency(record(*recorded, spans=tuple(records), end=end))
    assert again == first == latency(record(*recorded, spans=tuple(records), end=end))


@given(spans_made, calls_made, st.integers(0, 5))
def test_missing_end_is_never_rewarded(spans: list[Any], calls: list[Any], which: int) -> None:
    """Taking away when a call ended never adds to the model's time and never leaves that exact."""
    if not calls:
        return
    records, recorded, end = made(spans, [(start, stop, True) for start, stop, _ in calls], ended=True)
    agent = span("agent", -50, 200, 99)
    whole = latency(record(*recorded, spans=(agent, *records), end=end))
    index = which % len(recorded)
    recorded[index] = replace(recorded[index], timing=replace(recorded[index].timing, end=None))
    less = latency(record(*recorded, spans=(agent, *records), end=end))
    assert less.details["model_call_ms"] <= whole.details["model_call_ms"]
    assert less.details["model_call_bound"] == "lower"
    assert less.value == whole.value
