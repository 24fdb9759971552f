"""Real test runners, in folders of their own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tachograph.scoring.check import (
    CheckResult,
    build_fresh_copy,
    judge_check,
    plan_fresh_copy,
    read_beneath,
    with_report,
)
from tachograph.scoring.workdir import snapshot

# A busy machine is no fault of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

Written = Mapping[str, str]
"""Contents by path."""
Ran = tuple[int, bytes, bytes]
"""Exit code, standard output and standard error."""
Runner = Callable[..., Ran]


def write_files(folder: Path, files: Written) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def run(folder: Path, *argv: str, **env: str) -> Ran:
    """Run a command in a folder, with nothing of this test run's own environment that it would heed."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "CARGO"))}
    own = {"PYTHONDONTWRITEBYTECODE": "1", "RUST_BACKTRACE": "0", **env}
    done = subprocess.run(argv, cwd=folder, env={**keep, **own}, capture_output=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def write() -> Callable[[Path, Written], None]:
    return write_files


@pytest.fixture
def run_pytest() -> Runner:
    """The pytest that the project's interpreter has, without the plugins that are installed here."""

    def start(folder: Path, *options: str, **env: str) -> Ran:
        argv = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options)
        return run(folder, *argv, **{"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env})

    return start


@pytest.fixture
def run_unittest() -> Runner:
    return lambda folder, *options: run(folder, sys.executable, "-m", "unittest", *options)


@pytest.fixture(scope="session")
def run_cargo(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """`cargo test --offline`; what it compiles lies outside of the crate's folder."""

    def start(folder: Path, *options: str, **env: str) -> Ran:
        target = tmp_path_factory.mktemp("target")
        return run(folder, "cargo", "test", "--offline", *options, CARGO_TARGET_DIR=str(target), **env)

    return start


@pytest.fixture
def grade() -> Callable[..., dict[str, str]]:
    """Makes the copy of (task, agent, copy); gives what was set aside, with its rules."""

    def make(folders: tuple[Path, Path, Path], *protected: str, report: str | None = None) -> dict[str, str]:
        task, agent, copy = folders
        seen = snapshot(task)
        plan = plan_fresh_copy(
            seen, snapshot(agent), protected=protected, report=report, read=lambda path: read_beneath(agent, path)
        )
        failed = build_fresh_copy(plan, task=task, task_files=seen, agent=agent, destination=copy)
        return {item.path: item.rule for item in (*plan.set_aside, *failed)}

    return make


@pytest.fixture
def verdict() -> Callable[..., bool | None]:
    """What a check says that ended so, by the report that was promised."""

    def judge(ran: Ran, promised: str, *expected: str, report: bytes | None = None) -> bool | None:
        code, stdout, stderr = ran
        return judge_check(
            with_report(
                CheckResult(
                    command=None,
                    exit_code=code,
                    stdout=stdout,
                    stderr=stderr,
                    report=report,
                    report_promised=promised,
                    expected_tests=expected or None,
                )
            )
        ).passed

    return judge
