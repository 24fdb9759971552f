"""Run keys: what an agent holds in the place of the upstream's key, and which runs take no calls without one.

A key is random; the store keeps its sha256 as the name of a file that names its run, so that every process on the store
knows it, none can tell it, and taking the file away revokes it at once for all of them. A run that was ever given a key
says so by a mark in its folder, which stays: when its keys are revoked, nobody reaches it any more.
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from ..traces import RUN_KEY_PREFIX, StoreError, check_run_id

__all__ = ["PREFIX", "RunKeys"]

PREFIX: Final = RUN_KEY_PREFIX
_FOLDER: Final = ".keys"
_MARK: Final = "key-required"


class RunKeys:
    """The run keys of a store."""

    def __init__(self, store: Path) -> None:
        """Take the store's folder."""
        self._store = store
        self._folder = store / _FOLDER
        self._runs: dict[str, str] = {}

    def issue(self, run_id: str) -> str:
        """A new key for a run, which from here on takes no call without one.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: the key cannot be kept.
        """
        self.require(run_id)
        key = PREFIX + secrets.token_urlsafe(24)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            path = Path(self._path(_digest(key)))
            path.touch(mode=0o600)
            path.write_text(run_id)
        except OSError as error:
            raise StoreError(f"{self._folder}: cannot keep a run key: {error.strerror}") from error
        return key

    def require(self, run_id: str) -> None:
        """Have a run take no call without a key of it.

        Raises:
            InputError: the run id cannot name a folder.
            StoreError: that cannot be kept.
        """
        folder = self._store / check_run_id(run_id)
        try:
            self._store.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / _MARK).touch(mode=0o600)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be written: {error.strerror}") from error

    def are_required(self, run_id: str) -> bool:
        """Whether a run, whose id can name a folder, takes no call without a key of it."""
        return os.access(f"{self._store}/{run_id}/{_MARK}", os.F_OK)

    def run_of(self, key: str) -> str | None:
        """The run that a key belongs to; None if it is no run key, or has been revoked.

        Nothing is compared with a key byte by byte: what a lookup by hash takes tells of the hash only, which nobody can
        choose without knowing the key.
        """
        if not key.startswith(PREFIX):
            return None
        digest = _digest(key)
        path = self._path(digest)
        # The file of a key never changes: once read, all there is to ask is whether it is still there.
        if (run_id := self._runs.get(digest)) is not None:
            if os.access(path, os.F_OK):
                return run_id
            del self._runs[digest]
            return None
        try:
            run_id = Path(path).read_text()
        except OSError:
            return None
        if run_id:
            self._runs[digest] = run_id
        return run_id or None

    def revoke(self, key: str) -> None:
        """Take a key back. A key that is not known is no error."""
        with contextlib.suppress(OSError):
            Path(self._path(_digest(key))).unlink()

    def revoke_all(self, run_id: str) -> int:
        """Take all keys of a run back; gives how many there were.

        Raises:
            StoreError: the keys cannot be read, or one cannot be taken back.
        """
        revoked = 0
        try:
            paths = list(self._folder.iterdir()) if self._folder.exists() else []
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    if path.read_text() == run_id:
                        path.unlink()
                        revoked += 1
        except OSError as error:
            raise StoreError(f"{self._folder}: cannot revoke the keys of {run_id}: {error.strerror}") from error
        return revoked

    def _path(self, digest: str) -> str:
        return f"{self._folder}/{digest}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
