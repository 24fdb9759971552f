"""The snapshots of a run: the workdir, the agent's HOME and its temporary folder before and after it, and the check's place."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..scoring import SNAPSHOT_NAMES
from ..scoring.workdir import Limits, Snapshot, snapshot, write_snapshot
from ..traces import Redactor

__all__ = ["Snapshots"]

_HASHES_ONLY: Final = Limits(kept_of_a_file=0, kept_in_all=0)
"""For HOME and temporary folder: the agent's configuration lies there, and the run key in it."""
_WHOLE: Final = Limits()


class Snapshots:
    """Looks at a folder before and after something, and leaves what it saw in the run's folder."""

    def __init__(self, run: Path, redactor: Redactor) -> None:
        """Take the run's folder, and what masks the secrets in contents."""
        self._run = run
        self._redactor = redactor
        self._before: dict[str, Snapshot] = {}

    async def before(self, folders: Mapping[str, Path]) -> None:
        """Look at folders for the first time.

        Args:
            folders: by the field of `RunRecord` that is made of them, a key of `SNAPSHOT_NAMES`.

        Raises:
            StoreError: what was seen cannot be written.
        """
        for field, folder in folders.items():
            self._before[field] = await asyncio.to_thread(self._take, folder, SNAPSHOT_NAMES[field][0], field)

    async def after(self, folders: Mapping[str, Path]) -> None:
        """Look again, as `before`."""
        for field, folder in folders.items():
            await asyncio.to_thread(self._take_again, folder, field, self._before.pop(field))

    def _take(self, folder: Path, name: str, field: str, previous: Snapshot | None = None) -> Snapshot:
        file, limits, mask = self._run / name, _limits(field), self._redactor.mask_in_place
        if folder.is_dir() and not folder.is_symlink():
            return snapshot(folder, previous=previous, file=file, limits=limits, mask=mask)
        # It was removed, or something else was put in its place: nothing is left of what it held.
        with tempfile.TemporaryDirectory() as empty:
            return snapshot(empty, previous=previous, file=file, limits=limits, mask=mask)

    def _take_again(self, folder: Path, field: str, before: Snapshot) -> None:
        """Take the second snapshot, and keep of both the contents that tell what changed: the rest would lie there twice."""
        first, second = SNAPSHOT_NAMES[field]
        after = self._take(folder, second, field, before)
        write_snapshot(before, self._run / first, compared_with=[after])
        write_snapshot(after, self._run / second, compared_with=[before])


def _limits(field: str) -> Limits:
    return _WHOLE if field in ("changes", "check_changes") else _HASHES_ONLY
