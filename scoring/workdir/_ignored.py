"""Which paths git ignores, by the rules that stood in a snapshot."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ._git_files import read_index
from ._snapshot import Snapshot

__all__ = ["ignored_paths"]

_RULES: Final = ".gitignore"
_HERE: Final = "./"
"""Before each path, so that one that begins with a colon is a path to git, too."""
_TIMEOUT: Final = 60
"""Seconds for git to answer."""
_FATAL: Final = 128


def ignored_paths(snapshot: Snapshot, paths: Iterable[str]) -> frozenset[str] | None:
    """Those of some paths that git would ignore: its own rules, asked in one go.

    The rules are the `.gitignore` files and `.git/info/exclude` that the snapshot kept, so take the one from before the agent:
    it may have written rules of its own. What the index of the root names is not ignored. git runs on a copy of the rules,
    in a repository made for the purpose: no setting and no hook of the agent's is in effect, and the workdir is not touched.

    Args:
        snapshot: has the rules.
        paths: relative to the root, of the snapshot or not.

    Returns:
        None if git is not installed or cannot say.

    Raises:
        StoreError: what the snapshot kept is damaged.
    """
    git = shutil.which("git")
    asked = sorted(set(paths) - _tracked(snapshot))
    if git is None:
        return None
    with tempfile.TemporaryDirectory(prefix="tachograph-") as place:
        folder, tree = Path(place, "git"), Path(place, "tree")
        _copy_rules(snapshot, folder, tree)
        for path in asked:
            if path in snapshot and snapshot[path].type == "directory":
                (tree / path).mkdir(parents=True, exist_ok=True)
        try:
            answer = subprocess.run(  # noqa: S603  git itself, on files of our own
                [
                    git,
                    f"--git-dir={folder}",
                    f"--work-tree={tree}",
                    "check-ignore",
                    "--no-index",
                    "--stdin",
                    "-z",
                ],
                input=os.fsencode("".join(f"{_HERE}{path}\0" for path in asked)),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=tree,
                env={"HOME": place, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    if answer.returncode >= _FATAL:
        return None
    return frozenset(path.removeprefix(_HERE) for path in os.fsdecode(answer.stdout).split("\0")[:-1])


def _copy_rules(snapshot: Snapshot, folder: Path, tree: Path) -> None:
    for name in ("objects", "refs", "info"):
        (folder / name).mkdir(parents=True)
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "info" / "exclude").write_bytes(_kept(snapshot, ".git/info/exclude"))
    tree.mkdir()
    for path in snapshot.paths:
        if path.endswith(_RULES) and (rules := _kept(snapshot, path)) and Path(path).name == _RULES:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(rules)


def _kept(snapshot: Snapshot, path: str) -> bytes:
    content = snapshot.content(path) if path in snapshot else b""
    return content if isinstance(content, bytes) else b""


def _tracked(snapshot: Snapshot) -> set[str]:
    try:
        return {os.fsdecode(entry.path) for entry in read_index(_kept(snapshot, ".git/index"))}
    except ValueError:
        return set()
