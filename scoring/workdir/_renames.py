"""Which removed path is which added one."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from posixpath import basename
from typing import Final

from ._entry import Entry
from ._lines import lines_of

__all__ = ["Rename", "TextOf", "find_renames"]

Rename = tuple[Entry, Entry, int]
"""Before, after, and how similar they are, in per cent."""
TextOf = Callable[[Entry], bytes | None]
"""The text of a file; None if it was not kept."""

_FEWER_THAN: Final = 200
"""Candidates, removed and added, among which similar ones are looked for."""
_MOST_WORK: Final = 5_000_000
"""Lines of candidates, each as often as it would be compared, beyond which similar ones are not looked for either."""
_SIMILAR: Final = 50
"""Per cent of the lines of the longer text."""


def find_renames(
    removed: Sequence[Entry], added: Sequence[Entry], text_before: TextOf, text_after: TextOf
) -> list[Rename]:
    """Pair what was removed with what was added: the same content first, the same inode first of all; then similar texts.

    What is empty is the same only if its inode and its mtime are, too: all empty files have the same content.
    """
    pairs: list[tuple[Entry, Entry]] = []
    for key in (_same_inode, _same_name, _same_content):
        pairs += _pair(_without(removed, pairs, 0), _without(added, pairs, 1), key)
    renames = [(old, new, 100) for old, new in pairs]
    old_files = [entry for entry in _without(removed, pairs, 0) if entry.type == "file"]
    new_files = [entry for entry in _without(added, pairs, 1) if entry.type == "file"]
    if len(old_files) + len(new_files) >= _FEWER_THAN:
        return renames
    return renames + _similar(_texts(old_files, text_before), _texts(new_files, text_after))


def _without(entries: Sequence[Entry], pairs: Sequence[tuple[Entry, Entry]], side: int) -> list[Entry]:
    paired = {pair[side].path for pair in pairs}
    return [entry for entry in entries if entry.path not in paired]


def _same_inode(entry: Entry) -> Hashable:
    content = _content(entry)
    if content is None and entry.type == "file" and entry.sha256 is None:
        return None
    return content, entry.type, entry.dev, entry.ino, None if content else entry.mtime_ns


def _same_name(entry: Entry) -> Hashable:
    content = _content(entry)
    return content and (content, basename(entry.path))


def _content(entry: Entry) -> Hashable:
    """What makes two entries the same thing; None if it has nothing that could."""
    if entry.type == "symlink" and entry.target:
        return entry.type, entry.target
    return (entry.type, entry.sha256) if entry.sha256 and entry.size else None


_same_content = _content


def _pair(
    removed: Sequence[Entry], added: Sequence[Entry], key: Callable[[Entry], Hashable]
) -> Iterator[tuple[Entry, Entry]]:
    waiting: defaultdict[Hashable, list[Entry]] = defaultdict(list)
    for entry in reversed(removed):
        waiting[key(entry)].append(entry)
    for entry in added:
        found = key(entry)
        if found is not None and waiting[found]:
            yield waiting[found].pop(), entry


def _texts(entries: Sequence[Entry], text_of: TextOf) -> list[tuple[Entry, Counter[bytes]]]:
    texts = ((entry, text_of(entry)) for entry in entries)
    return [(entry, Counter(lines_of(text))) for entry, text in texts if text]


def _similar(
    removed: Sequence[tuple[Entry, Counter[bytes]]], added: Sequence[tuple[Entry, Counter[bytes]]]
) -> list[Rename]:
    lines = sum(len(text) for _, text in removed)
    if lines * len(added) > _MOST_WORK:
        return []
    scored = [
        (-score, (old.dev, old.ino) != (new.dev, new.ino), old.path, new.path, old, new)
        for old, old_lines in removed
        for new, new_lines in added
        if (score := _similarity(old_lines, new_lines)) >= _SIMILAR
    ]
    renames: list[Rename] = []
    taken_old: set[str] = set()
    taken_new: set[str] = set()
    for score, _, old_path, new_path, old, new in sorted(scored, key=lambda each: each[:4]):
        if old_path not in taken_old and new_path not in taken_new:
            renames.append((old, new, -score))
            taken_old.add(old_path)
            taken_new.add(new_path)
    return renames


def _similarity(one: Counter[bytes], other: Counter[bytes]) -> int:
    """Shared lines, in per cent of the lines of the longer text."""
    sizes = one.total(), other.total()
    if 100 * min(sizes) < _SIMILAR * max(sizes):
        return 0
    return 100 * (one & other).total() // max(sizes)
