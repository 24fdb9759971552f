"""Removing a folder in which an agent worked, whatever it left there, and nothing outside of it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["remove_folder", "temporary_folder"]

_NAME: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OWN: Final = 0o700


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder, which is removed when the block ends.

    `tempfile.TemporaryDirectory` changes modes through symbolic links on its way (CVE-2023-6597, up to Python 3.11.7).
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        remove_folder(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder and all below it. Links are removed, and never followed; what cannot be removed stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_symlink() or not folder.exists():
        return
    # Some folder in it was closed by who made it.
    with contextlib.suppress(OSError):
        _open_up(folder, None)
    shutil.rmtree(folder, ignore_errors=True)


def _open_up(name: str | Path, parent: int | None) -> None:
    """Make a folder and those below it their owner's to change."""
    found = os.open(name, _NAME, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{found}").chmod(_OWN)
        folder = os.open(".", _FOLDER, dir_fd=found)
    finally:
        os.close(found)
    try:
        with os.scandir(folder) as listing:
            names = [entry.name for entry in listing if entry.is_dir(follow_symlinks=False)]
        for inner in names:
            with contextlib.suppress(OSError):
                _open_up(inner, folder)
    finally:
        os.close(folder)
