"""How fast the model's server was, call by call: a property of the endpoint, not a merit of the agent."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...traces import Call
from .._attempts import logical_calls
from .._usage import read_usage

__all__ = ["FEWEST", "call_times", "distribution", "time_to_first_content"]

FEWEST: Final = 20
"""Of fewer observations no percentiles are given."""
_PERCENTILES: Final = (50, 90, 99)
_MILLISECOND: Final = 1e6
_SECOND: Final = 1e9


def call_times(calls: Sequence[Call]) -> dict[str, Any]:
    """Distributions over the calls, in milliseconds, and rates.

    - `ttft_ms`: from handing the request to the upstream to the first content, of streamed calls. A role or a comment is none.
    - `output_tokens_per_second`: all output tokens over all the time from first content to last byte, of streamed calls that
      told both. Reasoning that is not streamed counts as output, though it comes before the first content.
    - `largest_gap_ms`: of each call the longest wait between two chunks.
    - `logical_call_ms`: from the first attempt's start to the last one's end, with the agent's pauses between them.
    - `retries`: attempts but the first; `retry_ms`: by how much they made logical calls longer, in sum: from the start of each
      first attempt to that of the last one.
    - `proxy_ms`: what the recorder itself added before the first byte went out, in sum and as a share of those calls' time.
    """
    rates = [rate for call in calls if (rate := _rate(call)) is not None]
    told = [(call.timing.overhead, call.timing.end) for call in calls]
    overheads = [(added, end) for added, end in told if added is not None and end]
    questions = logical_calls(calls)
    return {
        "call_ms": distribution(call.timing.end for call in calls),
        "logical_call_ms": distribution(map(_whole_time, questions)),
        "retries": sum(len(attempts) - 1 for attempts in questions),
        "retry_ms": sum(_delay(attempts) for attempts in questions) / _MILLISECOND,
        "ttft_ms": distribution(map(time_to_first_content, calls)),
        "largest_gap_ms": distribution(call.timing.largest_gap for call in calls),
        "output_tokens_per_second": _ratio(sum(count for count, _ in rates) * _SECOND, sum(time for _, time in rates)),
        "output_rate_calls": len(rates),
        "proxy_ms": sum(added for added, _ in overheads) / _MILLISECOND if overheads else None,
        "proxy_share": _ratio(sum(added for added, _ in overheads), sum(end for _, end in overheads)),
        "proxy_calls": len(overheads),
    }


def distribution(observations: Iterable[int | None]) -> dict[str, float | int | None]:
    """Count, extremes and percentiles (nearest rank) of nanoseconds, as milliseconds; without those that are None.

    Percentiles are None below 20 observations, all but `n` is None without any.
    """
    found = sorted(value for value in observations if value is not None and value >= 0)
    enough = len(found) >= FEWEST
    return {
        "n": len(found),
        "min": found[0] / _MILLISECOND if found else None,
        "max": found[-1] / _MILLISECOND if found else None,
        **{f"p{p}": found[-(-p * len(found) // 100) - 1] / _MILLISECOND if enough else None for p in _PERCENTILES},
    }


def _delay(attempts: Sequence[Call]) -> int:
    return max(attempts[-1].timing.start_ns - attempts[0].timing.start_ns, 0)


def _whole_time(attempts: Sequence[Call]) -> int | None:
    """Nanoseconds from the first attempt's start to the last one's end; None if that is not known."""
    end = attempts[-1].timing.end
    return None if end is None else _delay(attempts) + end


def time_to_first_content(call: Call) -> int | None:
    """Nanoseconds from handing the request to the upstream to the first content; None unless it was streamed."""
    timing = call.timing
    if not call.request.streamed or timing.first_content is None or timing.upstream_sent is None:
        return None
    return timing.first_content - timing.upstream_sent


def _rate(call: Call) -> tuple[int, int] | None:
    """Output tokens and the nanoseconds in which they came; None where one of them is not known."""
    first, last, used = call.timing.first_content, call.timing.last_byte, read_usage(call)
    if not call.request.streamed or first is None or last is None or last <= first:
        return None
    return None if used.standing != "told" or used.output is None else (used.output, last - first)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
