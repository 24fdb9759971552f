"""Comparing two snapshots."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from ._changes import Operation, WorkdirDiff
from ._contents import NotKept
from ._describe import Step, describe, is_same
from ._entry import RECORD, Entry, is_racy
from ._git import git_changes
from ._git_paths import git_place
from ._renames import TextOf, find_renames
from ._snapshot import Snapshot

__all__ = ["diff"]

_RUN: Final = 256
"""Entries that are compared at once."""
_File = tuple[int, int]
"""Device and inode."""


def diff(before: Snapshot, after: Snapshot) -> WorkdirDiff:
    """What became of a folder between two snapshots of it.

    Raises:
        StoreError: what a snapshot kept is damaged.
    """
    comparison = _Comparison(before, after)
    changes = [describe(step, before, after) for step in comparison.steps()]
    return WorkdirDiff(
        root=after.root,
        changes=tuple(sorted(changes, key=lambda change: change.path.split("/"))),
        git=git_changes(before, after, comparison.repositories),
        unseen={**before.errors, **after.errors},
    )


class _Comparison:
    """Which paths differ, and what happened to them."""

    def __init__(self, before: Snapshot, after: Snapshot) -> None:
        self._before = before
        self._after = after
        stores = before.counted.keys() | after.counted.keys()
        self.repositories = {
            place[0]
            for path in stores
            if before.counted.get(path) != after.counted.get(path) and (place := git_place(path))
        }
        """Whose state differs."""

    def steps(self) -> Iterator[Step]:
        """What happened to all paths but those of git's state, in no order; fills `repositories`."""
        for path in self._outside_git(_in_both(self._before, self._after)):
            old, new = self._before[path], self._after[path]
            operation = self._operation(old, new)
            if operation is not None:
                yield Step(operation, old, new)
        removed, gone = self._missing(self._before, self._after)
        added, come = self._missing(self._after, self._before)
        yield from (Step("unknown", old, None) for old in gone)
        yield from (Step("unknown", None, new) for new in come)
        texts = _texts(self._before), _texts(self._after)
        for old, new, similarity in find_renames(list(removed.values()), list(added.values()), *texts):
            yield Step("rename", removed.pop(old.path), added.pop(new.path), similarity)
        yield from (Step("remove", old, None) for old in removed.values())
        yield from (Step("add", None, new) for new in added.values())

    def _outside_git(self, paths: Iterable[str]) -> Iterator[str]:
        for path in paths:
            place = git_place(path)
            if place is None:
                yield path
            else:
                self.repositories.add(place[0])

    def _missing(self, there: Snapshot, not_there: Snapshot) -> tuple[dict[str, Entry], list[Entry]]:
        """Entries of one snapshot that the other lacks, by path, and those that were perhaps there and not to be seen.

        A folder that holds something is left to what it holds.
        """
        missing: dict[str, Entry] = {}
        unseen: list[Entry] = []
        for path in self._outside_git(path for path in there.paths if path not in not_there.index):
            if not_there.hides(path):
                unseen.append(there[path])
            elif not _holds_something(there, path):
                missing[path] = there[path]
        return missing, unseen

    def _operation(self, old: Entry, new: Entry) -> Operation | None:
        """What happened to a path that is there before and after; None if only its times differ."""
        if old.type != new.type:
            return "type"
        if not is_same(old, new):
            if old.type == "symlink":
                return "unknown" if None in (old.target, new.target) else "symlink"
            if None not in (old.sha256, new.sha256) or old.size != new.size:
                return "modify"
            if old.mode == new.mode and (old != new or is_racy(old.ctime_ns, self._before.started_ns)):
                return "unknown"
        if old.mode != new.mode:
            return "mode"
        if old.type == "file" and max(old.nlink, new.nlink) > 1:
            names = {name for name in self._names_before[old.dev, old.ino] if name in self._after.index}
            if names != {name for name in self._names_after[new.dev, new.ino] if name in self._before.index}:
                return "hardlink"
        return None

    @cached_property
    def _names_before(self) -> dict[_File, set[str]]:
        return _names(self._before)

    @cached_property
    def _names_after(self) -> dict[_File, set[str]]:
        return _names(self._after)


def _names(snapshot: Snapshot) -> dict[_File, set[str]]:
    """The paths of each file, of which some have several."""
    names: dict[_File, set[str]] = defaultdict(set)
    for path, record in zip(snapshot.paths, RECORD.iter_unpack(snapshot.records), strict=True):
        names[record[-2:]].add(path)
    return names


def _in_both(before: Snapshot, after: Snapshot) -> Iterator[str]:
    """Paths of both snapshots of which something differs, or could without showing it. Long runs of equal ones cost little."""
    for start in range(0, len(after), _RUN):
        paths = after.paths[start : start + _RUN]
        earlier = before.index.get(paths[0])
        if earlier is None or not _is_run(paths, before, earlier, after, start):
            yield from (path for path in paths if path in before and _differs(path, before, after))


def _is_run(paths: tuple[str, ...], before: Snapshot, earlier: int, after: Snapshot, start: int) -> bool:
    size = len(paths)
    return (
        paths == before.paths[earlier : earlier + size]
        and before.records_of(earlier, size) == after.records_of(start, size)
        and before.hashes_of(earlier, size) == after.hashes_of(start, size)
        and before.errors.keys().isdisjoint(paths)
    )


def _differs(path: str, before: Snapshot, after: Snapshot) -> bool:
    earlier, position = before.index[path], after.index[path]
    return (
        before.records_of(earlier) != after.records_of(position)
        or before.hashes_of(earlier) != after.hashes_of(position)
        or path in before.errors
    )


def _holds_something(snapshot: Snapshot, path: str) -> bool:
    following = snapshot.index[path] + 1
    return following < len(snapshot) and snapshot.paths[following].startswith(path + "/")


def _texts(snapshot: Snapshot) -> TextOf:
    def text_of(entry: Entry) -> bytes | None:
        content = snapshot.content(entry.path)
        return None if isinstance(content, NotKept) else content

    return text_of
