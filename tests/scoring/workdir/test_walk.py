"""A walk sees everything below its root, goes nowhere else, and says what it could not see."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from tachograph.scoring.workdir import Limits, NotKept, Snapshot, diff, read_snapshot, snapshot, write_snapshot

SCRIPTS = Path(__file__).parent


def operations(before: Snapshot, after: Snapshot) -> dict[str, str]:
    return {change.path: change.operation for change in diff(before, after).changes}


def test_an_entry_says_all_of_its_path(root: Path) -> None:
    """Type, mode, size, times, device, inode, links and hash are those that the system tells."""
    (root / ".hidden").write_bytes(b"text\n")
    (root / ".hidden").chmod(0o4640)
    (root / "empty").mkdir(mode=0o700)
    found = snapshot(root)
    status = (root / ".hidden").lstat()
    entry = found[".hidden"]
    assert list(found) == [".hidden", "empty"]
    assert (entry.type, entry.mode, entry.size, entry.nlink) == ("file", 0o4640, 5, 1)
    assert (entry.mtime_ns, entry.ctime_ns) == (status.st_mtime_ns, status.st_ctime_ns)
    assert (entry.dev, entry.ino) == (status.st_dev, status.st_ino)
    assert (entry.sha256, entry.target, entry.error) == (sha256(b"text\n").hexdigest(), None, None)
    assert (found["empty"].type, found["empty"].mode, found["empty"].sha256) == ("directory", 0o700, None)
    assert found.content(".hidden") == b"text\n"
    assert found.content("empty") is NotKept.NO_FILE


def test_the_order_is_that_of_a_walk(root: Path) -> None:
    """Names by code point, and what a folder holds right after it, whatever order the disk has."""
    for path in ("b/x", "a.b", "a/z", "a/y/1", "B"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    assert list(snapshot(root)) == ["B", "a", "a/y", "a/y/1", "a/z", "a.b", "b", "b/x"]


def test_names_are_bytes(root: Path, tmp_path: Path) -> None:
    """Names that are no UTF-8, with newlines, quotes and blanks, are seen, written, read and compared like any other."""
    names = [b"caf\xe9", b"two\nlines", b' "\\ ', "ünï".encode(), b"\xff\xfe", b"-n", b"a\tb", b"\x01\x7f"]
    before = snapshot(root)
    for name in names:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    after = snapshot(root)
    assert {os.fsencode(path) for path in after} == set(names)
    write_snapshot(after, tmp_path / "file")
    again = read_snapshot(tmp_path / "file")
    assert again == after
    assert {os.fsencode(change.path): change.operation for change in diff(before, again).changes} == dict.fromkeys(
        names, "add"
    )
    assert all(again.content(path) == os.fsencode(path) for path in again)


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    """A link to itself, to nothing, up, and to the outside are entries with a target, and what they lead to is not seen."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    targets = {
        "dangling": "nowhere",
        "loop": "loop",
        "out": str(tmp_path / "outside"),
        "secret": "../outside/secret",
        "up": "..",
    }
    for name, target in targets.items():
        (root / name).symlink_to(target)
    found = snapshot(root)
    assert {path: found[path].target for path in found} == targets
    assert {entry.type for entry in found.values()} == {"symlink"}
    assert not found.errors


