"""How long the agent took, and where the time of its run went."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...traces import Call
from .._axis_value import AxisValue, Evidence, unmeasured
from .._intervals import Interval, clip, intersection, length, subtract, union
from .._record import RunRecord
from ._call_times import FEWEST, call_times
from ._windows import Windows, call_interval, find_windows, timed_calls

__all__ = ["latency"]

_AXIS: Final = "latency"
_FORMULA: Final = "latency/wall"
_VERSION: Final = 1
_UNIT: Final = "ms"
_MILLISECOND: Final = 1e6
_MOST_EVIDENCE: Final = 20
_AGENT_PARTS: Final = ("model", "tool", "model_and_tool", "agent_other")


def latency(record: RunRecord) -> AxisValue:
    """Wall time of the agent: from its start to its end, as milliseconds. Neither setup nor check is part of it.

    Partial, with a lower bound, where the record does not show its start or end; missing if it shows neither span nor call.

    The details split the run's whole wall time (`run_wall_ns`) into `parts_ns`, integers that add up to it exactly: `setup`
    (before the agent), `model` (a call was open), `tool` (a tool ran), `model_and_tool` (both), `agent_other` (neither: the
    agent itself, or tools where no span tells of them), `check`, and `unattributed`. The four of the agent add up to the value.
    Where parts meet, the agent goes before the check. A part is None if the record cannot tell it from another one, which
    then holds it.
    """
    windows = find_windows(record.run)
    calls = timed_calls(record.run)
    if windows.run is None or not windows.agent:
        reason = "neither the agent nor any call was recorded" if not calls else "the record shows no time that passed"
        flags: tuple[str, ...] = ("clock_stepped_back",) if windows.stepped_back else ()
        return unmeasured(
            _AXIS, "missing", reason, formula=_FORMULA, version=_VERSION, unit=_UNIT, flags=flags,
            details={"wall_clock_ms": None, "run_wall_ms": _run_wall(windows), "container_active_ms": _active(windows)},
        )  # fmt: skip
    wall = length(windows.agent)
    outside = _outside(calls, windows.agent)
    unended = [call for call in calls if call.timing.end is None]
    parts = _parts(windows, windows.run, calls)
    times = call_times(calls)
    flags = _flags(record, windows, outside, unended)
    return AxisValue(
        axis=_AXIS,
        value=wall / _MILLISECOND,
        status="partial" if windows.lower_because else "measured",
        bound="lower" if windows.lower_because else "exact",
        unit=_UNIT,
        source=windows.agent_source,
        n=None,
        reason=windows.lower_because,
        formula=_FORMULA,
        version=_VERSION,
        details={
            "wall_clock_ms": wall / _MILLISECOND,
            "container_active_ms": _active(windows),
            **_model_time(calls, windows.agent, is_lower=bool(outside or unended)),
            "run_wall_ms": _run_wall(windows),
            "run_wall_ns": length([windows.run]),
            "run_ended": windows.run_ended,
            "parts_ns": parts,
            "parts_ms": {name: None if part is None else part / _MILLISECOND for name, part in parts.items()},
            "agent_parts": list(_AGENT_PARTS),
            "model_calls": len(calls),
            "calls_outside_agent": len(outside),
            "calls_without_end": len(unended),
            **times,
            "reasons": _reasons(windows, calls, unended, times),
        },
        flags=flags,
        evidence=_evidence(outside, unended),
    )


def _parts(windows: Windows, run: Interval, calls: Sequence[Call]) -> dict[str, int | None]:
    agent = windows.agent
    model = intersection(map(call_interval, calls), agent)
    tools = intersection(windows.tools or (), agent)
    check = subtract(clip(windows.check, run), agent)
    by_span = windows.agent_source == "agent_span"
    setup = subtract([Interval(run.start, agent[0].start)], check) if by_span else ()
    rest = subtract([run], agent, check, setup)
    known = windows.tools is not None
    return {
        "setup": length(setup) if by_span else None,
        "model": length(subtract(model, tools)),
        "tool": length(subtract(tools, model)) if known else None,
        "model_and_tool": length(intersection(model, tools)) if known else None,
        "agent_other": length(subtract(agent, model, tools)),
        "check": length(check) if windows.check else None,
        "unattributed": length(rest),
    }


def _model_time(calls: Sequence[Call], agent: Sequence[Interval], *, is_lower: bool) -> dict[str, Any]:
    """Time in which calls were open, and how many were at once: the sum of their times over the time that they cover."""
    clipped = [length(intersection([call_interval(call)], agent)) for call in calls]
    covered = length(intersection(map(call_interval, calls), agent))
    return {
        "model_call_ms": covered / _MILLISECOND if calls else None,
        "model_call_sum_ms": sum(clipped) / _MILLISECOND if calls else None,
        "model_call_bound": None if not calls else "lower" if is_lower else "exact",
        "concurrency": sum(clipped) / covered if covered else None,
        "agent_overhead_ms": (length(agent) - covered) / _MILLISECOND if calls else None,
    }


def _outside(calls: Sequence[Call], agent: Sequence[Interval]) -> list[Call]:
    """Calls that were not wholly within the agent's time."""
    found = []
    for call in calls:
        span = call_interval(call)
        held = any(window.start <= span.start and span.end <= window.end for window in agent)
        if not held:
            found.append(call)
    return found


