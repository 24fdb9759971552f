"""A large tree of text files, and what an agent might do to it."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["change_tree", "make_tree"]

_PER_FOLDER: Final = 50
_LARGEST: Final = 8000
"""Bytes; half of that on average, so that a hundred thousand files are 400 MB."""
_EACH: Final = 10
"""Files to which each edit is done."""


def make_tree(root: Path, files: int) -> int:
    """Write text files, 50 to a folder, two or four folders deep, the same for the same number. Gives their bytes."""
    chance = random.Random(files)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(3, 10))) for _ in range(2000)]
    lines = [
        "    " * chance.randint(0, 3) + " ".join(chance.choices(words, k=chance.randint(2, 9))) for _ in range(20_000)
    ]
    text = "\n".join(lines).encode()
    size = 0
    for number in range(files):
        path = root / _path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        start, length = chance.randrange(len(text) - _LARGEST), chance.randint(20, _LARGEST)
        size += path.write_bytes(b"# %d\n" % number + text[start : start + length])
    return size


def _path(number: int) -> Path:
    folder = number // _PER_FOLDER
    deep = "deep/er" if folder % 4 == 0 else ""
    return Path(f"part{folder // 100:02}", f"module{folder % 100:02}", deep, f"file{number % _PER_FOLDER:02}.py")


def change_tree(root: Path, files: int, seed: int) -> dict[str, str]:
    """Do each edit to ten files of the tree, which had so many when it was made; another seed takes other files.

    Returns:
        The operation that a diff should tell, by path.
    """
    expected: dict[str, str] = {}
    for place, edit in enumerate(_EDITS * _EACH):
        path = root / _path(place * (files // (_EACH * len(_EDITS))) + seed)
        operation, changed = edit(path)
        expected[changed.relative_to(root).as_posix()] = operation
    return expected


def _append(path: Path) -> tuple[str, Path]:
    with path.open("ab") as file:
        file.write(b"\nchanged\n")
    return "modify", path


def _tamper(path: Path) -> tuple[str, Path]:
    """Change a byte in place and set the times back."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return "modify", path


def _remove(path: Path) -> tuple[str, Path]:
    path.unlink()
    return "remove", path


def _rename(path: Path) -> tuple[str, Path]:
    return "rename", path.rename(path.with_suffix(".renamed"))


def _chmod(path: Path) -> tuple[str, Path]:
    path.chmod(0o755)
    return "mode", path


def _swap(path: Path) -> tuple[str, Path]:
    path.unlink()
    path.mkdir()
    return "type", path


def _add(path: Path) -> tuple[str, Path]:
    added = path.with_suffix(".added")
    added.write_text("added\n")
    return "add", added


_EDITS: Final[tuple[Callable[[Path], tuple[str, Path]], ...]] = (
    _append,
    _tamper,
    _remove,
    _rename,
    _chmod,
    _swap,
    _add,
)
