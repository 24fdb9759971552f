"""What a change says of itself: its lines, and its part of the patch."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ._changes import Change, Operation
from ._contents import NotKept
from ._entry import Entry
from ._lines import TextDiff, text_diff
from ._patch import Side, git_patch, remark
from ._snapshot import Snapshot

__all__ = ["Step", "describe", "is_same"]

_NO_LINES = TextDiff(lines_added=0, lines_removed=0, bytes_added=0, bytes_removed=0, hunks=b"")


@dataclass(frozen=True, slots=True)
class Step:
    """From one entry to another, of which one may be None."""

    operation: Operation
    old: Entry | None
    new: Entry | None
    similarity: int = 100
    """Of a rename, in per cent."""


def describe(step: Step, before: Snapshot, after: Snapshot) -> Change:
    """Make the change that a step is, with the contents that two snapshots have.

    Raises:
        StoreError: what a snapshot kept is damaged.
    """
    old, new = step.old, step.new
    entry = new or old
    assert entry is not None
    lines, note = _lines(step, before, after)
    return Change(
        operation=step.operation,
        path=entry.path,
        old_path=old.path if old and step.operation == "rename" else None,
        before=old,
        after=new,
        lines_added=None if lines is None else lines.lines_added,
        lines_removed=None if lines is None else lines.lines_removed,
        bytes_added=None if lines is None else lines.bytes_added,
        bytes_removed=None if lines is None else lines.bytes_removed,
        note=note,
        patch=b"".join(_patch(step, lines, note)),
    )


def is_same(old: Entry, new: Entry) -> bool:
    """Whether two entries are known to differ in nothing but name, mode, links and times."""
    if old.type != new.type or (old.type == "file" and old.sha256 is None):
        return False
    return (old.sha256, old.target) == (new.sha256, new.target)


def _lines(step: Step, before: Snapshot, after: Snapshot) -> tuple[TextDiff | None, str | None]:
    """The lines that changed, or None and why they are not known."""
    old, new = step.old, step.new
    if step.operation == "unknown":
        errors = [entry.error for entry in (new, old) if entry and entry.error]
        return None, errors[0] if errors else "a folder that holds it could not be seen"
    if old and new and is_same(old, new):
        return _NO_LINES, None
    old_text, new_text = _text(before, old), _text(after, new)
    if isinstance(old_text, str):
        return None, old_text
    if isinstance(new_text, str):
        return None, new_text
    return text_diff(old_text, new_text), None


def _text(snapshot: Snapshot, entry: Entry | None) -> bytes | str:
    """The text of a file, or why it is not at hand. Other things have none."""
    if entry is None or entry.type != "file":
        return b""
    content = snapshot.content(entry.path)
    return (entry.error or content.reason) if isinstance(content, NotKept) else content


def _patch(step: Step, lines: TextDiff | None, note: str | None) -> Iterator[bytes]:
    old, new = step.old, step.new
    if old and new and old.type != new.type:
        yield from _part(Step("remove", old, None), lines, note)
        yield from _part(Step("add", None, new), lines, note)
    else:
        yield from _part(step, lines, note)


def _part(step: Step, lines: TextDiff | None, note: str | None) -> Iterator[bytes]:
    """The patch for a step between entries of one type, and remarks on what it cannot say."""
    old, new = step.old, step.new
    entry = new or old
    assert entry is not None
    hunks = _hunks(step, lines)
    before, after = Side.of(old) if old else None, Side.of(new) if new else None
    if hunks is None:
        hashes = " -> ".join(f"sha256 {each.sha256}" for each in (old, new) if each)
        yield remark(entry.path, f"{step.operation}, not in this patch: {note or entry.error}; {hashes}")
    elif not (before or after) and step.operation != "mode":
        yield remark(entry.path, f"{step.operation}, not in this patch: {entry.type}")
    elif step.operation == "hardlink":
        yield remark(entry.path, "hardlink: the same content, but other names share the file")
    if old and new and old.mode != new.mode and not (before and after and before.mode != after.mode):
        yield remark(entry.path, f"mode, not in this patch: {old.mode:04o} -> {new.mode:04o}")
    if hunks or (before != after and (hunks is not None or (before and after))):
        yield git_patch(before, after, hunks or b"", step.similarity)


def _hunks(step: Step, lines: TextDiff | None) -> bytes | None:
    """Of entries of one type; None if what they would say is not at hand. To git, where a link leads is its text."""
    entries = [entry for entry in (step.old, step.new) if entry]
    if step.operation == "unknown" or any(entry.type == "symlink" and entry.target is None for entry in entries):
        return None
    if entries[0].type == "symlink":
        old, new = (b"" if entry is None else os.fsencode(entry.target or "") for entry in (step.old, step.new))
        return text_diff(old, new).hunks
    if entries[0].type == "file":
        return None if lines is None else lines.hunks
    return b""
