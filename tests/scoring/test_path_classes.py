"""Each change is of one class, whatever it is called and whatever the globs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._path_classes import CLASSES, classifier, classify_home, is_build_artifact
from tachograph.scoring.workdir import Change

NAMES = st.text("ab./*_é\n\udcff", min_size=1, max_size=8)
GLOBS = st.lists(NAMES | st.sampled_from(["**", "a/**", "**/a", "a/"]), max_size=3)
GRAVITY = ("protected", "unexpected", "expected", "housekeeping", "build_artifact")


def change(path: str, old_path: str | None = None) -> Change:
    unknown: Any = dict.fromkeys(
        ("lines_added", "lines_removed", "bytes_added", "bytes_removed", "before", "after", "note")
    )
    return Change(operation="modify", path=path, old_path=old_path, patch=b"", **unknown)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tests/data/a.json", "protected"),
        ("src/lib.rs", "expected"),
        ("src/__pycache__/a.pyc", "expected"),
        (".aider.tags.cache.v4/cache.db", "housekeeping"),
        (".aider.chat.history.md", "housekeeping"),
        ("pkg/__pycache__/a.cpython-311.pyc", "build_artifact"),
        ("target/debug/deps/a.rlib", "build_artifact"),
        ("target/x86_64-unknown-linux-gnu/release/a", "build_artifact"),
        ("web/node_modules/a/index.js", "build_artifact"),
        (".venv/bin/python", "build_artifact"),
        ("target/list.txt", "unexpected"),
        ("build/out.txt", "unexpected"),
        ("SRC/lib.rs", "unexpected"),
        ("Src", "unexpected"),
        (".gitignore", "unexpected"),
        ("x/.aider.chat.history.md", "unexpected"),
        ("a\nsrc/b", "unexpected"),
        ("\udcff", "unexpected"),
    ],
)
def test_the_first_class_that_fits(path: str, name: str) -> None:
    """Protected before expected, expected before the agent's own and what building leaves; case counts."""
    classify = classifier(("src/**", "tests/**"), ("tests/",), (".aider*", ".aider*/**"))
    assert classify(change(path)) == name


@given(GLOBS, GLOBS, GLOBS, NAMES, st.none() | NAMES)
def test_each_change_has_one_class(
    expected: list[str], protected: list[str], own: list[str], path: str, old: str | None
) -> None:
    """It is of the table, and of a renamed file the graver of the two."""
    classify = classifier(expected, protected, own)
    found = classify(change(path, old))
    assert found in CLASSES
    assert classify_home(change(path, old)) in CLASSES
    both = [classify(change(one)) for one in (path, old) if one is not None]
    assert found == min(both, key=GRAVITY.index)


@given(GLOBS, GLOBS, NAMES)
def test_what_is_protected_is_so_whatever_else_it_is(expected: list[str], own: list[str], path: str) -> None:
    """A task may ask for all of a folder but one file."""
    name = "".join(letter for letter in path if letter not in "*?[./") or "a"
    assert classifier(expected, (name,), own)(change(name)) == "protected"


def test_an_edit_of_gitignore_hides_nothing() -> None:
    """The agent may write one: only what is known to be built counts as built."""
    assert not any(map(is_build_artifact, (".gitignore", "data.db", "dist/a.js", "src/target.rs")))


@pytest.mark.parametrize(
    ("path", "old", "name"),
    [
        (".cache/agent/models.json", None, "housekeeping"),
        (".bashrc", None, "external"),
        (".ssh/authorized_keys", None, "external"),
        ("bak", ".bashrc", "external"),
        ("x/.bashrc", None, "housekeeping"),
    ],
)
def test_what_lasts_in_a_home(path: str, old: str | None, name: str) -> None:
    """What other programs read or run later; all else there is what a HOME is for."""
    assert classify_home(change(path, old)) == name
