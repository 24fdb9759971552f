"""The state of the git repositories in a snapshot: what a commit, a checkout or a new hook changes, and no paths of objects."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from ._changes import GitChange, GitItemKind
from ._entry import Entry
from ._git_files import read_config, read_index
from ._git_paths import git_place
from ._snapshot import Snapshot

__all__ = ["git_changes"]

_KINDS: Final[tuple[tuple[GitItemKind, str], ...]] = (
    ("repository", r""),
    ("head", r"HEAD"),
    ("ref", r"refs/.+|packed-refs"),
    ("index", r"index"),
    ("config", r"config(?:\.worktree)?"),
    ("hook", r"hooks/.+"),
    ("worktree", r"worktrees/.+"),
    ("reflog", r"logs/.+"),
    ("info", r"info/.+"),
    ("objects", r"(?:lfs/|annex/)?objects"),
    ("operation", r"[A-Z_]+_(?:HEAD|MSG|MODE|RR|LOG)|(?:rebase-(?:apply|merge)|sequencer)/.+|AUTO_MERGE|BISECT_.+"),
    ("other", r".+"),
)
"""Which path within `.git` is what: the first pattern that fits all of it."""
_KIND: Final = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS), re.DOTALL)
_MODULE: Final = re.compile(
    r"(?:modules/.+?/)+?(?=(?:HEAD|packed-refs|index|config|objects)\Z|(?:refs|hooks|logs|info|worktrees)/)", re.DOTALL
)
"""The folder of a submodule's own state."""
_RUNS: Final = re.compile(
    r"core\.(?:fsmonitor|hookspath|sshcommand|pager|editor|askpass|gitproxy|alternaterefscommand)|alias\..+|pager\..+"
    r"|filter\..+\.(?:clean|smudge|process)|diff\.external|(?:diff|merge)\..+\.(?:command|textconv|driver)"
    r"|(?:difftool|mergetool)\..+\.(?:cmd|path)|credential\.(?:.+\.)?helper|gpg\.(?:.+\.)?program|sequence\.editor"
    r"|interactive\.difffilter|include(?:if)?\.(?:.+\.)?path|remote\..+\.(?:uploadpack|receivepack|vcs)"
    r"|submodule\..+\.update|uploadpack\.packobjectshook|trailer\..+\.(?:command|cmd)|hook\..+\.command",
    re.DOTALL,
)
"""Settings that name what git runs, or a file with more settings."""


@dataclass(frozen=True, slots=True)
class _Item:
    value: str
    path: str
    runs: bool


_Key = tuple[str, GitItemKind, str]
"""Repository, kind, name."""
_Said = tuple[str, str, bool]
"""Name, value, and whether git runs it."""


def git_changes(before: Snapshot, after: Snapshot, repositories: set[str]) -> tuple[GitChange, ...]:
    """What changed in the state of repositories, each named by the folder that holds its `.git`.

    What a folder hides that could not be seen is no change; the folder is told as one that cannot be read.

    Raises:
        StoreError: what a snapshot kept is damaged.
    """
    if not repositories:
        return ()
    old, new = _state(before, repositories), _state(after, repositories)
    changed = [key for key in sorted(old.keys() | new.keys()) if _value(old.get(key)) != _value(new.get(key))]
    return tuple(
        _change(key, old.get(key), new.get(key), after)
        for key in changed
        if not (key not in new and after.hides(old[key].path)) and not (key not in old and before.hides(new[key].path))
    )


def _value(item: _Item | None) -> str | None:
    return None if item is None else item.value


def _change(key: _Key, old: _Item | None, new: _Item | None, after: Snapshot) -> GitChange:
    repository, kind, name = key
    item = new or old
    assert item is not None
    entry = None if new is None else after[new.path]
    return GitChange(
        repository=repository,
        kind=kind,
        name=name,
        before=_value(old),
        after=_value(new),
        path=item.path,
        runs=new is not None and new.runs,
        mtime_ns=None if entry is None else entry.mtime_ns,
        ctime_ns=None if entry is None else entry.ctime_ns,
    )


def _state(snapshot: Snapshot, repositories: set[str]) -> dict[_Key, _Item]:
    """In the order of the walk, in which `packed-refs` comes before the loose refs that count instead."""
    state: dict[_Key, _Item] = {}
    for path in snapshot.paths:
        place = git_place(path)
        if place is not None and place[0] in repositories:
            kind, module, rest = _kind(place[1])
            for name, value, runs in _said(snapshot, path, kind, rest):
                state[place[0], kind, module + name] = _Item(value, path, runs)
    return state


def _kind(name: str) -> tuple[GitItemKind, str, str]:
    """The kind of a path within `.git`, the folder of the submodule to which it belongs, and the path in that."""
    found = _MODULE.match(name)
    module = "" if found is None else found[0]
    match = _KIND.fullmatch(name, len(module))
    assert match is not None
    kind: Any = match.lastgroup
    return kind, module, match[0]


def _said(snapshot: Snapshot, path: str, kind: GitItemKind, name: str) -> Iterator[_Said]:
    """What a path says, by name: its meaning where this module knows it, its mode and hash otherwise."""
    entry = snapshot[path]
    if path in snapshot.counted:
        yield name, f"{snapshot.counted[path]} files", False
    elif entry.error is not None:
        yield name, entry.error, False
    elif entry.type == "directory":
        if kind == "repository":
            yield name, entry.type, False
    elif entry.type == "file" and kind in _READERS and isinstance(content := snapshot.content(path), bytes):
        try:
            yield from _READERS[kind](name, content)
        except ValueError:
            yield name, _summary(entry), False
    else:
        yield name, _summary(entry), kind == "hook" and _is_hook(entry, name)


def _summary(entry: Entry) -> str:
    if entry.type == "symlink":
        return f"link to {entry.target}"
    return f"{entry.mode:04o} sha256:{entry.sha256}" if entry.type == "file" else entry.type


def _is_hook(entry: Entry, name: str) -> bool:
    return bool(entry.mode & 0o111) and name.count("/") == 1 and not name.endswith(".sample")


def _line(name: str, content: bytes) -> Iterator[_Said]:
    yield name, os.fsdecode(content).strip(), False


def _refs(name: str, content: bytes) -> Iterator[_Said]:
    if name != "packed-refs":
        yield from _line(name, content)
        return
    for line in os.fsdecode(content).split("\n"):
        if line and line[0] not in "#^":
            object_id, _, ref = line.partition(" ")
            yield ref, object_id, False


def _index(name: str, content: bytes) -> Iterator[_Said]:
    entries = read_index(content)
    digest = sha256()
    for entry in entries:
        digest.update(b"%b\0%o %b %b\0" % (entry.path, entry.mode, entry.object_id, entry.flags))
    yield name, f"{len(entries)} entries, sha256:{digest.hexdigest()}", False


def _config(name: str, content: bytes) -> Iterator[_Said]:
    where = "" if name == "config" else f"{name}:"
    for key, values in read_config(os.fsdecode(content)).items():
        yield where + key, "\n".join(values), _RUNS.fullmatch(key) is not None


_READERS: Final[Mapping[GitItemKind, Callable[[str, bytes], Iterator[_Said]]]] = {
    "repository": _line,
    "head": _line,
    "ref": _refs,
    "index": _index,
    "config": _config,
}
"""What is compared by its meaning."""
