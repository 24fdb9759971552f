"""Files that change what a check runs without being part of the solution. A table: it has a version, and grows."""

import configparser
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from .._globs import covering

__all__ = ["RULES", "RULES_VERSION", "RUNNERS", "Rule", "explain_rule", "rule_of", "rules_of"]

RULES_VERSION: Final = 1
"""Changes with the table: the same workdir may give another copy then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of such files."""

    name: str
    globs: tuple[str, ...]
    """Relative to the workdir. A folder stands for all in it."""
    reason: str
    always: bool = False
    """True: the task's version counts, or none. False: only what the task does not have is left out; what it has and does not
    protect may be edited, and an edit is for a reviewer to see."""
    unless_expected: bool = False
    """Whether any glob of what the task asks to change exempts a file. From the other rules, only its whole name does."""
    beside: str | None = None
    """The name of a file that stands beside what the glob names; None if that does not matter."""
    holds: Callable[[bytes], bool] | None = field(default=None, repr=False)
    """Whether a content is of this kind; None if any is."""


def _configures_pytest(content: bytes) -> bool:
    """Whether a `pyproject.toml` or `setup.cfg` has a section for pytest. What cannot be read might have."""
    text = content.decode("utf-8", "replace")
    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError:
        pass
    else:
        return not isinstance(tool, dict) or "pytest" in tool
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return True
    return any(section.strip() in ("tool:pytest", "pytest") for section in parser.sections())


def _brings_a_plugin(content: bytes) -> bool:
    return b"pytest11" in content


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        name="added-test",
        globs=(
            *("**/test*.py", "**/*_test.py", "**/*_test.go", "**/tests/*.rs", "**/tests/*/main.rs"),
            *("**/*.test.*js", "**/*.test.*ts", "**/*.test.*sx", "**/*.spec.*js", "**/*.spec.*ts", "**/*.spec.*sx"),
        ),
        reason="it runs among the task's tests, and can change what they find",
        unless_expected=True,
    ),
    Rule(
        name="conftest",
        globs=("**/conftest.py",),
        reason="pytest runs it before the tests, and it can change their results",
    ),
    Rule(
        name="pytest-options",
        globs=("**/pytest.ini", "**/.pytest.ini", "**/pytest.toml", "**/.pytest.toml", "**/tox.ini"),
        reason="pytest takes its options from it: which tests to run, which plugins to load",
    ),
    Rule(
        name="pytest-section",
        globs=("**/pyproject.toml", "**/setup.cfg"),
        reason="it has a section from which pytest takes its options",
        holds=_configures_pytest,
    ),
    Rule(
        name="pytest-plugin",
        globs=("**/*.dist-info/entry_points.txt", "**/*.egg-info/entry_points.txt"),
        reason="pytest loads the plugins that it names",
        holds=_brings_a_plugin,
    ),
    Rule(
        name="python-startup",
        globs=("**/sitecustomize.py", "**/usercustomize.py", "**/sitecustomize", "**/usercustomize", "**/*.pth"),
        reason="Python runs it when it starts",
    ),
    Rule(
        name="compiled-python",
        globs=("**/__pycache__", "**/*.pyc", "**/*.pyo"),
        reason="Python runs it in the place of the source beside it",
        always=True,
    ),
    Rule(
        name="pytest-cache",
        globs=("**/.pytest_cache",),
        reason="pytest chooses tests by what it says of the last run",
        always=True,
    ),
    Rule(
        name="cargo-config",
        globs=("**/.cargo/config.toml", "**/.cargo/config"),
        reason="cargo takes from it by which program tests are run, and how they are compiled",
    ),
    Rule(name="build-script", globs=("**/build.rs",), reason="cargo runs it before it compiles the crate"),
    Rule(
        name="cargo-target",
        globs=("**/target",),
        beside="Cargo.toml",
        reason="it may hold programs that were built from other tests",
        always=True,
    ),
    Rule(
        name="toolchain",
        globs=(
            "**/rust-toolchain",
            "**/rust-toolchain.toml",
            "**/.python-version",
            "**/.tool-versions",
            "**/mise.toml",
            "**/.mise.toml",
            "**/.nvmrc",
            "**/.ruby-version",
        ),
        reason="it chooses the interpreter or the compiler",
    ),
    Rule(
        name="go-workspace",
        globs=("**/go.work", "**/go.work.sum"),
        reason="go takes from it which modules stand in for others",
    ),
    Rule(
        name="go-vendor",
        globs=("**/vendor",),
        beside="go.mod",
        reason="go takes what tests import from it, in the place of the modules themselves",
    ),
    Rule(
        name="makefile",
        globs=("**/GNUmakefile", "**/makefile"),
        reason="make reads it in the place of a Makefile",
    ),
    Rule(
        name="javascript-runner",
        globs=(
            "**/jest.config.*",
            "**/vitest.config.*",
            "**/vitest.workspace.*",
            "**/.mocharc.*",
            "**/.mocharc",
            "**/.npmrc",
        ),
        reason="a runner of JavaScript tests takes its options from it",
    ),
    Rule(
        name="git-hook",
        globs=("**/.git/hooks", "**/.git/config", "**/.git/config.worktree"),
        reason="git runs it, or takes from it what to run",
        always=True,
    ),
)
"""In no order: several may hold for one path."""

