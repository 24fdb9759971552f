"""Cleaning up behind an agent leaves nothing of its place, and touches nothing outside."""

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._removal import remove_folder, temporary_folder
from tachograph.traces import BodyReader

TASK = Path(__file__).parents[2] / "examples" / "tasks" / "mutations" / "python-error-negated"
NOBODY = 65534


def as_somebody_else(work: Callable[[], None]) -> None:
    """Do something in a process that modes of files hold for: they hold for nobody who is root."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads take no part in what the child does
        child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001  this process is no test run, and must not become one
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_an_agent_closed_is_removed_and_no_link_is_followed() -> None:
    """Folders that cannot be written or read, links out of them to files and folders: all is gone, what they led to is not."""

    def work() -> None:
        with temporary_folder("tachograph-test-") as outside, temporary_folder("tachograph-test-") as place:
            (outside / "file").write_text("mine")
            (outside / "file").chmod(0o640)
            (outside / "folder").mkdir(mode=0o750)
            (outside / "folder" / "inner").write_text("mine, too")
            locked = place / "home" / "locked"
            (locked / "deeper").mkdir(parents=True)
            for parent in (place, locked, locked / "deeper"):
                (parent / "to-file").symlink_to(outside / "file")
                (parent / "to-folder").symlink_to(outside / "folder")
                (parent / "nowhere").symlink_to("nowhere")
            (locked / "deeper").chmod(0o000)
            locked.chmod(0o500)
            remove_folder(place)
            assert not place.exists()
            assert (outside / "file").read_text() == "mine"
            assert (outside / "folder" / "inner").read_text() == "mine, too"
            assert [(outside / name).stat().st_mode & 0o777 for name in ("file", "folder")] == [0o640, 0o750]
        assert not outside.exists()

    as_somebody_else(work)


def test_a_link_in_its_place_is_left(tmp_path: Path) -> None:
    """What is not the folder that was made is not removed."""
    (tmp_path / "other").mkdir()
    (tmp_path / "place").symlink_to(tmp_path / "other")
    remove_folder(tmp_path / "place")
    assert (tmp_path / "other").is_dir()


LINKS = """
set -e
ln -s "$0" to-folder; ln -s "$0/secret.txt" to-file; ln -s / root; mkdir -p deep/er; ln -s "$0" deep/er/out
for place in "$HOME" "$TMPDIR"; do ln -s "$0" "$place/out"; ln -s "$0/secret.txt" "$place/file"; done
"""
SWAP = LINKS + 'there=$PWD; cd /; rm -rf "$there" "$TMPDIR"; ln -s "$0" "$there"; ln -s "$0" "$TMPDIR"'


@pytest.mark.parametrize("script", [LINKS, SWAP], ids=["links", "links in the place of folders"])
def test_a_run_follows_no_link(tachograph: Any, rule_upstream: Any, tmp_path: Path, script: str) -> None:
    """Neither the snapshots, nor the check's fresh copy, nor the removal: what links lead to is neither read nor changed."""
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o750)
    said = "what lies outside of the place " * 10
    (outside / "secret.txt").write_text(said)
    before = [(path, path.lstat().st_mode, path.lstat().st_mtime_ns) for path in (outside, outside / "secret.txt")]
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", TASK, "--upstream", upstream.url, "--model", "m"]
    (tmp_path / "tmp").mkdir()
    done = tachograph("run", *options, "--", "sh", "-c", script, outside, TMPDIR=str(tmp_path / "tmp"))
    assert "Traceback" not in done.stderr
    assert before == [(path, path.lstat().st_mode, path.lstat().st_mtime_ns) for path, _, _ in before]
    assert (outside / "secret.txt").read_text() == said
    (run,) = (tmp_path / "runs").glob("mutations-*")
    assert (run / "workdir.after").exists(), done.stderr
    bodies = BodyReader(run / "bodies")
    kept = [bodies.get(digest) for digest in bodies] + [path.read_bytes() for path in run.iterdir() if path.is_file()]
    assert not any(b"what lies outside" in content for content in kept)
    assert not list((tmp_path / "tmp").glob("tachograph-*"))
