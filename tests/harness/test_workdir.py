"""A copy of a workdir is the workdir again, and nothing outside of it is touched."""

import os
import socket
import stat
from pathlib import Path

import pytest

from tachograph.harness._workdir import copy_workdir, files_of
from tachograph.traces import InputError, StoreError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "task" / "workdir"
    (source / "src" / "deep").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "src" / "deep" / "lib.rs").write_bytes(b"fn main() {}\r\n\0")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o750)
    (source / ".hidden").write_text("")
    return source


def test_copy_has_the_same_files_modes_and_folders(source: Path, tmp_path: Path) -> None:
    """Bytes, modes, hidden files and empty folders come along; folders above the destination are made."""
    destination = tmp_path / "attempts" / "1" / "workdir"
    copy_workdir(source, destination)
    assert (destination / "src" / "deep" / "lib.rs").read_bytes() == b"fn main() {}\r\n\0"
    assert stat.S_IMODE((destination / "run.sh").stat().st_mode) == 0o750
    assert (destination / ".hidden").is_file()
    assert (destination / "empty").is_dir()
    assert [path.relative_to(destination) for path in files_of(destination)] == [
        path.relative_to(source) for path in files_of(source)
    ]


def test_copy_is_a_copy(source: Path, tmp_path: Path) -> None:
    """What an attempt writes never reaches the task, hard links included."""
    os.link(source / "run.sh", source / "twin.sh")
    copy_workdir(source, tmp_path / "copy")
    (tmp_path / "copy" / "run.sh").write_text("changed")
    assert (source / "run.sh").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "copy" / "twin.sh").read_text() == "#!/bin/sh\n"


def test_links_stay_links(source: Path, tmp_path: Path) -> None:
    """Links to files, to folders and to nothing are copied by target; a folder behind a link is not entered."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    targets = {"file": "run.sh", "folder": str(outside), "nothing": "no/such/file", "loop": "."}
    for name, target in targets.items():
        (source / name).symlink_to(target)
    copy_workdir(source, tmp_path / "copy")
    assert {name: str((tmp_path / "copy" / name).readlink()) for name in targets} == targets
    assert not [path for path in files_of(source) if "secret" in path.name]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_special_files_are_refused_before_anything_is_written(
    source: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe would block the copy for ever, and a socket cannot be copied: both are named, and no copy is begun."""
    monkeypatch.chdir(source / "src")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as unix:
        if kind == "pipe":
            os.mkfifo("special")
        else:
            unix.bind("special")
        with pytest.raises(InputError, match="src/special is a pipe, a socket or a device"):
            copy_workdir(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_destination_must_not_exist(source: Path, tmp_path: Path, kind: str) -> None:
    """No attempt starts on the remains of another one."""
    destination = tmp_path / "copy"
    if kind == "folder":
        destination.mkdir()
    elif kind == "file":
        destination.touch()
    else:
        destination.symlink_to("nowhere")
    with pytest.raises(InputError, match="already exists"):
        copy_workdir(source, destination)


def test_destination_within_the_source_is_refused(source: Path) -> None:
    """Such a copy would never end."""
    with pytest.raises(InputError, match="lies within"):
        copy_workdir(source, source / "src" / "copy")


@pytest.mark.parametrize("name", ["missing", "task.toml", "link"])
def test_source_must_be_a_folder(source: Path, name: str) -> None:
    """A missing source, a file and a link to a folder are refused."""
    (source.parent / "task.toml").touch()
    (source.parent / "link").symlink_to(source)
    with pytest.raises(InputError, match="is not a folder"):
        copy_workdir(source.parent / name, source.parent / "copy")


def test_a_copy_that_cannot_be_written_says_so(source: Path, tmp_path: Path) -> None:
    """A destination below a file is a store's error that names both places."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot copy .*workdir to .*file/copy"):
        copy_workdir(source, tmp_path / "file" / "copy")
