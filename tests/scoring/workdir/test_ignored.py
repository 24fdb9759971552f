"""Paths are called ignored as git would have called them before the agent, and asking changes and runs nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tachograph.scoring.workdir import ignored_paths, read_snapshot, snapshot, write_snapshot

Git = Callable[..., str]


@pytest.fixture
def repository(root: Path, git: Git) -> Path:
    git("init", "--quiet", ".")
    (root / ".gitignore").write_text("*.o\n/build/\n!keep.o\n")
    (root / ".git" / "info").mkdir(exist_ok=True)
    (root / ".git" / "info" / "exclude").write_text("secret\n")
    (root / "sub").mkdir()
    (root / "sub" / ".gitignore").write_text("local\n!special.o\n")
    (root / "tracked.o").touch()
    git("add", "--force", "tracked.o")
    return root


def test_the_rules_are_those_of_git(repository: Path, git: Git) -> None:
    """Of all folders, with exceptions, for what is a folder only, and not for what is tracked; odd names included."""
    odd = ["two\nlines.o", ":(top)x.o", "café.o", os.fsdecode(b"\xff.o"), "-x.o", "*.o"]
    paths = [
        "a.o",
        "keep.o",
        "a.c",
        "build/x",
        "sub/build",
        "sub/local",
        "local",
        "sub/special.o",
        "secret",
        "tracked.o",
        *odd,
    ]
    for path in paths:
        (repository / path).parent.mkdir(exist_ok=True)
        (repository / path).touch()
    found = ignored_paths(snapshot(repository), paths)
    assert found == frozenset({"a.o", "build/x", "sub/local", "secret", *odd})
    plain = set(paths) - {odd[3], "*.o"}  # not text here, and a pattern to git where there is an index
    asked = "".join(f"./{path}\0" for path in sorted(plain))
    listed = git("check-ignore", "-z", "--stdin", given=asked).split("\0")[:-1]
    assert {path.removeprefix("./") for path in listed} == found & plain


def test_folders_and_what_is_not_there(repository: Path) -> None:
    """A rule for folders fits a folder of that name and what is in it, and no file; a path need not exist."""
    (repository / "build").mkdir()
    taken = snapshot(repository)
    assert ignored_paths(taken, ["build", "build/new/deep", "new.o"]) == frozenset({"build", "build/new/deep", "new.o"})
    (repository / "build").rmdir()
    (repository / "build").touch()
    assert ignored_paths(snapshot(repository), ["build"]) == frozenset()
    assert ignored_paths(taken, []) == frozenset()


def test_the_rules_of_before_count(repository: Path, tmp_path: Path) -> None:
    """An agent that ignores everything hides nothing from those who ask the snapshot before, which needs no workdir."""
    write_snapshot(snapshot(repository), tmp_path / "before", compared_with=[snapshot(repository)], unchanged_bytes=0)
    (repository / ".gitignore").write_text("*\n")
    (repository / "new.py").touch()
    assert ignored_paths(read_snapshot(tmp_path / "before"), ["new.py", "new.o"]) == frozenset({"new.o"})
    assert ignored_paths(snapshot(repository), ["new.py", "new.o"]) == frozenset({"new.py", "new.o"})


def test_nothing_of_the_agent_runs(repository: Path, git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file system monitor, nor a hook, nor the user's own settings have a part in it, and no file changes."""
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    git("config", "core.fsmonitor", str(script))
    git("config", "core.excludesFile", str(tmp_path / "excludes"))
    (tmp_path / "excludes").write_text("*\n")
    (tmp_path / ".config" / "git").mkdir(parents=True)
    (tmp_path / ".config" / "git" / "ignore").write_text("*\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    before = snapshot(repository)
    assert ignored_paths(before, ["a.py", "a.o"]) == frozenset({"a.o"})
    assert not (tmp_path / "ran").exists()
    after = snapshot(repository)
    assert (after.paths, after.records) == (before.paths, before.records)


def test_without_git_nobody_can_say(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None, which is not the same as nothing ignored."""
    taken = snapshot(repository)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ignored_paths(taken, ["a.o"]) is None
