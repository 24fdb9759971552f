"""What a forwarder keeps of one destination, in `STORE/.exports/ID/`, for its owner only. No header is ever in it.

lock                 held by the one forwarder of the destination
destination.json     its address, protocol and profile
checkpoints/*.json   how far each journal has been sent
status.json          the last success and the last failure: to be shown, never relied on
dead-letters.jsonl   what was refused for good
"""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import orjson

from .._errors import InputError, StoreError
from ._checkpoint import Checkpoint, read_checkpoint, write_durably
from ._dead_letters import DeadLetters
from ._destination import Destination

__all__ = ["EXPORTS", "DestinationState", "checkpoint_path", "journal_key", "read_json", "states_of"]

EXPORTS: Final = ".exports"
"""The folder of all destinations in a store. No run can have this name."""


class DestinationState:
    """The state of one destination while its forwarder runs: a context manager that holds the lock."""

    def __init__(self, store: Path, destination: Destination) -> None:
        """Name the folder; it is made when the state is entered."""
        self.store = store
        self.folder = store / EXPORTS / destination.id
        self.dead_letters = DeadLetters(self.folder)
        self._destination = destination
        self._lock = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            InputError: another forwarder has it.
            StoreError: the state cannot be written.
        """
        try:
            for folder in (self.store, self.store / EXPORTS, self.folder, self.folder / "checkpoints"):
                folder.mkdir(mode=0o700, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write_destination()
        except BlockingIOError as error:
            self._release()
            raise InputError(
                f"another forwarder sends the runs of {self.store} to {self._destination.shown}; "
                "`tachograph export --status` shows how far it is"
            ) from error
        except OSError as error:
            self._release()
            raise StoreError(f"{self.folder}: cannot be written: {error.strerror}") from error
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._release()

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write_destination(self) -> None:
        told = {
            "format": 1,
            "url": self._destination.shown,
            "protocol": self._destination.protocol,
            "profile": self._destination.profile.name,
        }
        self._write(self.folder / "destination.json", told)

    def read(self, journal: str) -> Checkpoint | None:
        """The checkpoint of a journal; None if it was never sent."""
        return read_checkpoint(checkpoint_path(self.folder, journal))

    def write(self, checkpoint: Checkpoint) -> None:
        """Make a checkpoint safe.

        Raises:
            StoreError: it cannot be written.
        """
        path = checkpoint_path(self.folder, checkpoint.journal)
        try:
            write_durably(path, checkpoint)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error

    def forget(self, journal: str) -> None:
        """Remove the checkpoint of a journal that is no more."""
        checkpoint_path(self.folder, journal).unlink(missing_ok=True)

    def tell(self, failure: str | None) -> None:
        """Note a success (None) or a failure for `--status`. Nothing hangs on it, so that a fault of it is none."""
        with suppress(OSError):
            path = self.folder / "status.json"
            told = read_json(path)
            if failure is None:
                told = {
                    "last_success_unix_ns": time.time_ns(),
                    "failing": None,
                    "last_failure": told.get("last_failure"),
                }
            else:
                told = {**told, "failing": failure, "last_failure": failure, "last_failure_unix_ns": time.time_ns()}
            self._write(path, told)

    def _write(self, path: Path, told: dict[str, Any]) -> None:
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(told))
        temporary.replace(path)


def journal_key(store: Path, journal: Path) -> str:
    """What a journal is called in checkpoints: its path from the store, so that a store may be moved; else the whole path."""
    journal, store = journal.resolve(), store.resolve()
    return str(journal.relative_to(store) if journal.is_relative_to(store) else journal)


def checkpoint_path(folder: Path, journal: str) -> Path:
    """The file of a journal's checkpoint."""
    words = re.sub(r"[^A-Za-z0-9._-]", "-", Path(journal).parent.name or Path(journal).name)[:100]
    return folder / "checkpoints" / f"{words}-{hashlib.sha256(journal.encode()).hexdigest()[:12]}.json"


def states_of(store: Path) -> Iterator[Path]:
    """The folders of all destinations of a store."""
    with suppress(FileNotFoundError, NotADirectoryError):
        yield from sorted(path.parent for path in (store / EXPORTS).glob("*/destination.json"))


def read_json(path: Path) -> dict[str, Any]:
    """A small file that is written now and again; empty if it is not there or cannot be read."""
    try:
        told = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
