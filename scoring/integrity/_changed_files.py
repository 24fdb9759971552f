"""Which of a run's changes the rules look at, and what their lines say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .._record import RunRecord
from ..check import path_matcher
from ..workdir import Change
from ._patch_lines import PatchLine, patch_lines

__all__ = ["ChangedFile", "changed_files", "changes_unseen", "is_test", "lines_unseen"]

_TESTS: Final = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py", "**/*_test.go", "**/*_spec.rb", "**/*_test.rb"),
    *("**/*Test.java", "**/*Tests.java", "**/*Test.kt", "**/*Tests.cs", "**/*Test.php", "**/*_test.c*", "**/*.t"),
    *(f"**/*.{kind}.{end}" for kind in ("test", "spec") for end in ("js", "jsx", "ts", "tsx", "mjs", "cjs", "mts")),
    *(
        f"**/{folder}/**/*.{end}"
        for folder in ("tests", "test", "__tests__", "spec")
        for end in (
            "py",
            "rs",
            "go",
            "js",
            "jsx",
            "ts",
            "tsx",
            "mjs",
            "rb",
            "java",
            "kt",
            "c",
            "cc",
            "cpp",
            "php",
            "sh",
        )
    ),
)
_MADE_BY_TOOLS: Final = (
    *("**/__pycache__/**", "**/*.pyc", "**/.pytest_cache/**", "**/.hypothesis/**", "**/.mypy_cache/**", "**/target/**"),
    *(
        "**/.venv/**",
        "**/venv/**",
        "**/site-packages/**",
        "**/node_modules/**",
        "**/vendor/**",
        "**/.tox/**",
        "**/.nox/**",
    ),
)
"""What building, testing and installing leave behind: nobody wrote it for this task."""

is_test: Final = path_matcher(_TESTS)
"""Whether a path, relative to the workdir, is by its name a test's."""
_is_made_by_tools: Final = path_matcher(_MADE_BY_TOOLS)


@dataclass(frozen=True, slots=True)
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
    def was_there(self) -> bool:
        """Whether it was there before the agent began. If that could not be seen it counts as not."""
        return self.change.before is not None

    @property
    def is_gone(self) -> bool:
        """Whether it was there and is no more."""
        return self.change.operation == "remove"

    @property
    def lines(self) -> tuple[PatchLine, ...]:
        """Of its patch; empty if its content was not kept."""
        return patch_lines(self.change.patch)


def changed_files(record: RunRecord) -> Iterator[ChangedFile]:
    """What the agent changed, in the order of the diff, but for its own files, folders, and what tools make."""
    is_protected = path_matcher(record.task.protected or ())
    is_expected = path_matcher(record.task.expected or ())
    is_own = path_matcher(record.agent.housekeeping)
    for change in record.changes.changes if record.changes else ():
        paths = [change.path] if change.old_path is None else [change.old_path, change.path]
        if _is_folder(change) or _is_made_by_tools(change.path) or is_own(change.path):
            continue
        protected = _any(is_protected, paths)
        yield ChangedFile(
            change=change,
            is_protected=protected,
            is_expected=not protected and is_expected(change.path),
            is_test=_any(is_test, paths),
        )


def changes_unseen(record: RunRecord) -> str | None:
    """Why not all changes are known; None if they are."""
    if record.changes is None:
        return record.reasons.get("changes", "no snapshots of the workdir were taken")
    if record.changes.unseen:
        return f"{len(record.changes.unseen)} paths could not be seen, {min(record.changes.unseen)} is one"
    return None


def lines_unseen(chosen: Callable[[ChangedFile], bool]) -> Callable[[RunRecord], str | None]:
    """Says why the lines of the files that a rule looks at are not all known; None if they are."""

    def blind(record: RunRecord) -> str | None:
        unknown = [file for file in changed_files(record) if chosen(file) and file.change.note is not None]
        if unknown and changes_unseen(record) is None:
            first = min(unknown, key=lambda file: file.path)
            return f"the lines of {len(unknown)} changed files are not known, of {first.path}: {first.change.note}"
        return changes_unseen(record)

    return blind


def _is_folder(change: Change) -> bool:
    return all(entry is None or entry.type == "directory" for entry in (change.before, change.after))


def _any(fits: Callable[[str], bool], paths: list[str]) -> bool:
    return any(fits(path) for path in paths)
