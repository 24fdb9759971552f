"""What an agent does to a repository is told by what it means, and nothing in `.git` goes unseen."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tachograph.scoring.workdir import GitChange, Limits, Snapshot, diff, snapshot

Git = Callable[..., str]
Key = tuple[str, str, str]


def changes(before: Snapshot, after: Snapshot) -> dict[Key, GitChange]:
    return {(change.repository, change.kind, change.name): change for change in diff(before, after).git}


@pytest.fixture
def repository(root: Path, git: Git) -> Path:
    git("init", "--quiet", "--initial-branch=main", ".")
    (root / "a").write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "--message=one")
    return root


def test_a_commit(repository: Path, git: Git) -> None:
    """It moves the branch, the index and the reflog, and adds objects, which are counted; the workdir's change is apart."""
    before = snapshot(repository)
    (repository / "a").write_text("2\n")
    old = git("rev-parse", "HEAD").strip()
    git("commit", "--quiet", "--all", "--message=two")
    after = snapshot(repository, previous=before)
    found = changes(before, after)
    ref = found[".", "ref", "refs/heads/main"]
    assert (ref.before, ref.after) == (old, git("rev-parse", "HEAD").strip())
    assert ref.mtime_ns == (repository / ".git" / "refs" / "heads" / "main").stat().st_mtime_ns
    assert (found[".", "objects", "objects"].before, found[".", "objects", "objects"].after) == ("3 files", "6 files")
    assert {kind for _, kind, _ in found} == {"index", "objects", "other", "ref", "reflog"}
    assert [change.path for change in diff(before, after).changes] == ["a"]
    assert not [path for path in after if path.startswith(".git/objects/")]


def test_refs_mean_the_same_packed_or_loose(repository: Path, git: Git) -> None:
    """Packing changes no ref; a loose one counts before a packed one; a detached HEAD is a change of HEAD."""
    git("tag", "v1")
    before = snapshot(repository)
    git("pack-refs", "--all")
    packed = snapshot(repository)
    assert [key for key in changes(before, packed) if key[1] in {"ref", "head"}] == []
    (repository / "a").write_text("2\n")
    git("commit", "--quiet", "--all", "--message=two")
    git("checkout", "--quiet", "--detach")
    git("tag", "--delete", "v1")
    found = changes(packed, snapshot(repository))
    assert (found[".", "ref", "refs/tags/v1"].after, found[".", "ref", "refs/tags/v1"].ctime_ns) == (None, None)
    assert found[".", "ref", "refs/heads/main"].after == git("rev-parse", "main").strip()
    assert found[".", "head", "HEAD"].before == "ref: refs/heads/main"
    assert found[".", "head", "HEAD"].after == git("rev-parse", "main").strip()


@pytest.mark.parametrize("version", ["2", "4"])
def test_an_index_that_says_the_same_is_the_same(repository: Path, git: Git, version: str) -> None:
    """`git status` writes new times into it: no change. What is staged, or marked to be overlooked, is one."""
    git("update-index", f"--index-version={version}")
    before = snapshot(repository)
    os.utime(repository / "a", ns=(0, 0))
    git("status")
    refreshed = snapshot(repository)
    assert before[".git/index"].sha256 != refreshed[".git/index"].sha256
    assert changes(before, refreshed) == {}
    git("update-index", "--assume-unchanged", "a")
    marked = snapshot(repository)
    assert list(changes(before, marked)) == [(".", "index", "index")]
    (repository / "b").touch()
    git("add", "b")
    (staged,) = [change for key, change in changes(marked, snapshot(repository)).items() if key[1] == "index"]
    assert staged.before is not None
    assert staged.after is not None
    assert (staged.before.split(",")[0], staged.after.split(",")[0]) == ("1 entries", "2 entries")


def test_a_hook_runs_if_git_runs_it(repository: Path) -> None:
    """An executable file of its own name; neither a sample nor one that may not be executed."""
    hooks = repository / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    before = snapshot(repository)
    for name, mode in {"pre-commit": 0o755, "post-merge": 0o644, "update.new.sample": 0o755}.items():
        (hooks / name).write_text("#!/bin/sh\n")
        (hooks / name).chmod(mode)
    (hooks / "pre-push").symlink_to("/bin/true")
    after = snapshot(repository)
    found = changes(before, after)
    assert {name: change.runs for (_, kind, name), change in found.items() if kind == "hook"} == {
        "hooks/pre-commit": True,
        "hooks/post-merge": False,
        "hooks/pre-push": True,
        "hooks/update.new.sample": False,
    }
    assert found[".", "hook", "hooks/pre-push"].after == "link to /bin/true"
    (hooks / "post-merge").chmod(0o755)
    (change,) = diff(after, snapshot(repository)).git
    assert (change.name, change.runs, change.path) == ("hooks/post-merge", True, ".git/hooks/post-merge")
    assert diff(before, after).changes == ()


def test_the_configuration_changes_by_key(repository: Path, git: Git) -> None:
    """Each setting is a change of its own, and those that name what git runs are marked."""
    before = snapshot(repository)
    git("config", "core.fsmonitor", "/tmp/evil")
    git("config", "user.name", "b")
    git("config", "alias.st", "!sh")
    git("config", "filter.LFS.clean", "cat")
    git("config", "--add", "remote.origin.fetch", "one")
    git("config", "--add", "remote.origin.fetch", "two")
    found = {
        change.name: (change.before, change.after, change.runs) for change in diff(before, snapshot(repository)).git
    }
    assert found == {
        "alias.st": (None, "!sh", True),
        "core.fsmonitor": (None, "/tmp/evil", True),
        "filter.LFS.clean": (None, "cat", True),
        "remote.origin.fetch": (None, "one\ntwo", False),
        "user.name": (None, "b", False),
    }


