"""The README's commands run as printed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tachograph.harness._local_model import find_model_file
from tachograph.traces import LaunchError
from tests.export_collector import Collector

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def local_model_is_installed() -> bool:
    try:
        find_model_file()
    except LaunchError:
        return False
    return True


def test_the_two_commands_are_targets_and_what_ci_calls() -> None:
    """The first block names make targets that exist, and CI calls the test command that the README prints."""
    makefile = (ROOT / "Makefile").read_text()
    for command in BLOCKS[0].splitlines():
        program, target = command.split()
        assert program == "make"
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.skipif(not local_model_is_installed(), reason="the local model is not installed: `make test` does it")
@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's commands use curl, which is not on PATH")
def test_the_commands_run_as_printed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """All other blocks, one after the other in one folder, end well."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = ""
    collector = Collector()
    collector.port = 4318  # OTLP's own, as the README has it
    collector.start()
    request.addfinalizer(collector.stop)
    for block in BLOCKS[1:]:
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        # The one block that may end otherwise is that of the small model, which may fail at its task.
        assert done.returncode == 0 or "attempts passed" in done.stdout, block + done.stdout + done.stderr
        said += done.stdout
    assert "sealed: 1 calls" in said
    assert "Say hello." in said
    assert len(collector.collected.calls) == 1


def test_no_command_is_left_out() -> None:
    """Each command of the command line is in the README."""
    shown = subprocess.run(
        [sys.executable, "-m", "tachograph.harness", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = re.findall(r"^    (\w+) ", shown, re.MULTILINE)
    assert len(commands) >= 7
    for command in commands:
        assert f"tachograph {command}" in (ROOT / "README.md").read_text()
