"""The folder of all runs, and the names that runs may have."""

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ._bodies import BodyCache
from ._errors import InputError, StoreError
from ._reader import JOURNAL_NAME, journal_path
from ._recording import RunRecording
from ._redaction import Redactor

__all__ = ["RunStore", "check_run_id", "new_run_id"]

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def check_run_id(run_id: str) -> str:
    """The run id, if it can name a folder and stand in a URL.

    Raises:
        InputError: it cannot.
    """
    if _RUN_ID.fullmatch(run_id) is None:
        raise InputError(
            f"run id {run_id!r}: must be 1 to 128 letters, digits, `.`, `_` or `-`, and begin with a letter or digit"
        )
    return run_id


def new_run_id(prefix: str) -> str:
    """A run id that no other run has: the prefix, the time and a random part."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", prefix).strip("-._")[:80] or "run"
    return f"{words}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"


class RunStore:
    """A folder with a folder for each run."""

    def __init__(self, folder: Path, redactor: Redactor | None = None) -> None:
        """Name the folder; it is made when the first run is opened.

        Args:
            folder: of all runs.
            redactor: masks the secrets in what is written; None: those that look like common ones.
        """
        self.folder = folder
        self.redactor = redactor or Redactor()
        """What masks the secrets in what is written."""
        self._cache = BodyCache()

    def open_run(self, run_id: str, attributes: Mapping[str, Any] | None = None) -> RunRecording:
        """Open a run for writing, new or not.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the run cannot be written.
        """
        return RunRecording(self.folder / check_run_id(run_id), attributes or {}, self._cache, self.redactor)

    def run_folders(self) -> Iterator[Path]:
        """The folders of all recorded runs, by name.

        Raises:
            InputError: there is no such store.
            StoreError: it cannot be read, or a folder in it cannot.
        """
        try:
            folders = sorted(self.folder.iterdir())
        except (FileNotFoundError, NotADirectoryError) as error:
            message = f"{self.folder}: no such folder; --store names the one that holds the runs"
            raise InputError(message) from error
        except OSError as error:
            raise StoreError(f"{self.folder}: cannot be read: {error.strerror}") from error
        for folder in folders:
            with suppress(InputError):
                journal_path(folder / JOURNAL_NAME)
                yield folder
