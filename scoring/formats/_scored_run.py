"""What is written of a scored run, and how one is told from another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from .._axis_value import AxisValue
from .._outcome import Outcome

__all__ = ["ScoredRun", "in_order", "name_of", "setting_of"]

_UNKNOWN: Final = "unknown"


class ScoredRun(Protocol):
    """As much of a scorecard as is needed here."""

    @property
    def run_id(self) -> str: ...
    @property
    def identity(self) -> Mapping[str, Any]:
        """`task`, `agent`, `model`, `attempt` and others; None, or not there, if not known."""
        ...

    @property
    def start_ns(self) -> int:
        """Unix time, nanoseconds."""
        ...

    @property
    def end_ns(self) -> int | None: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def axes(self) -> Sequence[AxisValue]: ...


def setting_of(run: ScoredRun) -> str:
    """Who was tried: `AGENT/MODEL`."""
    return "/".join(str(run.identity.get(name) or _UNKNOWN) for name in ("agent", "model"))


def name_of(run: ScoredRun) -> str:
    """At what: `TASK#runN`, the same when the sweep is run again; the run's id if the task is not known."""
    task, attempt = run.identity.get("task"), run.identity.get("attempt")
    if task is None:
        return run.run_id
    return str(task) if attempt is None else f"{task}#run{attempt}"


def in_order(runs: Iterable[ScoredRun]) -> list[ScoredRun]:
    """By setting, task and attempt: whatever the order in which they are given."""

    def key(run: ScoredRun) -> tuple[str, str, int, str]:
        attempt = run.identity.get("attempt")
        return (setting_of(run), str(run.identity.get("task")), attempt if isinstance(attempt, int) else 0, run.run_id)

    return sorted(runs, key=key)
