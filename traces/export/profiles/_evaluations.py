"""Scores as a backend's own API wants them: no backend that was tried makes a score of a span or an event."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ... import _names as names
from .._edit import Span, attributes_of, each_span
from .._profile import TracesData

__all__ = ["Evaluation", "evaluations"]

_NAME: Final = "gen_ai.evaluation.name"
_OWN: Final = "tachograph.score."
_TOO_LONG: Final = "details"
"""Stands in the span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One score of a run."""

    trace_id: str
    span_id: str
    """The run's own span, 16 hex digits: scores of several runs are compared at the same place of each."""
    name: str
    value: float | None
    """None: there is none, and `explanation` says why."""
    label: str | None
    explanation: str | None
    error_type: str | None
    """What kept the axis from being scored; None if nothing did."""
    at_ns: int
    """Unix time, nanoseconds."""
    scorer: str
    """What made it, such as `tachograph:tokens/told@1`."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Unit, bound, source and others, and the spans that the score is about."""

    @property
    def id(self) -> str:
        """The same for the same axis of the same run by the same scorer, so that a newer value takes an older one's place."""
        said = f"{self.trace_id}\n{self.span_id}\n{self.name}\n{self.scorer}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]


def evaluations(lines: Iterable[TracesData]) -> list[Evaluation]:
    """The scores in lines of a journal, the last of each id."""
    found = [_evaluation(span) for line in lines for span in each_span(line) if _is_score(span)]
    return list({evaluation.id: evaluation for evaluation in found}.values())


def _is_score(span: Span) -> bool:
    told = attributes_of(span)
    return told.get(names.SPAN_KIND) == names.SCORE and _NAME in told


def _evaluation(span: Span) -> Evaluation:
    told = attributes_of(span)
    own = {name.removeprefix(_OWN): value for name, value in told.items() if name.startswith(_OWN)}
    scored = [link["spanId"] for link in span.get("links") or ()]
    scorer = f"tachograph:{own.get('formula', told[_NAME])}@{own.get('version', 0)}"
    return Evaluation(
        trace_id=span["traceId"],
        span_id=span.get("parentSpanId") or span["spanId"],
        name=str(told[_NAME]),
        value=told.get("gen_ai.evaluation.score.value"),
        label=told.get("gen_ai.evaluation.score.label"),
        explanation=told.get("gen_ai.evaluation.explanation"),
        error_type=told.get(names.ERROR_TYPE),
        at_ns=int(span.get("endTimeUnixNano") or 0),
        scorer=scorer,
        metadata={
            **{
                name: list(value) if isinstance(value, tuple) else value
                for name, value in own.items()
                if name != _TOO_LONG
            },
            **({"scored_spans": scored} if scored else {}),
        },
    )
