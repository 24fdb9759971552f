"""Arize Phoenix: reads GenAI attributes since 15.10, and some of OpenInference's where it does not.

It takes protobuf over HTTP alone, and keeps the first of two spans with one id.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from ... import _names as names
from .._edit import Span
from .._profile import FurtherRequest, Profile, TracesData
from .._unended import left_open, with_unended
from ._evaluations import Evaluation, evaluations
from ._moments import Rewriting

__all__ = ["PHOENIX"]

_OWN: Final = "tachograph."
_NOT_METADATA: Final = frozenset(
    {
        names.REQUEST_HEAD,
        names.RESPONSE_HEAD,
        names.JOURNAL_LINE,
        names.JOURNAL_CALLS,
        names.JOURNAL_PREVIOUS,
        names.JOURNAL_CHECK,
        "tachograph.score.details",
    }
)


def _changes(_span: Span, attributes: dict[str, Any]) -> dict[str, Any]:
    own = {
        name.removeprefix(_OWN): value
        for name, value in attributes.items()
        if name.startswith(_OWN) and name not in _NOT_METADATA
    }
    return {
        "llm.token_count.completion_details.reasoning": attributes.get(names.REASONING_TOKENS),
        "metadata": orjson.dumps(own, default=str).decode() if own else None,
    }


def _annotations(sent: Sequence[TracesData]) -> list[FurtherRequest]:
    found = [_annotation(evaluation) for evaluation in evaluations(sent)]
    # Without `sync` it keeps what comes before its span until that is there: it takes spans in before they are on its disk.
    return [FurtherRequest(path="/v1/span_annotations", body=orjson.dumps({"data": found}))] if found else []


def _annotation(evaluation: Evaluation) -> dict[str, Any]:
    result = {"score": evaluation.value, "label": evaluation.label, "explanation": evaluation.explanation}
    return {
        "span_id": evaluation.span_id,
        "name": evaluation.name,
        "annotator_kind": "CODE",
        "identifier": evaluation.scorer,
        "result": {name: value for name, value in result.items() if value is not None},
        "metadata": dict(evaluation.metadata),
    }


PHOENIX: Final = Profile(
    name="phoenix",
    rewrite=Rewriting(_changes),
    enrich=with_unended,
    left_open=left_open,
    further=_annotations,
    protocols=("http/protobuf",),
)
"""Reasoning tokens and metadata under OpenInference's names; scores as annotations of the run's span."""
