"""Langfuse: reads GenAI attributes, and some of its own where the conventions have none.

By what its ingestion reads (`packages/shared/src/server/otel/`, 2026-08): it cannot be run without its databases. It adds up
all of `gen_ai.usage.*` that it does not know, so that nothing may stand there twice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from ... import _names as names
from .._edit import Span
from .._profile import FurtherRequest, Profile, TracesData
from .._unended import left_open, with_unended
from ._evaluations import Evaluation, evaluations
from ._moments import Rewriting

__all__ = ["LANGFUSE"]

_NANOSECONDS: Final = 1_000_000_000
_COST: Final = "tachograph.cost.usd"
_MODEL: Final = "tachograph.model"
_CELL: Final = "tachograph.cell.id"
_TAGS: Final = {
    "agent": "tachograph.agent.name",
    "model": _MODEL,
    "task": names.TASK_ID,
    "sweep": "tachograph.sweep.id",
}
"""By word: the attribute of the run that makes the tag `WORD:VALUE`."""


def _changes(span: Span, attributes: dict[str, Any]) -> dict[str, Any]:
    change = _BY_KIND.get(str(attributes.get(names.SPAN_KIND)))
    return {"gen_ai.usage.cache_write.input_tokens": None, **(change(span, attributes) if change else {})}


def _of_run(_span: Span, attributes: dict[str, Any]) -> dict[str, Any]:
    tags = [f"{word}:{attributes[name]}" for word, name in _TAGS.items() if attributes.get(name)]
    return {
        "langfuse.trace.name": attributes.get(_CELL) or attributes.get(names.TASK_ID) or attributes.get(names.RUN_ID),
        "langfuse.trace.tags": tags or None,
    }


def _of_call(span: Span, attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        "langfuse.observation.completion_start_time": _completion_start(span, attributes),
        "gen_ai.usage.cost": attributes.get(_COST),
    }


_BY_KIND: Final = {names.RUN: _of_run, names.CALL: _of_call}


def _completion_start(span: Span, attributes: dict[str, Any]) -> str | None:
    """When the first content of a streamed answer came; None if none did."""
    first = attributes.get(names.AT_FIRST_CONTENT, attributes.get(names.AT_FIRST_BYTE_IN))
    if first is None or not attributes.get(names.REQUEST_STREAM):
        return None
    at = datetime.fromtimestamp((int(span["startTimeUnixNano"]) + first) / _NANOSECONDS, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _scores(sent: Sequence[TracesData]) -> list[FurtherRequest]:
    return [
        FurtherRequest(path="/api/public/scores", body=orjson.dumps(_score(evaluation)))
        for evaluation in evaluations(sent)
    ]


def _score(evaluation: Evaluation) -> dict[str, Any]:
    """A score must have a value: one that has none is categorical, its label the value, so that no number is made up."""
    value: dict[str, Any] = (
        {"value": evaluation.value, "dataType": "NUMERIC"}
        if evaluation.value is not None
        else {"value": evaluation.error_type or evaluation.label or "missing", "dataType": "CATEGORICAL"}
    )
    return {
        # It takes the place of an earlier one with the same id.
        "id": evaluation.id,
        "traceId": evaluation.trace_id,
        "observationId": evaluation.span_id,
        "name": evaluation.name,
        **value,
        **({"comment": evaluation.explanation} if evaluation.explanation else {}),
        "metadata": {**evaluation.metadata, "scorer": evaluation.scorer},
    }


LANGFUSE: Final = Profile(
    name="langfuse",
    rewrite=Rewriting(_changes),
    enrich=with_unended,
    left_open=left_open,
    further=_scores,
    protocols=("http/protobuf", "http/json"),
    headers={"x-langfuse-ingestion-version": "4"},
    path="/api/public/otel/v1/traces",
)
"""First token, cost, the trace's name and tags under names of its own; scores by its API."""
