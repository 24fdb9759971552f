"""Task files of any content: whoever writes a task gets a task or a clear word."""

import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tachograph.harness._task import Task, load_task
from tachograph.traces import InputError

SETTINGS = settings(
    max_examples=int(os.environ.get("TACHOGRAPH_FUZZ_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
TABLES: dict[str, tuple[str, ...]] = {
    "": ("id", "category", "title", "prompt", "timeout", "requires", "check", "unknown"),
    "check": ("command", "timeout", "report", "tests", "unknown"),
    "changes": ("expected", "protected"),
    "setup": ("command",),
    "refusal": ("expected", "artifacts", "forbidden"),
    "budget": ("seconds", "best_seconds", "tokens", "best_tokens"),
}
TEXTS = st.sampled_from(
    ['""', '"a"', '"mutations/x"', '"../x"', '"/x"', '"report.xml"', '"junit"', '"*.py"', '"\\u0000"']
)
VALUES = st.one_of(
    TEXTS,
    st.sampled_from(["1", "0", "-1", "1.5", "inf", "nan", "true", "false", "2026-01-01", "9" * 400, "{}", "{a = 1}"]),
    st.lists(TEXTS, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A task file: often nearly right."""
    lines = []
    for table, keys in TABLES.items():
        lines += [f"[{table}]"] if table else ['id = "a"', 'category = "b"', 'prompt = "c"']
        lines += [f"{key} = {draw(VALUES)}" for key in draw(st.lists(st.sampled_from(keys), max_size=2))]
    data = bytearray("\n".join(lines).encode())
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 30))] = draw(st.binary(max_size=3))
    return bytes(data)


@given(st.one_of(documents(), st.binary(max_size=200)))
@SETTINGS
def test_any_task_file(tmp_path_factory: pytest.TempPathFactory, document: bytes) -> None:
    """It is a task whose values can be used, or the error names the file."""
    folder = _folder(tmp_path_factory)
    (folder / "task.toml").write_bytes(document)
    try:
        task = load_task(folder)
    except InputError as error:
        said = str(error)
    else:
        assert _is_usable(task)
        return
    assert "task.toml" in said


def _is_usable(task: Task) -> bool:
    globs = map(Path, (*task.changes_expected, *task.changes_protected))
    return (
        bool(task.id and task.prompt.strip())
        and all(0 < value < math.inf for value in (task.timeout, task.check_timeout))
        and not any(glob.is_absolute() or ".." in glob.parts for glob in globs)
    )


def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.getbasetemp() / "task"
    (folder / "workdir").mkdir(parents=True, exist_ok=True)
    return folder
