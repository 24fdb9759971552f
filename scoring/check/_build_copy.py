"""Making the fresh copy that a plan describes: the only part of grading that writes files."""

import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from ...traces import InputError, StoreError
from ._fresh_copy import FreshCopyPlan, Node, SetAside

__all__ = ["build_fresh_copy", "read_beneath"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST: Final = 128
"""Folders within one another, as in a snapshot."""
_OWN: Final = stat.S_IRWXU
"""What the check may do with folders, whatever mode the agent gave them."""
_NO_FILE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO})
"""Nothing is there, or a link or a socket."""
_CHUNK: Final = 2**20


def build_fresh_copy(
    plan: FreshCopyPlan, *, task: Path, task_files: Mapping[str, Node], agent: Path, destination: Path
) -> tuple[SetAside, ...]:
    """Make the copy. Nothing is read through a link, and nothing is written outside of the destination.

    What is copied from the agent's workdir is no newer than the moment at which copying began; what comes from the task is
    newer. So whatever was built from other tests is out of date.

    Args:
        plan: what differs.
        task: where the task's files are.
        task_files: what they were before the agent began.
        agent: the agent's workdir; a folder that does not exist counts as empty.
        destination: where the copy goes; it must not exist.

    Returns:
        What could not be copied, beside what the plan leaves out.

    Raises:
        InputError: a file of the task's is not what it was before the agent began.
        StoreError: the copy cannot be written.
    """
    try:
        destination.mkdir()
        copier = _Copier(plan)
        if agent.is_dir() and not agent.is_symlink():
            copier.copy(agent, destination)
        for path in plan.from_task:
            _lay_down(task, path, task_files[path], destination)
        copier.make_links()
    except OSError as error:
        raise StoreError(f"{destination}: cannot copy the workdir for its check: {error}") from error
    return tuple(copier.failed)


class _Copier:
    """Copies the agent's files by descriptors of folders. Links come last, so that none is there to be written through."""

    def __init__(self, plan: FreshCopyPlan) -> None:
        self._left_out = {*plan.from_task, *(item.path for item in plan.set_aside)}
        self._links: list[tuple[Path, str]] = []
        self._newest_ns = time.time_ns()
        self.failed: list[SetAside] = []

    def copy(self, source: Path, destination: Path) -> None:
        folder = os.open(source, _FOLDER)
        try:
            self._copy_folder(folder, "", destination, 0)
        finally:
            os.close(folder)

    def make_links(self) -> None:
        for link, target in self._links:
            link.symlink_to(target)

    def _copy_folder(self, folder: int, prefix: str, destination: Path, depth: int) -> None:
        with os.scandir(folder) as listing:
            names = sorted(entry.name for entry in listing)
        for name in names:
            path = prefix + name
            if path not in self._left_out:
                try:
                    self._copy_entry(folder, name, path, destination / name, depth)
                except (PermissionError, FileNotFoundError):
                    self.failed.append(SetAside(path, "unreadable"))
        destination.chmod(stat.S_IMODE(os.fstat(folder).st_mode) & 0o777 | _OWN)

    def _copy_entry(self, folder: int, name: str, path: str, destination: Path, depth: int) -> None:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            self._links.append((destination, os.readlink(name, dir_fd=folder)))
        elif stat.S_ISREG(mode):
            self._copy_file(folder, name, destination)
        elif not stat.S_ISDIR(mode):
            self.failed.append(SetAside(path, "special-file"))
        elif depth == _DEEPEST:
            self.failed.append(SetAside(path, "too-deep"))
        else:
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                destination.mkdir()
                self._copy_folder(inner, path + "/", destination, depth + 1)
            finally:
                os.close(inner)

    def _copy_file(self, folder: int, name: str, destination: Path) -> None:
        with os.fdopen(os.open(name, _FILE, dir_fd=folder), "rb") as source:
            status = os.fstat(source.fileno())
            with _create(destination, status.st_mode) as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
        modified_ns = min(status.st_mtime_ns, self._newest_ns)
        os.utime(destination, ns=(modified_ns, modified_ns))


def read_beneath(root: Path, path: str, most: int | None = None) -> bytes | None:
    """The content of a file below a folder, reached without any link; None if there is no such file.

    Args:
        root: the folder.
        path: of the file, relative to it.
        most: how many bytes are read; what is longer is cut there. None: all.

    Raises:
        OSError: it cannot be read.
    """
    *folders, name = path.split("/")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in folders:
            inner = os.open(step, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_FILE:
            return None
        raise
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(-1 if most is None else most)


def _create(path: Path, mode: int) -> BinaryIO:
    return os.fdopen(os.open(path, _NEW, mode & 0o777 | stat.S_IRUSR | stat.S_IWUSR), "wb")


def _lay_down(task: Path, path: str, known: Node, destination: Path) -> None:
    """Put a file or link of the task's in its place."""
    place = destination / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if known.type == "symlink":
        target = str((task / path).readlink())
        if target != known.target:
            raise _tampered(task / path)
        place.symlink_to(target)
        return
    content = read_beneath(task, path)
    if content is None or hashlib.sha256(content).hexdigest() != known.sha256:
        raise _tampered(task / path)
    with _create(place, known.mode) as copy:
        copy.write(content)


def _tampered(path: Path) -> InputError:
    return InputError(
        f"{path} changed while the agent ran: the task itself must stay as it is; restore it and run again"
    )
