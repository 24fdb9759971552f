"""The walk below a root: every entry, by descriptors of folders, so that no link or swapped folder leads out of it."""

import errno
import os
import re
import stat
from operator import attrgetter
from typing import Final

from ._contents import Contents, NotKept
from ._entry import NO_HASH, is_racy, record_of
from ._limits import Limits
from ._reading import FileReader
from ._snapshot import Snapshot

__all__ = ["Walk", "open_folder"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NAME: Final = attrgetter("name")
_GIT_STATE: Final = frozenset({"index", "packed-refs"})
"""What says how a repository stands and may be binary or large."""
_GIT_OBJECTS: Final = re.compile(r"(?:.*/)?\.git/(?:modules/.+/)?(?:objects|lfs/objects|annex/objects)", re.DOTALL)
"""Folders in which a repository keeps objects by their hash: their files are counted only."""


def open_folder(path: str) -> int:
    """A descriptor of the root. Raises OSError."""
    return os.open(path, _FOLDER)


class Walk:
    """Looks at a tree once, and gathers what a snapshot consists of, in its order."""

    def __init__(self, reader: FileReader, limits: Limits, previous: Snapshot | None, *, paranoid: bool) -> None:
        """Prepare a walk.

        Args:
            reader: reads the files.
            limits: how far to go.
            previous: an earlier snapshot of the same root; files that cannot have changed since are not read again.
            paranoid: read them all the same.
        """
        self._reader = reader
        self._limits = limits
        self._previous = previous
        self._trusted_until = 0 if previous is None or paranoid else previous.started_ns
        """A file that last changed well before this time, in ns, and looks the same, is the same."""
        self._device = -1
        self._in_git = False
        self.paths: list[str] = []
        self.records: list[bytes] = []
        self.hashes: list[bytes] = []
        self.places: list[int] = []
        self.targets: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.counted: dict[str, int] = {}

    def run(self, root: int) -> None:
        """Look at all below the folder of this descriptor."""
        self._device = os.fstat(root).st_dev
        self._list(root, "", 0)

    def _list(self, folder: int, prefix: str, depth: int) -> None:
        """Look at a folder's entries. `prefix` is its path with a `/` at its end, or nothing for the root."""
        try:
            with os.scandir(folder) as listing:
                items = sorted(listing, key=_NAME)
        except OSError as error:
            self.errors[prefix[:-1] or "."] = _said(error)
            return
        for item in items:
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.errors[prefix[:-1] or "."] = f"{_said(error)}, beginning with {item.name!r}"
                return
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFREG:
                self._file(folder, item.name, prefix + item.name, status)
            elif kind == stat.S_IFDIR:
                self._folder(folder, item.name, prefix + item.name, status, depth + 1)
            elif kind == stat.S_IFLNK:
                self._link(folder, item.name, prefix + item.name, status)
            else:
                self._add(prefix + item.name, record_of(status))

    def _add(self, path: str, record: bytes, digest: bytes = NO_HASH, place: int = NotKept.NO_FILE) -> None:
        self.paths.append(path)
        self.records.append(record)
        self.hashes.append(digest)
        self.places.append(place)

    def _file(self, folder: int, name: str, path: str, status: os.stat_result) -> None:
        record, known, before = record_of(status), NO_HASH, self._previous
        if before is not None and (position := before.index.get(path)) is not None:
            known = before.hashes_of(position)
            same = before.records_of(position) == record and known != NO_HASH
            if same and not is_racy(status.st_ctime_ns, self._trusted_until):
                self._add(path, record, known, Contents.AS_BEFORE)
                return
        try:
            is_git_state = self._in_git and name in _GIT_STATE
            reading = self._reader.read(folder, name, status, known=known, is_git_state=is_git_state)
        except OSError as error:
            self._add(path, record, place=NotKept.UNREAD)
            self.errors[path] = _said(error)
            return
        if reading is not None:
            self._add(path, reading.record, reading.digest, reading.place)
            if reading.error is not None:
                self.errors[path] = reading.error

    def _link(self, folder: int, name: str, path: str, status: os.stat_result) -> None:
        try:
            self.targets[path] = os.readlink(name, dir_fd=folder)
        except FileNotFoundError:
            return
        except OSError as error:
            self.errors[path] = _said(error)
        self._add(path, record_of(status))

    def _folder(self, parent: int, name: str, path: str, status: os.stat_result, depth: int) -> None:
        if status.st_dev != self._device:
            self._add(path, record_of(status))
            self.errors[path] = "not looked into: it is on another file system"
            return
        if depth > self._limits.depth:
            self._add(path, record_of(status))
            self.errors[path] = f"not looked into: deeper than {self._limits.depth} folders"
            return
        try:
            folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as error:
            self._add(path, record_of(status))
            self.errors[path] = _said(error)
            return
        was_in_git, self._in_git = self._in_git, self._in_git or name == ".git"
        try:
            self._add(path, record_of(os.fstat(folder)))
            if self._in_git and _GIT_OBJECTS.fullmatch(path):
                self.counted[path] = self._count(folder, depth)
            else:
                self._list(folder, path + "/", depth)
        except OSError as error:
            self.errors[path] = _said(error)
        finally:
            os.close(folder)
            self._in_git = was_in_git

    def _count(self, folder: int, depth: int) -> int:
        """How many files lie below a folder. Raises OSError."""
        if depth > self._limits.depth:
            raise OSError(errno.ELOOP, f"deeper than {self._limits.depth} folders")
        files = 0
        with os.scandir(folder) as listing:
            for item in listing:
                if item.is_dir(follow_symlinks=False):
                    below = os.open(item.name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                    try:
                        files += self._count(below, depth + 1)
                    finally:
                        os.close(below)
                else:
                    files += 1
        return files


def _said(error: OSError) -> str:
    return f"cannot be read: {error.strerror}"
