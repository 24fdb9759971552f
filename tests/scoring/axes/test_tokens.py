"""The axis `tokens`: what was told is added up, what was not told is never taken for nothing."""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._record import AgentFacts, AgentReport, RunRecord
from tachograph.scoring.axes import tokens
from tachograph.scoring.check import CheckResult
from tachograph.traces import Call, Run, SpanRecord, call_from_span

_OWN = {"tachograph.span": "call", "tachograph.request.head": "Content-Type: application/json"}
_NAMES = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "read": "gen_ai.usage.cache_read.input_tokens",
    "written": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
    "source": "tachograph.usage.source",
    "status": "http.response.status_code",
    "outcome": "tachograph.call.outcome",
    "error": "error.type",
    "attempt": "tachograph.call.attempt",
    "discarded": "tachograph.call.discarded",
    "api": "tachograph.call.api",
    "finish": "gen_ai.response.finish_reasons",
}


def call(number: int = 1, *, own: bool = True, **told: Any) -> Call:
    attributes = {_NAMES[name]: value for name, value in told.items() if value is not None}
    span = SpanRecord(
        trace_id="0" * 31 + "1",
        span_id=f"{number:016x}",
        parent_id=None,
        name="chat",
        start_ns=number * 1_000_000,
        end_ns=number * 1_000_000 + 500,
        attributes={"gen_ai.operation.name": "chat", "tachograph.run.id": "r", **(_OWN if own else {}), **attributes},
        status_code=0,
        status_message="",
        resource={},
        scope="",
        scope_attributes={},
    )
    return call_from_span(span)


def record(*calls: Call, live: bool = False, **members: Any) -> RunRecord:
    run = Run(
        run_id="r",
        status="completed",
        live=live,
        sealed=True,
        start_ns=1,
        end_ns=2,
        attributes={},
        calls=calls,
        spans=(),
    )
    return RunRecord(run=run, **members)


def reporting(**said: Any) -> AgentFacts:
    return AgentFacts(name="an-agent", report=AgentReport(**said))


_PASSED = CheckResult(command="pytest", exit_code=0)


def test_classes_share_no_token_and_add_up() -> None:
    """Uncached input, cache reads, cache writes and output make up the total; reasoning is a part of the output."""
    found = tokens(
        record(call(1, input=1000, output=50, read=600, written=100, reasoning=20), call(2, input=7, output=3))
    )
    assert found.value == 1060
    assert (found.status, found.bound, found.unit, found.source, found.n) == (
        "measured",
        "exact",
        "{token}",
        "provider",
        2,
    )
    assert found.details["classes"] == {
        "input_uncached": 300,
        "cache_read": 600,
        "cache_write": 100,
        "input_undivided": 7,
        "output": 53,
    }
    assert sum(found.details["classes"].values()) == found.value
    assert found.details["reasoning_tokens"] == 20
    assert (found.details["prompt_tokens"], found.details["completion_tokens"]) == (1007, 53)


def test_call_without_usage_makes_a_lower_bound() -> None:
    """A call of which nothing was told is counted as such, never as 0 tokens."""
    found = tokens(record(call(1, input=10, output=2), call(2, source="absent", status=200)))
    assert (found.value, found.status, found.bound) == (12, "partial", "lower")
    assert found.reason == "1 of 2 calls did not tell all their tokens: the span has no usage (1)"
    assert [evidence.reference for evidence in found.evidence] == [f"{2:016x}"]


def test_half_told_call_makes_a_lower_bound() -> None:
    """A call that told its output only counts with that, and the sum says that it is short."""
    found = tokens(record(call(1, output=5)))
    assert (found.value, found.bound, found.details["prompt_tokens"]) == (5, "lower", None)


