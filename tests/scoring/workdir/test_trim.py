"""A snapshot that is written for its diffs holds what they need, and says what it leaves out."""

from pathlib import Path

from tachograph.scoring.workdir import NotKept, Snapshot, diff, read_snapshot, snapshot, write_snapshot


def rewritten(taken: Snapshot, file: Path, *others: Snapshot, unchanged_bytes: int = 0) -> Snapshot:
    write_snapshot(taken, file, compared_with=others, unchanged_bytes=unchanged_bytes)
    return read_snapshot(file)


def test_three_snapshots_of_a_run_need_no_more_than_their_diffs(root: Path, tmp_path: Path) -> None:
    """Before, after the agent, after the check: each file is complete for itself, and both diffs are those of the run."""
    for number in range(200):
        (root / f"{number:03}").write_text(f"{number}\n" * 500)
    (root / "moved").write_text("moved\n" * 100)
    before = snapshot(root, file=tmp_path / "workdir.before")
    whole = (tmp_path / "workdir.before").stat().st_size
    (root / "001").write_text("by the agent\n")
    (root / "moved").rename(root / "there")
    after = snapshot(root, previous=before, file=tmp_path / "workdir.after")
    (root / "001").write_text("by the check\n")
    (root / "002").write_text("by the check\n")
    checked = snapshot(root, previous=after, file=tmp_path / "workdir.checked")
    diffs = diff(before, after), diff(after, checked), diff(before, checked)
    read = [
        rewritten(
            taken, tmp_path / f"workdir.{name}", *(other for other in (before, after, checked) if other is not taken)
        )
        for name, taken in (("before", before), ("after", after), ("checked", checked))
    ]
    assert read == [before, after, checked]
    assert (diff(read[0], read[1]), diff(read[1], read[2]), diff(read[0], read[2])) == diffs
    assert [len(each.changes) for each in diffs] == [2, 2, 3]
    assert (tmp_path / "workdir.before").stat().st_size < whole / 10
    assert read[0].content("100") is NotKept.UNCHANGED


def test_what_was_streamed_is_enough_for_the_diff(root: Path, tmp_path: Path) -> None:
    """If the process ends before anything is rewritten, the two files that it wrote say all."""
    (root / "a").write_text("1\n")
    (root / "b").write_text("2\n")
    before = snapshot(root, file=tmp_path / "before")
    (root / "a").write_text("one\n")
    expected = diff(before, snapshot(root, previous=before, file=tmp_path / "after"))
    found = diff(read_snapshot(tmp_path / "before"), read_snapshot(tmp_path / "after"))
    assert found == expected
    assert [change.lines_added for change in found.changes] == [1]
    assert read_snapshot(tmp_path / "after").content("b") is NotKept.UNCHANGED


def test_unchanged_contents_are_written_as_far_as_there_is_room(root: Path, tmp_path: Path) -> None:
    """In the order of the paths, each if it still fits; rules of what git ignores and the state of git always."""
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (root / ".gitignore").write_text("*.o\n")
    for name, size in (("a", 40), ("b", 70), ("c", 60)):
        (root / name).write_text("x" * size)
    taken = snapshot(root)
    read = rewritten(taken, tmp_path / "file", taken, unchanged_bytes=100)
    assert {path: isinstance(read.content(path), bytes) for path in read if read[path].type == "file"} == {
        ".git/HEAD": True,
        ".gitignore": True,
        "a": True,
        "b": False,
        "c": True,
    }


def test_a_diff_without_the_contents_says_so(root: Path, tmp_path: Path) -> None:
    """Compared with a snapshot for which it was not written, lines are None and never 0."""
    (root / "a").write_text("1\n")
    taken = snapshot(root)
    read = rewritten(taken, tmp_path / "file", taken)
    (root / "a").write_text("2\n")
    (change,) = diff(read, snapshot(root)).changes
    assert (change.operation, change.lines_added, change.bytes_removed) == ("modify", None, None)
    assert change.note == "unchanged, and left out when the snapshot was written"
    assert change.patch.startswith(b"# a: modify, not in this patch: unchanged, and left out")


def test_all_is_written_where_nothing_is_compared(root: Path, tmp_path: Path) -> None:
    """Contents of the snapshot before are written too, so that the file is complete."""
    (root / "a").write_text("1\n" * 10_000)
    first = snapshot(root)
    second = snapshot(root, previous=first)
    write_snapshot(second, tmp_path / "file")
    assert read_snapshot(tmp_path / "file").content("a") == b"1\n" * 10_000
    assert (tmp_path / "file").stat().st_size < 1000
