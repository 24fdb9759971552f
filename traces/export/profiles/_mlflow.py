"""MLflow: reads GenAI attributes, and takes the session from the root's `session.id`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from .._edit import Span
from .._profile import FurtherRequest, Profile, TracesData
from .._unended import left_open, with_unended
from ._evaluations import Evaluation, evaluations
from ._moments import Rewriting

__all__ = ["MLFLOW"]

_NANOSECONDS: Final = 1_000_000_000


def _nothing(_span: Span, _attributes: dict[str, Any]) -> dict[str, Any]:
    return {}


def _assessments(sent: Sequence[TracesData]) -> list[FurtherRequest]:
    return [request for evaluation in evaluations(sent) for request in _assessment(evaluation)]


def _assessment(evaluation: Evaluation) -> Iterator[FurtherRequest]:
    """Taken away and made again: it has no upsert, and taking away what is not there is no error."""
    trace, own_id = f"tr-{evaluation.trace_id}", f"a-{evaluation.id}"
    path = f"/api/3.0/mlflow/traces/{trace}/assessments"
    at = datetime.fromtimestamp(evaluation.at_ns / _NANOSECONDS, UTC).isoformat().replace("+00:00", "Z")
    assessment = {
        "assessment_id": own_id,
        "assessment_name": evaluation.name,
        "trace_id": trace,
        "span_id": evaluation.span_id,
        "source": {"source_type": "CODE", "source_id": evaluation.scorer},
        "create_time": at,
        "last_update_time": at,
        "valid": True,
        "feedback": _feedback(evaluation),
        "metadata": {name: _text(value) for name, value in evaluation.metadata.items()}
        | ({"label": evaluation.label} if evaluation.label else {}),
        **({"rationale": evaluation.explanation} if evaluation.explanation else {}),
    }
    yield FurtherRequest(method="DELETE", path=f"{path}/{own_id}", body=b"{}")
    yield FurtherRequest(path=path, body=orjson.dumps({"assessment": assessment}))


def _feedback(evaluation: Evaluation) -> dict[str, Any]:
    """A value, or why there is none: MLflow has errors for that."""
    if evaluation.value is not None:
        return {"value": evaluation.value}
    code = evaluation.error_type or evaluation.label or "missing"
    return {"error": {"error_code": code, "error_message": evaluation.explanation or "it has no value"}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


MLFLOW: Final = Profile(
    name="mlflow",
    rewrite=Rewriting(_nothing),
    enrich=with_unended,
    left_open=left_open,
    further=_assessments,
    protocols=("http/protobuf", "http/json"),
    headers={"x-mlflow-experiment-id": "0"},
)
"""Spans as they are; scores as feedback on the run's span. The experiment is MLflow's default unless a header names another."""
