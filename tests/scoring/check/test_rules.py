"""The table of files that change what a check runs."""

import pytest

from tachograph.scoring.check import RULES, explain_rule, rules_of
from tachograph.scoring.check._rules import RUNNERS


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("conftest.py", "conftest"),
        ("deep/down/conftest.py", "conftest"),
        ("tox.ini", "pytest-options"),
        ("pyproject.toml", "pytest-section"),
        ("x-1.0.dist-info/entry_points.txt", "pytest-plugin"),
        ("sitecustomize.py", "python-startup"),
        ("usercustomize/__init__.py", "python-startup"),
        ("a/b.pth", "python-startup"),
        ("a/__pycache__/b.cpython-311.pyc", "compiled-python"),
        ("b.pyc", "compiled-python"),
        (".cargo/config.toml", "cargo-config"),
        ("crates/a/build.rs", "build-script"),
        ("target/debug/deps/a-1", "cargo-target"),
        ("go.work", "go-workspace"),
        ("GNUmakefile", "makefile"),
        ("jest.config.mjs", "javascript-runner"),
        (".git/hooks/pre-commit", "git-hook"),
        ("tests/extra.rs", "added-test"),
        ("pkg/a_test.go", "added-test"),
        ("test_more.py", "added-test"),
        ("src/a.spec.ts", "added-test"),
    ],
)
def test_what_a_rule_speaks_of(path: str, rule: str) -> None:
    """Each kind of file is found, at any depth."""
    assert rule in [found.name for found in rules_of(path)]


@pytest.mark.parametrize(
    "path",
    ["src/lib.rs", "a.py", "Makefile", "Cargo.toml", "my_conftest.py", "tests/common/mod.rs", "contest.py", "a.pthx"],
)
def test_what_no_rule_speaks_of(path: str) -> None:
    """Ordinary files are left alone."""
    assert rules_of(path) == ()


def section(name: str) -> bool:
    (rule,) = rules_of(name.partition(":")[0])
    assert rule.holds is not None
    return rule.holds(name.partition(":")[2].encode())


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("pyproject.toml:[tool.pytest.ini_options]\naddopts = '--co'\n", True),
        ("pyproject.toml:tool.'pytest'.ini_options.addopts = '--co'\n", True),
        ("pyproject.toml:[tool]\npytest = {x = 1}\n", True),
        ("pyproject.toml:[project]\ndependencies = ['pytest']\n", False),
        ("setup.cfg:[tool:pytest]\naddopts = --co\n", True),
        ("setup.cfg:[metadata]\nname = pytest\n", False),
        ("setup.cfg:addopts = --co\n", True),
        ("x.egg-info/entry_points.txt:[pytest11]\nx = x\n", True),
        ("x.egg-info/entry_points.txt:[console_scripts]\nx = x\n", False),
    ],
)
def test_what_a_file_must_hold(text: str, holds: bool) -> None:  # noqa: FBT001 - the answer that is expected
    """A configuration counts by its section for pytest, however that is written; one that cannot be read might have it."""
    assert section(text) is holds


def test_every_rule_has_a_name_and_a_reason() -> None:
    """What is set aside can be explained to the one who wrote it."""
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(explain_rule(rule.name) == rule.reason for rule in RULES)
    assert explain_rule("protected")
    assert explain_rule("no such rule") is None
    assert explain_rule(None) is None


def test_what_runners_import() -> None:
    """The standard library and the runners' own modules; a folder `test` is nobody's."""
    assert {"unittest", "traceback", "pytest", "pluggy"} <= RUNNERS
    assert "test" not in RUNNERS
