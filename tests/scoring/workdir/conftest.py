"""Real trees, and git with nobody's settings."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder of which snapshots are taken."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def git(root: Path, tmp_path: Path) -> Git:
    """Runs git in the root, or where it is told, and gives what it printed."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "no-home"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }

    def run(*words: str, cwd: Path = root, given: str = "") -> str:
        command = ["git", *words]
        return subprocess.run(command, cwd=cwd, env=env, input=given, check=True, capture_output=True, text=True).stdout

    return run
