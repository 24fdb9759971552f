"""Changes in the words of `git diff`, so that `git apply` makes them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ._entry import Entry

__all__ = ["Side", "git_patch", "quoted", "remark"]

_UNSAFE: Final = re.compile(rb'[^ -~]|["\\]')
_ESCAPES: Final = {
    b"\a": rb"\a",
    b"\b": rb"\b",
    b"\t": rb"\t",
    b"\n": rb"\n",
    b"\v": rb"\v",
    b"\f": rb"\f",
    b"\r": rb"\r",
    b'"': rb"\"",
    b"\\": rb"\\",
}
_NOWHERE: Final = b"/dev/null"


@dataclass(frozen=True, slots=True)
class Side:
    """What git knows of a path before or after."""

    path: str
    mode: bytes

    @classmethod
    def of(cls, entry: Entry) -> "Side | None":
        """The side that an entry makes; None if git does not know such things."""
        if entry.type == "symlink":
            return cls(entry.path, b"120000")
        if entry.type == "file":
            return cls(entry.path, b"100755" if entry.mode & 0o100 else b"100644")
        return None


def quoted(path: bytes) -> bytes:
    """A path as git writes it: as it is, or in quotes with escapes if it has control, quote or non-ASCII bytes."""
    escaped = _UNSAFE.sub(lambda match: _ESCAPES.get(match[0]) or b"\\%03o" % ord(match[0]), path)
    return path if escaped == path else b'"%b"' % escaped


def remark(path: str, said: str) -> bytes:
    """A line that says of a path what a patch cannot. It is no part of the patch."""
    return b"# %b: %b\n" % (quoted(os.fsencode(path)), said.encode(errors="backslashreplace"))


def git_patch(before: Side | None, after: Side | None, hunks: bytes, similarity: int = 100) -> bytes:
    """One file's part of a patch.

    Args:
        before: None if the patch makes the file.
        after: None if the patch removes it. It has another path if the patch renames it.
        hunks: as in a unified diff; may be empty.
        similarity: of a renamed file, in per cent.
    """
    return b"".join(_parts(before, after, hunks, similarity))


def _parts(before: Side | None, after: Side | None, hunks: bytes, similarity: int) -> Iterator[bytes]:
    old, new = before or after, after or before
    assert old is not None
    assert new is not None
    yield b"diff --git %b %b\n" % (_first(_name(b"a/", old.path)), _first(_name(b"b/", new.path)))
    if before is None:
        yield b"new file mode %b\n" % new.mode
    elif after is None:
        yield b"deleted file mode %b\n" % old.mode
    elif old.mode != new.mode:
        yield b"old mode %b\nnew mode %b\n" % (old.mode, new.mode)
    if old.path != new.path:
        names = quoted(os.fsencode(old.path)), quoted(os.fsencode(new.path))
        yield b"similarity index %d%%\nrename from %b\nrename to %b\n" % (similarity, *names)
    if hunks:
        yield b"--- %b\n" % (_NOWHERE if before is None else _headed(b"a/", before.path))
        yield b"+++ %b\n" % (_NOWHERE if after is None else _headed(b"b/", after.path))
        yield hunks


def _name(prefix: bytes, path: str) -> bytes:
    return quoted(prefix + os.fsencode(path))


def _first(name: bytes) -> bytes:
    """A name in the first line. git cannot read its own if there is a blank before a slash, unless it is in quotes."""
    return b'"%b"' % name if b" /" in name and not name.startswith(b'"') else name


def _headed(prefix: bytes, path: str) -> bytes:
    """A name in a line that ends with it: a tab says where it ends if there are blanks in it."""
    name = _name(prefix, path)
    return name + b"\t" if b" " in name and not name.startswith(b'"') else name
