"""Which files an answer's text holds edits of, for agents that offer their model no tools."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._text_edits import patched_paths, text_commands, text_paths

BLOCK = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (f"Sure:\n\nsrc/a.py\n```python\n{BLOCK}```\n", ["src/a.py"]),
        (f"```python\nsrc/a.py\n{BLOCK}```\n", ["src/a.py"]),
        (f"**a.py**\n````\n{BLOCK}````\n\n`b.py`:\n```\n{BLOCK}```", ["a.py", "b.py"]),
        ("a.py\n```python\nx = 1\n```", ["a.py"]),
        ("```python src/a.py\nx = 1\n```", ["src/a.py"]),
        ("```save hello.py\nx = 1\n```", ["hello.py"]),
        ("```diff\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n```", ["x.py"]),
        ("<write_to_file>\n<path>a b.py</path>\n<content>x</content>\n</write_to_file>", ["a b.py"]),
        ("<replace_in_file><path>a.py</path></replace_in_file><read_file><path>b.py</path></read_file>", ["a.py"]),
        ("This is how:\n```python\nx = 1\n```", []),
        ("See a.py for that.\n\n```\nx\n```", []),
        ("```bash\ncat a.py\n```", []),
        ("", []),
    ],
)
def test_edits_in_text(text: str, paths: list[str]) -> None:
    """SEARCH/REPLACE blocks, whole files and patches name their file; an example in a fence names none."""
    assert text_paths(text) == paths


@pytest.mark.parametrize(
    ("patch", "paths"),
    [
        ("*** Begin Patch\n*** Update File: a.py\n*** Move to: b.py\n@@\n-x\n+y\n*** End Patch", ["a.py", "b.py"]),
        ("*** Begin Patch\n*** Add File: c d.py\n+y\n*** Delete File: e.py\n*** End Patch", ["c d.py", "e.py"]),
        ("--- a/x.py\t2026-01-01\n+++ b/x.py\t2026-01-01\n", ["x.py"]),
        ("--- /dev/null\n+++ b/new.py\n", ["new.py"]),
        ("diff --git a/x b/y\nrename from x\nrename to y\n", ["x", "y"]),
        ("a text\n---\nmore", []),
    ],
)
def test_patches(patch: str, paths: list[str]) -> None:
    """In the forms of codex, of diff and of git."""
    assert patched_paths(patch) == paths


def test_commands() -> None:
    """In fences, or in the tags of agents that ask for them."""
    assert text_commands("THOUGHT: fix\n\n```mswea_bash_command\nsed -i s/a/b/ x\n```") == ["sed -i s/a/b/ x\n"]
    assert text_commands("<execute_command>\n<command>rm x</command>\n</execute_command>") == ["rm x"]
    assert text_commands("```python\nx\n```") == []


@given(st.text(alphabet="a.`~<>/\n SEARCH=*+-", max_size=80))
def test_nothing_breaks_it(text: str) -> None:
    """Models write anything."""
    text_paths(text)
    text_commands(text)


@pytest.mark.parametrize(
    "piece", ["```\n", "`", "<edit_file>", "<path>", "<<<<<<< SEARCH\n", "--- ", "*** ", "a.", "\n"]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    """Time grows with the length and no faster."""
    begin = time.process_time()
    text_paths(piece * 20_000)
    text_commands(piece * 20_000)
    assert time.process_time() - begin < 2
