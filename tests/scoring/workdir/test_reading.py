"""A file that others write while it is read has the hash of what it was at one moment, or none."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tachograph.scoring.workdir import Limits, NotKept, snapshot
from tachograph.scoring.workdir._keeping import Keeper
from tachograph.scoring.workdir._reading import FileReader, Reading


class Meddler(Keeper):
    """A buffer that does something to the file each time it is asked for room: right before the file is read."""

    def __init__(self, meddle: Callable[[int], object]) -> None:
        super().__init__(lambda block: (0, len(block)))
        self._meddle = meddle
        self.times = 0

    def room(self, size: int) -> memoryview:
        self._meddle(self.times)
        self.times += 1
        return super().room(size)


def read(path: Path, keeper: Keeper, limits: Limits = Limits()) -> Reading | None:  # noqa: B008  it is frozen
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        return FileReader(limits, keeper).read(folder, path.name, path.lstat())
    finally:
        os.close(folder)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_a_file_that_grows_once_is_read_again(root: Path) -> None:
    """The hash, the record and the kept content are those of the file as it was at the end."""
    (root / "a").write_bytes(b"one\n")
    keeper = Meddler(lambda times: append(root / "a", b"two\n") if times == 0 else None)
    reading = read(root / "a", keeper)
    assert reading is not None
    assert (reading.error, keeper.times, keeper.total) == (None, 2, 8)
    assert reading.digest == hashlib.sha256(b"one\ntwo\n").digest()


def test_a_file_that_always_grows_is_an_error(root: Path) -> None:
    """After three attempts there is no hash, no content, and a reason."""
    for limits in (Limits(), Limits(kept_of_a_file=3)):
        (root / "a").write_bytes(b"one\n")
        keeper = Meddler(lambda times: append(root / "a", b"%d\n" % times))
        reading = read(root / "a", keeper, limits)
        assert reading is not None
        assert reading.error == "changed each time it was read, 3 times"
        assert (reading.digest, reading.place, keeper.times, keeper.total) == (bytes(32), NotKept.UNREAD, 3, 0)


@pytest.mark.parametrize("content", [b"o", b"ONE\n", b""])
def test_a_file_that_shrinks_or_is_rewritten_is_read_again(root: Path, content: bytes) -> None:
    """Fewer bytes, or as many others, are another state of the file."""
    (root / "a").write_bytes(b"one\n")
    keeper = Meddler(lambda times: None if times else (root / "a").write_bytes(content))
    reading = read(root / "a", keeper)
    assert reading is not None
    assert (reading.error, reading.digest) == (None, hashlib.sha256(content).digest())


def test_what_took_the_place_of_a_file_is_not_followed(root: Path) -> None:
    """A link is refused, a pipe is not waited for, and what is gone is no entry."""
    (root / "a").write_bytes(b"one\n")
    status = (root / "a").lstat()
    (root / "a").unlink()
    folder = os.open(root, os.O_RDONLY)
    try:
        reader = FileReader(Limits(), Meddler(lambda _: None))
        assert reader.read(folder, "a", status) is None
        os.mkfifo(root / "a")
        reading = reader.read(folder, "a", status)
        assert reading is not None
        assert (reading.error, reading.digest) == ("a file when listed, and not when read", bytes(32))
        (root / "a").unlink()
        (root / "a").symlink_to("/etc/passwd")
        assert snapshot(root)["a"].type == "symlink"
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            reader.read(folder, "a", status)
    finally:
        os.close(folder)


def test_a_file_under_a_writer_is_told(root: Path) -> None:
    """A process that never stops writing to a large file costs three attempts, and the file has an error and no hash."""
    (root / "a").touch()
    os.truncate(root / "a", 2**26)
    code = "import os, sys\nfile = os.open(sys.argv[1], os.O_WRONLY)\nwhile True: os.pwrite(file, b'x', 0)"
    writer = subprocess.Popen([sys.executable, "-c", code, root / "a"])
    try:
        while (root / "a").read_bytes()[:1] != b"x":
            pass
        found = snapshot(root)
    finally:
        writer.kill()
        writer.wait()
    assert found["a"].error == "changed each time it was read, 3 times"
    assert found["a"].sha256 is None
    assert found.content("a") is NotKept.UNREAD
    assert snapshot(root, previous=found)["a"].sha256 is not None
