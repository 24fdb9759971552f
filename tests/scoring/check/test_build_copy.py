"""The fresh copy on real files: nothing is read through a link, nothing written outside."""

import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tachograph.scoring.check import SetAside, build_fresh_copy, plan_fresh_copy, read_beneath
from tachograph.scoring.workdir import snapshot
from tachograph.traces import InputError, StoreError

Place = tuple[Path, Path, Path]


@pytest.fixture
def place(tmp_path: Path, write: Callable[..., None]) -> Place:
    """A task's workdir, an agent's, and where the copy goes."""
    task, agent = tmp_path / "task", tmp_path / "agent"
    files = {"src/lib.rs": "wrong", "tests/a.rs": "the task's", "tests/deep/b.rs": "the task's"}
    for folder in (task, agent):
        write(folder, files)
    return task, agent, tmp_path / "copy"


def build(place: Place, *protected: str) -> tuple[SetAside, ...]:
    task, agent, copy = place
    seen = snapshot(task)
    plan = plan_fresh_copy(seen, snapshot(agent) if agent.is_dir() else {}, protected=protected or ("tests/**",))
    return build_fresh_copy(plan, task=task, task_files=seen, agent=agent, destination=copy)


def contents(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text() for path in files
    }


def test_the_copy_is_the_agents_work_with_the_tasks_tests(place: Place, write: Callable[..., None]) -> None:
    """The agent's edits and files are there; protected files are the task's; the agent's workdir is as it was."""
    task, agent, copy = place
    write(agent, {"src/lib.rs": "right", "src/new.rs": "new", "tests/a.rs": "weaker", "tests/c.rs": "added"})
    (agent / "tests/deep/b.rs").unlink()
    (agent / "run.sh").touch(mode=0o755)
    (agent / "empty").mkdir()
    (agent / "link").symlink_to("src/lib.rs")
    before = snapshot(agent)
    assert build(place) == ()
    assert contents(copy) == {
        "src/lib.rs": "right",
        "src/new.rs": "new",
        "tests/a.rs": "the task's",
        "tests/deep/b.rs": "the task's",
        "run.sh": "",
        "link": "src/lib.rs",
    }
    assert stat.S_IMODE((copy / "run.sh").stat().st_mode) == 0o755
    assert (copy / "empty").is_dir()
    assert {path: (before[path].sha256, before[path].ctime_ns) for path in before} == {
        path: (entry.sha256, entry.ctime_ns) for path, entry in snapshot(agent).items()
    }
    assert contents(task) == {"src/lib.rs": "wrong", "tests/a.rs": "the task's", "tests/deep/b.rs": "the task's"}


def test_the_tasks_files_are_the_newest(place: Place) -> None:
    """What was built from other tests is out of date, even if the agent set its clock forward."""
    _, agent, copy = place
    (agent / "built.o").touch()
    os.utime(agent / "built.o", (time.time() + 9999, time.time() + 9999))
    os.utime(agent / "src/lib.rs", (1000, 1000))
    build(place)
    assert (copy / "src/lib.rs").stat().st_mtime == 1000
    assert (copy / "built.o").stat().st_mtime <= time.time()
    assert (copy / "tests/a.rs").stat().st_mtime_ns >= (copy / "built.o").stat().st_mtime_ns


def test_no_link_is_followed(place: Place, tmp_path: Path) -> None:
    """A link outside is left out, and a folder that became a link gives way to it: nothing outside is touched."""
    _, agent, copy = place
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.rs").write_text("mine")
    (agent / "out").symlink_to(outside)
    (agent / "tests").rename(agent / "moved")
    (agent / "tests").symlink_to(outside)
    build(place)
    assert (copy / "tests/a.rs").read_text() == "the task's"
    assert not (copy / "tests").is_symlink()
    assert not os.path.lexists(copy / "out")
    assert contents(outside) == {"a.rs": "mine"}


