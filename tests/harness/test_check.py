"""A task's own commands run in the workdir, are told apart by their exit code, and leave nothing behind."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from tachograph.harness._check import run_check, run_setup
from tachograph.harness._task import Task, load_task
from tachograph.traces import LaunchError

ENV = {"PATH": os.environ["PATH"], "TACHOGRAPH_RUN_ID": f"check-{os.getpid()}"}


def task_of(folder: Path, *, check: str = "true", setup: str | None = None, timeout: float = 30) -> Task:
    (folder / "workdir").mkdir()
    lines = ["id = 't'", "category = 'c'", "prompt = 'p'", f"[check]\ncommand = '''{check}'''\ntimeout = {timeout}"]
    if setup is not None:
        lines.append(f"[setup]\ncommand = '''{setup}'''")
    (folder / "task.toml").write_text("\n".join(lines))
    return load_task(folder)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (ProcessLookupError, FileNotFoundError):
        return True


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


async def test_a_check_that_passes(tmp_path: Path) -> None:
    """Exit code 0 is a pass; both outputs are kept apart, whole and as bytes; times are nanoseconds."""
    task = task_of(tmp_path, check=r"printf 'out\377'; printf err >&2; sleep 0.1")
    before = time.time_ns()
    outcome = await run_check(task, task.workdir, ENV)
    assert outcome.passed
    assert (outcome.exit_code, outcome.signal, outcome.timed_out) == (0, None, False)
    assert (outcome.stdout, outcome.stderr) == (b"out\xff", b"err")
    assert before <= outcome.started_ns <= time.time_ns()
    assert 100_000_000 <= outcome.duration_ns < 5_000_000_000


async def test_a_check_that_fails(tmp_path: Path) -> None:
    """Any other exit code is no pass, and is told."""
    outcome = await run_check(task := task_of(tmp_path, check="echo why; exit 3"), task.workdir, ENV)
    assert (outcome.passed, outcome.exit_code, outcome.stdout) == (False, 3, b"why\n")


async def test_a_check_that_died_of_a_signal(tmp_path: Path) -> None:
    """A signal is told as such, and is no pass."""
    outcome = await run_check(task := task_of(tmp_path, check="kill -11 $$"), task.workdir, ENV)
    assert (outcome.passed, outcome.exit_code, outcome.signal) == (False, None, 11)


async def test_a_command_that_does_not_exist_fails_the_check(tmp_path: Path) -> None:
    """The shell starts and says what it did not find: a check that fails, not one that could not be run."""
    outcome = await run_check(task := task_of(tmp_path, check="no-such-tool --test"), task.workdir, ENV)
    assert (outcome.passed, outcome.exit_code) == (False, 127)
    assert b"no-such-tool" in outcome.stderr


async def test_the_check_runs_in_the_workdir_with_the_environment_given(tmp_path: Path) -> None:
    """Its folder is the one given, not the task's own, and its environment is the one given and no more."""
    task = task_of(tmp_path, check="pwd; env; cat; test ! -t 0")
    copy = tmp_path / "copy"
    copy.mkdir()
    outcome = await run_check(task, copy, ENV | {"KEY": "value"})
    first, *rest = outcome.stdout.decode().splitlines()
    assert first == str(copy)
    added_by_sh = {"PWD", "OLDPWD", "SHLVL", "_"}
    seen = dict(line.split("=", 1) for line in rest)
    assert {name: value for name, value in seen.items() if name not in added_by_sh} == ENV | {"KEY": "value"}
    assert outcome.passed


async def test_timeout_ends_the_whole_check(tmp_path: Path) -> None:
    """When the time is up, grandchildren go too; what was said until then is kept, and a late 0 is no pass."""
    check = 'trap "exit 0" TERM; sleep 1000 & echo $!; sh -c "sleep 1000 & echo \\$!; wait"'
    task = task_of(tmp_path, check=check, timeout=2)
    outcome = await run_check(task, task.workdir, ENV)
    assert outcome.timed_out
    assert not outcome.passed
    assert outcome.duration_ns >= 2_000_000_000
    pids = [int(pid) for pid in outcome.stdout.split()]
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


async def test_a_server_left_behind_neither_blocks_nor_survives(tmp_path: Path) -> None:
    """A background process that holds the output open does not keep the check waiting, and is ended."""
    task = task_of(tmp_path, check="sleep 1000 & echo $!")
    outcome = await run_check(task, task.workdir, ENV)
    assert outcome.passed
    assert outcome.duration_ns < 5_000_000_000
    assert gone(int(outcome.stdout))


async def test_long_output_is_kept_whole(tmp_path: Path) -> None:
    """Megabytes on both outputs at once neither block nor are cut."""
    check = "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; printf end"
    outcome = await run_check(task := task_of(tmp_path, check=check), task.workdir, ENV)
    assert (len(outcome.stdout), len(outcome.stderr)) == (3_000_003, 2_000_000)
    assert outcome.stdout.endswith(b"end")


async def test_cancelling_ends_the_check(tmp_path: Path) -> None:
    """Ctrl-C during the check leaves nothing running."""
    task = task_of(tmp_path, check="sleep 1000 & echo $! > pids; echo $$ >> pids; mv pids known; wait")
    check = asyncio.ensure_future(run_check(task, task.workdir, ENV))
    known = task.workdir / "known"
    while not known.exists():  # noqa: ASYNC110 - the file system has no event to wait for
        await asyncio.sleep(0.01)
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    assert all(gone(int(pid)) for pid in known.read_text().split())


async def test_checks_leak_nothing(tmp_path: Path) -> None:
    """After twenty checks there are no more open descriptors than before."""
    task = task_of(tmp_path)
    await run_check(task, task.workdir, ENV)
    before = open_descriptors()
    for _ in range(20):
        await run_check(task, task.workdir, ENV)
    assert open_descriptors() == before


async def test_a_workdir_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A check that cannot even begin is an error, not a failed check."""
    task = task_of(tmp_path)
    with pytest.raises(LaunchError, match="nowhere"):
        await run_check(task, tmp_path / "nowhere", ENV)


async def test_a_task_without_setup_needs_none(tmp_path: Path) -> None:
    """Nothing is run, and nothing is told."""
    assert await run_setup(task := task_of(tmp_path), task.workdir, ENV) is None


async def test_setup_prepares_the_workdir(tmp_path: Path) -> None:
    """What the setup makes is there for the agent and the check."""
    task = task_of(tmp_path, setup="echo ready > made", check="grep ready made")
    outcome = await run_setup(task, task.workdir, ENV)
    assert outcome is not None
    assert outcome.passed
    assert (await run_check(task, task.workdir, ENV)).passed


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ("echo said; echo why >&2; exit 4", r"setup of task t failed with exit code 4: echo said.*\nsaid\nwhy"),
        ("kill -9 $$", r"setup of task t died of signal 9"),
        ("echo slow; sleep 1000", r"setup of task t did not end within 3 s: .*\nslow"),
        ("yes long | head -c 100000; echo last; false", r"(?s)^.{4000,4300}last"),
    ],
)
async def test_a_setup_that_fails_says_why(tmp_path: Path, setup: str, message: str) -> None:
    """The agent must not start on a workdir that is not ready; the message has the end of what the setup said."""
    task = task_of(tmp_path, setup=setup, timeout=3)
    with pytest.raises(LaunchError, match=message):
        await run_setup(task, task.workdir, ENV)
