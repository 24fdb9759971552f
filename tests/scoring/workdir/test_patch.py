"""`git apply` makes of the tree before the tree after, as far as git knows of such things."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tachograph.scoring.workdir import Snapshot, diff, read_snapshot, snapshot, write_snapshot
from tachograph.scoring.workdir._patch import quoted

Edit = tuple[str, str, str]
"""What to do, where, and with what."""

names = st.sampled_from(["a", "b c", "é", 'q"', "n\nl", "-x", "caf\udce9", "t\tb", "a.b", " "])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.lists(st.sampled_from(["one", "two", "", "+", "--- x", "é", "\r", "\udcff"]), max_size=12).map(
    "\n".join
) | st.lists(st.integers(0, 40).map(str), min_size=8, max_size=30).map(lambda lines: "\n".join(lines) + "\n")
edits = (
    st.tuples(st.sampled_from(["write", "append", "link"]), paths, contents)
    | st.tuples(st.sampled_from(["remove", "executable", "plain", "folder"]), paths, st.just(""))
    | st.tuples(st.just("move"), paths, paths)
)


def perform(root: Path, edit: Edit) -> None:
    """Do it if it can be done."""
    what, path, given_with = edit
    place = root / path
    content = given_with.encode(errors="surrogateescape")
    if what in {"write", "append", "link", "folder"}:
        place.parent.mkdir(parents=True, exist_ok=True)
    if what == "write":
        place.write_bytes(content)
    elif what == "append":
        with place.open("ab") as file:
            file.write(content)
    elif what == "link":
        place.unlink(missing_ok=True)
        place.symlink_to(given_with.replace("\n", "/")[:50] or ".")
    elif what == "folder":
        place.mkdir()
    elif what == "remove":
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
    elif what == "move":
        (root / given_with).parent.mkdir(parents=True, exist_ok=True)
        place.rename(root / given_with)
    elif not place.is_symlink():
        place.chmod(0o755 if what == "executable" else 0o644)


def perform_all(root: Path, edits: list[Edit]) -> None:
    for edit in edits:
        with suppress(OSError):
            perform(root, edit)


def apply(patch: bytes, folder: Path) -> None:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    command = ["git", "apply", "--allow-empty", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, input=patch, cwd=folder, env=env, capture_output=True, check=False)
    assert done.returncode == 0, (done.stderr.decode(errors="replace"), patch)


def without_empty_folders(folder: Path) -> None:
    """What git cannot see is in its way where a file is to be."""
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(place).rmdir()
    folder.mkdir(exist_ok=True)


def as_git_sees(taken: Snapshot) -> dict[str, tuple[str, bool, object]]:
    return {
        entry.path: (entry.type, entry.type == "file" and bool(entry.mode & 0o100), entry.target or entry.sha256)
        for entry in taken.values()
        if entry.type in {"file", "symlink"}
    }


@settings(deadline=None, max_examples=150)
@given(first=st.lists(edits, max_size=12), then=st.lists(edits, max_size=8))
def test_a_patch_makes_the_tree_after(first: list[Edit], then: list[Edit]) -> None:
    """Whatever was written, moved, linked, made executable or removed; and the diff is the same each time, also from files."""
    with tempfile.TemporaryDirectory() as place:
        root, copy = Path(place, "root"), Path(place, "copy")
        root.mkdir()
        perform_all(root, first)
        before = snapshot(root)
        assert diff(before, before).changes == diff(before, snapshot(root, previous=before)).changes == ()
        shutil.copytree(root, copy, symlinks=True)
        without_empty_folders(copy)
        perform_all(root, then)
        after = snapshot(root, previous=before)
        found = diff(before, after)
        assert replace(snapshot(root), started_ns=after.started_ns) == after
        apply(found.patch, copy)
        assert as_git_sees(snapshot(copy)) == as_git_sees(after)
        write_snapshot(before, Path(place, "before"), compared_with=[after], unchanged_bytes=0)
        write_snapshot(after, Path(place, "after"), compared_with=[before], unchanged_bytes=0)
        assert diff(read_snapshot(Path(place, "before")), read_snapshot(Path(place, "after"))) == found
        assert bool(found.changes) == (shown(before) != shown(after))


def shown(taken: Snapshot) -> list[tuple[object, ...]]:
    """The tree that a snapshot shows, without times."""
    return [(entry.path, entry.type, entry.mode, entry.target, entry.sha256) for entry in taken.values()]


def test_modes_renames_links_and_odd_names(root: Path, tmp_path: Path) -> None:
    """What git has words for is in its words, and nothing else is."""
    (root / "tool").write_text("#!/bin/sh\n")
    (root / "old name").write_text("".join(f"{number}\n" for number in range(20)))
    (root / "link").symlink_to("tool")
    (root / "no newline").write_text("end")
    (root / "empty").touch()
    (root / "private").write_text("x\n")
    (root / "folder").mkdir()
    before = snapshot(root)
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    (root / "tool").chmod(0o755)
    (root / "old name").rename(root / "new\nname")
    with (root / "new\nname").open("a") as file:
        file.write("20\n")
    (root / "link").unlink()
    (root / "link").symlink_to("elsewhere")
    (root / "no newline").write_text("end\n")
    (root / "empty").unlink()
    (root / "é").touch()
    (root / "private").chmod(0o600)
    (root / "folder").rmdir()
    os.mkfifo(root / "pipe")
    after = snapshot(root)
    patch = diff(before, after).patch
    assert patch.decode().splitlines() == [
        "diff --git a/empty b/empty",
        "deleted file mode 100644",
        "# folder: remove, not in this patch: directory",
        "diff --git a/link b/link",
        "--- a/link",
        "+++ b/link",
        "@@ -1 +1 @@",
        "-tool",
        "\\ No newline at end of file",
        "+elsewhere",
        "\\ No newline at end of file",
        'diff --git a/old name "b/new\\nname"',
        "similarity index 95%",
        "rename from old name",
        'rename to "new\\nname"',
        "--- a/old name\t",
        '+++ "b/new\\nname"',
        "@@ -18,3 +18,4 @@",
        " 17",
        " 18",
        " 19",
        "+20",
        "diff --git a/no newline b/no newline",
        "--- a/no newline\t",
        "+++ b/no newline\t",
        "@@ -1 +1 @@",
        "-end",
        "\\ No newline at end of file",
        "+end",
        "# pipe: add, not in this patch: fifo",
        "# private: mode, not in this patch: 0644 -> 0600",
        "diff --git a/tool b/tool",
        "old mode 100644",
        "new mode 100755",
        'diff --git "a/\\303\\251" "b/\\303\\251"',
        "new file mode 100644",
    ]
    apply(patch, tmp_path / "copy")
    assert as_git_sees(snapshot(tmp_path / "copy")) == as_git_sees(after)


def test_a_folder_for_a_file_and_a_file_for_a_folder(root: Path, tmp_path: Path) -> None:
    """Both at once, and a link for a folder: what was in the way goes first."""
    (root / "file").write_text("1\n")
    for name in ("folder", "other"):
        (root / name).mkdir()
        (root / name / "a").write_text(f"{name}\n")
    before = snapshot(root)
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    (root / "file").unlink()
    (root / "file").mkdir()
    (root / "file" / "b").write_text("2\n")
    for name in ("folder", "other"):
        shutil.rmtree(root / name)
    (root / "folder").write_text("3\n")
    (root / "other").symlink_to("folder")
    after = snapshot(root, previous=before)
    found = diff(before, after)
    assert {change.path: change.operation for change in found.changes} == {
        "file": "type",
        "file/b": "add",
        "folder": "type",
        "folder/a": "remove",
        "other": "type",
        "other/a": "remove",
    }
    apply(found.patch, tmp_path / "copy")
    assert as_git_sees(snapshot(tmp_path / "copy")) == as_git_sees(after)


@pytest.mark.parametrize(
    "name", [b"plain", b"with blank", b"caf\xe9", b'"', b"\\", b"\a\b\t\n\v\f\r", b"\x01\x7f\xff", b"~ -"]
)
def test_names_are_quoted_as_git_quotes_them(root: Path, name: bytes) -> None:
    """Letter for letter."""
    Path(os.fsdecode(os.fsencode(root) + b"/" + name)).touch()
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (["init", "--quiet", "."], ["add", "."]):
        subprocess.run(["git", *words], cwd=root, env=env, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=root, env=env, check=True, capture_output=True).stdout
    assert quoted(name) == listed.removesuffix(b"\n")
