"""What became of a folder between two snapshots."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ._entry import Entry

__all__ = ["Change", "GitChange", "GitItemKind", "Operation", "WorkdirDiff"]

Operation = Literal["add", "remove", "rename", "modify", "mode", "symlink", "type", "hardlink", "unknown"]
"""`symlink`: a link that leads elsewhere. `type`: another kind of thing in its place. `hardlink`: the same content, but the
names that share the file are others. `unknown`: it could not be seen, before or after, so that nobody can say."""

GitItemKind = Literal[
    "repository",
    "head",
    "ref",
    "index",
    "config",
    "hook",
    "worktree",
    "reflog",
    "info",
    "objects",
    "operation",
    "other",
]
"""`operation`: a merge, rebase or the like that is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that changed.

    A folder is a change of its own if it is empty, if its mode changed, or if something else is in its place; otherwise what
    it holds says it all. A file of which nothing but the times changed is none.
    """

    operation: Operation
    """The most telling one: a rename may change content and mode too, a modified file its mode."""
    path: str
    """Relative to the root, as in `Entry`; of a rename, where it is now."""
    old_path: str | None
    """Where it was, of a rename; otherwise None."""
    before: Entry | None
    """None if it was not there, or could not be seen."""
    after: Entry | None
    lines_added: int | None
    """None where it cannot be known: the content was not kept. What has no lines, such as a link or a folder, has 0."""
    lines_removed: int | None
    bytes_added: int | None
    """Bytes of the added lines; None where they are."""
    bytes_removed: int | None
    note: str | None
    """Why the lines are not known; None if they are."""
    patch: bytes = field(repr=False)
    """This change in a unified diff, as git writes it; in lines that begin with `#`, what git cannot say or was not kept."""

    @property
    def mtime_ns(self) -> int | None:
        """When the content last changed, in ns since 1970, as the file says; None if it is gone or unseen."""
        return None if self.after is None else self.after.mtime_ns

    @property
    def ctime_ns(self) -> int | None:
        """When anything of it last changed, in ns since 1970, as the kernel says; None if it is gone or unseen."""
        return None if self.after is None else self.after.ctime_ns

    @property
    def is_content_changed(self) -> bool | None:
        """Whether a file has other content, or a link another target; None if that is not known."""
        one, other = _substance(self.before), _substance(self.after)
        return None if "unknown" in (one[0], other[0]) else one != other

    @property
    def is_mode_changed(self) -> bool:
        """Whether something that is there before and after has other permission bits."""
        return self.before is not None and self.after is not None and self.before.mode != self.after.mode


def _substance(entry: Entry | None) -> tuple[str, str | None]:
    if entry is None:
        return "none", None
    if entry.type == "file":
        return ("unknown", None) if entry.sha256 is None else ("file", entry.sha256)
    return entry.type, entry.target


@dataclass(frozen=True, slots=True, kw_only=True)
class GitChange:
    """One thing that changed in the state of a git repository, whose objects are not looked at one by one."""

    repository: str
    """The folder that holds `.git`, relative to the root; `.` is the root."""
    kind: GitItemKind
    name: str
    """What of its kind: a ref, a key of the configuration, else a path within `.git`."""
    before: str | None
    """A ref's or HEAD's value, a setting, how many entries or files, or a file's mode and hash. None if it was not there."""
    after: str | None
    path: str
    """The path in the snapshot that says so; the content of it may be at hand there."""
    runs: bool
    """Whether git runs it, or what it names, at some ordinary command: a hook, a filter, a pager."""
    mtime_ns: int | None
    """Of the path after, as in `Change`; None if it is gone."""
    ctime_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkdirDiff:
    """What became of a folder between two snapshots."""

    root: str
    changes: tuple[Change, ...]
    """In the order of the walk."""
    git: tuple[GitChange, ...]
    """Changes of git repositories' state, in the order of repository, kind and name."""
    unseen: Mapping[str, str]
    """What could not be seen, before or after, and why, by path, whether or not it changed; `.` is the root."""

    @property
    def patch(self) -> bytes:
        """All changes as one unified diff. `git apply` takes it; what it leaves out stands in lines that begin with `#`."""
        return b"".join(change.patch for change in self.changes)
