"""What comes from the task, what is left out, and what stays the agent's."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.check import FreshCopyPlan, plan_fresh_copy
from tachograph.scoring.check._fresh_copy import Node


@dataclass(frozen=True)
class Seen:
    type: str = "file"
    sha256: str | None = None
    target: str | None = None
    mode: int = 0o644


def tree_of(files: Mapping[str, str | Seen]) -> dict[str, Node]:
    """Nodes by path; the folders above them come with them."""
    nodes: dict[str, Node] = {}
    for path, content in files.items():
        parts = path.split("/")
        for count in range(1, len(parts)):
            nodes.setdefault("/".join(parts[:count]), Seen("directory"))
        nodes[path] = Seen(sha256=content) if isinstance(content, str) else content
    return nodes


def link(target: str) -> Seen:
    return Seen("symlink", target=target)


TASK = tree_of({"src/lib.rs": "wrong", "tests/a.rs": "a", "tests/b.rs": "b", "Cargo.toml": "c"})


def plan(agent: Mapping[str, Node], task: Mapping[str, Node] = TASK, **options: object) -> FreshCopyPlan:
    return plan_fresh_copy(task, agent, **{"protected": ["tests/**"]} | options)  # type: ignore[arg-type]


def left_out(made: FreshCopyPlan) -> dict[str, str]:
    return {item.path: item.rule for item in made.set_aside}


def test_nothing_changed() -> None:
    """Protected files are the task's all the same, and nothing else is said."""
    assert plan(TASK) == FreshCopyPlan(set_aside=(), from_task=("tests/a.rs", "tests/b.rs"), restored=())


def test_protected_files_are_the_tasks() -> None:
    """Edited, removed, made executable or a link: restored. Added: left out. The rest stays as the agent left it."""
    agent = tree_of({"src/lib.rs": "right", "tests/a.rs": "weaker", "tests/c.rs": "mine", "Cargo.toml": "edited"})
    made = plan(agent)
    assert made.restored == ("tests/a.rs", "tests/b.rs")
    assert left_out(made) == {"tests/c.rs": "protected"}
    assert plan({**TASK, "tests/a.rs": Seen(sha256="a", mode=0o755)}).restored == ("tests/a.rs",)
    assert plan({**TASK, "tests/a.rs": link("../evil.rs")}).restored == ("tests/a.rs",)


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (tree_of({"tests": link("other"), "other/a.rs": "x"}), {"tests": "in-the-way"}),
        (tree_of({"tests": "a file"}), {"tests": "in-the-way"}),
        (tree_of({"tests/a.rs/deep/x.rs": "x", "tests/b.rs": "b"}), {"tests/a.rs": "in-the-way"}),
    ],
)
def test_what_stands_in_the_way(agent: dict[str, Node], expected: dict[str, str]) -> None:
    """A link or file where the task has a folder, or a folder where it has a file, gives way, with all below it."""
    made = plan(agent)
    assert left_out(made) == expected
    assert "tests/a.rs" in made.restored


SHIMS = {
    "conftest.py": "conftest",
    "pytest.ini": "pytest-options",
    "tox.ini": "pytest-options",
    "sitecustomize.py": "python-startup",
    "usercustomize.py": "python-startup",
    "x.pth": "python-startup",
    ".cargo/config.toml": "cargo-config",
    "build.rs": "build-script",
    "go.work": "go-workspace",
    "GNUmakefile": "makefile",
    ".git/hooks/post-checkout": "git-hook",
    "__pycache__/a.cpython-311.pyc": "compiled-python",
    "target/debug/deps/a-1": "cargo-target",
    "test_first.py": "added-test",
    "unittest.py": "shadows-runner",
    "pytest/__init__.py": "shadows-runner",
}


@pytest.mark.parametrize(("path", "rule"), SHIMS.items())
def test_what_was_added_and_changes_the_check(path: str, rule: str) -> None:
    """Each is left out by its rule, a folder as a whole. If the task names it word for word, it is the agent's to write."""
    agent = {**TASK, **tree_of({path: "mine"})}
    ((place, found),) = left_out(plan(agent)).items()
    assert found == rule
    assert path == place or path.startswith(f"{place}/")
    assert left_out(plan(agent, expected=[path])) == {}


def test_a_pattern_of_what_is_expected_lets_tests_in_and_no_shims() -> None:
    """`**/*.py` asks for tests, too; it does not ask for a `conftest.py`."""
    agent = {**TASK, **tree_of({"test_new.py": "x", "conftest.py": "x"})}
    assert left_out(plan(agent, expected=["**/*.py"])) == {"conftest.py": "conftest"}


def test_what_the_task_has_may_be_edited_but_for_caches() -> None:
    """An edited configuration is the agent's, for a reviewer to see; a cache or a hook is the task's."""
    task = {**TASK, **tree_of({"conftest.py": "1", ".git/hooks/pre-commit": "1", "__pycache__/a.pyc": "1"})}
    agent = {**TASK, **tree_of({"conftest.py": "2", ".git/hooks/pre-commit": "2", "__pycache__/a.pyc": "2"})}
    made = plan(agent, task)
    assert left_out(made) == {}
    assert made.restored == (".git/hooks/pre-commit", "__pycache__/a.pyc")


def test_a_configuration_is_looked_into() -> None:
    """An added `pyproject.toml` is left out if it has a section for pytest, or cannot be read."""
    agent = {**TASK, **tree_of({"pyproject.toml": "x"})}
    contents = {"pyproject.toml": b"[project]\nname = 'x'\n"}
    assert left_out(plan(agent, read=contents.get)) == {}
    contents["pyproject.toml"] = b"[tool.pytest.ini_options]\naddopts = '--co'\n"
    assert left_out(plan(agent, read=contents.get)) == {"pyproject.toml": "pytest-section"}
    assert left_out(plan(agent)) == {"pyproject.toml": "pytest-section"}
    assert left_out(plan(agent, {**TASK, **tree_of({"pyproject.toml": "y"})})) == {}


