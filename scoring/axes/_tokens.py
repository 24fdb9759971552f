"""How many tokens the agent used: a sum of what was told, and nothing else.

Counted is what providers told of the calls that the agent made, retries and failures with them: whatever was told was billed,
once for each attempt (see `_usage`).
Answers that the agent never asked for (`Call.discarded`: the upstream refused what the recorder had added) are a class of their
own, outside the value: the agent has no part in them. What was not told makes the sum a lower bound.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...traces import Call
from .._attempts import logical_calls
from .._axis_value import AxisValue, Bound, Evidence, Status, unmeasured
from .._record import AgentReport, RunRecord
from .._usage import CallTokens, Standing, is_foreign, read_usage
from ..check import judge_check

__all__ = ["tokens"]

_AXIS: Final = "tokens"
_FORMULA: Final = "tokens/told"
_VERSION: Final = 1
_UNIT: Final = "{token}"
_COUNTED: Final = frozenset[Standing]({"told", "half_told"})
_INCOMPLETE: Final = frozenset[Standing]({"half_told", "contradictory", "estimated", "absent"})
_TOLERANCE: Final = 0.02
"""Share by which the agent's own report may differ from the record beside its rounding."""
_MOST_EVIDENCE: Final = 20
_CLASSES: Final = ("input_uncached", "cache_read", "cache_write", "input_undivided", "output")

_Read = Sequence[tuple[Call, CallTokens]]


def tokens(record: RunRecord) -> AxisValue:
    """Tokens of the run, input and output, as `{token}`.

    Measured if every call told them, partial with a lower bound if some did not. If none did, the agent's own report stands
    in, as a lower bound too (it is rounded, and leaves out calls that the agent does not count), unless the agent may have
    estimated it: an estimate bounds nothing, and is shown in the details only. Otherwise there is no value; never 0.
    """
    read = [(call, read_usage(call)) for call in sorted(record.run.calls, key=_place)]
    asked = [(call, used) for call, used in read if not call.discarded]
    counted = [used for _, used in asked if used.standing in _COUNTED]
    report = record.agent.report
    recorded = _sum(used.total for used in counted) or None
    value = recorded or _least(report)
    from_agent = value is not None and recorded is None
    reason = _why_partial(asked, from_agent=from_agent, live=record.run.live) if value is not None else _why_none(asked)
    check = _cross_check(report, recorded, asked) if report and recorded else None
    flags = _flags(asked, check)
    details = {
        **_sums(counted, value, _passed(record)),
        **_breakdown(read),
        "agent_report": _described(report),
        "cross_check": check,
    }
    if value is None:
        broken = any(used.standing == "contradictory" for _, used in asked)
        return unmeasured(
            _AXIS,
            "error" if broken else "missing",
            reason or "",
            formula=_FORMULA,
            version=_VERSION,
            unit=_UNIT,
            details=details,
            flags=flags,
        )
    status: Status = "partial" if reason else "measured"
    bound: Bound = "lower" if reason else "exact"
    return AxisValue(
        axis=_AXIS,
        value=float(value),
        status=status,
        bound=bound,
        unit=_UNIT,
        source="agent_stdout" if from_agent else _source(asked),
        n=None if from_agent else len(counted),
        reason=reason,
        formula=_FORMULA,
        version=_VERSION,
        details=details,
        flags=flags,
        evidence=_evidence(asked),
    )


def _place(call: Call) -> tuple[int, int, str]:
    return call.timing.start_ns, call.sequence or 0, call.span_id


def _passed(record: RunRecord) -> bool | None:
    """Whether the check let the run pass; None if it said nothing that can be used."""
    return None if record.check is None else judge_check(record.check).passed


def _least(report: AgentReport | None) -> int | None:
    """The least that the run used by the agent's own account; None if that bounds nothing."""
    if report is None or report.estimated or not report.tokens:
        return None
    return max(report.tokens - report.rounding, 0) or None


def _why_none(asked: _Read) -> str:
    if not asked:
        return "no call was recorded"
    standings = {used.standing for _, used in asked}
    if standings == {"refused"}:
        return f"no call was answered by a model: {_listed(asked, frozenset(['refused']))}"
    return f"no call told tokens that can be counted: {_listed(asked, _INCOMPLETE)}"


def _why_partial(asked: _Read, *, from_agent: bool, live: bool) -> str | None:
    if from_agent:
        return f"{_why_none(asked)}; the agent's own report stands in, which leaves out what the agent does not count"
    incomplete = sum(used.standing in _INCOMPLETE for _, used in asked)
    if incomplete:
        return f"{incomplete} of {len(asked)} calls did not tell all their tokens: {_listed(asked, _INCOMPLETE)}"
    return "the run is still being recorded" if live else None


