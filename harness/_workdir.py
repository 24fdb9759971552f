"""A workdir as a tree of files: listing it and copying it, without ever following a symbolic link."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ..traces import InputError, StoreError

__all__ = ["copy_workdir", "files_of"]


def files_of(folder: Path) -> Iterator[Path]:
    """The files and symbolic links below `folder`, in the order of their relative paths' bytes.

    Raises:
        InputError: The tree holds a pipe, a socket or a device, or cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{folder}: cannot read {error.filename}: {error.strerror}") from error

    found: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        found += [Path(parent) / name for name in files + links]
    for path in sorted(found, key=lambda path: os.fsencode(path.relative_to(folder).as_posix())):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise InputError(
                f"{path} is a pipe, a socket or a device: a workdir holds files, folders and symbolic links"
            )
        yield path


def copy_workdir(source: Path, destination: Path) -> None:
    """Make a fresh copy for one attempt: links stay links, modes and modification times stay as they are.

    Args:
        source: The workdir of a task.
        destination: Where the copy goes. It must not exist; the folders above it are made if need be.

    Raises:
        InputError: The source is no folder or holds what cannot be copied, or the destination exists or lies within it.
        StoreError: The copy cannot be written. What was written of it is removed.
    """
    if source.is_symlink() or not source.is_dir():
        raise InputError(f"{source} is not a folder: it cannot be the workdir")
    if os.path.lexists(destination):
        raise InputError(f"{destination} already exists: every attempt starts in a fresh place")
    if destination.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{destination} lies within {source}: a copy cannot go into its own source")
    for _ in files_of(source):
        pass  # all of it is seen before the first byte is written
    try:
        shutil.copytree(source, destination, symlinks=True)
    except OSError as error:
        shutil.rmtree(destination, ignore_errors=True)
        raise StoreError(f"cannot copy {source} to {destination}: {error}") from error
