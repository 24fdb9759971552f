"""Globs name whole paths, relative to the workdir."""

import sys
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._globs import covering, folder_matcher, path_matcher

GLOBS = st.lists(st.sampled_from(["a", "b", "*", "**", "a?", ".", ""]), min_size=1, max_size=5).map("/".join)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", ".c"]), min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("glob", "matched", "not_matched"),
    [
        ("test_a.py", ["test_a.py"], ["x/test_a.py", "test_a.pyc", "test_a_py"]),
        ("tests/**", ["tests/a", "tests/a/b.py", "tests/.hidden"], ["tests", "x/tests/a", "testsa/b"]),
        ("tests/", ["tests/a", "tests/a/b"], ["tests", "testsa"]),
        ("./a", ["a"], ["./a", "b/a"]),
        ("**/a.py", ["a.py", "x/a.py", "x/y/a.py"], ["ba.py", "x/a.py/b"]),
        ("src/**/*.rs", ["src/a.rs", "src/b/c/d.rs"], ["src/a.rsx", "a.rs"]),
        ("*", ["a", ".a"], ["a/b"]),
        ("**", ["a", "a/b"], [""]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("[a-c]x", ["bx"], ["dx", "[x"]),
        ("[!a-c]x", ["dx", "!x"], ["bx", "/x"]),
        ("[]]x", ["]x"], ["x"]),
        ("[x", ["[x"], ["x"]),
        ("a.b+(c)", ["a.b+(c)"], ["aXb+(c)", "a.bb(c)"]),
        ("a\nb/*", ["a\nb/c\nd"], ["a"]),
    ],
)
def test_what_a_glob_names(glob: str, matched: list[str], not_matched: list[str]) -> None:
    """Each sign has its meaning, and all else stands for itself."""
    assert [path for path in (*matched, *not_matched) if path_matcher([glob])(path)] == matched


def test_no_glob_matches_nothing() -> None:
    """An empty list protects nothing, and two globs match what either does."""
    assert not path_matcher([])("a")
    assert path_matcher(["a", "b"])("b")


def test_covering_reaches_below_a_folder() -> None:
    """What names a folder names all that it holds."""
    covers = covering(["**/target"])
    assert [path for path in ("target", "x/target/a/b", "targets", "xtarget/a") if covers(path)] == [
        "target",
        "x/target/a/b",
    ]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="full_match is of Python 3.13")
@given(st.text("ab*?/.", min_size=1), st.text("ab/.", min_size=1))
def test_as_the_standard_library_does(glob: str, path: str) -> None:
    """The same as `PurePath.full_match`, for what it defines."""
    parts = path.split("/")
    if (
        not glob.startswith("/")
        and not {"", ".", ".."} & {*parts, *glob.split("/")}
        and "**" not in glob.replace("/**/", "/")
    ):
        assert path_matcher([glob])(path) == PurePosixPath(path).full_match(glob)  # type: ignore[attr-defined]


@given(st.text(), st.text())
def test_nothing_makes_it_raise(glob: str, path: str) -> None:
    """Any text is some glob."""
    path_matcher([glob])(path)
    covering([glob])(path)


def test_a_range_that_runs_backwards_holds_nothing() -> None:
    """A slip in a task's glob matches no file, and breaks nothing."""
    assert not path_matcher(["src/[z-a].py"])("src/m.py")
    assert path_matcher(["src/[a-z].py"])("src/m.py")


@pytest.mark.parametrize(
    ("glob", "holding", "not_holding"),
    [
        ("src/**", [".", "src", "src/a/b"], ["tests", "srcs"]),
        ("src/", [".", "src", "src/a"], ["tests"]),
        ("a.py", ["."], ["a.py", "src"]),
        ("a/b/c.py", [".", "a", "a/b"], ["b", "a/b/c.py", "a/c"]),
        ("**/*.rs", [".", "src", "a/b"], []),
        ("a/**/b", [".", "a", "a/x/y"], ["b"]),
    ],
)
def test_folders_that_may_hold_what_a_glob_names(glob: str, holding: list[str], not_holding: list[str]) -> None:
    """The folders above it, to any depth where the glob says so."""
    may_hold = folder_matcher([glob])
    assert [folder for folder in (*holding, *not_holding) if may_hold(folder)] == holding


def test_without_globs_no_folder_holds_anything() -> None:
    """Not even the root."""
    assert not folder_matcher([])(".")


@given(GLOBS, PATHS)
def test_every_folder_above_a_named_path_may_hold_it(glob: str, path: str) -> None:
    """None is left out: what cannot be seen must not count as known."""
    if path_matcher([glob])(path):
        assert all(folder_matcher([glob])(str(folder)) for folder in PurePosixPath(path).parents)
