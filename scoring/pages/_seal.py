"""Whether a run is whole, for its page."""

from typing import Any, Final

from ...traces import Verification

__all__ = ["seal_of"]


_UNKNOWN: Final = {"lines": 0, "calls": 0, "finished_calls": 0, "bodies": 0, "head": None}


def seal_of(found: Verification | None) -> dict[str, Any]:
    """What `tachograph verify` says; None: only spans of the run are here, and no journal."""
    if found is None:
        notes = ["only the spans of the run are here: whether it is whole cannot be told"]
        return {"state": "open", "problems": [], "notes": notes, **_UNKNOWN}
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