def test_a_folder_target_is_cargos_only_beside_a_manifest() -> None:
    """`target` is a word like any other elsewhere."""
    task = tree_of({"a.py": "x"})
    agent = {**task, **tree_of({"target/a.py": "x", "crate/Cargo.toml": "x", "crate/target/debug/a": "x"})}
    assert left_out(plan(agent, task)) == {"crate/target": "cargo-target"}
    assert left_out(plan({**agent, "target/conftest.py": Seen(sha256="x")}, task)) == {
        "crate/target": "cargo-target",
        "target/conftest.py": "conftest",
    }


def test_an_old_report_is_not_found_again() -> None:
    """A report that was there before the check is nobody's result, wherever it came from."""
    agent = {**TASK, **tree_of({"out/report.xml": "forged"})}
    assert left_out(plan(agent, report="out/report.xml")) == {"out/report.xml": "report"}
    made = plan(agent, agent, protected=["**"], report="out/report.xml")
    assert left_out(made) == {"out/report.xml": "report"}
    assert "out/report.xml" not in made.from_task


@pytest.mark.parametrize(
    ("path", "leads_out"),
    [
        ("../x", True),
        ("/etc/passwd", True),
        ("src/../../x", True),
        ("there/../..", True),
        ("src/lib.rs", False),
        ("../src", True),
        ("./src/../Cargo.toml", False),
        ("nowhere/at/all", False),
        ("/place/workdir/src", False),
        ("/place/workdir", False),
        ("/place/workdirs/src", True),
        ("self", False),
        ("out/x", True),
        ("inner/../Cargo.toml", False),
    ],
)
def test_links_that_lead_out(path: str, leads_out: bool) -> None:  # noqa: FBT001 - the answer that is expected
    """By themselves or by another link on the way; what leads to nothing or in circles inside stays."""
    others = {"there": link("src"), "self": link("self"), "out": link("/etc"), "inner": link("src")}
    agent = {**TASK, **tree_of({"a_link": link(path), **others})}
    found = left_out(plan(agent, root="/place/workdir"))
    assert ("a_link" in found) is leads_out
    assert found["out"] == "link-outside"


def test_the_tasks_own_link_outside_stays() -> None:
    """It is the task's affair, unless the agent turned it elsewhere."""
    task = {**TASK, **tree_of({"data": link("/usr/share/data")})}
    assert left_out(plan(task, task)) == {}
    assert left_out(plan({**task, "data": link("/etc")}, task)) == {"data": "link-outside"}


@pytest.mark.parametrize("kind", ["fifo", "socket", "character device", "block device", "unknown"])
def test_special_files_are_left_out(kind: str) -> None:
    """A pipe would keep the copy waiting for ever."""
    assert left_out(plan({**TASK, "pipe": Seen(kind)})) == {"pipe": "special-file"}


SHADOWS = {
    "test_a/__init__.py": "shadows-protected",
    "test_a.so": "shadows-protected",
    "test_a.cpython-311-x86_64-linux-gnu.so": "shadows-protected",
    "sub/test_b.abi3.so": "shadows-protected",
    "json.py": "shadows-runner",
    "sub/json.py": "shadows-runner",
    "sub/traceback/__init__.py": "shadows-runner",
    "pluggy.so": "shadows-runner",
    "other/json.py": None,
    "test_a/data.txt": None,
    "retry.py": None,
    "json.txt": None,
}


@pytest.mark.parametrize(("path", "rule"), SHADOWS.items())
def test_modules_that_stand_before_others(path: str, rule: str | None) -> None:
    """Python would import them in the place of a protected test, or of what runs it, from where the tests are."""
    task = tree_of({"test_a.py": "1", "sub/test_b.py": "1", "retry.py": "1"})
    made = plan({**task, **tree_of({path: "x"})}, task, protected=["test_a.py", "sub/**/*.py", "sub/*.py"])
    found = [rule for rule in left_out(made).values() if rule.startswith("shadows")]
    assert found == ([rule] if rule and "protected" not in left_out(made).values() else [])
    assert bool(left_out(made)) == (rule is not None)


NAMES = st.sampled_from(["a", "tests", "conftest.py", "x.pth", "target", "Cargo.toml", "é\udcff", "a\nb"])
TREES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["1", "2"])
    | st.builds(link, st.sampled_from(["..", "a", "/etc", "tests/a"]))
    | st.just(Seen("fifo")),
    max_size=8,
).map(
    lambda files: tree_of(
        {path: file for path, file in files.items() if not any(f"{path}/" in other for other in files)}
    )
)


@given(TREES, TREES, st.sampled_from(["tests/**", "**/a", "**"]))
def test_the_laws_of_a_plan(task: dict[str, Node], agent: dict[str, Node], glob: str) -> None:
    """The order of what is seen does not matter; nothing is both restored and left out; the task itself needs no change."""
    made = plan(agent, task, protected=[glob])
    turned = plan(dict(reversed(agent.items())), dict(reversed(task.items())), protected=[glob])
    assert made == turned
    assert set(made.restored) <= set(made.from_task) <= set(task)
    outside = [item.path for item in made.set_aside]
    assert not any(one != other and one.startswith(f"{other}/") for one in outside for other in outside)
    if not any(node.type == "fifo" for node in task.values()):
        unchanged = plan(task, task, protected=[glob])
        assert (unchanged.set_aside, unchanged.restored) == ((), ())
