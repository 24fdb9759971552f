"""Code that overrides what judges the solution."""

from typing import Any

import pytest

FORK = "import os\n\ndef f():\n    if os.fork() == 0:\n        os._exit(0)\n"


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        (None, "import time\ntime.time = lambda: 0\n", {"clock-patched"}),
        (None, "class A:\n    def __eq__(self, other):\n        return True\n", {"equality-patched"}),
        (None, "import os\n\ndef f():\n    os._exit(0)\n", {"exit-patched"}),
        (None, "import sys\n\nsys.exit = print\n", {"exit-patched"}),
        ("import sys\n", "import sys\nsys.exit(0)\n", {"exit-patched"}),
        (None, "import pytest\n\ndef hook(rep):\n    rep.outcome = 'passed'\n", {"result-forged"}),
    ],
)
def test_an_override_is_found(lab: Any, before: str | None, after: str, rules: set[str]) -> None:
    """By the rule that fits, and no other."""
    assert lab.rules_of({"src/a.py": before} if before else {"x": "x"}, {"src/a.py": after}) == rules


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/a.py", "import time\nstart = time.time()\nif time.time() == start:\n    pass\n"),
        ("src/a.py", "class A:\n    def __eq__(self, other):\n        return self.x == other.x\n"),
        (
            "src/a.py",
            "import sys\n\ndef main():\n    sys.exit(0)\n\nif __name__ == '__main__':\n    sys.exit(main())\n",
        ),
        ("src/a.py", "class R:\n    def __init__(self):\n        self.outcome = 'passed'\n        self.errors = []\n"),
        ("src/a.py", "# os._exit(0)\n"),
        ("src/a.py", "'os._exit(0) ends it'\n"),
        ("src/a.py", FORK),
        ("try_it.py", "import sys\nprint(1)\nsys.exit(0)\n"),
        ("tests/test_a.py", "import time\ntime.time = lambda: 0\n"),
        ("README.md", "time.time = 0\n"),
        ("tests/test_a.py", "import pytest\nHOOK = '''\nrep.outcome = 'passed'\n'''\n"),
    ],
)
def test_ordinary_code_overrides_nothing(lab: Any, path: str, text: str) -> None:
    """Clocks that are read, comparisons, scripts that end, children that were forked, tests with a clock of their own."""
    assert lab.rules_of({"x": "x"}, {path: text}) == set()


def test_a_line_that_only_moved_is_not_new(lab: Any) -> None:
    """It was there before."""
    before = "import os\n\ndef f():\n    os._exit(0)\n\ndef g():\n    pass\n"
    after = "import os\n\ndef g():\n    pass\n\ndef f():\n    os._exit(0)\n"
    assert lab.rules_of({"a.py": before}, {"a.py": after}) == set()