@pytest.mark.parametrize(
    ("calls", "status", "reason"),
    [
        ((), "missing", "no call was recorded"),
        ((call(1, source="absent"),), "missing", "no call told tokens"),
        ((call(1, source="absent", status=401, error="401"),), "missing", "no call was answered by a model"),
        ((call(1, source="absent", outcome="upstream_unreachable"),), "missing", "no call was answered by a model"),
        ((call(1, source="absent", status=503),), "missing", "HTTP 503"),
        ((call(1, source="absent", outcome="interrupted"),), "missing", "interrupted"),
        ((call(1, source="estimated", input=10, output=2),), "missing", "an estimate"),
        ((call(1, input=10, output=2, read=11),), "error", "11 cached tokens of 10 input tokens"),
        ((call(1, input=-1, output=2),), "error", "input_tokens is -1"),
        ((call(1, input=5, output=2, reasoning=3),), "error", "3 reasoning tokens of 2 output tokens"),
        ((call(1, input=0, output=0),), "error", "0 input tokens"),
        ((call(1, output=0),), "missing", "only output tokens were told"),
    ],
)
def test_nothing_told_is_no_value(calls: tuple[Call, ...], status: str, reason: str) -> None:
    """A run of which no token is known has no value and says why: not 0, whatever went wrong."""
    found = tokens(record(*calls, check=_PASSED))
    assert (found.value, found.status) == (None, status)
    assert reason in (found.reason or "")
    assert found.details["total_tokens"] is None
    assert found.details["tokens_per_correct_task"] is None


def test_refused_requests_leave_the_sum_exact() -> None:
    """A request that no model took (429, unreachable) has no tokens to tell: the sum of the others stays exact."""
    refused = call(1, source="absent", status=429, error="429")
    found = tokens(record(refused, call(2, input=10, output=2, attempt=2)))
    assert (found.value, found.status) == (12, "measured")
    assert found.details["model_calls"] == 2
    assert found.details["retried"] == {"calls": 1, "tokens": 12}
    assert found.details["failed"] == {"calls": 1, "tokens": None}


@pytest.mark.parametrize("api", ["count_tokens", "models"])
def test_calls_that_make_no_model_work_leave_the_sum_exact(api: str) -> None:
    """An agent that lists models or counts tokens beforehand used none by that."""
    found = tokens(record(call(1, input=10, output=5), call(2, api=api, source="absent", status=200)))
    assert (found.value, found.status) == (15, "measured")


def test_embeddings_have_no_output() -> None:
    """Their input tokens are all that there are."""
    found = tokens(record(call(1, input=10, output=5), call(2, api="embeddings", input=8)))
    assert (found.value, found.status) == (23, "measured")


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_error_answers_leave_the_sum_exact(status: int) -> None:
    """Nobody charges for an error: an attempt that got one has no tokens to tell."""
    found = tokens(record(call(1, source="absent", status=status, error=str(status)), call(2, input=10, output=2)))
    assert (found.value, found.bound, found.details["standings"]) == (12, "exact", {"refused": 1, "told": 1})


@pytest.mark.parametrize(
    "failed",
    [
        {"status": 504, "error": "504"},
        {"status": 502, "error": "502"},
        {"status": 200, "outcome": "upstream_cut", "error": "stream_truncated"},
        {"outcome": "client_disconnected", "error": "client_disconnected"},
        {"status": 200, "error": "overloaded_error"},
    ],
)
def test_attempts_of_unknown_cost_leave_a_lower_bound(failed: dict[str, Any]) -> None:
    """Behind a cut, a hung-up agent or a gateway that gave up a model may have worked: that leaves the sum open."""
    found = tokens(record(call(1, source="absent", **failed), call(2, input=10, output=2)))
    assert (found.value, found.bound, found.details["standings"]) == (12, "lower", {"absent": 1, "told": 1})


def test_what_a_cut_answer_told_counts_as_a_part() -> None:
    """Some streams count as they go: what one had told when it was cut was billed, and is not all."""
    cut: dict[str, Any] = {"status": 200, "outcome": "upstream_cut", "error": "stream_truncated"}
    found = tokens(record(call(1, input=10, output=1, **cut), call(2, input=10, output=5)))
    assert (found.value, found.bound, found.details["standings"]) == (26, "lower", {"half_told": 1, "told": 1})
    finished = call(1, input=10, output=5, finish=("stop", "error"), **cut)
    assert tokens(record(finished)).bound == "exact"


