"""When the parts of a run took place, as sets of intervals on the Unix clock, in nanoseconds.

A recorder takes the Unix time where a span begins, and what follows within a call by a monotonic clock. So a clock that was set
in between moves whole calls, and can make a span end before it began. Such things are mended as far as the record
tells how, and always flagged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from ...traces import Call, Run, SpanRecord
from .._intervals import Interval, hull, union

__all__ = ["Windows", "call_interval", "find_windows", "timed_calls"]

_KIND: Final = "tachograph.span"
_OPERATION: Final = "gen_ai.operation.name"
_OPENINFERENCE: Final = "openinference.span.kind"
_ACTIVE: Final = "tachograph.agent.active_ns"
_STAMPS: Final = (
    "request_read",
    "upstream_sent",
    "headers",
    "first_byte_in",
    "first_byte_out",
    "first_content",
    "last_byte",
)
"""What happens during a call, before its end."""

AgentSource = Literal["agent_span", "calls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Where the time of a run went. The agent's time is a set: it may have been started more than once."""

    run: Interval | None
    """From the first to the last thing known; None if nothing is."""
    run_ended: bool
    agent: tuple[Interval, ...]
    agent_source: AgentSource | None
    """`calls`: no span says when the agent ran, it is known from its first call to its last; None: not known at all."""
    lower_because: str | None
    """Why the agent's time may have been longer; None if it is known exactly."""
    active_ns: int | None
    """How long its process ran, by a monotonic clock; None if that was not recorded."""
    check: tuple[Interval, ...]
    tools: tuple[Interval, ...] | None
    """None if no span tells of any tool: then they may have run at any time."""
    stepped_back: bool
    """Something ended before it began: the clock was set back."""


def call_interval(call: Call) -> Interval:
    """When a call was open; up to the last moment known, if its end is not."""
    timing = call.timing
    if timing.end is not None:
        last = timing.end
    else:
        stamps = [getattr(timing, name) for name in _STAMPS]
        last = max((stamp for stamp in stamps if stamp is not None), default=0)
    return Interval(timing.start_ns, timing.start_ns + max(last, 0))


def timed_calls(run: Run) -> list[Call]:
    """The calls of which it is known when they began."""
    return [call for call in run.calls if call.timing.start_ns > 0]


def find_windows(run: Run) -> Windows:
    """The windows of a run."""
    calls = [call_interval(call) for call in timed_calls(run)]
    kinds = [(_kind(span), span) for span in run.spans]
    agents = [span for kind, span in kinds if kind == "agent"]
    checks = [span for kind, span in kinds if kind == "check"]
    tools = [span for kind, span in kinds if kind == "tool"]
    begun = _open_starts("agent", kinds, agents)
    latest = _latest(run, calls)
    stepped = any(span.end_ns < span.start_ns for span in run.spans) or any(
        (call.timing.end or 0) < 0 for call in run.calls
    )
    stepped = stepped or any(_short(span) for span in agents)
    agent = union(map(_agent_interval, agents), (Interval(start, max(latest, start)) for start in begun))
    source: AgentSource | None = "agent_span" if agents or begun else None
    why = "the agent's end was not recorded" if begun else None
    if agents and any(map(_short, agents)):
        why = why or "the clock was set back while the agent ran: the time of its process stands in"
    if source is None and calls:
        around = Interval(min(start for start, _ in calls), max(end for _, end in calls))
        agent, source = union([around]), "calls"
        why = "no span says when the agent ran: its time is that from its first call to the end of its last"
    check = union(map(_interval, checks))
    start = run.start_ns or min((interval.start for interval in (*agent, *check)), default=0)
    end = run.end_ns if run.end_ns is not None else latest
    return Windows(
        run=hull((Interval(start, end), *agent, *check)) if start else None,
        run_ended=run.end_ns is not None,
        agent=agent,
        agent_source=source,
        lower_because=why,
        active_ns=_active(agents) if agents and not begun else None,
        check=check,
        tools=union(map(_interval, tools)) if tools else None,
        stepped_back=stepped or (run.end_ns is not None and run.end_ns < run.start_ns),
    )


def _kind(span: SpanRecord) -> str | None:
    """What a span is: by this project's mark, else by the conventions that other tools follow."""
    own = span.attributes.get(_KIND)
    if own is not None:
        return str(own)
    if span.attributes.get(_OPERATION) == "invoke_agent":
        return "agent"
    if span.attributes.get(_OPERATION) == "execute_tool" or span.attributes.get(_OPENINFERENCE) == "TOOL":
        return "tool"
    return None


def _open_starts(kind: str, kinds: Iterable[tuple[str | None, SpanRecord]], ended: list[SpanRecord]) -> list[int]:
    """When those spans began that were announced and never ended."""
    known = {span.span_id for span in ended}
    return [span.start_ns for found, span in kinds if found == f"{kind}.start" and span.parent_id not in known]


def _latest(run: Run, calls: Iterable[Interval]) -> int:
    """The last moment that the record knows of."""
    ends = [end for _, end in calls] + [max(span.start_ns, span.end_ns) for span in run.spans]
    return max([*ends, run.end_ns or 0, run.start_ns])


def _interval(span: SpanRecord) -> Interval:
    return Interval(span.start_ns, span.end_ns)


def _agent_interval(span: SpanRecord) -> Interval:
    return Interval(span.start_ns, max(span.end_ns, span.start_ns + (_whole(span.attributes.get(_ACTIVE)) or 0)))


def _short(span: SpanRecord) -> bool:
    """Whether a span is shorter than the process within it, which only a clock that was set back can do."""
    active = _whole(span.attributes.get(_ACTIVE))
    return active is not None and span.end_ns - span.start_ns < active


def _active(agents: list[SpanRecord]) -> int | None:
    found = [_whole(span.attributes.get(_ACTIVE)) for span in agents]
    known = [nanoseconds for nanoseconds in found if nanoseconds is not None]
    return sum(known) if len(known) == len(found) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