def _flags(record: RunRecord, windows: Windows, outside: Sequence[Call], unended: Sequence[Call]) -> tuple[str, ...]:
    agents = [span.attributes for span in record.run.spans if span.attributes.get("tachograph.span") == "agent"]
    raised: Mapping[str, bool] = {
        "timed_out": any(attributes.get("tachograph.agent.timed_out") is True for attributes in agents),
        "clock_stepped_back": windows.stepped_back,
        "calls_clipped": bool(outside),
        "calls_without_end": bool(unended),
        "run_without_end": not windows.run_ended,
    }
    return tuple(name for name, is_raised in raised.items() if is_raised)


def _reasons(
    windows: Windows, calls: Sequence[Call], unended: Sequence[Call], times: Mapping[str, Any]
) -> dict[str, str]:
    """Why details are None, or less than they seem, by their names."""
    lacking = {
        "tool": (windows.tools is None, "no span tells of tools: their time is within agent_other"),
        "setup": (windows.agent_source != "agent_span", "no span says when the agent started"),
        "check": (not windows.check, "no check was recorded"),
        "container_active_ms": (windows.active_ns is None, "the time of the agent's process was not recorded"),
        "model_call_ms": (not calls, "no call was recorded"),
        "model_call_bound": (bool(unended), f"{len(unended)} calls without an end"),
        "percentiles": (len(calls) < FEWEST, f"fewer than {FEWEST} observations have none"),
        "ttft_ms": (not times["ttft_ms"]["n"], "no streamed call told when its content began"),
        "output_tokens_per_second": (
            not times["output_rate_calls"],
            "no streamed call told its output tokens and came in more than one chunk",
        ),
        "proxy_ms": (not times["proxy_calls"], "no call tells when it went in and out of the recorder"),
        "run_wall_ms": (not windows.run_ended, "the run has no end: up to the last moment recorded"),
    }
    return {name: why for name, (is_lacking, why) in lacking.items() if is_lacking}


def _evidence(outside: Sequence[Call], unended: Sequence[Call]) -> tuple[Evidence, ...]:
    notes = [(call, "outside of the agent's time, in part or wholly") for call in outside]
    notes += [(call, f"{call.outcome}: its end was not recorded") for call in unended]
    notes.sort(key=lambda note: (note[0].timing.start_ns, note[0].span_id, note[1]))
    return tuple(Evidence(kind="call", reference=call.span_id, note=note) for call, note in notes[:_MOST_EVIDENCE])


def _run_wall(windows: Windows) -> float | None:
    return None if windows.run is None else length(union([windows.run])) / _MILLISECOND


def _active(windows: Windows) -> float | None:
    return None if windows.active_ns is None else windows.active_ns / _MILLISECOND
