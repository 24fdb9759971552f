"""The check's place stands where the agent's stood, knows nothing of it, and leaves it as it was."""

from pathlib import Path

import pytest

from tachograph.harness._fresh_place import fresh_place, origin_of
from tachograph.harness._task import Task, load_task
from tachograph.harness._workdir import copy_workdir
from tachograph.scoring.workdir import snapshot
from tachograph.traces import InputError

TOML = """
id = "t"
category = "c"
prompt = "p"
[check]
command = "true"
report = "out/report.xml"
[changes]
protected = ["tests/**"]
"""


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return make_task(tmp_path / "task", TOML)


def make_task(folder: Path, toml: str) -> Task:
    (folder / "workdir" / "tests").mkdir(parents=True)
    (folder / "workdir" / "a.py").write_text("wrong")
    (folder / "workdir" / "tests" / "test_a.py").write_text("the task's")
    (folder / "task.toml").write_text(toml)
    return load_task(folder)


@pytest.fixture
def place(task: Task, tmp_path: Path) -> Path:
    place = tmp_path / "place"
    copy_workdir(task.workdir, place / "workdir")
    (place / "home").mkdir()
    (place / "tmp").mkdir()
    (place / "kept").mkdir()
    return place


def seen(folder: Path) -> dict[str, tuple[str | None, int, int, int]]:
    """Contents, modes, and times and inodes, which a copy would not have."""
    return {path: (entry.sha256, entry.mode, entry.ctime_ns, entry.ino) for path, entry in snapshot(folder).items()}


def test_the_check_finds_the_task_the_work_and_nothing_else(task: Task, place: Path) -> None:
    """Its workdir is the fresh copy, at the same path; HOME and temporary folder are empty; what was put beside is away."""
    with origin_of(task, place) as origin:
        (place / "workdir/a.py").write_text("right")
        (place / "workdir/tests/test_a.py").write_text("weaker")
        (place / "workdir/conftest.py").write_text("")
        (place / "home/.cargo").mkdir()
        (place / "tmp/left").touch()
        (place / "pytest.ini").touch()
        before = seen(place)
        with fresh_place(task, place, origin) as fresh:
            assert (place / "workdir/a.py").read_text() == "right"
            assert (place / "workdir/tests/test_a.py").read_text() == "the task's"
            assert not list((place / "home").iterdir())
            assert not list((place / "tmp").iterdir())
            assert not (place / "pytest.ini").exists()
            assert (place / "kept").exists()
            (place / "workdir/made_by_the_check").touch()
        after = seen(place)
    assert [(item.path, item.rule) for item in fresh.set_aside] == [
        ("conftest.py", "conftest"),
        ("../pytest.ini", "beside-the-workdir"),
    ]
    assert fresh.restored == ("tests/test_a.py",)
    (check,) = place.glob("check-*")
    assert (check / "workdir/made_by_the_check").exists()
    assert not list(place.glob("agent-*"))
    moved = {"home", "tmp", "workdir", "pytest.ini"}
    assert {path: facts for path, facts in after.items() if not path.startswith("check-") and path not in moved} == {
        path: facts for path, facts in before.items() if path not in moved
    }


def test_an_old_report_is_away(task: Task, place: Path) -> None:
    """What the check is to write is not there before it."""
    with origin_of(task, place) as origin:
        (place / "workdir/out").mkdir()
        (place / "workdir/out/report.xml").write_text("forged")
        with fresh_place(task, place, origin) as fresh:
            assert not (place / "workdir/out/report.xml").exists()
    assert [item.rule for item in fresh.set_aside] == ["report"]


def test_the_agents_place_comes_back_whatever_happens(task: Task, place: Path) -> None:
    """A check that breaks, or a task that was tampered with, leaves the agent's work where it was."""
    with origin_of(task, place) as origin:
        (place / "workdir/mine").touch()
        with pytest.raises(KeyboardInterrupt), fresh_place(task, place, origin):
            raise KeyboardInterrupt
        assert (place / "workdir/mine").exists()
        (task.workdir / "tests/test_a.py").write_text("weaker")
        with pytest.raises(InputError, match="changed while the agent ran"), fresh_place(task, place, origin):
            pytest.fail("graded by a task that was tampered with")
    assert (place / "workdir/mine").exists()
    assert not list(place.glob("agent-*"))


def test_an_agent_that_leaves_nothing(task: Task, place: Path) -> None:
    """Without a workdir, or with a link in its place, the check still has the task's files, and the link is not followed."""
    for replacement in (None, place / "kept"):
        with origin_of(task, place) as origin:
            (place / "workdir").rename(place / f"elsewhere{replacement is None}")
            if replacement:
                (place / "workdir").symlink_to(replacement)
            with fresh_place(task, place, origin):
                assert [path.name for path in (place / "workdir").iterdir()] == ["tests"]
            assert (place / "workdir").is_symlink() == bool(replacement)
        if not replacement:
            (place / "elsewhereTrue").rename(place / "workdir")


def test_what_a_setup_made_is_the_tasks_too(tmp_path: Path) -> None:
    """Protected files that the setup wrote are restored, and its HOME is the check's; nothing of it is left after the run."""
    task = make_task(tmp_path / "task", TOML + '[setup]\ncommand = "true"\n')
    place = tmp_path / "place"
    copy_workdir(task.workdir, place / "workdir")
    (place / "home").mkdir()
    (place / "tmp").mkdir()
    (place / "workdir/tests/made.py").write_text("by the setup")
    (place / "home/.cache").write_text("by the setup")
    with origin_of(task, place) as origin:
        (place / "workdir/tests/made.py").write_text("by the agent")
        (place / "home/.cache").write_text("by the agent")
        with fresh_place(task, place, origin) as fresh:
            assert (place / "workdir/tests/made.py").read_text() == "by the setup"
            assert (place / "home/.cache").read_text() == "by the setup"
        assert fresh.restored == ("tests/made.py",)
        kept = origin.workdir
        assert kept.exists()
        (kept.parent / "home/.cache").write_text("by the agent")
        with pytest.raises(InputError, match="changed while the agent ran"), fresh_place(task, place, origin):
            pytest.fail("graded with a HOME that was tampered with")
    assert not kept.exists()
    assert (place / "home/.cache").read_text() == "by the agent"