def _listed(asked: _Read, standings: frozenset[Standing]) -> str:
    """The reasons of some calls, each with how often it was given."""
    reasons = Counter(used.reason for _, used in asked if used.standing in standings)
    return ", ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items(), key=str)[:_MOST_EVIDENCE])


def _source(asked: _Read) -> str:
    """Where the value's counts come from; of several the one that is not the provider's plain word."""
    sources = {call.usage.source for call, used in asked if used.standing in _COUNTED}
    return next(source for source in ("agent_stdout", "injected", "provider") if source in sources)


def _flags(asked: _Read, check: dict[str, Any] | None) -> tuple[str, ...]:
    standings = {used.standing for _, used in asked}
    raised = {
        "usage_contradictory": "contradictory" in standings,
        "usage_estimated": "estimated" in standings,
        # Whether another tool counted cached tokens as input tokens cannot be seen in its numbers.
        "convention_assumed": any(is_foreign(call) and used.cache_read for call, used in asked),
        "agent_report_differs": check is not None and check["agrees"] is False,
    }
    return tuple(name for name, is_raised in raised.items() if is_raised)


def _evidence(asked: _Read) -> tuple[Evidence, ...]:
    notes = [(call, used.reason) for call, used in asked if used.standing in _INCOMPLETE]
    return tuple(
        Evidence(kind="call", reference=call.span_id, note=reason or "") for call, reason in notes[:_MOST_EVIDENCE]
    )


def _sums(counted: Sequence[CallTokens], value: int | None, passed: bool | None) -> dict[str, Any]:  # noqa: FBT001
    return {
        "prompt_tokens": _sum(used.input for used in counted),
        "completion_tokens": _sum(used.output for used in counted),
        "total_tokens": value,
        "tokens_per_correct_task": value if passed else None,
        "pass_used_for_division": None if passed is None else int(passed),
        "classes": {name: _sum(used.classes.get(name) for used in counted) for name in _CLASSES},
        "reasoning_tokens": _sum(used.reasoning for used in counted),
    }


def _breakdown(read: _Read) -> dict[str, Any]:
    asked = [(call, used) for call, used in read if not call.discarded]
    return {
        "model_calls": len(asked),
        "logical_calls": len(logical_calls(call for call, _ in asked)),
        "standings": dict(sorted(Counter(used.standing for _, used in asked).items())),
        "sources": {
            source: _counted(pair for pair in asked if pair[0].usage.source == source)
            for source in sorted({call.usage.source for call, _ in asked})
        },
        "retried": _counted(pair for pair in asked if (pair[0].attempt or 1) > 1),
        "failed": _counted(pair for pair in asked if pair[0].error_type is not None),
        "discarded": _counted(pair for pair in read if pair[0].discarded),
        "estimated_tokens": _sum(used.total for _, used in asked if used.standing == "estimated"),
        "convention": "input tokens include cached ones, output tokens include reasoning",
    }


def _counted(pairs: Iterable[tuple[Call, CallTokens]]) -> dict[str, int | None]:
    used = [used for _, used in pairs]
    return {"calls": len(used), "tokens": _sum(one.total for one in used if one.standing in _COUNTED)}


def _sum(counts: Iterable[int | None]) -> int | None:
    """Of those that were told; None if none was."""
    told = [count for count in counts if count is not None]
    return sum(told) if told else None


def _described(report: AgentReport | None) -> dict[str, Any] | None:
    if report is None:
        return None
    return {
        "prompt_tokens": report.input_tokens,
        "completion_tokens": report.output_tokens,
        "total_tokens": report.tokens,
        "cost_usd": report.cost_usd,
        "exact": report.exact,
        "rounding": report.rounding,
        "excludes_cached": report.excludes_cached,
        "estimated": report.estimated,
        "excerpt": report.excerpt,
    }


def _cross_check(report: AgentReport, recorded: int, asked: _Read) -> dict[str, Any] | None:
    """The agent's own account against the record; None if it gave none.

    `agrees` is None where the record is a lower bound that leaves room for what the agent says.
    """
    told = report.tokens
    if told is None:
        return None
    if report.excludes_cached:
        recorded -= sum(used.classes.get("cache_read", 0) for _, used in asked if used.standing in _COUNTED)
    difference = told - recorded
    differs = abs(difference) - report.rounding > recorded * _TOLERANCE
    is_open = difference > 0 and any(used.standing in _INCOMPLETE for _, used in asked)
    return {
        "agent_tokens": told,
        "recorded_tokens": recorded,
        "difference": difference,
        "rounding": report.rounding,
        "tolerance": _TOLERANCE,
        "agrees": None if is_open else not differs,
    }
