"""The snapshots of a run: the workdir, the agent's HOME and its temporary folder before and after it, and the check's place."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..scoring import SNAPSHOT_NAMES
from ..scoring.workdir import Limits, Snapshot, snapshot, write_snapshot

__all__ = ["Snapshots"]

_HASHES_ONLY: Final = Limits(kept_of_a_file=0, kept_in_all=0)
"""For HOME and temporary folder: the agent's configuration lies there, and the run key in it."""
_WHOLE: Final = Limits()


class Snapshots:
    """Looks at a folder before and after something, and leaves what it saw in the run's folder."""

    def __init__(self, run: Path) -> None:
        """Take the run's folder."""
        self._run = run
        self._before: dict[str, Snapshot] = {}

    async def before(self, folders: Mapping[str, Path]) -> None:
        """Look at folders for the first time.

        Args:
            folders: by the field of `RunRecord` that is made of them, a key of `SNAPSHOT_NAMES`.

        Raises:
            StoreError: what was seen cannot be written.
        """
        for field, folder in folders.items():
            self._before[field] = await asyncio.to_thread(_take, folder, self._run / SNAPSHOT_NAMES[field][0], field)

    async def after(self, folders: Mapping[str, Path]) -> None:
        """Look again, as `before`."""
        for field, folder in folders.items():
            await asyncio.to_thread(_take_again, folder, self._run, field, self._before.pop(field))


def _take(folder: Path, file: Path, field: str, previous: Snapshot | None = None) -> Snapshot:
    if folder.is_dir() and not folder.is_symlink():
        return snapshot(folder, previous=previous, file=file, limits=_limits(field))
    # It was removed, or something else was put in its place: nothing is left of what it held.
    with tempfile.TemporaryDirectory() as empty:
        return snapshot(empty, previous=previous, file=file, limits=_limits(field))


def _take_again(folder: Path, run: Path, field: str, before: Snapshot) -> None:
    """Take the second snapshot, and keep of both the contents that tell what changed: the rest would lie there twice."""
    first, second = (run / name for name in SNAPSHOT_NAMES[field])
    after = _take(folder, second, field, before)
    write_snapshot(before, first, compared_with=[after])
    write_snapshot(after, second, compared_with=[before])


def _limits(field: str) -> Limits:
    return _WHOLE if field in ("changes", "check_changes") else _HASHES_ONLY
