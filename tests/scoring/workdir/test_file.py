"""A snapshot comes back from its file as it was, and no other file passes for one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph.scoring.workdir import NotKept, diff, read_snapshot, snapshot, write_snapshot
from tachograph.traces import InputError, StoreError


@pytest.fixture
def tree(root: Path) -> Path:
    (root / "folder").mkdir()
    (root / "folder" / "text").write_text("text\n" * 1000)
    (root / "empty").touch()
    (root / "binary").write_bytes(bytes(100))
    (root / "link").symlink_to("folder")
    (root / ".git" / "objects" / "ab").mkdir(parents=True)
    (root / ".git" / "objects" / "ab" / "cd").touch()
    return root


@pytest.mark.parametrize("streamed", [True, False])
def test_a_snapshot_is_read_as_it_was_written(tree: Path, tmp_path: Path, *, streamed: bool) -> None:
    """All that it says, and the contents, whether it was written as it was taken or afterwards; nobody else may read it."""
    file = tmp_path / "workdir.before"
    taken = snapshot(tree, file=file if streamed else None)
    if not streamed:
        write_snapshot(taken, file)
    again = read_snapshot(file)
    assert again == taken
    assert dict(again) == dict(taken)
    assert [again.content(path) for path in again] == [taken.content(path) for path in taken]
    assert again.content("folder/text") == b"text\n" * 1000
    assert again.content("empty") == b""
    assert again.content("binary") is NotKept.BINARY
    assert again.counted == {".git/objects": 1}
    assert diff(taken, again).changes == ()
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", file.name]


def test_the_version_stands_in_the_first_line(tree: Path, tmp_path: Path) -> None:
    """A reader that does not know the version says so; what is no snapshot is bad input."""
    file = tmp_path / "file"
    write_snapshot(snapshot(tree), file)
    line, rest = file.read_bytes().split(b"\n", 1)
    assert json.loads(line) == {"tachograph.workdir": 1}
    for first, said in (
        (b'{"tachograph.workdir":2}', "version 2 .* knows 1"),
        (b'{"tachograph.bodies":1}', "is not a snapshot"),
        (b"[]", "is not a snapshot"),
        (b"\xff\x00", "is not a snapshot"),
        (b"", "is not a snapshot"),
    ):
        file.write_bytes(first + b"\n" + rest)
        with pytest.raises(InputError, match=said):
            read_snapshot(file)
    file.write_bytes(b"")
    with pytest.raises(InputError, match="is not a snapshot"):
        read_snapshot(file)
    with pytest.raises(InputError, match="no such file"):
        read_snapshot(tmp_path / "nothing")


def test_damage_is_told(tree: Path, tmp_path: Path) -> None:
    """A file that is cut anywhere, or of which a bit is turned, is refused, or the content in question is."""
    file = tmp_path / "file"
    for streamed in (True, False):
        taken = snapshot(tree, file=file)
        if not streamed:
            write_snapshot(taken, file)
        whole = file.read_bytes()
        first_line = whole.index(b"\n") + 1
        for size in range(first_line, len(whole)):
            file.write_bytes(whole[:size])
            with pytest.raises(StoreError, match="damaged"):
                read_snapshot(file)
        step = max(1, len(whole) // 300)
        for place in range(first_line, len(whole), step):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(StoreError, match="damaged"):
                read_snapshot(file).content("folder/text")


def test_a_snapshot_outlives_its_file(tree: Path, tmp_path: Path) -> None:
    """Contents can be read though another file took the name, as when a snapshot is written over its own."""
    file = tmp_path / "file"
    taken = snapshot(tree, file=file)
    write_snapshot(taken, file)
    assert taken.content("folder/text") == read_snapshot(file).content("folder/text")
    file.unlink()
    assert taken.content("folder/text") == b"text\n" * 1000


def test_no_half_file_is_left(tree: Path, tmp_path: Path) -> None:
    """On a disk without room, writing is an error, the earlier file stays, and nothing lies about."""
    file = tmp_path / "file"
    write_snapshot(snapshot(tree), file)
    earlier = file.read_bytes()
    (tree / "more").write_bytes(os.urandom(400_000).hex().encode())
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from tachograph.scoring.workdir import snapshot, write_snapshot\n"
        "from tachograph.traces import StoreError\n"
        "taken = snapshot(sys.argv[1])\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for write in (lambda file: write_snapshot(taken, file), lambda file: snapshot(sys.argv[1], file=file)):\n"
        "    try:\n"
        "        write(Path(sys.argv[2]))\n"
        "    except StoreError as error:\n"
        "        print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code, tree, file], check=True, capture_output=True, text=True).stdout
    assert said == f"{file}: cannot be written: File too large\n" * 2
    assert file.read_bytes() == earlier
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "root"]
