"""What was moved is told from what was removed and added by its content and its inode."""

from pathlib import Path

from tachograph.scoring.workdir import diff, snapshot


def numbers(first: int, end: int) -> str:
    return "".join(f"{number}\n" for number in range(first, end))


def renames(root: Path, before: dict[str, str], moves: dict[str, str]) -> dict[str, str]:
    """Write files, move them, and give who was taken for whom."""
    for path, content in before.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(content)
    first = snapshot(root)
    for old, new in moves.items():
        (root / new).parent.mkdir(exist_ok=True)
        (root / old).rename(root / new)
    found = diff(first, snapshot(root, previous=first)).changes
    return {change.old_path: change.path for change in found if change.old_path}


def test_of_equal_files_the_inode_decides(root: Path) -> None:
    """Two files with one content that cross are not mixed up."""
    moves = {"a": "z", "b": "y", "c": "x"}
    assert renames(root, dict.fromkeys("abc", "same\n"), moves) == moves


def test_without_the_inode_the_name_decides(root: Path) -> None:
    """Copied elsewhere and removed: the file with the same name first, then any with the same content, in order."""
    for folder in ("old", "new"):
        (root / folder).mkdir()
    for name in ("a", "b", "c"):
        (root / "old" / name).write_text("same\n")
    before = snapshot(root)
    for name in ("b", "x", "y"):
        (root / "new" / name).write_text("same\n")
    for name in ("a", "b", "c"):
        (root / "old" / name).unlink()
    found = {change.old_path: change.path for change in diff(before, snapshot(root)).changes}
    assert found == {"old/a": "new/x", "old/b": "new/b", "old/c": "new/y"}


def test_empty_files_are_not_all_the_same(root: Path) -> None:
    """One that is removed and another that is made are no rename, though their contents are equal; one that is moved is."""
    assert renames(root, {"a": ""}, {"a": "b"}) == {"a": "b"}
    before = snapshot(root)
    (root / "c").touch()
    (root / "b").unlink()
    assert [change.operation for change in diff(before, snapshot(root)).changes] == ["remove", "add"]


def test_links_are_renamed_by_their_target(root: Path) -> None:
    """They have no content but that."""
    (root / "a").symlink_to("nowhere")
    before = snapshot(root)
    (root / "a").unlink()
    (root / "b").symlink_to("nowhere")
    assert [(change.operation, change.old_path) for change in diff(before, snapshot(root)).changes] == [("rename", "a")]


def test_half_of_the_lines_make_a_file_similar(root: Path) -> None:
    """Of the longer text; one line less, and it is another file. The most similar pair goes first."""
    for name, content in {"half": numbers(0, 20), "less": numbers(100, 120), "best": numbers(200, 220)}.items():
        (root / name).write_text(content)
    before = snapshot(root)
    for path in ("half", "less", "best"):
        (root / path).unlink()
    (root / "half2").write_text(numbers(10, 30))
    (root / "less2").write_text(numbers(111, 131))
    (root / "worse2").write_text(numbers(208, 228))
    (root / "best2").write_text(numbers(201, 221))
    found = {change.path: (change.operation, change.old_path) for change in diff(before, snapshot(root)).changes}
    assert found == {
        "best2": ("rename", "best"),
        "half2": ("rename", "half"),
        "less": ("remove", None),
        "less2": ("add", None),
        "worse2": ("add", None),
    }


def test_similar_ones_are_looked_for_among_few(root: Path) -> None:
    """Of 200 candidates and more, only equal contents are paired."""
    for count in (99, 100):
        before = {f"{count}/{number}": numbers(number * 100, number * 100 + 9) for number in range(count)}
        (root / str(count)).mkdir()
        for path, content in before.items():
            (root / path).write_text(content)
        first = snapshot(root)
        for path, content in before.items():
            (root / path).unlink()
            (root / f"{path}.new").write_text(content + "more\n")
        operations = {change.operation for change in diff(first, snapshot(root)).changes}
        assert operations == ({"rename"} if count == 99 else {"add", "remove"})
