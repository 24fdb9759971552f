"""A second snapshot reads only what could have changed, and misses nothing that did."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tachograph.scoring.workdir import Snapshot, diff, snapshot
from tachograph.traces import InputError, StoreError


def settle(root: Path) -> None:
    """Wait until the files of a folder are older than a tick of the clock that their times are taken from."""
    while time.time_ns() < max(path.lstat().st_ctime_ns for path in root.rglob("*")) + 25_000_000:
        time.sleep(0.005)


def operations(before: Snapshot, after: Snapshot) -> dict[str, str]:
    return {change.path: change.operation for change in diff(before, after).changes}


def keep_times(path: Path, content: str) -> None:
    """Write as many bytes in place, and set the times back."""
    status = path.stat()
    with path.open("r+") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_size) == (status.st_mtime_ns, status.st_size)


def test_tampering_with_the_time_set_back_is_seen(root: Path) -> None:
    """A file of the same size, inode and mtime that has another content is modified: its ctime tells."""
    (root / "a").write_text("assert x == 1\n")
    settle(root)
    before = snapshot(root)
    keep_times(root / "a", "assert x == x\n")
    after = snapshot(root, previous=before)
    assert (after["a"].mtime_ns, after["a"].ino) == (before["a"].mtime_ns, before["a"].ino)
    assert operations(before, after) == {"a": "modify"}
    (change,) = diff(before, after).changes
    assert (change.mtime_ns, change.ctime_ns) == (after["a"].mtime_ns, after["a"].ctime_ns)
    assert after["a"].ctime_ns > before["a"].ctime_ns


def test_what_changed_within_a_tick_is_read_again(root: Path) -> None:
    """A file that changed shortly before a snapshot could change again without another ctime; so it is not trusted."""
    (root / "a").write_text("1")
    before = snapshot(root)
    keep_times(root / "a", "2")
    racy = replace(before, records=snapshot(root).records)
    assert racy["a"].ctime_ns > racy.started_ns - 20_000_000
    assert operations(racy, snapshot(root, previous=racy)) == {"a": "modify"}


def test_what_cannot_have_changed_is_not_read_again(root: Path) -> None:
    """Its hash is that of the snapshot before, whatever that is; unless one is paranoid."""
    (root / "a").write_text("1")
    before = snapshot(root)
    settled = replace(before, hashes=bytes(range(32)), started_ns=before["a"].ctime_ns + 3_000_000_000)
    assert snapshot(root, previous=settled)["a"].sha256 == bytes(range(32)).hex()
    assert snapshot(root, previous=settled, paranoid=True)["a"].sha256 == before["a"].sha256


def test_contents_that_did_not_change_are_kept_once(root: Path) -> None:
    """They are read through the snapshot before, however long ago that was; one that is new is kept by its own snapshot."""
    (root / "a").write_text("1")
    (root / "b").write_text("2")
    first = snapshot(root)
    (root / "b").write_text("3")
    (root / "a").touch()
    second = snapshot(root, previous=first)
    third = snapshot(root, previous=second, paranoid=True)
    assert [third.content(path) for path in third] == [b"1", b"3"]
    assert [sum(block.size for block in each.contents.blocks) for each in (first, second, third)] == [2, 1, 0]


def test_nothing_is_changed(root: Path) -> None:
    """Taking a snapshot leaves every time but that of access as it was."""
    (root / "folder").mkdir()
    (root / "folder" / "a").write_text("1")
    first, second = snapshot(root), snapshot(root, paranoid=True)
    assert replace(second, started_ns=first.started_ns) == first


def test_the_root_must_be_a_folder(root: Path) -> None:
    """Nothing there, or something else, is bad input; a link to a folder is a name for it."""
    (root / "file").touch()
    for path in (root / "nothing", root / "file"):
        with pytest.raises(InputError, match="no snapshot can be taken"):
            snapshot(path)
    (root / "link").symlink_to(".")
    assert list(snapshot(root / "link")) == ["file", "link"]


def test_a_snapshot_does_not_lie_in_its_root(root: Path) -> None:
    """There the agent could change it, and it would be a part of the next."""
    with pytest.raises(InputError, match="keep it elsewhere"):
        snapshot(root, file=root / "folder" / ".." / "file")
    assert list(snapshot(root)) == []


def test_a_file_that_cannot_be_written_is_told(root: Path, tmp_path: Path) -> None:
    """Without a folder for it, or without room on the disk, there is an error, and no file by halves."""
    with pytest.raises(StoreError, match="nowhere/file: cannot be written"):
        snapshot(root, file=tmp_path / "nowhere" / "file")
