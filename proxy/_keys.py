"""Run keys: what an agent holds in the place of the upstream's key.

A key is random; the store keeps its sha256 as the name of a file that names its run, so that every process on the store
knows it, none can tell it, and taking the file away revokes it.
"""

import contextlib
import hashlib
import secrets
from pathlib import Path
from typing import Final

from ..traces import RUN_KEY_PREFIX, StoreError, check_run_id

__all__ = ["PREFIX", "RunKeys"]

PREFIX: Final = RUN_KEY_PREFIX
_FOLDER: Final = ".keys"


class RunKeys:
    """The run keys of a store."""

    def __init__(self, store: Path) -> None:
        """Take the store's folder."""
        self._folder = store / _FOLDER

    def issue(self, run_id: str) -> str:
        """A new key for a run.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the key cannot be kept.
        """
        check_run_id(run_id)
        key = PREFIX + secrets.token_urlsafe(24)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._path(key)
            path.touch(mode=0o600)
            path.write_text(run_id)
        except OSError as error:
            raise StoreError(f"{self._folder}: cannot keep a run key: {error.strerror}") from error
        return key

    def run_of(self, key: str) -> str | None:
        """The run that a key belongs to; None if it is no run key, or has been revoked."""
        if not key.startswith(PREFIX):
            return None
        try:
            return self._path(key).read_text()
        except OSError:
            return None

    def revoke(self, key: str) -> None:
        """Take a key back. A key that is not known is no error."""
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        # A lookup by hash also takes the same time for every wrong key.
        return self._folder / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
