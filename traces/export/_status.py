"""What is sent and what is left, for each destination of a store, read from the disk."""

import fcntl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._reader import JOURNAL_NAME
from ._checkpoint import Checkpoint, read_checkpoint
from ._dead_letters import DeadLetters
from ._state import journal_key, read_json, states_of

__all__ = ["DestinationStatus", "read_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationStatus:
    """How far one destination is."""

    url: str
    """Without a query."""
    protocol: str
    profile: str
    running: bool
    """A forwarder is at work."""
    runs: int
    """With a checkpoint."""
    spans: int
    """Accepted, those of deleted runs among them."""
    rejected_spans: int
    """Of those, rejected in partial successes."""
    rejected_message: str | None
    """What was said of them last; None: nothing."""
    dead_letters: int
    """Refused for good, and not sent again yet."""
    unread_lines: int
    """Passed over in journals, since they are no JSON."""
    runs_left: int
    """Of the store, whose journals hold more than was sent."""
    bytes_left: int
    """Of those journals."""
    last_success_unix_ns: int | None
    """None: there was none."""
    failing: str | None
    """What goes wrong since then; None: nothing."""


def read_status(store: Path) -> list[DestinationStatus]:
    """The destinations that runs of a store were ever sent to.

    Raises:
        StoreError: a checkpoint cannot be read.
    """
    sizes = {journal_key(store, path): path.stat().st_size for path in sorted(store.glob(f"[!.]*/{JOURNAL_NAME}"))}
    return [_status(folder, sizes) for folder in states_of(store)]


def _status(folder: Path, sizes: dict[str, int]) -> DestinationStatus:
    found = [found for path in (folder / "checkpoints").glob("*.json") if (found := read_checkpoint(path))]
    known = [checkpoint for checkpoint in found if checkpoint.journal.endswith(JOURNAL_NAME)]
    offsets = {checkpoint.journal: checkpoint.offset for checkpoint in known}
    left = [size - offsets.get(journal, 0) for journal, size in sizes.items()]
    said: dict[str, Any] = read_json(folder / "status.json")
    destination = read_json(folder / "destination.json")
    return DestinationStatus(
        url=destination.get("url", ""),
        protocol=destination.get("protocol", ""),
        profile=destination.get("profile", ""),
        running=_is_locked(folder / "lock"),
        runs=len(known),
        spans=sum(checkpoint.spans for checkpoint in found),
        rejected_spans=sum(checkpoint.rejected_spans for checkpoint in found),
        rejected_message=_last_message(found),
        dead_letters=DeadLetters(folder).count(),
        unread_lines=sum(checkpoint.unread_lines for checkpoint in found),
        runs_left=sum(1 for bytes_left in left if bytes_left > 0),
        bytes_left=sum(bytes_left for bytes_left in left if bytes_left > 0),
        last_success_unix_ns=said.get("last_success_unix_ns"),
        failing=said.get("failing"),
    )


def _last_message(checkpoints: list[Checkpoint]) -> str | None:
    return next((checkpoint.rejected_message for checkpoint in checkpoints if checkpoint.rejected_message), None)


def _is_locked(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
