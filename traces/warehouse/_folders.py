"""Runs in the folders in which they were recorded."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .._errors import StoreError
from .._reader import JOURNAL_NAME, journal_path, read_announcement, read_run
from .._run import Run
from .._store import RunStore
from ._source import RunHead, head_attributes

__all__ = ["RunFolders"]


@dataclass(frozen=True, slots=True)
class RunFolders:
    """One run's folder, or a folder of many."""

    folder: Path

    def heads(self) -> Iterator[RunHead]:
        """As `RunSource`. The place is the run's folder."""
        alone = (self.folder / JOURNAL_NAME).is_file()
        for folder in [self.folder] if alone else RunStore(self.folder).run_folders():
            announced = None
            with suppress(OSError, StoreError):
                announced = read_announcement(journal_path(folder))
            yield RunHead(run_id=folder.name, attributes=head_attributes(announced) if announced else {}, place=folder)

    def read(self, heads: Iterable[RunHead]) -> Iterator[Run]:
        """As `RunSource`."""
        for head in heads:
            yield read_run(head.place)

    def __iter__(self) -> Iterator[Run]:
        """All runs."""
        yield from self.read(self.heads())
