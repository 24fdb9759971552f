"""The place where the check runs: a fresh copy of the workdir, with a HOME and a temporary folder that no agent has seen.

It stands where the agent's place stood, so that absolute paths lead into it; the agent's is moved aside meanwhile.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..scoring.check import FreshCopyPlan, SetAside, build_fresh_copy, plan_fresh_copy, read_beneath
from ..scoring.workdir import Limits, Snapshot, snapshot
from ..traces import InputError, StoreError
from ._task import Task
from ._workdir import copy_workdir

__all__ = ["FreshPlace", "Origin", "fresh_place", "origin_of"]

_WORKDIR, _HOME, _TEMPORARY = "workdir", "home", "tmp"
_OWN: Final = (_WORKDIR, _HOME, _TEMPORARY)
_HASHES_ONLY: Final = Limits(kept_of_a_file=0, kept_in_all=0)
_MOST_READ: Final = 2**20
"""Bytes of a file of the agent's that are looked at to see what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a run began from, as the check needs it."""

    workdir: Path
    """Where the task's files are."""
    files: Snapshot
    """What they are."""
    home: Snapshot | None
    """What the setup left in HOME, in a copy; None if there was no setup: an empty one."""
    beside: frozenset[str]
    """What lay beside the workdir."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshPlace:
    """How the check's place differs from the agent's."""

    set_aside: tuple[SetAside, ...]
    restored: tuple[str, ...]


@contextlib.contextmanager
def origin_of(task: Task, place: Path) -> Iterator[Origin]:
    """Take note of what a run begins from: after its setup, before its agent.

    What a setup made is kept in a copy, for the time of the `with` block.

    Raises:
        InputError: the workdir or HOME holds what cannot be copied.
        StoreError: the copy cannot be written.
    """
    beside = frozenset(_names(place))
    if task.setup_command is None:
        files = snapshot(task.workdir, limits=_HASHES_ONLY)
        yield Origin(workdir=task.workdir, files=files, home=None, beside=beside)
        return
    with tempfile.TemporaryDirectory(prefix="tachograph-", ignore_cleanup_errors=True) as folder:
        workdir, home = Path(folder) / _WORKDIR, Path(folder) / _HOME
        copy_workdir(place / _WORKDIR, workdir)
        copy_workdir(place / _HOME, home)
        files, at_home = snapshot(workdir, limits=_HASHES_ONLY), snapshot(home, limits=_HASHES_ONLY)
        yield Origin(workdir=workdir, files=files, home=at_home, beside=beside)


@contextlib.contextmanager
def fresh_place(task: Task, place: Path, origin: Origin) -> Iterator[FreshPlace]:
    """Put a fresh place where the agent's is, for the time of a `with` block. What the check leaves goes to `check-…` in it.

    Raises:
        InputError: the task's own files are not what they were before the agent began.
        StoreError: the copy cannot be written.
    """
    aside = _new_folder(place, "agent-")
    agents = [name for name in _names(place) if name in _OWN or name not in origin.beside]
    agents.remove(aside.name)
    for name in agents:
        (place / name).rename(aside / name)
    try:
        yield _make(task, place, origin, aside, [name for name in agents if name not in _OWN])
    finally:
        left = _new_folder(place, "check-")
        for name in _OWN:
            if os.path.lexists(place / name):
                (place / name).rename(left / name)
        for name in agents:
            (aside / name).rename(place / name)
        aside.rmdir()


def _make(task: Task, place: Path, origin: Origin, aside: Path, strangers: list[str]) -> FreshPlace:
    workdir, agents = place / _WORKDIR, aside / _WORKDIR
    plan = _plan(task, origin, agents, workdir)
    not_copied = build_fresh_copy(plan, task=origin.workdir, task_files=origin.files, agent=agents, destination=workdir)
    (place / _TEMPORARY).mkdir()
    _make_home(origin.home, place / _HOME)
    beside = [SetAside(f"../{name}", "beside-the-workdir") for name in strangers]
    return FreshPlace(set_aside=(*plan.set_aside, *not_copied, *beside), restored=plan.restored)


def _make_home(known: Snapshot | None, home: Path) -> None:
    if known is None:
        home.mkdir()
        return
    copy_workdir(Path(known.root), home)
    copied = snapshot(home, limits=_HASHES_ONLY)
    if (copied.paths, copied.hashes, copied.targets) != (known.paths, known.hashes, known.targets):
        raise InputError(f"{known.root} changed while the agent ran: what the setup left there is no longer known")


def _plan(task: Task, origin: Origin, agents: Path, root: Path) -> FreshCopyPlan:
    is_there = agents.is_dir() and not agents.is_symlink()
    return plan_fresh_copy(
        origin.files,
        snapshot(agents, limits=_HASHES_ONLY) if is_there else {},
        protected=task.changes_protected,
        expected=task.changes_expected,
        report=task.report_path,
        root=str(root),
        read=lambda path: read_beneath(agents, path, _MOST_READ),
    )


def _names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def _new_folder(place: Path, prefix: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=place))
    except OSError as error:
        raise StoreError(f"{place}: cannot be written: {error.strerror}") from error
