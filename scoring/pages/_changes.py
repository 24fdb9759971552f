"""What the agent changed, as a reviewer would read it: file by file, by what each is to the task."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from .._path_classes import CLASSES, PathClass, classifier, classify_home
from .._record import RunRecord
from .._scorecard import Scorecard
from ..axes._blast_radius import changed_files
from ..workdir import Change, WorkdirDiff

__all__ = ["changes_of", "file_places", "unlisted"]

_LABELS: Final[Mapping[PathClass, tuple[str, str]]] = {
    "protected": ("Protected", "the task says that it must stay as it is"),
    "expected": ("Expected", "the task asks for a change here"),
    "housekeeping": ("Housekeeping", "the agent's own files"),
    "build_artifact": ("Build artifact", "what building, testing and installing leave behind"),
    "unexpected": ("Unexpected", "nobody asked for it"),
    "external": ("External", "outside the workdir, where other programs read it later"),
}
"""By class: its name and meaning for people."""
_LONGEST_PATCH: Final[Mapping[PathClass, int]] = {"housekeeping": 20_000, "build_artifact": 20_000}
_LONGEST: Final = 200_000
"""Characters of one file's patch, unless the class says less."""
_MOST: Final = 2_000_000
"""Characters of all patches."""
_GRAVEST_FIRST: Final[tuple[PathClass, ...]] = (
    "protected",
    "unexpected",
    "external",
    "expected",
    "housekeeping",
    "build_artifact",
)
"""Whose patches are on the page if not all can be."""


class _Classed(NamedTuple):
    name: PathClass
    change: Change
    is_home: bool

    @property
    def path(self) -> str:
        return f"~/{self.change.path}" if self.is_home else self.change.path


def file_places(record: RunRecord) -> dict[tuple[str, str], int]:
    """The places of changed files of the workdir in the list of `changes_of`, by path and operation."""
    return {
        (classed.change.path, classed.change.operation): place
        for place, classed in enumerate(_classed(record))
        if not classed.is_home
    }


def changes_of(record: RunRecord, scorecard: Scorecard) -> dict[str, Any] | None:
    """The changes of the workdir, and those of HOME that have effect elsewhere; None if there are no snapshots."""
    diff = record.changes
    if diff is None:
        return None
    classed = _classed(record)
    counts = Counter(one.name for one in classed)
    patches = _patches(classed)
    led = _links(record, scorecard)
    return {
        "classes": [
            {"name": name, "label": _LABELS[name][0], "meaning": _LABELS[name][1], "count": counts[name]}
            for name in CLASSES
        ],
        "files": [
            {
                "path": one.path,
                "old_path": one.change.old_path,
                "operation": one.change.operation,
                "class": CLASSES.index(one.name),
                "lines_added": one.change.lines_added,
                "lines_removed": one.change.lines_removed,
                "note": one.change.note,
                "patch": patch,
                "cut": cut,
                "led_by": [] if one.is_home else led[one.change.path, one.change.operation],
            }
            for one, (patch, cut) in zip(classed, patches, strict=True)
        ],
        "git": [
            {
                "repository": change.repository,
                "kind": change.kind,
                "name": change.name,
                "before": change.before,
                "after": change.after,
                "runs": change.runs,
            }
            for change in diff.git
        ],
        "unseen": [*_unseen(diff, ""), *_unseen(record.home_changes, "~/")],
    }


def unlisted(record: RunRecord) -> str | None:
    """What else changed and is in no list, in words; None if nothing did."""
    home = [change for change in changed_files(record.home_changes) if classify_home(change) != "external"]
    counts = {
        "in the agent's HOME": len(home),
        "in its temporary folder": len(changed_files(record.temporary_changes)),
        "by the check": len(changed_files(record.check_changes)),
    }
    told = [f"{count:,} {where}" for where, count in counts.items() if count]
    return f"not listed, since nothing else depends on them: files changed {', '.join(told)}" if told else None


def _classed(record: RunRecord) -> list[_Classed]:
    """By class, then by path."""
    task = record.task
    classify = classifier(task.expected or (), task.protected or (), record.agent.housekeeping)
    found = [_Classed(classify(change), change, is_home=False) for change in changed_files(record.changes)]
    found += [
        _Classed("external", change, is_home=True)
        for change in changed_files(record.home_changes)
        if classify_home(change) == "external"
    ]
    return sorted(found, key=lambda one: (CLASSES.index(one.name), one.path, one.change.operation))


def _patches(classed: list[_Classed]) -> list[tuple[str, int]]:
    """Of each file the patch as far as it is on the page, and how many characters are not."""
    left = _MOST
    patches: dict[int, tuple[str, int]] = {}
    for place in sorted(range(len(classed)), key=lambda place: (_GRAVEST_FIRST.index(classed[place].name), place)):
        one = classed[place]
        text = one.change.patch.decode("utf-8", "replace")
        shown = text[: min(_LONGEST_PATCH.get(one.name, _LONGEST), left)]
        left -= len(shown)
        patches[place] = (shown, len(text) - len(shown))
    return [patches[place] for place in range(len(classed))]


def _links(record: RunRecord, scorecard: Scorecard) -> defaultdict[tuple[str, str], list[dict[str, Any]]]:
    """By path and operation of a change: the calls that led to it."""
    places = {call.span_id: place for place, call in enumerate(record.run.calls)}
    led: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for link in scorecard.links:
        told = {"call": places[link.call], "confidence": link.confidence, "tool": link.tool}
        led[link.path, link.operation].append(told)
    return led


def _unseen(diff: WorkdirDiff | None, where: str) -> list[tuple[str, str]]:
    if diff is None:
        return []
    unknown = {change.path: "it could not be seen" for change in diff.changes if change.operation == "unknown"}
    return [(where + path, why) for path, why in sorted((unknown | dict(diff.unseen)).items())]
