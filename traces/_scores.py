"""Scores as spans of the run's own trace: appended at any time, a sealed run stays sealed, and repeating adds nothing.

The form is that of the GenAI conventions' event `gen_ai.evaluation.result`, repeated as attributes: no backend that was tried
looks into events.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from . import _names as names
from ._errors import StoreError
from ._journal import Journal
from ._otlp import SpanRecord, encode_span
from ._reader import JOURNAL_NAME, journal_path, spans_containing
from ._tracing import make_envelope, root_span_id_of, trace_id_of

__all__ = ["Score", "append_scores", "latest_scores"]

_EVENT: Final = "gen_ai.evaluation.result"
_NAME: Final = "gen_ai.evaluation.name"
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One axis's value, as it goes into the trace."""

    axis: str
    value: float | None
    """None: there is none, and `explanation` says why."""
    label: str | None = None
    """A word of a small set, such as `measured` or `missing`."""
    explanation: str | None = None
    error_type: str | None = None
    """What kept the axis from being scored; None if nothing did."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """More, under `tachograph.score.`."""
    scored: tuple[str, ...] = ()
    """Ids of the spans that it is about, 16 hex digits each; the run's own if none is given."""


def append_scores(folder: Path, run_id: str, at_ns: int, scores: Iterable[Score]) -> int:
    """Write scores into a run's journal, but for those that stand there already.

    Args:
        folder: the run's.
        run_id: the run, from which the trace's id and the spans' ids are made.
        at_ns: Unix time that the spans carry, nanoseconds: of the run's end, so that the same scores make the same spans.
        scores: of the run.

    Returns:
        How many were new.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read or written.
    """
    spans = {span.context.span_id: span for score in scores if (span := _span(score, run_id, at_ns)).context}
    written = spans_containing(journal_path(folder), _NAME.encode())
    present = {int(span.span_id, 16) for span in written if _is_score(span)}
    missing = [span for span_id, span in spans.items() if span_id not in present]
    if not missing:
        return 0
    try:
        journal = Journal(folder / JOURNAL_NAME, make_envelope())
    except OSError as error:
        raise StoreError(f"{folder}: scores cannot be written: {error.strerror}") from error
    try:
        for span in missing:
            journal.append(encode_span(span))
    finally:
        journal.close()
    return len(missing)


def latest_scores(spans: Iterable[SpanRecord]) -> dict[str, SpanRecord]:
    """The last score span of each axis: a newer scorer's value takes an older one's place."""
    return {str(span.attributes[_NAME]): span for span in spans if _is_score(span)}


def _is_score(span: SpanRecord) -> bool:
    return span.attributes.get(names.SPAN_KIND) == names.SCORE and _NAME in span.attributes


def _span(score: Score, run_id: str, at_ns: int) -> ReadableSpan:
    result = {
        _NAME: score.axis,
        "gen_ai.evaluation.score.value": score.value,
        "gen_ai.evaluation.score.label": score.label,
        "gen_ai.evaluation.explanation": score.explanation,
        names.ERROR_TYPE: score.error_type,
    }
    told = {name: value for name, value in result.items() if value is not None}
    attributes = {
        **told,
        **{f"tachograph.score.{name}": value for name, value in score.attributes.items() if value is not None},
        names.OPERATION: "evaluation",
        names.OPENINFERENCE_KIND: "EVALUATOR",
        names.SPAN_KIND: names.SCORE,
        names.RUN_ID: run_id,
        names.SESSION_ID: run_id,
    }
    trace, root = trace_id_of(run_id), root_span_id_of(run_id)
    said = orjson.dumps([attributes, at_ns, score.scored], option=orjson.OPT_SORT_KEYS)
    span_id = int.from_bytes(hashlib.sha256(said).digest()[:_ID_BYTES])
    return ReadableSpan(
        name=f"score {score.axis}",
        context=_context(trace, span_id),
        parent=_context(trace, root),
        # The envelope has the journal's own; the SDK's default would be made anew here, by threads.
        resource=Resource.get_empty(),
        attributes=attributes,
        events=(Event(_EVENT, told, at_ns),),
        links=tuple(Link(_context(trace, int(scored, 16))) for scored in score.scored),
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR, score.explanation) if score.error_type else Status(),
        start_time=at_ns,
        end_time=at_ns,
    )


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
