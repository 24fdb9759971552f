"""What happened to a path has the name of what happened, and what cannot be known is None."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from tachograph.scoring.workdir import Change, NotKept, Snapshot, diff, snapshot
from tachograph.scoring.workdir._contents import Contents


def changes(before: Snapshot, after: Snapshot) -> dict[str, Change]:
    return {change.path: change for change in diff(before, after).changes}


def operations(before: Snapshot, after: Snapshot) -> dict[str, str]:
    return {path: change.operation for path, change in changes(before, after).items()}


def counts(change: Change) -> tuple[int | None, ...]:
    return change.lines_added, change.lines_removed, change.bytes_added, change.bytes_removed


def test_lines_and_bytes_are_counted(root: Path) -> None:
    """Of what was added, removed, modified and renamed; what has no lines has none."""
    (root / "gone").write_text("1\n2\n")
    (root / "same").write_text("1\n" * 10 + "2")
    (root / "old").write_text("".join(f"{number}\n" for number in range(10)))
    (root / "link").symlink_to("old")
    before = snapshot(root)
    (root / "gone").unlink()
    (root / "same").write_text("1\n" * 10 + "22")
    (root / "old").rename(root / "new")
    (root / "new").write_text("".join(f"{number}\n" for number in range(9)))
    (root / "link").unlink()
    (root / "link").symlink_to("new")
    (root / "come").write_text("one\n")
    found = changes(before, snapshot(root))
    assert {path: (change.operation, *counts(change)) for path, change in found.items()} == {
        "come": ("add", 1, 0, 4, 0),
        "gone": ("remove", 0, 2, 0, 4),
        "link": ("symlink", 0, 0, 0, 0),
        "new": ("rename", 0, 1, 0, 2),
        "same": ("modify", 1, 1, 2, 1),
    }
    assert found["new"].old_path == "old"
    assert found["gone"].mtime_ns is None
    assert found["gone"].ctime_ns is None
    assert {path for path, change in found.items() if change.is_content_changed} == {
        "come",
        "gone",
        "link",
        "new",
        "same",
    }


def test_what_is_binary_has_no_lines(root: Path) -> None:
    """Neither when it is added, nor removed, nor modified: None, and why. Moved as it is, nothing was added or removed."""
    for name in ("gone", "same", "old"):
        (root / name).write_bytes(bytes(10) + name.encode())
    before = snapshot(root)
    (root / "gone").unlink()
    (root / "same").write_bytes(bytes(11))
    (root / "old").rename(root / "moved")
    (root / "come").write_bytes(bytes(12))
    found = changes(before, snapshot(root))
    assert [(change.operation, change.note, *counts(change)) for change in found.values()] == [
        ("add", "binary", None, None, None, None),
        ("remove", "binary", None, None, None, None),
        ("rename", None, 0, 0, 0, 0),
        ("modify", "binary", None, None, None, None),
    ]
    assert found["come"].patch.startswith(b"# come: add, not in this patch: binary; sha256 ")
    assert found["moved"].is_content_changed is False


def test_times_alone_are_no_change(root: Path) -> None:
    """Touched, rewritten with the same bytes, replaced by an equal file: nothing happened."""
    for name in "abc":
        (root / name).write_text(name)
    before = snapshot(root)
    (root / "a").touch()
    (root / "b").write_text("b")
    (root / "c").unlink()
    (root / "c").write_text("c")
    assert diff(before, snapshot(root, previous=before)).changes == ()


def test_modes(root: Path) -> None:
    """All permission bits count, also of folders; of a modified file they are told beside."""
    for name in ("read", "run", "sticky", "both"):
        (root / name).write_text("1\n")
    (root / "folder").mkdir()
    before = snapshot(root)
    (root / "read").chmod(0o600)
    (root / "run").chmod(0o755)
    (root / "sticky").chmod(0o4644)
    (root / "both").chmod(0o755)
    (root / "both").write_text("2\n")
    (root / "folder").chmod(0o700)
    found = changes(before, snapshot(root))
    assert {path: change.operation for path, change in found.items()} == {
        "both": "modify",
        "folder": "mode",
        "read": "mode",
        "run": "mode",
        "sticky": "mode",
    }
    assert all(change.is_mode_changed for change in found.values())
    assert found["sticky"].patch == b"# sticky: mode, not in this patch: 0644 -> 4644\n"


def test_case_only_renames(root: Path) -> None:
    """README to readme is a rename, of a file and of all that is in a folder."""
    (root / "README").write_text("1\n")
    (root / "Source").mkdir()
    (root / "Source" / "a.py").write_text("2\n")
    before = snapshot(root)
    (root / "README").rename(root / "readme")
    (root / "Source").rename(root / "source")
    found = changes(before, snapshot(root))
    assert {change.old_path: path for path, change in found.items()} == {
        "README": "readme",
        "Source/a.py": "source/a.py",
    }
    assert {change.operation for change in found.values()} == {"rename"}


def test_another_thing_in_its_place(root: Path) -> None:
    """A folder for a file, a file for a folder, a pipe for a file, a file for a link: the type, and what went with it."""
    (root / "file").write_text("1\n")
    (root / "folder").mkdir()
    (root / "folder" / "in").write_text("2\n3\n")
    (root / "plain").write_text("4\n")
    (root / "link").symlink_to("plain")
    before = snapshot(root)
    (root / "file").unlink()
    (root / "file").mkdir()
    (root / "file" / "in").write_text("5\n")
    shutil.rmtree(root / "folder")
    (root / "folder").write_text("6\n7\n8\n")
    (root / "plain").unlink()
    os.mkfifo(root / "plain")
    (root / "link").unlink()
    (root / "link").write_text("9\n")
    found = changes(before, snapshot(root))
    assert {path: (change.operation, *counts(change)[:2]) for path, change in found.items()} == {
        "file": ("type", 0, 1),
        "file/in": ("add", 1, 0),
        "folder": ("type", 3, 0),
        "folder/in": ("remove", 0, 2),
        "link": ("type", 1, 0),
        "plain": ("type", 0, 1),
    }


def test_folders_count_where_nothing_in_them_does(root: Path) -> None:
    """An empty folder that comes, goes or moves is a change; one that holds something is told by what it holds."""
    for path in ("stays", "goes", "old", "full/deep"):
        (root / path).mkdir(parents=True)
    (root / "full" / "deep" / "a").write_text("1\n")
    before = snapshot(root)
    (root / "goes").rmdir()
    (root / "old").rename(root / "moved")
    (root / "full").rename(root / "elsewhere")
    (root / "come" / "deep").mkdir(parents=True)
    found = changes(before, snapshot(root))
    assert {path: (change.operation, change.old_path) for path, change in found.items()} == {
        "come/deep": ("add", None),
        "elsewhere/deep/a": ("rename", "full/deep/a"),
        "goes": ("remove", None),
        "moved": ("rename", "old"),
    }


def test_what_was_not_read_is_not_called_unchanged(root: Path) -> None:
    """A file of which the hash is missing before or after, of equal size and with other times, is unknown; not 0 lines."""
    (root / "a").write_text("1\n")
    before = snapshot(root)
    (root / "a").write_text("2\n")
    after = snapshot(root)
    unread = replace(
        after,
        hashes=bytes(32),
        errors={"a": "cannot be read: Input/output error"},
        contents=Contents([NotKept.UNREAD], [], b""),
    )
    for one, other in ((before, unread), (unread, replace(before, started_ns=before.started_ns))):
        found = diff(one, other)
        (change,) = found.changes
        assert (change.operation, change.note, *counts(change)) == (
            "unknown",
            "cannot be read: Input/output error",
            *[None] * 4,
        )
        assert change.is_content_changed is None
        assert found.unseen == {"a": "cannot be read: Input/output error"}
    long_ago = replace(unread, started_ns=unread["a"].ctime_ns + 10**10)
    assert diff(unread, unread).changes[0].operation == "unknown"
    assert diff(long_ago, long_ago).changes == ()


def test_the_order_is_that_of_the_walk(root: Path) -> None:
    """Whatever happened first."""
    paths = ["B", "a/x", "a.b", "z"]
    before = snapshot(root)
    for path in reversed(paths):
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(path)
    assert list(changes(before, snapshot(root))) == paths
    assert list(changes(snapshot(root), before)) == paths
