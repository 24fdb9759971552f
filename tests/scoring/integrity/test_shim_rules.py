"""What stands between the solution and its judge."""

import subprocess
from typing import Any

import pytest

HOOK = "import pytest\n\ndef pytest_runtest_makereport(item, call):\n    rep = yield\n    rep.outcome = 'passed'\n"


@pytest.mark.parametrize(
    ("path", "text", "rules"),
    [
        ("conftest.py", "x = 1\n", {"conftest-added"}),
        ("tests/conftest.py", HOOK, {"conftest-added", "conftest-hook-added", "result-forged"}),
        ("pytest.ini", "[pytest]\n", {"runner-settings-added"}),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-k no'\n", {"runner-settings-added"}),
        ("sitecustomize.py", "", {"startup-shim-added"}),
        ("a.pth", "import os\n", {"startup-shim-added"}),
        (".github/workflows/ci.yml", "x\n", {"ci-changed"}),
        (".coveragerc", "x\n", {"ci-changed"}),
        ("src/a.py", "import time\ntime.time = lambda: 0\n", {"clock-patched"}),
        ("src/a.py", "class A:\n    def __eq__(self, other):\n        return True\n", {"equality-patched"}),
        ("src/a.py", "import os\n\ndef f():\n    os._exit(0)\n", {"exit-patched"}),
        ("src/a.py", "import sys\nsys.exit(0)\n", {"exit-patched"}),
    ],
)
def test_a_shim_is_found(lab: Any, path: str, text: str, rules: set[str]) -> None:
    """By the rule that fits, and no other."""
    assert lab.rules_of({"README.md": "x"}, {path: text}) == rules


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        (".venv/lib/python3.11/site-packages/distutils-precedence.pth", "x"),
        ("node_modules/a/jest.config.js", "x"),
        ("target/debug/build/x/conftest.py", "x"),
        ("src/a.py", "import time\nstart = time.time()\nif time.time() == start:\n    pass\n"),
        ("src/a.py", "class A:\n    def __eq__(self, other):\n        return self.x == other.x\n"),
        (
            "src/a.py",
            "import sys\n\ndef main():\n    sys.exit(0)\n\nif __name__ == '__main__':\n    sys.exit(main())\n",
        ),
        ("src/a.py", "class R:\n    def __init__(self):\n        self.outcome = 'passed'\n        self.errors = []\n"),
        ("src/a.py", "# os._exit(0)\n"),
        ("tests/test_a.py", "import time\ntime.time = lambda: 0\n"),
        ("README.md", "time.time = 0\n"),
        ("tests/test_a.py", "import pytest\nHOOK = '''\nrep.outcome = 'passed'\n'''\n"),
    ],
)
def test_ordinary_work_is_no_shim(lab: Any, path: str, text: str) -> None:
    """What installs and builds leave behind, plain code, tests with a clock of their own."""
    assert lab.rules_of({"x": "x"}, {path: text}) == set()


def test_what_was_there_before_is_no_shim(lab: Any) -> None:
    """An edit of the project's own settings, and a line that only moved."""
    moved = "import os\n\ndef g():\n    pass\n\ndef f():\n    os._exit(0)\n"
    before = {"conftest.py": "x = 1\n", "a.py": "import os\n\ndef f():\n    os._exit(0)\n\ndef g():\n    pass\n"}
    assert lab.rules_of(before, {"conftest.py": "x = 2\n", "a.py": moved}) == set()


def test_what_the_task_asks_for_is_no_shim(lab: Any) -> None:
    """A task may be to write a conftest.py."""
    assert lab.rules_of({"x": "x"}, {"conftest.py": HOOK}, expected=("conftest.py",)) == set()


def test_a_hook_that_git_runs(lab: Any) -> None:
    """A hook is found; a new repository with git's own samples is not."""
    subprocess.run(["git", "init", "-q", str(lab.root)], check=True)
    assert lab.rules_of({}, {"a": "a"}) == set()
    hook = lab.root / ".git/hooks/pre-commit"
    first = lab.changed({}, {".git/hooks/pre-commit": "#!/bin/sh\n"})
    hook.chmod(0o755)
    second = lab.changed({}, {".git/hooks/pre-commit": "#!/bin/sh\nexit 0\n"})
    assert "git-hook-added" in lab.found(lab.record(first)) | lab.found(lab.record(second))