def test_what_git_cannot_read_is_compared_by_its_hash(repository: Path) -> None:
    """A damaged index, a configuration that is none: changed, and no more said than that."""
    before = snapshot(repository)
    (repository / ".git" / "index").write_bytes(b"DIRC" + bytes(100))
    (repository / ".git" / "config").write_text("[core\n")
    found = changes(before, snapshot(repository))
    index, config = found[".", "index", "index"].after, found[".", "config", "config"].after
    assert index is not None
    assert config is not None
    assert index.startswith("0644 sha256:")
    assert config.startswith("0644 sha256:")


def test_nested_repositories(repository: Path, git: Git) -> None:
    """One that is made within another is seen with its files, its hooks and its own name; so is one that vanishes."""
    before = snapshot(repository)
    (repository / "sub" / "deep").mkdir(parents=True)
    git("init", "--quiet", cwd=repository / "sub" / "deep")
    (repository / "sub" / "deep" / "b").write_text("2\n")
    after = snapshot(repository, previous=before)
    assert [change.path for change in diff(before, after).changes] == ["sub/deep/b"]
    found = changes(before, after)
    made = found["sub/deep", "repository", ""]
    assert (made.before, made.after, made.path) == (None, "directory", "sub/deep/.git")
    assert {repository for repository, _, _ in found} == {"sub/deep"}
    hook = repository / "sub" / "deep" / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\n")
    hook.chmod(0o755)
    (change,) = diff(after, snapshot(repository, previous=after)).git
    assert (change.repository, change.kind, change.runs) == ("sub/deep", "hook", True)
    assert changes(after, before)["sub/deep", "repository", ""].after is None


def test_worktrees_submodules_and_git_files(repository: Path, git: Git, tmp_path: Path) -> None:
    """A `.git` that is a file says where it leads; what git keeps of worktrees and submodules in `.git` is seen too."""
    before = snapshot(repository)
    git("worktree", "add", "--quiet", str(repository / "tree"), "-b", "side")
    other = tmp_path / "other"
    other.mkdir()
    git("clone", "--quiet", str(repository), str(other / "clone"))
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other / "clone"), "mod/ule")
    found = changes(before, snapshot(repository))
    assert found["tree", "repository", ""].after == f"gitdir: {repository}/.git/worktrees/tree"
    assert found["mod/ule", "repository", ""].after == "gitdir: ../../.git/modules/mod/ule"
    assert found[".", "worktree", "worktrees/tree/HEAD"].after is not None
    assert found[".", "head", "modules/mod/ule/HEAD"].after == "ref: refs/heads/main"
    assert found[".", "config", "modules/mod/ule/core.worktree"].after == "../../../../mod/ule"
    assert found[".", "ref", "modules/mod/ule/refs/heads/main"].after == git("rev-parse", "main").strip()
    assert found[".", "config", "submodule.mod/ule.url"].runs is False
    assert (".", "objects", "modules/mod/ule/objects") in found
    assert (".", "index", "modules/mod/ule/index") in found


def test_nothing_hides_in_git(repository: Path) -> None:
    """A file of any name, a link, a pipe, a file among the objects: each is a change."""
    before = snapshot(repository)
    (repository / ".git" / "evil.py").write_text("1\n")
    (repository / ".git" / "deep" / "er").mkdir(parents=True)
    (repository / ".git" / "deep" / "er" / "x").write_text("1\n")
    (repository / ".git" / "link").symlink_to("/")
    os.mkfifo(repository / ".git" / "pipe")
    (repository / ".git" / "objects" / "ab" / "c").mkdir(parents=True, exist_ok=True)
    (repository / ".git" / "objects" / "ab" / "c" / "d").touch()
    (repository / ".git" / "objects\n").mkdir()
    (repository / ".git" / "objects\n" / "x").write_text("1\n")
    (repository / ".git" / "MERGE_HEAD").write_text("0\n")
    after = snapshot(repository)
    assert diff(before, after).changes == ()
    assert {(kind, name): change.after for (_, kind, name), change in changes(before, after).items()} == {
        ("objects", "objects"): "4 files",
        ("operation", "MERGE_HEAD"): f"0644 sha256:{after['.git/MERGE_HEAD'].sha256}",
        ("other", "deep/er/x"): f"0644 sha256:{after['.git/deep/er/x'].sha256}",
        ("other", "evil.py"): f"0644 sha256:{after['.git/evil.py'].sha256}",
        ("other", "link"): "link to /",
        ("other", "objects\n/x"): f"0644 sha256:{after['.git/evil.py'].sha256}",
        ("other", "pipe"): "fifo",
    }


def test_what_is_not_seen_is_not_gone(repository: Path) -> None:
    """A `.git` that cannot be looked into is told as that, and not as a repository without HEAD, refs and hooks."""
    before, after = snapshot(repository), snapshot(repository, limits=Limits(depth=0))
    for one, other in ((before, after), (after, before)):
        assert [(change.kind, change.name) for change in diff(one, other).git] == [("repository", "")]
    (change,) = diff(before, after).git
    assert (change.before, change.after) == ("directory", "not looked into: deeper than 0 folders")


def test_a_repository_that_is_removed_or_swapped_is_told(repository: Path) -> None:
    """`.git` gone, or a link in its place, which is not followed."""
    before = snapshot(repository)
    (repository / ".git").rename(repository.parent / "moved")
    gone = changes(before, snapshot(repository))
    assert gone[".", "repository", ""].after is None
    (repository / ".git").symlink_to(repository.parent / "moved")
    linked = changes(before, snapshot(repository))
    assert linked[".", "repository", ""].after == f"link to {repository.parent / 'moved'}"
    assert linked[".", "head", "HEAD"].after is None