RUNNERS: Final = (sys.stdlib_module_names - {"test"}) | {
    *("_pytest", "anyio", "attr", "attrs", "coverage", "exceptiongroup", "hypothesis", "iniconfig", "mock", "nose"),
    *(
        "packaging",
        "pluggy",
        "py",
        "pygments",
        "pytest",
        "pytest_asyncio",
        "pytest_cov",
        "pytest_mock",
        "pytest_timeout",
    ),
    *("sortedcontainers", "testtools", "tomli", "tox", "typing_extensions", "xdist"),
}
"""Modules that Python's test runners import: one of this name in the workdir would be imported instead."""

_OTHER_REASONS: Final[Mapping[str, str]] = {
    "protected": "it is in a place that the task protects, and the task does not have it",
    "report": "the check itself has to write its report",
    "link-outside": "it leads out of the workdir",
    "special-file": "it is a pipe, a socket or a device",
    "in-the-way": "it stands where the task has a protected file or its folder",
    "shadows-protected": "Python would import it in the place of a protected file",
    "shadows-runner": "Python would import it in the place of a module that test runners use",
    "beside-the-workdir": "it was put beside the workdir, where tools look for their configuration",
    "unreadable": "it could not be read",
    "too-deep": "it lies deeper than a copy goes",
}
_COVERS: Final = tuple((rule, covering(rule.globs)) for rule in RULES)
_NAMES: Final = {glob.rpartition("/")[2] for rule in RULES for glob in rule.globs}
_MAYBE: Final = re.compile(
    "(?:^|/)(?:" + "|".join(re.escape(name).replace(r"\*", "[^/]*") for name in sorted(_NAMES)) + ")(?:/|$)", re.DOTALL
)
"""Finds in a path a name that some rule speaks of: one search instead of a match for each glob."""


def explain_rule(name: str | None) -> str | None:
    """Why something was set aside, by the name of its rule; None if there is no such rule."""
    return next((rule.reason for rule in RULES if rule.name == name), _OTHER_REASONS.get(name or ""))


def rules_of(path: str) -> tuple[Rule, ...]:
    """The rules whose globs name a path, relative to the workdir, or a folder above it; none for most paths.

    What stands beside the path, and what it holds, is for the caller to look at.
    """
    if not _MAYBE.search(path):
        return ()
    return tuple(rule for rule, covers in _COVERS if covers(path))


def rule_of(path: str) -> Rule | None:
    """The first of the rules that speak of a path; None for most paths."""
    return next(iter(rules_of(path)), None)
