"""A run as a trajectory in the Agent Trajectory Interchange Format, ATIF 1.8."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from .._axis_value import AxisValue
from .._record import RunRecord
from .._usage import CallTokens, read_usage
from ..transcript import Turn
from ._atif_steps import OWN, asks_a_model, trajectory_steps
from ._scored_run import ScoredRun
from ._text import known, plain, timestamp

__all__ = ["atif_trajectory"]

_VERSION: Final = "ATIF-v1.8"
_UNKNOWN: Final = "unknown"
_SAID_OF_AXES: Final = ("value", "status", "bound", "unit", "source", "n", "reason", "formula", "version", "flags")
_TOTALS: Final[dict[str, Callable[[CallTokens], int | None]]] = {
    "total_prompt_tokens": lambda used: used.input,
    "total_completion_tokens": lambda used: used.output,
    "total_cached_tokens": lambda used: used.cache_read,
}


def atif_trajectory(record: RunRecord, scored: ScoredRun | None = None) -> dict[str, Any]:
    """A run as an ATIF trajectory.

    A total is there only if it is known of every call; one that is not known is left out, never 0. What ATIF has no word for is
    in each `extra` under `tachograph`: times, hashes, reasoning tokens, outcome and scores.

    Args:
        record: the run.
        scored: its scorecard; None: the trajectory has no scores and no cost.

    Returns:
        JSON values.
    """
    steps = trajectory_steps(record.transcript) or [_nothing_recorded(record)]
    trajectory = known(
        schema_version=_VERSION,
        session_id=record.run.run_id,
        trajectory_id=record.run.run_id,
        agent=_agent(record),
        steps=steps,
        notes=_notes(record.transcript),
        final_metrics={**_totals(record), **known(total_cost_usd=_cost(scored)), "total_steps": len(steps)},
        extra={OWN: _own(record, scored)},
    )
    return plain(trajectory)  # type: ignore[no-any-return]


def _nothing_recorded(record: RunRecord) -> dict[str, Any]:
    """The only step of a run without a call: there must be one."""
    return {
        "step_id": 1,
        "timestamp": timestamp(record.run.start_ns),
        "source": "system",
        "message": "no call to a model was recorded",
    }


def _agent(record: RunRecord) -> dict[str, Any]:
    tools = dict.fromkeys(name for turn in record.transcript for name in turn.tools or ())
    return known(
        name=record.agent.name or _UNKNOWN,
        version=record.agent.version or _UNKNOWN,
        model_name=_model(record),
        extra={OWN: {"tools": sorted(tools)}} if tools else None,
    )


def _model(record: RunRecord) -> str | None:
    """The run's, or the only one that was asked."""
    told = record.run.attributes.get("tachograph.model")
    asked = {call.request.model for call in record.run.calls if call.request.model is not None}
    return str(told) if told is not None else next(iter(asked)) if len(asked) == 1 else None


def _notes(turns: Iterable[Turn]) -> str | None:
    unread = sum(turn.unreadable is not None and asks_a_model(turn.call) for turn in turns)
    return f"{unread} calls could not be read whole: see extra.{OWN}.unreadable of their steps" if unread else None


def _totals(record: RunRecord) -> dict[str, int]:
    """Sums over the calls that may have used tokens; of those that reached no model there are none to tell."""
    used = [read_usage(call) for call in record.run.calls if asks_a_model(call)]
    counted = [one for one in used if one.standing != "refused"]
    totals = {}
    for name, count in _TOTALS.items():
        counts = [count(one) if one.standing in ("told", "half_told") else None for one in counted]
        told = [number for number in counts if number is not None]
        if told and len(told) == len(counts):
            totals[name] = sum(told)
    return totals


def _cost(scored: ScoredRun | None) -> float | None:
    value = _axes(scored).get("cost")
    return value.value if value is not None and value.bound == "exact" and value.unit == "USD" else None


def _axes(scored: ScoredRun | None) -> dict[str, AxisValue]:
    return {} if scored is None else {value.axis: value for value in scored.axes}


def _own(record: RunRecord, scored: ScoredRun | None) -> dict[str, Any]:
    run = record.run
    own = {
        "run": {
            **known(id=run.run_id, status=run.status, sealed=run.sealed, start=timestamp(run.start_ns)),
            **({} if run.end_ns is None else {"end": timestamp(run.end_ns)}),
        },
        **known(task=record.task.id),
    }
    if scored is None:
        return own
    outcome = scored.outcome
    return own | {
        "identity": known(**scored.identity),
        "outcome": {"party": outcome.party, "reason": outcome.reason, "message": outcome.message},
        "scores": {
            name: {member: getattr(value, member) for member in _SAID_OF_AXES} for name, value in _axes(scored).items()
        },
    }
