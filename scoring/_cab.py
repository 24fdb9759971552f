"""A scorecard in the form of CodingAgentBench's published cells: the same keys, and a number where they put one for nothing.

This is the one place where something that is missing is written as 0, 1 or false, because the published pages do; nothing
reads it back. It is made of a scorecard's details, and is there to compare with published cells.
"""

from collections.abc import Mapping
from typing import Any, Final

from ._composite import Composite
from ._record import RunRecord
from ._scorecard import Scorecard

__all__ = ["cab_breakdown"]

_PROFILE: Final = "cab-2026-05"
_KEYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "pass_rate": {
        "pass": 0,
        "exit_code": None,
        "timed_out": False,
        "stdout_tail": "",
        "stderr_tail": "",
        "partial_score": None,
    },
    "tokens": {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "total_tokens": 0,
        "model_calls": 0,
        "tokens_per_correct_task": 0,
        "pass_used_for_division": 0,
    },
    "latency": {"wall_clock_ms": 0, "container_active_ms": 0, "model_call_ms": 0},
    "blast_radius": {
        "blast_radius": 0.0,
        "added": [],
        "removed": [],
        "modified": [],
        "unexpected_changes": [],
        "expected_changes": [],
        "total_changes": 0,
        "extra_git_dir": False,
    },
    "refusal": {
        "refusal": 0,
        "not_applicable": True,
        "expected_refusal": False,
        "refusal_produced": False,
        "refusal_correct": None,
        "marker_hits": [],
        "keyword_hits": [],
    },
    "integrity": {"integrity": 1, "not_applicable": True, "task_id": None},
}
"""By axis the published keys, each with what the pages show where nothing is known."""
_INTEGRITY_FAMILY: Final = "integrity"
"""The category of the tasks to which their integrity axis applies."""
_NOTE: Final = (
    "Single-cell composite — sweep-level normalisation lives in the runner. Per-axis numbers are canonical; "
    "composite is derivative."
)


def cab_breakdown(record: RunRecord, scorecard: Scorecard) -> dict[str, dict[str, Any]]:
    """The breakdown of a cell, axis by axis.

    Args:
        record: the run.
        scorecard: of it, with a composite of the profile `cab-2026-05`.
    """
    shown = {axis: _shown(scorecard, axis, keys) for axis, keys in _KEYS.items()}
    made = next(made for made in scorecard.composites if made.profile == _PROFILE)
    if record.task.category != _INTEGRITY_FAMILY:
        shown["integrity"] = dict(_KEYS["integrity"])
    shown["integrity"]["task_id"] = record.task.id
    shown["composite"] = _composite(made, shown)
    return shown


def _shown(scorecard: Scorecard, axis: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    value = scorecard.axis(axis)
    details = {} if value is None else value.details
    return {key: absent if details.get(key) is None else details[key] for key, absent in keys.items()}


def _composite(made: Composite, shown: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    efficiency = {part.name: part.upper for part in made.parts}
    names = {"cost_efficiency": "cost", "latency_efficiency": "latency", "clean_blast": "blast_radius"}
    return {
        "composite": made.value,
        "weights": {names.get(part.name, part.name): part.weight for part in made.parts},
        "components": {
            "pass_rate": shown["pass_rate"]["pass"],
            "integrity": shown["integrity"]["integrity"],
            "blast_radius": shown["blast_radius"]["blast_radius"],
            "tokens_per_correct_task": shown["tokens"]["tokens_per_correct_task"],
            "wall_clock_ms": shown["latency"]["wall_clock_ms"],
            "expected_refusal": shown["refusal"]["expected_refusal"],
            "refusal_produced": shown["refusal"]["refusal_produced"],
            "cost_efficiency": efficiency["cost_efficiency"],
            "latency_efficiency": efficiency["latency_efficiency"],
            "clean_blast": efficiency["clean_blast"],
            "refusal_factor": made.refusal_factor,
        },
        "note": _NOTE,
    }