def test_no_pipe_socket_or_device_is_opened(root: Path) -> None:
    """They are entries; a writer that waits for a pipe to be opened goes on waiting, and a server sees nobody."""
    os.mkfifo(root / "pipe")
    waits, opened = threading.Event(), threading.Event()

    def wait_for_a_reader() -> None:
        waits.set()
        os.close(os.open(root / "pipe", os.O_WRONLY))
        opened.set()

    writer = threading.Thread(target=wait_for_a_reader)
    writer.start()
    waits.wait()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        server.listen()
        server.setblocking(False)
        found = snapshot(root)
        assert {path: found[path].type for path in found} == {"pipe": "fifo", "socket": "socket"}
        with pytest.raises(BlockingIOError):
            server.accept()
    assert not opened.is_set()
    reader = os.open(root / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer.join()
    os.close(reader)
    assert not found.errors


def test_devices_and_other_file_systems_are_named_only() -> None:
    """Devices are entries that nobody opens; where another file system is mounted, the walk does not enter, and says so."""
    found = snapshot("/dev", limits=Limits(read_of_a_file=0))
    assert found["null"].type == "character device"
    mounts = [entry.name for entry in os.scandir("/dev") if Path(entry.path).is_mount() and not entry.is_symlink()]
    folders = [name for name in mounts if stat.S_ISDIR(Path("/dev", name).lstat().st_mode)]
    if not folders:
        pytest.skip("no file system is mounted in /dev here")
    for name in folders:
        assert found.errors[name] == "not looked into: it is on another file system"
        assert not [path for path in found if path.startswith(f"{name}/")]


def test_what_may_not_be_seen_is_an_error_and_not_absent() -> None:
    """Without permission a file has no hash, a folder no entries, and both say why; what they hide did not vanish."""
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        root = place / "root"
        for path in ("open/file", "locked/file", "listed/file", "unreadable"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text("text\n")
        before = snapshot(root)
        (root / "unreadable").chmod(0)
        (root / "locked").chmod(0)
        (root / "listed").chmod(0o444)
        write_snapshot(before, place / "before")
        (place / "before").chmod(0o644)
        command: list[str | Path] = [sys.executable, SCRIPTS / "snapshot_without_permission.py", place / "before", root]
        output = subprocess.run(command, check=True, capture_output=True).stdout
        (root / "locked").chmod(0o755)
        (root / "listed").chmod(0o755)
        seen = json.loads(output)
        assert seen["paths"] == ["listed", "locked", "open", "open/file", "unreadable"]
        assert seen["errors"] == {
            "listed": "cannot be read: Permission denied, beginning with 'file'",
            "locked": "cannot be read: Permission denied",
            "unreadable": "cannot be read: Permission denied",
        }
        assert seen["hashes"] == {"open/file": before["open/file"].sha256, "unreadable": None}
        assert seen["changes"] == {
            "listed": ["mode", 0],
            "listed/file": ["unknown", None],
            "locked": ["mode", 0],
            "locked/file": ["unknown", None],
            "unreadable": ["mode", None],
        }
    finally:
        shutil.rmtree(place)


def test_a_walk_ends_at_its_depth(root: Path) -> None:
    """Folders within folders are entered as deep as was said, and the last one says that there may be more."""
    deep = root
    for _ in range(150):
        deep = deep / "d"
    deep.mkdir(parents=True)
    found = snapshot(root)
    last = "/".join("d" * 129)
    assert list(found)[-1] == last
    assert found.errors == {last: "not looked into: deeper than 128 folders"}
    assert list(snapshot(root, limits=Limits(depth=1))) == ["d", "d/d"]


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(root: Path, tmp_path: Path) -> None:
    """While another process swaps a folder for a link to the outside and back, nothing of the outside is ever seen."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    (root / "folder").mkdir()
    (root / "folder" / "file").write_text("text")
    swapper = subprocess.Popen([sys.executable, SCRIPTS / "swap_for_link.py", root / "folder", tmp_path / "outside"])
    try:
        seen = [snapshot(root) for _ in range(300)]
    finally:
        swapper.kill()
        swapper.wait()
    assert {path for each in seen for path in each} <= {"folder", "folder/file", "aside", "aside/file"}
    assert {len(each) for each in seen} != {0}


def test_a_big_sparse_file_is_hashed_and_not_kept(root: Path) -> None:
    """A gibibyte of nothing has its hash; its content says that it is too large. A file beyond the limit is not read."""
    (root / "big").touch()
    os.truncate(root / "big", 2**30)
    found = snapshot(root)
    assert found["big"].sha256 == "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
    assert found.content("big") is NotKept.LARGE
    limited = snapshot(root, limits=Limits(read_of_a_file=2**30 - 1))
    assert limited["big"].sha256 is None
    assert limited["big"].error == "not read: larger than 1,073,741,823 bytes"
    (root / "big").write_text("small\n")
    (change,) = diff(limited, snapshot(root)).changes
    assert (change.operation, change.lines_added, change.note) == ("modify", None, limited["big"].error)


def test_contents_are_kept_up_to_the_limits(root: Path) -> None:
    """Of one file, of all files, and none of what is binary; what is not kept says why, and has its hash all the same."""
    (root / "a").write_bytes(b"x" * 100)
    (root / "b").write_bytes(b"x" * 101)
    (root / "c").write_bytes(b"x\0")
    (root / "d").write_bytes(b"x" * 60)
    (root / "e").write_bytes(b"x" * 50)
    found = snapshot(root, limits=Limits(kept_of_a_file=100, kept_in_all=150))
    kept = {path: found.content(path) for path in found}
    assert kept == {"a": b"x" * 100, "b": NotKept.LARGE, "c": NotKept.BINARY, "d": NotKept.FULL, "e": b"x" * 50}
    assert all(entry.sha256 == sha256((root / entry.path).read_bytes()).hexdigest() for entry in found.values())


def test_a_hard_linked_pair(root: Path) -> None:
    """Written through one name, both change; replaced under one name, that one changes, and the other lost its link."""
    (root / "one").write_text("1\n")
    (root / "two").hardlink_to(root / "one")
    before = snapshot(root)
    assert (before["one"].nlink, before["one"].ino) == (2, before["two"].ino)
    (root / "one").write_text("2\n")
    written = snapshot(root, previous=before)
    assert operations(before, written) == {"one": "modify", "two": "modify"}
    (root / "copy").write_text("2\n")
    (root / "copy").rename(root / "one")
    assert operations(written, snapshot(root, previous=written)) == {"one": "hardlink", "two": "hardlink"}
    (root / "three").hardlink_to(root / "two")
    (root / "two").unlink()
    assert operations(written, snapshot(root)) == {"three": "rename"}
