"""Which of a run's changes the rules look at, and what their lines say."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from .._globs import path_matcher
from .._path_classes import is_build_artifact
from .._record import RunRecord
from ..workdir import Change
from ._patch_lines import PatchLine, patch_lines

__all__ = ["ChangedFile", "changed_files", "is_test"]

_TEST_FOLDERS: Final = ("tests", "test", "__tests__", "spec")
_CODE: Final = ("py", "rs", "go", "js", "jsx", "ts", "tsx", "mjs", "rb", "java", "kt", "c", "cc", "cpp", "php", "sh")
_TESTS: Final = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py", "**/*_test.go", "**/*_spec.rb", "**/*_test.rb"),
    *("**/*Test.java", "**/*Tests.java", "**/*Test.kt", "**/*Tests.cs", "**/*Test.php", "**/*_test.c*", "**/*.t"),
    *(f"**/*.{kind}.{end}" for kind in ("test", "spec") for end in ("js", "jsx", "ts", "tsx", "mjs", "cjs", "mts")),
    *(f"**/{folder}/**/*.{end}" for folder in _TEST_FOLDERS for end in _CODE),
)

is_test: Final = path_matcher(_TESTS)
"""Whether a path, relative to the workdir, is by its name a test's."""
_is_of_others: Final = path_matcher(("**/vendor/**", "**/target/**"))
"""What is copied or built here: nobody wrote it for this task."""


@dataclass(frozen=True)
class ChangedFile:
    """One changed file or link, in the eyes of the task."""

    change: Change
    is_protected: bool
    """The task says that it, or the one that was renamed to it, must stay as it is."""
    is_expected: bool
    """The task asks for its change, and does not protect it."""
    is_test: bool
    """It is a test's by name, or was. No file of another kind that a task protects is one."""

    @property
    def path(self) -> str:
        """Where it is now; of a removed file, where it was."""
        return self.change.path

    @property
    def name(self) -> str:
        """Its last name, without the folders."""
        return _name(self.path)

    @property
    def was_there(self) -> bool:
        """Whether it was there before the agent began."""
        return self.change.before is not None

    @property
    def is_new_name(self) -> bool:
        """Whether nothing of its name was there: what some files do comes with the name."""
        old = self.change.old_path
        return not self.was_there if old is None else _name(old) != _name(self.path)

    @property
    def is_gone(self) -> bool:
        """Whether it was there and is no more."""
        return self.change.operation == "remove"

    @cached_property
    def lines(self) -> tuple[PatchLine, ...]:
        """Of its patch; empty if its content was not kept."""
        return patch_lines(self.change.patch)

    def new_lines(self, pattern: re.Pattern[str]) -> Iterator[PatchLine]:
        """Added lines that hold a pattern, are no comments, and did not merely move."""
        gone = {line.text.strip() for line in self.lines if line.side == "removed"}
        for line in self.lines:
            text = line.text.strip()
            if (
                line.side == "added"
                and text not in gone
                and not text.startswith(("#", "//"))
                and pattern.search(line.text)
            ):
                yield line


def changed_files(record: RunRecord) -> Iterator[ChangedFile]:
    """What the agent changed, in the order of the diff, but for its own files, folders, and what tools make.

    What could not be seen is left out: nobody knows whether it changed. A protected file is there even where it looks like one
    of the agent's.
    """
    is_protected = path_matcher(record.task.protected or ())
    is_expected = path_matcher(record.task.expected or ())
    is_own = path_matcher(record.agent.housekeeping)
    for change in record.changes.changes if record.changes else ():
        paths = [change.path] if change.old_path is None else [change.old_path, change.path]
        protected = _any(is_protected, paths)
        if change.operation == "unknown" or _is_folder(change) or all(map(is_build_artifact, paths)):
            continue
        if not protected and all(is_own(path) or _is_of_others(path) or is_build_artifact(path) for path in paths):
            continue
        yield ChangedFile(
            change=change,
            is_protected=protected,
            is_expected=not protected and is_expected(change.path),
            is_test=_any(is_test, paths),
        )


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _is_folder(change: Change) -> bool:
    return all(entry is None or entry.type == "directory" for entry in (change.before, change.after))


def _any(fits: Callable[[str], bool], paths: list[str]) -> bool:
    return any(fits(path) for path in paths)