def test_special_files_are_passed_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe would keep the copy waiting, and a socket cannot be copied; whatever the plan saw, neither is opened."""
    task, agent, copy = place
    monkeypatch.chdir(agent)  # a socket's path must be short
    seen, work = snapshot(task), snapshot(agent)
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket")
        plan = plan_fresh_copy(seen, work, protected=["tests/**"])
        failed = build_fresh_copy(plan, task=task, task_files=seen, agent=agent, destination=copy)
    assert failed == (SetAside("pipe", "special-file"), SetAside("socket", "special-file"))
    assert not (copy / "pipe").exists()


def test_what_lies_too_deep_is_told(place: Place) -> None:
    """A thousand folders within one another are no reason to fail."""
    _, agent, copy = place
    folder = os.open(agent, os.O_RDONLY)
    for _ in range(400):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    assert [item.rule for item in build(place)] == ["too-deep"]
    assert (copy / "tests/a.rs").exists()


def test_names_of_any_bytes(place: Place) -> None:
    """What is not UTF-8, or holds a newline, is copied like anything else."""
    _, agent, copy = place
    names = [b"\xff\xfe", b"a\nb", b" ", "é".encode()]
    for name in names:
        (agent / os.fsdecode(name)).write_bytes(name)
    build(place)
    assert {(copy / os.fsdecode(name)).read_bytes() for name in names} == set(names)


def test_an_agent_that_removed_everything(place: Place) -> None:
    """The copy holds what the task protects, and the check can say that the rest is missing."""
    task, agent, copy = place
    subprocess.run(["rm", "-r", agent], check=True)
    build((task, agent, copy))
    assert contents(copy) == {"tests/a.rs": "the task's", "tests/deep/b.rs": "the task's"}


def test_a_workdir_that_became_a_link_is_not_entered(place: Place, tmp_path: Path) -> None:
    """It counts as removed."""
    _, agent, copy = place
    agent.rename(tmp_path / "elsewhere")
    agent.symlink_to(tmp_path / "elsewhere")
    seen = snapshot(place[0])
    plan = plan_fresh_copy(seen, {}, protected=["tests/**"])
    build_fresh_copy(plan, task=place[0], task_files=seen, agent=agent, destination=copy)
    assert "src/lib.rs" not in contents(copy)


@pytest.mark.parametrize("how", ["edited", "a link"])
def test_a_task_that_was_tampered_with_is_refused(place: Place, how: str) -> None:
    """An agent can reach the task's own files: if one of them is not what it was, nothing is graded by it."""
    task, agent, copy = place
    seen = snapshot(task)
    plan = plan_fresh_copy(seen, snapshot(agent), protected=["tests/**"])
    (task / "tests/a.rs").unlink()
    if how == "edited":
        (task / "tests/a.rs").write_text("weaker")
    else:
        (task / "tests/a.rs").symlink_to(agent / "src/lib.rs")
    with pytest.raises(InputError, match=r"tests/a\.rs changed while the agent ran"):
        build_fresh_copy(plan, task=task, task_files=seen, agent=agent, destination=copy)


def test_a_copy_that_cannot_be_written_says_so(place: Place) -> None:
    """A destination that exists is a store's error that names it."""
    place[2].mkdir()
    with pytest.raises(StoreError, match="copy: cannot copy the workdir for its check"):
        build(place)


def test_the_tasks_links(place: Place) -> None:
    """A protected link is laid down as it is."""
    task, agent, copy = place
    (task / "tests/link.rs").symlink_to("a.rs")
    (agent / "tests/link.rs").write_text("a file")
    build(place)
    assert (copy / "tests/link.rs").readlink() == Path("a.rs")


UNREADABLE = """
import os, sys
from pathlib import Path
from tachograph.scoring.check import build_fresh_copy, plan_fresh_copy
from tachograph.scoring.workdir import snapshot
agent, copy = Path(sys.argv[1]), Path(sys.argv[2])
os.setresuid(65534, 65534, 65534)
plan = plan_fresh_copy({}, snapshot(agent), protected=[])
failed = build_fresh_copy(plan, task=agent, task_files={}, agent=agent, destination=copy)
print([(item.path, item.rule) for item in failed], sorted(path.name for path in copy.iterdir()))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take on another user")
def test_what_cannot_be_read_is_told(tmp_path: Path, write: Callable[..., None]) -> None:
    """A file or folder without permission is left out by name, and the rest is copied."""
    agent = tmp_path / "agent"
    write(agent, {"a.py": "", "locked.py": "", "locked/b.py": ""})
    for path in (agent / "locked.py", agent / "locked"):
        path.chmod(0)
    # The folders above are pytest's, for the user who runs it alone.
    own = [
        path for path in (tmp_path, *tmp_path.parents) if path.stat().st_uid == os.geteuid() and "pytest" in str(path)
    ]
    for path in own:
        path.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", UNREADABLE, agent, tmp_path / "copy"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[('locked', 'unreadable'), ('locked.py', 'unreadable')] ['a.py']"


def test_reading_below_a_folder(tmp_path: Path) -> None:
    """A report is read where it was promised: not through a link, and no more of it than was asked for."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/report").write_text("content")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "a/link").symlink_to("report")
    os.mkfifo(tmp_path / "pipe")
    assert read_beneath(tmp_path, "a/report") == b"content"
    assert read_beneath(tmp_path, "a/report", 3) == b"con"
    for nothing in ("link/report", "a/link", "a/none", "none/report", "a/report/x", "pipe", "a"):
        assert read_beneath(tmp_path, nothing) is None