def test_attempts_are_one_logical_call() -> None:
    """Each attempt that was billed counts; what the agent asked is counted apart."""
    first = call(1, input=10, output=2, outcome="upstream_cut", error="stream_truncated", finish=("stop",))
    again = replace(call(2, input=12, output=3), attempt=2, retry_of=first.span_id)
    found = tokens(record(first, again, call(3, input=1, output=1)))
    assert (found.value, found.details["model_calls"], found.details["logical_calls"]) == (29, 3, 2)
    assert found.details["retried"] == {"calls": 1, "tokens": 15}


def test_what_failed_and_was_billed_counts() -> None:
    """A call that broke after its usage had been told was billed."""
    found = tokens(record(call(1, input=10, output=2, outcome="client_disconnected", error="client_disconnected")))
    assert found.value == 12
    assert found.details["failed"] == {"calls": 1, "tokens": 12}


def test_discarded_answers_are_a_class_of_their_own() -> None:
    """An answer that the agent never asked for is shown, and no part of what the agent used."""
    found = tokens(record(call(1, input=99, output=1, discarded=True), call(2, input=10, output=2)))
    assert (found.value, found.details["model_calls"]) == (12, 1)
    assert found.details["discarded"] == {"calls": 1, "tokens": 100}


def test_contradictory_numbers_are_flagged_and_not_added() -> None:
    """Counts that cannot all be right do not reach the sum; the call that told them is named."""
    found = tokens(record(call(1, input=10, output=2, read=400), call(2, input=3, output=4)))
    assert (found.value, found.bound) == (7, "lower")
    assert found.flags == ("usage_contradictory",)
    assert found.evidence[0].note == "400 cached tokens of 10 input tokens"


def test_estimates_stand_apart() -> None:
    """An estimate is no bound: it is shown beside the value, not in it."""
    found = tokens(record(call(1, input=10, output=2), call(2, input=100, output=100, source="estimated")))
    assert (found.value, found.bound, found.details["estimated_tokens"]) == (12, "lower", 200)
    assert found.flags == ("usage_estimated",)


def test_sources_are_told() -> None:
    """Every number carries its source; of several the value names the one that is not the provider's plain word."""
    found = tokens(record(call(1, input=1, output=1), call(2, input=2, output=2, source="injected")))
    assert found.source == "injected"
    assert found.details["sources"] == {"injected": {"calls": 1, "tokens": 4}, "provider": {"calls": 1, "tokens": 2}}


def test_convention_of_another_tool_is_named_as_assumed() -> None:
    """Whether another recorder counts cached tokens as input cannot be seen in its numbers: flagged where it matters."""
    assert tokens(record(call(1, own=False, input=10, output=2, read=4))).flags == ("convention_assumed",)
    assert tokens(record(call(1, own=False, input=10, output=2))).flags == ()


def test_tokens_per_correct_task() -> None:
    """Of one run: its tokens if it passed; None if it did not, and None if that is not known."""
    used = call(1, input=10, output=2)
    for check, per_task, passed in (
        (_PASSED, 12, 1),
        (replace(_PASSED, exit_code=1), None, 0),
        (None, None, None),
    ):
        details = tokens(record(used, check=check)).details
        assert (details["tokens_per_correct_task"], details["pass_used_for_division"]) == (per_task, passed)


def test_agent_report_stands_in_as_a_lower_bound() -> None:
    """With no usage on the wire, what the agent said is the value, less its rounding, and never called exact."""
    said = reporting(input_tokens=1300, output_tokens=606, rounding=50)
    for calls in ((), (call(1, source="absent"),)):
        found = tokens(record(*calls, agent=said))
        assert (found.value, found.status, found.bound, found.source) == (1856, "partial", "lower", "agent_stdout")
        assert found.details["agent_report"]["total_tokens"] == 1906


