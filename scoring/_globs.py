"""Globs as tasks and agents name files by them: relative to the workdir, `/` between folders."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Final

__all__ = ["covering", "folder_matcher", "path_matcher"]

_NAME: Final = {"*": "[^/]*", "?": "[^/]"}
_SET: Final = re.compile(r"\[(!?)(\]?[^\]]*)\]")


def path_matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Says of a path whether one of the globs names the whole of it.

    `**` is any number of folders, at the end all that a folder holds; `*` and `?` stay within one name, `[…]` is one of some
    characters; all of them match names that begin with a dot. `folder/` is `folder/**`. (`PurePath.full_match` of Python 3.13.)
    """
    return _matcher(tuple(_pattern(glob) for glob in globs))


def covering(globs: Iterable[str]) -> Callable[[str], bool]:
    """As `path_matcher`; a glob that names a folder names all below it, too."""
    return _matcher(tuple(f"{_pattern(glob)}(?:/.*)?" for glob in globs))


def folder_matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Says of a folder, relative to the root, whether a path that one of the globs names could lie in it or below.

    `.` is the root, which may hold whatever a glob names.
    """
    globs = tuple(globs)
    may_hold = path_matcher(folder for glob in globs for folder in _folders(glob))
    return lambda folder: bool(globs) if folder == "." else may_hold(folder)


@lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    if not patterns:
        return lambda _: False
    fullmatch = re.compile("|".join(patterns), re.DOTALL).fullmatch
    return lambda path: fullmatch(path) is not None


def _folders(glob: str) -> Iterator[str]:
    """Globs of the folders, below the root, that what a glob names may lie in."""
    names = _names(glob)
    reach = len(names) + (names[-1] == "**")
    return ("/".join(names[:end]) for end in range(1, reach))


def _names(glob: str) -> list[str]:
    names = [name for name in glob.split("/") if name not in ("", ".")]
    return [*names, "**"] if glob.endswith("/") or not names else names


def _pattern(glob: str) -> str:
    names = _names(glob)
    parts = ["(?:[^/]+/)*" if name == "**" else _name_pattern(name) + "/" for name in names[:-1]]
    return "".join(parts) + (".+" if names[-1] == "**" else _name_pattern(names[-1]))


def _name_pattern(name: str) -> str:
    pattern, position = "", 0
    while position < len(name):
        found = _SET.match(name, position)
        if found:
            pattern += _set_pattern(found[1], found[2])
        else:
            pattern += _NAME.get(name[position], re.escape(name[position]))
        position = found.end() if found else position + 1
    return pattern


def _set_pattern(negation: str, letters: str) -> str:
    members = "".join(letter if letter == "-" else re.escape(letter) for letter in letters)
    pattern = f"(?!/)[{'^' if negation else ''}{members}]"
    try:
        re.compile(pattern)
    except re.error:  # a range that runs backwards: nothing is in it
        return "(?!)"
    return pattern
