"""A run as the rules look at it: what several of them need, worked out once, and what of it nobody can know."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .._record import RunRecord
from ..transcript import Turn
from ._changed_files import ChangedFile, changed_files
from ._tool_calls import AskedCall, asked_calls, turns_in_time

__all__ = ["Observed", "calls_unseen", "changes_unseen", "lines_unseen"]


@dataclass(frozen=True)
class Observed:
    """A record, and what the rules look at in it."""

    record: RunRecord

    @cached_property
    def files(self) -> tuple[ChangedFile, ...]:
        """Changed files, in the order of the diff; empty if no changes are known."""
        return tuple(changed_files(self.record))

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The turns in the order in which their calls began."""
        return tuple(turns_in_time(self.record))

    @cached_property
    def calls(self) -> tuple[AskedCall, ...]:
        """All tool calls of the answers, in the order of time."""
        return tuple(asked_calls(self.turns))


def changes_unseen(run: Observed) -> str | None:
    """Why not all changes are known; None if they are."""
    changes = run.record.changes
    if changes is None:
        return run.record.reasons.get("changes", "no snapshots of the workdir were taken")
    if changes.unseen:
        return f"{len(changes.unseen)} paths could not be seen, {min(changes.unseen)} is one"
    return None


def lines_unseen(chosen: Callable[[ChangedFile], bool]) -> Callable[[Observed], str | None]:
    """Says why the lines of the files that a rule looks at are not all known; None if they are."""

    def blind(run: Observed) -> str | None:
        unknown = [file for file in run.files if chosen(file) and file.change.note is not None]
        if unknown and changes_unseen(run) is None:
            first = min(unknown, key=lambda file: file.path)
            return f"the lines of {len(unknown)} changed files are not known, of {first.path}: {first.change.note}"
        return changes_unseen(run)

    return blind


def calls_unseen(run: Observed) -> str | None:
    """Why not all answers are known, but for those that were asked for again; None if they are."""
    transcript = run.record.transcript
    if not transcript:
        return run.record.reasons.get("transcript", "no call was recorded")
    unknown = [turn for turn in transcript if turn.answers is None and not turn.repeated]
    if unknown:
        first = min(unknown, key=lambda turn: turn.call.span_id)
        return f"{len(unknown)} of {len(transcript)} answers cannot be read: {first.unreadable}"
    return None
