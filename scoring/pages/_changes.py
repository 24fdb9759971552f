"""What the agent changed, as a reviewer would read it: file by file, by what each is to the task."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from .._path_classes import CLASSES, PathClass, classifier, classify_home
from .._record import RunRecord
from .._scorecard import Scorecard
from ..axes._blast_radius import changed_files
from ..workdir import Change, WorkdirDiff

__all__ = ["ClassedChange", "ClassedChanges", "changes_of", "classed_changes", "unlisted"]

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
_MOST_FILES: Final = 1_000
"""Of a class that are listed."""
_GRAVEST_FIRST: Final[tuple[PathClass, ...]] = (
    "protected",
    "unexpected",
    "external",
    "expected",
    "housekeeping",
    "build_artifact",
)
"""Whose patches are on the page if not all can be."""


class ClassedChange(NamedTuple):
    """A file that changed."""

    name: PathClass
    change: Change
    is_home: bool
    """It is in the agent's HOME."""

    @property
    def path(self) -> str:
        """As a page names it."""
        return f"~/{self.change.path}" if self.is_home else self.change.path


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassedChanges:
    """The files that changed, by class and path: those of the workdir, and of HOME what has effect elsewhere."""

    files: tuple[ClassedChange, ...]
    """Those that are listed."""
    counts: Mapping[PathClass, int]
    """Of each class all, listed or not."""

    @property
    def places(self) -> dict[tuple[str, str], int]:
        """The places of the workdir's files in the list, by path and operation."""
        told = [(one.change.path, one.change.operation) for one in self.files]
        return {key: place for place, (key, one) in enumerate(zip(told, self.files, strict=True)) if not one.is_home}


def classed_changes(record: RunRecord) -> ClassedChanges:
    """What changed, as far as snapshots tell. Of each class only the first thousand are listed."""
    task = record.task
    classify = classifier(task.expected or (), task.protected or (), record.agent.housekeeping)
    found = [ClassedChange(classify(change), change, is_home=False) for change in changed_files(record.changes)]
    found += [
        ClassedChange("external", change, is_home=True)
        for change in changed_files(record.home_changes)
        if classify_home(change) == "external"
    ]
    found.sort(key=lambda one: (CLASSES.index(one.name), one.path, one.change.operation))
    by_class = [[one for one in found if one.name == name] for name in CLASSES]
    return ClassedChanges(
        files=tuple(one for some in by_class for one in some[:_MOST_FILES]),
        counts=Counter(one.name for one in found),
    )


def changes_of(record: RunRecord, scorecard: Scorecard, changed: ClassedChanges) -> dict[str, Any] | None:
    """The changes as a page shows them; None if there are no snapshots."""
    diff = record.changes
    if diff is None:
        return None
    led = _links(record, scorecard)
    return {
        "classes": [
            {"name": name, "label": _LABELS[name][0], "meaning": _LABELS[name][1], "count": changed.counts.get(name, 0)}
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
            for one, (patch, cut) in zip(changed.files, _patches(changed.files), strict=True)
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


def unlisted(record: RunRecord, changed: ClassedChanges) -> str | None:
    """What else changed and is in no list, in words; None if nothing did."""
    home = [change for change in changed_files(record.home_changes) if classify_home(change) != "external"]
    counts = {
        f"beyond the first {_MOST_FILES:,} of a class": sum(changed.counts.values()) - len(changed.files),
        "in the agent's HOME": len(home),
        "in its temporary folder": len(changed_files(record.temporary_changes)),
        "by the check": len(changed_files(record.check_changes)),
    }
    told = [f"{count:,} {where}" for where, count in counts.items() if count]
    return f"changed files that are not listed: {', '.join(told)}" if told else None


def _patches(classed: Sequence[ClassedChange]) -> list[tuple[str, int]]:
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
