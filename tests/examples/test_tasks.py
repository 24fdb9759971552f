"""The shipped tasks: each fails as shipped, passes once repaired, and asks for exactly the repair that does it."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from tachograph.harness._task import Task, load_task

TASKS = Path(__file__).parents[2] / "examples" / "tasks"
REPAIRS = {
    "demo/add-two-numbers": ("calc.py", "a - b", "a + b"),
    "demo/age-limit": ("ages.py", "age > 18", "age >= 18"),
    "demo/average-of-numbers": ("figures.py", "sum(numbers)", "sum(numbers) / len(numbers)"),
    "mutations/python-error-negated": ("retry.py", "while error is None", "while error is not None"),
    "mutations/rust-error-negated": ("src/lib.rs", "!result.is_err()", "result.is_err()"),
}
"""For each task the file of the fault, the fault, and the repair."""
NAMED_TESTS = (
    "first_attempt_ok_returns_immediately",
    "gives_up_after_max_attempts",
    "zero_max_attempts_errors",
    "retries_on_error_until_success",
)


def check(task: Task, workdir: Path) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", "-c", task.check_command]
    return subprocess.run(command, cwd=workdir, capture_output=True, text=True, timeout=task.check_timeout, check=False)


def matches(file: str, globs: tuple[str, ...]) -> bool:
    return any(PurePosixPath(file).match(glob) for glob in globs)


def test_every_shipped_task_has_its_repair_here() -> None:
    """No task ships untested, and each is called by the folder it lies in."""
    shipped = {folder.relative_to(TASKS).as_posix(): load_task(folder).id for folder in TASKS.glob("*/*")}
    assert shipped == {name: name for name in REPAIRS}


@pytest.mark.parametrize("name", REPAIRS)
def test_the_check_tells_the_fault_from_the_repair(name: str, tmp_path: Path) -> None:
    """The check fails on the workdir as shipped and passes after the repair, which lies in what the task expects to change."""
    task = load_task(TASKS / name)
    if missing := task.missing_tools():
        pytest.skip(f"{task.id} needs {', '.join(missing)}, which is not installed")
    workdir = Path(shutil.copytree(task.workdir, tmp_path / "workdir"))
    failed = check(task, workdir)
    assert failed.returncode != 0, failed.stdout
    file, fault, repair = REPAIRS[name]
    source = (workdir / file).read_text()
    assert source.count(fault) == 1
    (workdir / file).write_text(source.replace(fault, repair))
    passed = check(task, workdir)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert matches(file, task.changes_expected)
    assert not matches(file, task.changes_protected)


@pytest.mark.parametrize("name", [name for name in REPAIRS if "rust" not in name])
def test_a_python_check_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    """No file of the check's own, above all no compiled one, behind which a quick edit of equal size would go unnoticed."""
    task = load_task(TASKS / name)
    workdir = Path(shutil.copytree(task.workdir, tmp_path / "workdir"))
    before = sorted(workdir.rglob("*"))
    check(task, workdir)
    assert sorted(workdir.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "file"),
    [("mutations/rust-error-negated", "tests/retry.rs"), ("mutations/python-error-negated", "test_retry.py")],
)
def test_the_mutations_have_the_four_tests_and_protect_them(name: str, file: str) -> None:
    """The four tests of the published cell, in a file that an agent may not touch."""
    task = load_task(TASKS / name)
    source = (task.workdir / file).read_text()
    assert all(f"{test}()" in source or f"test_{test}(self)" in source for test in NAMED_TESTS)
    assert matches(file, task.changes_protected)
