"""A prediction holds the agent's work and nothing else, and git applies it."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tachograph.scoring import AgentFacts, RunRecord, TaskFacts, diff, load_record, snapshot
from tachograph.scoring.formats import swebench_prediction
from tachograph.traces import InputError, Run

RUN = Run(
    run_id="r", status="completed", live=False, sealed=True, start_ns=0, end_ns=1, attributes={}, calls=(), spans=()
)
TASK = TaskFacts(id="owner__repo-1", expected=("src/**",), protected=("tests/**",))
AIDER = AgentFacts(name="aider", housekeeping=(".aider*",))
FILES = {
    "src/a.py": b"a\nb\nc\n",
    "src/old name.py": b"x\n" * 40,
    "tests/test_a.py": b"assert a\n",
    "latin.txt": b"\xe9\n",
}
Work = Callable[[Path], None]
Change = Callable[[Work], RunRecord]


@pytest.fixture
def changed(tmp_path: Path) -> Change:
    def change(work: Work) -> RunRecord:
        before, after = tmp_path / "before", tmp_path / "after"
        for name, content in FILES.items():
            (before / name).parent.mkdir(parents=True, exist_ok=True)
            (before / name).write_bytes(content)
        shutil.copytree(before, after)
        work(after)
        changes = diff(snapshot(before), snapshot(after))
        return RunRecord(run=RUN, task=TASK, agent=AIDER, changes=changes)

    return change


def work(root: Path) -> None:
    (root / "src/a.py").write_bytes("a\nB é\nc".encode())
    (root / "src/old name.py").rename(root / "src/new.py")
    (root / "notes.md").write_text("why\n")
    (root / "tests/test_a.py").write_text("assert True\n")
    (root / ".aider.chat.history.md").write_text("chat\n")
    (root / "src/__pycache__").mkdir()
    (root / "src/__pycache__/a.pyc").write_bytes(b"\0")


def applied(folder: Path, patch: str) -> dict[str, bytes]:
    """What `git apply` makes of the files that the agent began with, by way of a file, as SWE-bench does it."""
    shutil.copytree(folder / "before", folder / "graded")
    (folder / "patch.diff").write_text(patch, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=folder / "graded", check=True)
    subprocess.run(["git", "apply", "--verbose", str(folder / "patch.diff")], cwd=folder / "graded", check=True)
    files = (path for path in (folder / "graded").rglob("*") if path.is_file())
    return {
        path.relative_to(folder / "graded").as_posix(): path.read_bytes() for path in files if ".git" not in path.parts
    }


def test_the_agents_work_and_nothing_else(changed: Change, tmp_path: Path) -> None:
    """Expected and unexpected changes are applied; protected files, housekeeping and build artifacts are as they were."""
    prediction = swebench_prediction(changed(work), "aider/a-model")
    assert list(prediction) == ["instance_id", "model_name_or_path", "model_patch"]
    assert prediction["instance_id"] == "owner__repo-1"
    assert prediction["model_name_or_path"] == "aider/a-model"
    assert applied(tmp_path, prediction["model_patch"]) == {
        "src/a.py": "a\nB é\nc".encode(),
        "src/new.py": FILES["src/old name.py"],
        "notes.md": b"why\n",
        "tests/test_a.py": FILES["tests/test_a.py"],
        "latin.txt": FILES["latin.txt"],
    }


def test_a_choice_of_ones_own(changed: Change) -> None:
    """A predicate decides by path; of a rename both names must be wanted."""
    record = changed(work)
    whole = swebench_prediction(record, "m", keep=lambda _: True)["model_patch"]
    assert "tests/test_a.py" in whole
    assert ".aider" in whole
    tests = swebench_prediction(record, "m", keep=lambda path: path.startswith("tests/"))["model_patch"]
    assert tests.count("diff --git") == 1
    without = swebench_prediction(record, "m", keep=lambda path: "old" not in path)["model_patch"]
    assert "new.py" not in without


def test_an_instance_by_another_name(changed: Change) -> None:
    """The task's id is what is taken if no other is given, and something must be."""
    record = changed(work)
    assert swebench_prediction(record, "m", "other-1")["instance_id"] == "other-1"
    with pytest.raises(InputError, match="instance_id"):
        swebench_prediction(replace(record, task=TaskFacts()), "m")


def test_changes_that_are_not_known(changed: Change) -> None:
    """No changes known is not `nothing changed`: an empty prediction would be a claim."""
    record = replace(changed(work), changes=None, reasons={"changes": "no snapshots were taken"})
    with pytest.raises(InputError, match="no snapshots were taken"):
        swebench_prediction(record, "m")


def test_a_run_that_changed_nothing(changed: Change) -> None:
    """That is an empty patch."""
    assert swebench_prediction(changed(lambda _: None), "m")["model_patch"] == ""


def test_what_a_prediction_cannot_hold(changed: Change, tmp_path: Path) -> None:
    """A text that is no UTF-8 is not written changed: a remark says that it is missing, and the rest still applies."""

    def edit(root: Path) -> None:
        (root / "latin.txt").write_bytes(b"\xe8\n")
        (root / "src/a.py").write_text("A\n")

    record = changed(edit)
    patch = swebench_prediction(record, "m")["model_patch"]
    assert "# latin.txt: modify, not in this patch: its text is no UTF-8\n" in patch
    made = applied(tmp_path, patch)
    assert (made["latin.txt"], made["src/a.py"]) == (FILES["latin.txt"], b"A\n")
    alone = swebench_prediction(record, "m", keep=lambda path: path == "latin.txt")
    assert alone["model_patch"] == ""


def test_the_published_cell(cell: Callable[..., Path]) -> None:
    """One line of one file, and none of the six files of the agent's own."""
    record = load_record(cell())
    patch = swebench_prediction(replace(record, agent=AIDER_OF_THE_CELL), "aider/m", "retry-1")["model_patch"]
    assert patch.count("diff --git") == 1
    assert "-    false\n+    true\n" in patch


AIDER_OF_THE_CELL = AgentFacts(name="aider", housekeeping=(".aider*", ".aider*/**"))
