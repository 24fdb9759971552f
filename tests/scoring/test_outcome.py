"""Why a run ended: whose doing it was, told from the record and from nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tachograph.scoring import AxisValue, RunRecord, judge_outcome, unmeasured
from tachograph.scoring.check import CheckResult
from tachograph.traces import Call, CallRequest, CallResponse, Run, SpanRecord, Timing, Usage

REQUEST = CallRequest(
    method="POST",
    path="/v1/chat/completions",
    query=None,
    server_address=None,
    server_port=None,
    api="chat_completions",
    provider="openai",
    model="m",
    streamed=False,
    session_id=None,
    body_hash=None,
    bytes=None,
    sent_body_hash=None,
    sent_bytes=None,
    head=None,
)


def call(status: int | None = 200, outcome: Any = "completed", error_type: str | None = None, **more: Any) -> Call:
    response = CallResponse(
        status=status,
        model=None,
        id=None,
        upstream_request_id=None,
        finish_reasons=(),
        tool_calls=(),
        body_hash=None,
        bytes=None,
        delivered_body_hash=None,
        delivered_bytes=None,
        head=None,
    )
    given = {
        "run_id": "r",
        "span_id": "1",
        "sequence": 1,
        "attempt": 1,
        "outcome": outcome,
        "error_type": error_type,
        "message": error_type,
        "discarded": False,
        "request": REQUEST,
        "request_hash": None,
        "response": None if status is None else response,
        "usage": Usage(source="absent"),
        "timing": Timing(start_ns=1),
        "bodies_lost": None,
    }
    return Call(**given | more)


def agent_span(**attributes: Any) -> SpanRecord:
    known = {"tachograph.span": "agent", **{name.replace("__", "."): value for name, value in attributes.items()}}
    return SpanRecord(
        trace_id="0" * 32,
        span_id="2" * 16,
        parent_id=None,
        name="invoke_agent a",
        start_ns=0,
        end_ns=1,
        attributes=known,
        status_code=0,
        status_message="",
        resource={},
        scope="tachograph",
        scope_attributes={},
    )


def record(*calls: Call, status: str = "completed", live: bool = False, check: bool = True, **agent: Any) -> RunRecord:
    run = Run(
        run_id="r",
        status=status,
        live=live,
        sealed=True,
        start_ns=0,
        end_ns=1,
        attributes={"error.type": "LaunchError"},
        calls=calls,
        spans=(agent_span(**agent),),
    )
    return RunRecord(run=run, check=CheckResult(command="true", exit_code=1) if check else None)


def passed(value: float | None, status: Any = "measured", *flags: str) -> AxisValue:
    if value is None:
        return unmeasured("pass_rate", status, "no test ran", formula="p", version=1, flags=flags)
    return AxisValue(
        axis="pass_rate",
        value=value,
        status="measured",
        bound="exact",
        unit="1",
        source="check",
        n=1,
        reason=None,
        formula="p",
        version=1,
        flags=flags,
    )


FAILED = passed(0.0)
NO_OP = unmeasured("blast_radius", "not_applicable", "no change", formula="b", version=1, flags=("no_op",))
REFUSED = unmeasured("refusal", "missing", "x", formula="r", version=1, details={"refusal_produced": True})
BAD_KEY = call(401, error_type="invalid_api_key")


@pytest.mark.parametrize(
    ("given", "axes", "party", "reason"),
    [
        (record(call()), [passed(1.0)], "solved", "passed"),
        (record(call()), [FAILED], "agent", "failed"),
        (record(call(), tachograph__agent__timed_out=True), [FAILED], "agent", "timed_out"),
        (record(call(), status="timeout"), [FAILED], "agent", "timed_out"),
        (record(call(), process__exit__code=-11), [FAILED], "agent", "crashed"),
        (record(call()), [FAILED, NO_OP], "agent", "gave_up"),
        (record(call()), [FAILED, NO_OP, REFUSED], "agent", "refused"),
        (record(call(), call(400, error_type="context_length_exceeded")), [FAILED], "agent", "budget"),
        (record(call(), call(429, error_type="rate_limit")), [FAILED], "provider", "rate_limited"),
        (record(call(503, error_type="503")), [FAILED], "provider", "server_error"),
        (record(BAD_KEY), [FAILED, NO_OP], "provider", "unauthorized"),
        (record(call(None, "upstream_unreachable", "connection_error")), [FAILED], "provider", "unreachable"),
        (record(call(), call(200, "upstream_cut", "stream_truncated")), [FAILED], "provider", "unreachable"),
        (record(call(500), call()), [FAILED], "agent", "failed"),
        (record(call(404, error_type="not_found")), [FAILED], "agent", "failed"),
        (record(), [FAILED, NO_OP], "unknown", "no_calls"),
        (record(), [passed(1.0)], "solved", "passed"),
        (record(call()), [passed(None, "error", "no_tests")], "check", "no_tests"),
        (record(call()), [passed(None, "error")], "check", "broken"),
        (record(call(), check=False), [passed(None, "missing")], "unknown", "not_checked"),
        (record(call(), status="aborted"), [FAILED], "cancelled", "aborted"),
        (record(status="failed"), [], "harness", "broken"),
        (record(call(), status="open", check=False), [], "harness", "interrupted"),
        (record(call(), status="open", live=True, check=False), [], "unknown", "not_checked"),
    ],
)
def test_outcomes(given: RunRecord, axes: list[AxisValue], party: str, reason: str) -> None:
    """A fault of provider, check or harness is never counted as the agent's, nor the agent's as theirs."""
    outcome = judge_outcome(given, {value.axis: value for value in axes})
    assert (outcome.party, outcome.reason) == (party, reason)
    assert outcome.message
    assert outcome.is_graded == (party in ("solved", "agent"))


def test_calls_that_no_run_took_are_nobodys() -> None:
    """They say nothing of a provider, though their status is 401."""
    given = record(BAD_KEY, check=False)
    given = replace(given, run=replace(given.run, attributes={"tachograph.run.refused": True}))
    outcome = judge_outcome(given, {"pass_rate": passed(None, "missing")})
    assert (outcome.party, outcome.reason) == ("unknown", "no_calls")


def test_a_failure_that_the_agent_got_over_is_none() -> None:
    """A provider that failed once and then answered had its part: what came after is the agent's."""
    outcome = judge_outcome(record(call(429), call(503), call()), {"pass_rate": FAILED})
    assert outcome.party == "agent"


def test_an_answer_that_the_agent_never_saw_does_not_count() -> None:
    """The upstream refused what the proxy had added; the repeated call is what happened."""
    first = call(400, error_type="400", discarded=True)
    assert judge_outcome(record(call(), first), {"pass_rate": FAILED}).party == "agent"
