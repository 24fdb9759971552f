"""Scoring a run where it lies: read, score, and leave the scorecard and the spans beside the record."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from ..traces import Score, StoreError, append_scores, is_live
from ._axis_value import AxisValue
from ._composite import Composite
from ._json import encode_json
from ._load import foreign_record, load_record
from ._profile import Profile
from ._record import Axis
from ._scorecard import Scorecard, score

__all__ = ["SCORECARD_NAME", "score_folder", "trace_scores", "write_scorecard"]

SCORECARD_NAME: Final = "scorecard.json"
"""The scorecard's file in its run's folder."""
_LABELS: Final = {True: "pass", False: "fail"}


def score_folder(
    folder: Path, axes: Mapping[str, Axis], profiles: Iterable[Profile], *, keep: bool = True
) -> Scorecard:
    """Score the run in a folder, or in an OTLP/JSON file of another tool's, beside which nothing is left.

    Args:
        folder: the run's, or the file.
        axes: by name.
        profiles: for each a composite is made.
        keep: leave `scorecard.json` in the folder and the scores in the trace. A run that goes on is left alone.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read, or the scorecard cannot be written.
    """
    if folder.is_file():
        return score(foreign_record(folder), axes, profiles)
    scorecard = score(load_record(folder), axes, profiles)
    if keep and not is_live(folder):
        write_scorecard(folder, scorecard)
        append_scores(folder, scorecard.run_id, scorecard.end_ns or scorecard.start_ns, trace_scores(scorecard))
    return scorecard


def write_scorecard(folder: Path, scorecard: Scorecard) -> None:
    """Write a scorecard into its run's folder, whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    path = folder / SCORECARD_NAME
    data = scorecard.encode()
    unfinished = path.with_name(f".{SCORECARD_NAME}.{os.getpid()}")
    try:
        if path.exists() and path.read_bytes() == data:
            return
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def trace_scores(scorecard: Scorecard) -> list[Score]:
    """A scorecard's values as they go into the trace."""
    return [
        *(_axis_score(value) for value in scorecard.axes),
        *(_composite_score(made) for made in scorecard.composites),
    ]


def _axis_score(value: AxisValue) -> Score:
    return Score(
        axis=value.axis,
        value=value.value,
        label=_LABELS[value.value >= 1] if value.axis == "pass_rate" and value.value is not None else value.status,
        explanation=value.reason,
        error_type="scorer_error" if value.status == "error" else None,
        attributes={
            "status": value.status,
            "bound": value.bound,
            "unit": value.unit,
            "source": value.source,
            "n": value.n,
            "formula": value.formula,
            "version": value.version,
            "flags": value.flags,
            "details": encode_json(value.details).decode(),
        },
        scored=tuple(evidence.reference for evidence in value.evidence if evidence.kind in ("call", "span")),
    )


def _composite_score(made: Composite) -> Score:
    return Score(
        axis=f"composite {made.profile}",
        value=made.value,
        label="measured" if made.value is not None else "missing" if made.lower is None else "partial",
        explanation=made.reason,
        attributes={
            "unit": "1",
            "ci_low": made.lower,
            "ci_high": made.upper,
            "coverage": made.coverage,
            "formula": made.profile,
            "version": made.version,
        },
    )
