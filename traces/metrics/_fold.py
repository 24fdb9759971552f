"""Spans in, numbers out: what the calls of all runs come to, sans I/O."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from .. import _names as names
from .._call import Call, Timing
from .._otlp import SpanRecord
from .._span import call_from_span
from ._numbers import Histogram, Labels, Vocabulary

__all__ = ["MetricsFold"]

_NANOSECONDS: Final = 1_000_000_000
_SECONDS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(160.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0),
)
"""The bounds of the semantic conventions, and up to an hour: a call of a coding agent may take that long."""
_OVERHEAD_SECONDS: Final = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)
_MOST_VALUES: Final = 100
_TOKENS: Final[Mapping[str, str]] = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_creation": "cache_creation_tokens",
    "reasoning": "reasoning_tokens",
}
"""Members of `Usage`, by kind of token."""
_AFTER_THE_END: Final = frozenset({names.SEAL, names.SCORE})
"""Kinds of spans that do not open a run again."""
_NOT_KEPT_ON_PURPOSE: Final = ("--bodies ", "the call was refused")
"""What reasons begin with by which no body was lost."""


@dataclass(slots=True)
class _RunState:
    """What must be known of a run while it is open."""

    open_calls: dict[str, bool] = field(default_factory=dict)
    """Calls announced and not ended, by span id, and whether each is a stream."""
    ended: set[str] = field(default_factory=set)
    """Span ids."""
    tails: set[str] = field(default_factory=set)
    """Span ids of amendments."""


class MetricsFold:
    """Folds the spans of any number of runs, each span counted once whatever the order and however often it comes.

    No number but those of what is open ever goes back. What is not told is not counted, and never as zero.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._models = Vocabulary(_MOST_VALUES)
        self._errors = Vocabulary(_MOST_VALUES)
        self._runs: dict[str, _RunState] = {}
        self.calls: Counter[Labels] = Counter()
        """By API, model, outcome and class of the status, such as `2xx` (`none` without an answer)."""
        self.errors: Counter[Labels] = Counter()
        """By API, model and `error.type`."""
        self.tokens: Counter[Labels] = Counter()
        """By API, model, kind and source."""
        self.without_usage: Counter[Labels] = Counter()
        """Calls that told none, by API and model."""
        self.amendments: Counter[Labels] = Counter()
        """Calls of which more was learnt after their end was counted, by their outcome then."""
        self.request_bytes: Counter[Labels] = Counter()
        """By API and model, as the next."""
        self.response_bytes: Counter[Labels] = Counter()
        self.bodies_lost: int = 0
        """Calls whose bodies could not be kept, though they were to be."""
        self.durations: dict[str, dict[Labels, Histogram]] = {
            "duration": defaultdict(lambda: Histogram(_SECONDS)),
            "time_to_headers": defaultdict(lambda: Histogram(_SECONDS)),
            "time_to_first_chunk": defaultdict(lambda: Histogram(_SECONDS)),
            "time_to_first_token": defaultdict(lambda: Histogram(_SECONDS)),
            "overhead": defaultdict(lambda: Histogram(_OVERHEAD_SECONDS)),
        }
        """In seconds, by what they measure, and by API and model."""

    @property
    def runs_open(self) -> int:
        """Runs that have been seen and not been sealed."""
        return len(self._runs)

    @property
    def calls_open(self) -> int:
        """Calls announced and not ended."""
        return sum(len(run.open_calls) for run in self._runs.values())

    @property
    def streams_open(self) -> int:
        """Those of them that are to be answered by a stream."""
        return sum(sum(run.open_calls.values()) for run in self._runs.values())

    def add(self, run_id: str, span: SpanRecord) -> None:
        """Take one span of a run's journal."""
        kind = span.attributes.get(names.SPAN_KIND)
        if kind in _AFTER_THE_END:
            return
        run = self._runs.setdefault(run_id, _RunState())
        if kind == names.CALL + names.START_SUFFIX:
            if span.parent_id is not None and span.parent_id not in run.ended:
                run.open_calls[span.parent_id] = bool(span.attributes.get(names.REQUEST_STREAM))
        elif kind == names.CALL and span.span_id not in run.ended:
            run.open_calls.pop(span.span_id, None)
            run.ended.add(span.span_id)
            self._count(call_from_span(span))
        elif kind == names.TAIL and span.span_id not in run.tails:
            run.tails.add(span.span_id)
            outcome = span.attributes.get(names.CALL_OUTCOME)
            self.amendments[(outcome if isinstance(outcome, str) else "completed",)] += 1

    def close(self, run_id: str) -> None:
        """Take note that a run is sealed: what it had open was interrupted, and none of its spans will come again."""
        run = self._runs.pop(run_id, None)
        if run is not None and run.open_calls:
            self.calls[("", "", "interrupted", "none")] += len(run.open_calls)

    def _count(self, call: Call) -> None:
        if call.only_carries_calls:
            return
        api, model = call.request.api or "", self._models(call.request.model)
        of, status = (api, model), call.response.status if call.response else None
        self.calls[api, model, call.outcome, f"{status // 100}xx" if status else "none"] += 1
        if call.error_type is not None:
            self.errors[api, model, self._errors(call.error_type)] += 1
        self._count_usage(call, of)
        for counter, size in (
            (self.request_bytes, call.request.bytes),
            (self.response_bytes, call.response.bytes if call.response else None),
        ):
            if size is not None:
                counter[of] += size
        if call.bodies_lost is not None and not call.bodies_lost.startswith(_NOT_KEPT_ON_PURPOSE):
            self.bodies_lost += 1
        for name, nanoseconds in _durations(call.timing).items():
            if nanoseconds is not None:
                self.durations[name][of].add(nanoseconds / _NANOSECONDS)

    def _count_usage(self, call: Call, of: Labels) -> None:
        if call.usage.source == "absent":
            self.without_usage[of] += 1
        for kind, member in _TOKENS.items():
            if (count := getattr(call.usage, member)) is not None:
                self.tokens[(*of, kind, call.usage.source)] += count


def _durations(timing: Timing) -> dict[str, int | None]:
    """Nanoseconds by what they measure; None for what did not happen."""

    def since_sent(stamp: int | None) -> int | None:
        return None if stamp is None or timing.upstream_sent is None else stamp - timing.upstream_sent

    return {
        "duration": timing.end,
        "time_to_headers": since_sent(timing.headers),
        "time_to_first_chunk": since_sent(timing.first_byte_in),
        "time_to_first_token": since_sent(timing.first_content),
        "overhead": timing.overhead,
    }