def test_agent_estimate_is_shown_and_not_scored() -> None:
    """An agent that may have guessed bounds nothing: its numbers stand in the details."""
    found = tokens(record(agent=reporting(input_tokens=1300, output_tokens=606, estimated=True)))
    assert (found.value, found.status) == (None, "missing")
    assert found.details["agent_report"]["total_tokens"] == 1906


@pytest.mark.parametrize(
    ("said", "agrees"),
    [
        ({"input_tokens": 1000, "output_tokens": 20}, True),
        ({"input_tokens": 1000, "output_tokens": 21}, False),
        ({"input_tokens": 1000, "output_tokens": 70, "rounding": 50}, True),
        ({"input_tokens": 1000, "output_tokens": 71, "rounding": 50}, False),
        ({"total_tokens": 600, "excludes_cached": True}, True),
        ({"total_tokens": 500, "excludes_cached": True}, False),
    ],
)
def test_agent_report_is_checked_against_the_record(said: dict[str, Any], agrees: bool) -> None:  # noqa: FBT001
    """A difference of more than 2 % that rounding does not explain is flagged, with both numbers."""
    found = tokens(record(call(1, input=900, output=100, read=400), agent=reporting(**said)))
    assert found.value == 1000
    assert found.details["cross_check"]["agrees"] is agrees
    assert ("agent_report_differs" in found.flags) is not agrees


def test_report_above_a_lower_bound_is_no_contradiction() -> None:
    """Where calls told nothing, the agent may well know of more; less than was told it cannot have used."""
    calls = (call(1, input=900, output=100), call(2, source="absent"))
    more, less = (tokens(record(*calls, agent=reporting(total_tokens=said))) for said in (5000, 500))
    assert more.details["cross_check"]["agrees"] is None
    assert less.flags == ("agent_report_differs",)


def test_live_run_is_a_lower_bound() -> None:
    """More calls may come."""
    assert tokens(record(call(1, input=1, output=1), live=True)).bound == "lower"


counts = st.none() | st.integers(-2, 50)
calls_told = st.lists(
    st.fixed_dictionaries(
        {
            "input": counts,
            "output": counts,
            "read": counts,
            "written": counts,
            "reasoning": counts,
            "source": st.sampled_from([None, "provider", "injected", "absent", "estimated"]),
            "status": st.sampled_from([None, 200, 429, 500]),
            "discarded": st.sampled_from([None, True]),
        }
    ),
    max_size=6,
)


@given(calls_told, st.randoms(use_true_random=False))
def test_order_of_calls_does_not_matter_and_scoring_is_pure(
    told: list[dict[str, Any]], shuffler: random.Random
) -> None:
    """The same calls in any order, scored twice, give the same value, to the last detail."""
    calls = [call(number, **members) for number, members in enumerate(told, 1)]
    first = tokens(record(*calls))
    shuffler.shuffle(calls)
    assert tokens(record(*calls)) == first == tokens(record(*calls))


@given(calls_told, st.data())
def test_missing_usage_is_never_rewarded(told: list[dict[str, Any]], data: st.DataObject) -> None:
    """Taking usage away from a call never turns a bound into an exact value, and never makes 0 of None."""
    calls = [call(number, **members) for number, members in enumerate(told, 1)]
    whole = tokens(record(*calls))
    for found in (whole, tokens(record(*calls, agent=reporting(total_tokens=0)))):
        assert found.value is None or found.value > 0
        classes = [count for count in found.details["classes"].values() if count is not None]
        assert found.value is None or sum(classes) == found.value
    if not calls:
        return
    robbed = data.draw(st.integers(0, len(calls) - 1))
    usage = replace(calls[robbed].usage, source="absent", **dict.fromkeys(("input_tokens", "output_tokens")))
    calls[robbed] = replace(calls[robbed], usage=usage, response=None)
    less = tokens(record(*calls))
    assert (less.value or 0) <= (whole.value or 0)
    if not calls[robbed].discarded:
        assert less.bound != "exact"
