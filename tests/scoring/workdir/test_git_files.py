"""Index and configuration are read as git reads them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tachograph.scoring.workdir._git_files import read_config, read_index

Git = Callable[..., str]


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_an_index_of_any_version(root: Path, git: Git, version: str, object_format: str) -> None:
    """Paths, modes and ids are those that `git ls-files` lists, whatever the form of the index and of the ids."""
    git("init", "--quiet", f"--object-format={object_format}", ".")
    for name in ("a", "ab", "abc/d", "abc/de", "x" * 250 + "/" + "y" * 250, "é", "run", "seven77"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("a")
    git("add", ".")
    if version == "3":
        (root / "later").touch()
        git("add", "--intent-to-add", "later")
    else:
        git("update-index", f"--index-version={version}")
    data = (root / ".git" / "index").read_bytes()
    assert data[7] == int(version)
    listed = git("-c", "core.quotePath=false", "ls-files", "--stage")
    read = [f"{entry.mode:o} {entry.object_id.hex()} 0\t{entry.path.decode()}" for entry in read_index(data)]
    assert read == listed.splitlines()


@pytest.mark.parametrize("cut", [0, 5, 12, 40, 73])
def test_a_damaged_index_is_none(root: Path, git: Git, cut: int) -> None:
    """Cut anywhere within its entries, it is refused."""
    git("init", "--quiet", ".")
    (root / "a").touch()
    git("add", ".")
    with pytest.raises(ValueError, match="not an index"):
        read_index((root / ".git" / "index").read_bytes()[:cut])


CONFIG = r"""
first = no section
; a comment
[core] bare = false # said twice
	Bare = true
	editor = "vi \"x\"" -n ; comment
	path = a \
  b
	empty =
	valueless
	hash = "a # b"  c
	escapes = a\tb\\c
[remote "or.igin \"x\""]
	url = https://example.com/x # y
	fetch = one
	fetch = two
[Branch.Main]
	merge = x 	# y
"""


def test_a_configuration_is_read_as_git_reads_it(root: Path, git: Git) -> None:
    """Comments, quotes, escapes, continued lines, several values, sections in either form."""
    (root / "config").write_text(CONFIG)
    listed = git("config", "--file", "config", "--null", "--list").split("\0")[:-1]
    expected: dict[str, tuple[str, ...]] = {}
    for setting in listed:
        key, separator, value = setting.partition("\n")
        expected[key] = (*expected.get(key, ()), value if separator else "true")
    assert read_config(CONFIG) == expected


@pytest.mark.parametrize("text", ["[core\n", "[core]\n= x\n", '[core]\na = "b\n'])
def test_what_git_refuses_is_refused(root: Path, git: Git, text: str) -> None:
    """A bracket, a name or a quote that is missing."""
    (root / "config").write_text(text)
    with pytest.raises(subprocess.CalledProcessError):
        git("config", "--file", "config", "--list")
    with pytest.raises(ValueError, match="not a"):
        read_config(text)
