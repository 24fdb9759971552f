"""Globs of tasks and agents: paths relative to the workdir, `**` for any number of folders, `*` and `?` within one name."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

__all__ = ["matches", "path_matcher"]

_NAME: Final = {"*": "[^/]*", "?": "[^/]"}
_SET: Final = re.compile(r"\[(!?)(\]?[^\]]*)\]")


def path_matcher(globs: Iterable[str]) -> Callable[[str], bool]:
    """Says of a path whether one of the globs matches the whole of it, as `PurePath.full_match` of Python 3.13 does."""
    return _matcher(tuple(globs))


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether one of the globs matches the whole of a path."""
    return _matcher(tuple(globs))(path)


@lru_cache(maxsize=256)
def _matcher(globs: tuple[str, ...]) -> Callable[[str], bool]:
    patterns = [_pattern(glob) for glob in globs]
    if not patterns:
        return lambda _: False
    fullmatch = re.compile("|".join(patterns), re.DOTALL).fullmatch
    return lambda path: fullmatch(path) is not None


def _pattern(glob: str) -> str:
    names = [name for name in glob.split("/") if name not in ("", ".")]
    if not names:
        return "(?!)"
    parts = ["(?:[^/]+/)*" if name == "**" else _name_pattern(name) + "/" for name in names[:-1]]
    return "".join(parts) + (".+" if names[-1] == "**" else _name_pattern(names[-1]))


def _name_pattern(name: str) -> str:
    pattern, position = "", 0
    while position < len(name):
        found = _SET.match(name, position)
        if found:
            members = "".join(letter if letter == "-" else re.escape(letter) for letter in found[2])
            pattern += f"(?!/)[{'^' if found[1] else ''}{members}]"
        else:
            pattern += _NAME.get(name[position], re.escape(name[position]))
        position = found.end() if found else position + 1
    return pattern
