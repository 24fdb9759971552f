"""Whether a run is whole, for its page."""

from typing import Any

from ...traces import Verification

__all__ = ["seal_of"]


def seal_of(found: Verification) -> dict[str, Any]:
    """What `tachograph verify` says."""
    survey = found.survey
    return {
        "state": found.state,
        "problems": list(found.problems),
        "notes": list(found.notes),
        "lines": survey.lines,
        "calls": survey.calls,
        "finished_calls": survey.finished_calls,
        "bodies": len(survey.body_hashes),
        "head": survey.seal.head if survey.seal else None,
    }
