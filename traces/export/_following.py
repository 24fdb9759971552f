"""Following a store: new runs are found, known ones go on, and what does not grow is not opened."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

from .._errors import StoreError
from .._reader import JOURNAL_NAME
from ._checkpoint import Checkpoint
from ._delivery import MisaddressedError
from ._forwarder import Forwarder
from ._state import journal_key

__all__ = ["POLL_SECONDS", "StoreFollower", "follow"]

POLL_SECONDS: Final = 0.5
"""Between two looks at a store."""
MENDING_SECONDS: Final = 30.0
"""Between two attempts while the address or the key is wrong: somebody has to see it first."""
_logger = logging.getLogger("tachograph.export")

_Seen: TypeAlias = tuple[int, int, int]
"""Device, inode and size of a journal."""


class StoreFollower:
    """Finds the journals of a store that hold what was not sent."""

    def __init__(self, store: Path, known: Callable[[str], Checkpoint | None]) -> None:
        """Begin.

        Args:
            store: the folder of all runs; it need not exist yet.
            known: the checkpoint of a journal, by its key.
        """
        self._store = store
        self._known = known
        self._seen: dict[str, _Seen] = {}

    def grown(self) -> Iterator[Path]:
        """The journals that grew, were replaced, or are new since they were last given."""
        found: dict[str, _Seen] = {}
        for name, now in self._look():
            found[name] = now
            if self._seen.get(name) == now:
                continue
            path = self._store / name / JOURNAL_NAME
            if name in self._seen or not self._is_sent(path, now):
                yield path
            self._seen[name] = now
        # A run that is deleted is new if it comes back.
        self._seen = found

    def not_sent(self, journal: Path) -> None:
        """Give a journal again, although it may not grow."""
        self._seen.pop(journal.parent.name, None)

    def _look(self) -> Iterator[tuple[str, _Seen]]:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self._store) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                with suppress(OSError):
                    status = os.stat(f"{entry.path}/{JOURNAL_NAME}")  # noqa: PTH116  for a thousand runs twice a second
                    yield entry.name, (status.st_dev, status.st_ino, status.st_size)

    def _is_sent(self, journal: Path, now: _Seen) -> bool:
        """Whether the checkpoint covers all of it, as told without opening it."""
        known = self._known(journal_key(self._store, journal))
        return known is not None and (known.file.device, known.file.inode, known.offset) == now


def follow(forwarder: Forwarder, store: Path, wait: Callable[[float], bool]) -> None:
    """Send what all runs of a store hold, and what comes, until told to stop; then what is there at that moment.

    Args:
        forwarder: of the destination.
        store: the folder of all runs; it need not exist yet.
        wait: waits so many seconds; False once there is to be no further look.

    A journal that cannot be read, or a state that cannot be written, is said and tried again; so is a wrong address or key.

    Raises:
        GaveUpError: told to stop while something could not be sent.
    """
    follower = StoreFollower(store, forwarder.state.read)
    going_on = True
    while True:
        pause = POLL_SECONDS
        unsent: list[Path] = []
        for journal in follower.grown():
            try:
                forwarder.forward(journal)
            except StoreError as error:
                _logger.warning("%s", error)
                unsent.append(journal)
            except MisaddressedError as error:
                if not going_on:
                    raise
                _logger.warning("%s", error)
                unsent.append(journal)
                pause = MENDING_SECONDS
                break
        if not going_on:
            return
        for journal in unsent:
            follower.not_sent(journal)
        going_on = wait(pause)
