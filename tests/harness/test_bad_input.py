"""Bad input: a clear message, the right exit code, nothing half-written, and never a traceback."""

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

TASKS = Path(__file__).parents[2] / "examples" / "tasks"
PYTHON_TASK = TASKS / "mutations" / "python-error-negated"
GONE = "http://127.0.0.1:9/v1"

CASES = {
    "unknown upstream host": (["serve", "--upstream", "http://no-such-host.invalid/v1"], 4, "no-such-host.invalid"),
    "upstream without /v1": (["serve", "--upstream", "http://127.0.0.1:9"], 2, "did you mean http://127.0.0.1:9/v1"),
    "upstream that is no URL": (["serve", "--upstream", "example"], 2, "must be a URL"),
    "run id with ../": (["serve", "--upstream", GONE, "--run", "../x"], 2, "run id '../x'"),
    "calls of a run id with ..": (["calls", ".."], 2, "run id '..'"),
    "key for a bad run id": (["key", "../x"], 2, "run id '../x'"),
    "no such store": (["runs", "--store", "nowhere"], 2, "no such folder"),
    "no such run": (["verify", "./nothing"], 2, "no recorded run"),
    "no such task": (["run", "--task", "nothing", "--upstream", GONE, "--model", "m", "--", "true"], 2, "nothing"),
    "no agent": (["run", "--task", str(PYTHON_TASK), "--upstream", GONE, "--model", "m"], 2, "--agent NAME"),
    "agent that is not known": (
        ["run", "--task", str(PYTHON_TASK), "--upstream", GONE, "--model", "m", "--agent", "nobody"],
        2,
        "there is no agent 'nobody'; known are aider",
    ),
    "agent that does not exist": (
        ["run", "--task", str(PYTHON_TASK), "--upstream", GONE, "--model", "m", "--", "no-such-agent"],
        5,
        "no-such-agent",
    ),
    "no model": (["run", "--task", str(PYTHON_TASK), "--upstream", GONE, "--", "true"], 2, "--model is missing"),
    "no key for a remote upstream": (
        ["run", "--task", str(PYTHON_TASK), "--upstream", "https://192.0.2.1/v1", "--model", "m", "--", "true"],
        4,
        "TACHOGRAPH_UPSTREAM_KEY",
    ),
    "unreadable key file": (
        ["serve", "--upstream", GONE, "--key-file", "no-such-file"],
        2,
        "--key-file no-such-file: cannot be read",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_clearly(tachograph: Any, tmp_path: Path, name: str) -> None:
    """The message says what is wrong, the exit code is of its kind, and no run is left behind."""
    arguments, code, said = CASES[name]
    done = tachograph(*arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.glob("runs/*"))


def test_a_busy_port_is_named(tachograph: Any) -> None:
    """A port that is taken is a message with the way out, with one worker and with more."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for workers in ("1", "2"):
            done = tachograph("serve", "--upstream", GONE, "--port", str(port), "--workers", workers)
            assert done.returncode == 4
            assert f"port {port} of 127.0.0.1 is taken" in done.stderr
            assert "Traceback" not in done.stderr


def test_a_task_without_a_check_is_refused(tachograph: Any, tmp_path: Path) -> None:
    """A run that nothing could judge is not begun."""
    task = tmp_path / "task"
    shutil.copytree(PYTHON_TASK, task)
    text = (task / "task.toml").read_text()
    (task / "task.toml").write_text(text[: text.index("[check]")])
    done = tachograph("run", "--task", task, "--upstream", GONE, "--model", "m", "--", "true")
    assert done.returncode == 2
    assert "check.command is missing" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_missing_toolchain_is_refused(tachograph: Any, tmp_path: Path) -> None:
    """A task whose tools are not there is refused before anything starts."""
    task = tmp_path / "task"
    shutil.copytree(PYTHON_TASK, task)
    text = (task / "task.toml").read_text()
    (task / "task.toml").write_text(text.replace('"python3"', '"no-such-compiler"'))
    done = tachograph("run", "--task", task, "--upstream", GONE, "--model", "m", "--", "true")
    assert done.returncode == 2
    assert "needs no-such-compiler" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_store_that_cannot_be_made_is_refused(tachograph: Any, tmp_path: Path) -> None:
    """A store below a file is refused before anything starts."""
    (tmp_path / "file").write_text("")
    done = tachograph("serve", "--upstream", GONE, "--port", "0", "--store", "file/runs")
    assert done.returncode == 3
    assert "file/runs: cannot be made" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_run_is_refused(tachograph: Any, tmp_path: Path) -> None:
    """A run folder without permission is a message, not a traceback."""
    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    (folder / "trace.jsonl").write_text("{}\n")
    (folder / "trace.jsonl").chmod(0)
    done = tachograph("calls", "r")
    assert done.returncode == 3
    assert "cannot be read" in done.stderr


def test_a_failed_setup_is_recorded_as_failed(tachograph: Any, tmp_path: Path) -> None:
    """A run whose preparation fails is closed and sealed with that status, and the end of its output is shown."""
    task = tmp_path / "task"
    shutil.copytree(PYTHON_TASK, task)
    with (task / "task.toml").open("a") as file:
        file.write('[setup]\ncommand = "echo no compiler here; exit 7"\n')
    done = tachograph("run", "--task", task, "--upstream", GONE, "--model", "m", "--", "true")
    assert done.returncode == 5
    assert "no compiler here" in done.stderr
    listed = tachograph("runs")
    assert "failed" in listed.stdout
    assert "sealed" in listed.stdout
