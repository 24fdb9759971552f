"""Which runs a command means."""

import fnmatch
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from .. import traces
from ..traces import InputError, RunStore, StoreError

__all__ = ["find_run", "find_runs"]

_SELECTABLE: Final[Mapping[str, str]] = {
    "agent": "tachograph.agent.name",
    "category": "tachograph.task.category",
    "model": "tachograph.model",
    "sweep": "tachograph.sweep.id",
    "task": "tachograph.task.id",
}
"""What runs may be chosen by, with the attribute of the run's span that says it."""


def find_run(store: Path, given: str) -> Path:
    """The folder of one run: by its folder, its id, or the beginning of that; or a file of spans.

    Raises:
        InputError: there is none, or more than one.
    """
    folder = Path(given)
    if "/" in given or folder.is_file() or (folder / "trace.jsonl").is_file():
        return folder
    traces.check_run_id(given)
    folders = list(RunStore(store).run_folders())
    exact = [folder for folder in folders if folder.name == given]
    found = exact or [folder for folder in folders if folder.name.startswith(given)]
    if len(found) != 1:
        what = "no run" if not found else f"{len(found)} runs"
        raise InputError(f"{store}: {what} whose id begins with {given}; `tachograph runs` lists them")
    return found[0]


def find_runs(store: Path, given: Iterable[str]) -> list[Path]:
    """The folders of the runs that are meant, each once, in the order given.

    Args:
        store: where runs are looked for.
        given: each a run as in `find_run`, a folder of runs, or conditions such as `agent=aider,model=gpt-*`.

    Raises:
        InputError: one of them means no run at all.
    """
    found: dict[Path, None] = {}
    for text in given:
        found.update(dict.fromkeys(_meant(store, text)))
    return list(found)


def _meant(store: Path, text: str) -> list[Path]:
    folder = Path(text)
    if folder.is_dir() and not (folder / "trace.jsonl").is_file():
        meant = list(RunStore(folder).run_folders())
    elif "=" in text and not folder.exists():
        meant = _matching(store, text)
    else:
        return [find_run(store, text)]
    if not meant:
        raise InputError(f"{text}: no run there")
    return meant


def _matching(store: Path, conditions: str) -> list[Path]:
    wanted = dict(condition.partition("=")[::2] for condition in conditions.split(","))
    if unknown := [name for name in wanted if name not in _SELECTABLE]:
        raise InputError(f"{conditions}: runs are chosen by {', '.join(_SELECTABLE)}, not by {unknown[0]!r}")
    return [folder for folder in RunStore(store).run_folders() if _holds(folder, wanted)]


def _holds(folder: Path, wanted: Mapping[str, str]) -> bool:
    try:
        first = next(traces.read_spans(folder), None)
    except StoreError:
        return False
    said = first.attributes if first else {}
    return all(fnmatch.fnmatchcase(str(said.get(_SELECTABLE[name])), glob) for name, glob in wanted.items())
