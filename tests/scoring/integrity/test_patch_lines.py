"""Lines of unified diffs, as git and the workdir's own diff write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring import diff, snapshot
from tachograph.scoring.integrity import patch_lines

TEXTS = st.lists(st.sampled_from(["a", "b", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "", "\\ No", "-", "+"]), max_size=12)


def test_numbers_count_in_the_file_that_the_line_is_of() -> None:
    """A removed line is numbered as before, an added one as after."""
    patch = b"--- a/x\n+++ b/x\n@@ -3,3 +3,3 @@ def f\n a\n-b\n+c\n+d\n-e\n\\ No newline at end of file\n"
    found = [(line.side, line.number, line.text) for line in patch_lines(patch)]
    assert found == [("kept", 3, "a"), ("removed", 4, "b"), ("added", 4, "c"), ("added", 5, "d"), ("removed", 5, "e")]


def test_what_has_no_hunks_has_no_lines() -> None:
    """A binary file, a mode, a remark."""
    assert patch_lines(b"diff --git a/x b/x\nold mode 100644\nnew mode 100755\n# x: not kept\n") == ()
    assert patch_lines(b"") == ()


@given(before=TEXTS, after=TEXTS)
def test_a_patch_of_real_files_gives_the_lines_of_both(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], after: list[str]
) -> None:
    """What is added stands in the new file at its number, what is removed in the old one; lines that look like heads too."""
    root = tmp_path_factory.mktemp("root")
    (root / "x").write_text("".join(f"{line}\n" for line in before))
    first = snapshot(root)
    (root / "x").write_text("".join(f"{line}\n" for line in after))
    for change in diff(first, snapshot(root)).changes:
        lines = patch_lines(change.patch)
        sides = {"added": after, "kept": after, "removed": before}
        assert all(sides[line.side][line.number - 1] == line.text for line in lines)
        assert sum(line.side == "added" for line in lines) == change.lines_added
        assert sum(line.side == "removed" for line in lines) == change.lines_removed
