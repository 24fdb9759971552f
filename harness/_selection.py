"""Which runs a command means."""

import fnmatch
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from .. import traces
from ..traces import InputError, RunHead, RunStore
from ._collected import CollectedRun, RunPlace

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


def find_runs(store: str | Path, given: Iterable[str]) -> list[RunPlace]:
    """Where the runs lie that are meant, each once, in the order given.

    Args:
        store: where runs are looked for: a folder of runs, or whatever `traces.open` opens.
        given: each a run as in `find_run`, what holds runs, or conditions such as `agent=aider,model=gpt-*`.

    Raises:
        InputError: one of them means no run at all.
    """
    found: dict[RunPlace, None] = {}
    for text in given:
        found.update(dict.fromkeys(_meant(store, text)))
    return list(found)


def _meant(store: str | Path, text: str) -> list[RunPlace]:
    if _holds_many(text):
        meant = _places(text, {})
    elif "=" in text and not Path(text).exists():
        meant = _places(store, _conditions(text))
    elif _is_elsewhere(store):
        meant = _named(_places(store, {}), text)
    else:
        return [find_run(Path(store), text)]
    if not meant:
        raise InputError(f"{text}: no run there")
    return meant


def _holds_many(where: str | Path) -> bool:
    path = Path(where)
    return _is_address(where) or path.is_file() or (path.is_dir() and not (path / "trace.jsonl").is_file())


def _is_elsewhere(where: str | Path) -> bool:
    """Whether the runs there do not lie in folders of their own."""
    path = Path(where)
    if _is_address(where) or path.is_file():
        return True
    return any(path.glob("*.json*")) and not any(path.glob("*/trace.jsonl"))


def _is_address(where: str | Path) -> bool:
    return "://" in str(where)


def _named(places: list[RunPlace], name: str) -> list[RunPlace]:
    """The one of this id, or the only one whose id begins so."""
    begun = [place for place in places if place.name.startswith(name)]
    found = [place for place in begun if place.name == name] or begun
    if len(found) > 1:
        raise InputError(f"{len(found)} runs there have an id that begins with {name}")
    return found


def _places(where: str | Path, wanted: Mapping[str, str]) -> list[RunPlace]:
    """The runs of a place for which conditions hold."""
    source = traces.open(str(where))
    found = [head for head in source.heads() if _holds(head, wanted)]
    return [
        head.place
        if isinstance(head.place, Path)
        else CollectedRun(where=str(where), name=head.run_id, source=source, head=head)
        for head in found
    ]


def _conditions(text: str) -> dict[str, str]:
    wanted = dict(condition.partition("=")[::2] for condition in text.split(","))
    if unknown := [name for name in wanted if name not in _SELECTABLE]:
        raise InputError(f"{text}: runs are chosen by {', '.join(_SELECTABLE)}, not by {unknown[0]!r}")
    return wanted


def _holds(head: RunHead, wanted: Mapping[str, str]) -> bool:
    said = head.attributes
    return all(fnmatch.fnmatchcase(str(said.get(_SELECTABLE[name])), glob) for name, glob in wanted.items())
