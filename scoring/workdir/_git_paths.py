"""Which paths belong to the state of a git repository."""

import re
from typing import Final

__all__ = ["git_place"]

_GIT: Final = re.compile(r"(?:(?P<repository>.*?)/)?\.git(?:/(?P<name>.*))?", re.DOTALL)


def git_place(path: str) -> tuple[str, str] | None:
    """The folder that holds the outermost `.git` in a path, `.` for the root, and the path within that `.git`, or nothing.

    None if there is no `.git` in the path.
    """
    if ".git" not in path or (match := _GIT.fullmatch(path)) is None:
        return None
    return match["repository"] or ".", match["name"] or ""
