"""Where the time of a run went, and its tokens by class: what the axes measured, in a page's words."""

from collections.abc import Mapping
from typing import Any, Final

from .._scorecard import Scorecard
from ._moments import Moments

__all__ = ["time_shares", "token_classes"]

_SHARES: Final[Mapping[str, str]] = {
    "setup": "Before the agent",
    "model": "The model",
    "model_and_tool": "Model and tools at once",
    "tool": "Tools",
    "agent_other": "The agent itself",
    "check": "The check",
    "unattributed": "Not accounted for",
}
"""By their name in the latency axis's `parts_ns`."""
_NOTES: Final[Mapping[str, str]] = {
    "agent_other": "neither a call nor a tool that a span tells of was under way",
    "unattributed": "no span tells what happened then",
}
_UNTOLD: Final[Mapping[str, str]] = {
    "setup": "no span says when the agent started",
    "tool": "no span tells of tools: their time is the agent's own",
    "model_and_tool": "no span tells of tools",
    "check": "no check was recorded",
}
"""Why a share is none by itself."""
_CLASSES: Final[Mapping[str, str]] = {
    "input_uncached": "Input, not from a cache",
    "cache_read": "Input, read from a cache",
    "cache_write": "Input, written to a cache",
    "input_undivided": "Input, of which nothing was told of caches",
    "output": "Output, with reasoning",
}
"""By their name in the tokens axis's `classes`."""


def time_shares(scorecard: Scorecard, moments: Moments) -> list[dict[str, Any]]:
    """The shares of the run's wall, which add up to it; what was not told apart is part of another one."""
    axis = scorecard.axis("latency")
    details = {} if axis is None else axis.details
    parts: Mapping[str, int | None] | None = details.get("parts_ns")
    if parts is None:
        why = "latency was not scored" if axis is None else axis.reason
        return [_share("unattributed", moments.wall_ms, why)]
    told = [(name, parts.get(name)) for name in _SHARES]
    return [
        _share(name, None, _UNTOLD.get(name)) if part is None else _share(name, part / 1e6, _NOTES.get(name))
        for name, part in told
    ]


def _share(name: str, ms: float | None, note: str | None) -> dict[str, Any]:
    return {"name": name, "label": _SHARES[name], "ms": ms, "note": note}


def token_classes(scorecard: Scorecard) -> list[dict[str, Any]]:
    """The classes of tokens, in the order of a bar; empty if the axis tells none."""
    axis = scorecard.axis("tokens")
    counts = {} if axis is None else axis.details.get("classes", {})
    return [{"name": name, "label": label, "count": counts.get(name)} for name, label in _CLASSES.items() if counts]
