"""Which call led to which change of the workdir: what answers asked to be done, joined with when files changed."""

import posixpath
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from ._axis_value import Evidence
from ._deeds import Deed, deeds_of
from ._globs import path_matcher
from ._record import RunRecord
from .transcript import Turn
from .workdir import Change, GitChange

__all__ = ["Confidence", "Link", "link_changes"]

Confidence = Literal["certain", "likely", "possible"]
"""`certain`: the answer names the file as one to be written, and its last change falls between this answer and the agent's next
request. `likely`: it is named so, but has changed again since, or its time is not known; or a command that may write mentions
it, and the time fits. `possible`: only one of mention and time."""

Timing = Literal["within", "before", "unknown"]

_CONFIDENCE: Final[dict[tuple[str, Timing], Confidence]] = {
    ("named", "within"): "certain",
    ("named", "unknown"): "likely",
    ("mentioned", "within"): "likely",
    ("mentioned", "unknown"): "possible",
    ("able", "within"): "possible",
}
"""By what the answer says of the file and how the times stand. What is not here is no link: a file that last changed before an
answer came was not changed by what the answer asked for."""
_NOTES: Final = {
    "named": "says that it writes this file",
    "mentioned": "mentions this file",
    "able": "may write files",
}
_CLOCK_STEP: Final = 20_000_000
"""Nanoseconds by which the kernel's time of a file may lag behind: two ticks of its slowest clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A change, and a call whose answer led to it."""

    path: str
    """Of the change, relative to the workdir."""
    operation: str
    """Of the change; `git` for the state of a repository."""
    call: str
    """The call's span id."""
    tool: str | None
    """The tool that was called; None: the answer's text asks for it."""
    confidence: Confidence
    evidence: tuple[Evidence, ...]
    """What the answer says, and when the file changed."""


@dataclass(frozen=True, slots=True)
class _Window:
    """When what an answer asks for is done: after it came, before the agent asks again. Unix time, nanoseconds."""

    turn: Turn
    deeds: list[Deed]
    start: int
    end: int | None


def link_changes(record: RunRecord) -> tuple[Link, ...]:
    """Say of the agent's changes which calls led to them.

    A change may have several links, and one that no call explains has none. What is only possible is told where nothing better
    is known, and of the agent's own files not by the time alone.

    Returns:
        Links by path, then by the time of the call. Empty if the changes are not known.
    """
    if record.changes is None or not (record.changes.changes or record.changes.git):
        return ()
    changes: list[Change | GitChange] = [*record.changes.changes, *record.changes.git]
    windows = [window for window in _windows(record) if window.deeds]
    names = _Names(record.changes.changes, record.changes.git, record.changes.root)
    named = [[names.named_by(deed) for deed in window.deeds] for window in windows]
    is_own = path_matcher(record.agent.housekeeping)
    found = []
    for change in changes:
        links = list(_links_of(change, windows, named, by_time_alone=not is_own(change.path)))
        found += [link for link in links if link.confidence != "possible"] or links
    return tuple(sorted(found, key=lambda link: (link.path, link.operation)))


def _links_of(
    change: Change | GitChange, windows: list[_Window], named: list[list[set[str]]], *, by_time_alone: bool
) -> Iterator[Link]:
    """Of each call its best link to a change, in the order of time."""
    paths = _paths_of(change)
    for window, names in zip(windows, named, strict=True):
        timing = _timing(change, window)
        if timing == "before":
            continue
        # Backwards, so that the first deed of each kind is the one that is told.
        said = {
            _said(deed, there, paths): deed for deed, there in zip(reversed(window.deeds), reversed(names), strict=True)
        }
        strength = next(strength for strength in _NOTES if strength in said)
        confidence = _CONFIDENCE.get((strength, timing))
        if confidence and (strength != "able" or by_time_alone):
            yield _link(change, window, said[strength], confidence, _NOTES[strength])


def _said(deed: Deed, named: set[str], paths: list[str]) -> str:
    if any(path in named for path in paths):
        return "named"
    return "mentioned" if any(_is_mentioned(path, deed.text) for path in paths) else "able"


def _link(change: Change | GitChange, window: _Window, deed: Deed, confidence: Confidence, note: str) -> Link:
    call = window.turn.call.span_id
    return Link(
        path=change.path,
        operation="git" if isinstance(change, GitChange) else change.operation,
        call=call,
        tool=deed.tool,
        confidence=confidence,
        evidence=(
            Evidence(kind="call", reference=call, note=f"{deed.tool or 'the text'} {note}"),
            Evidence(kind="path", reference=change.path, note=_when(change, window)),
        ),
    )


def _paths_of(change: Change | GitChange) -> list[str]:
    old_path = None if isinstance(change, GitChange) else change.old_path
    return [change.path] if old_path is None else [change.path, old_path]


def _windows(record: RunRecord) -> list[_Window]:
    """In the order of time. A tool's result tells when the tool was done; else the next request does."""
    turns = sorted(
        record.transcript, key=lambda turn: (turn.call.timing.start_ns, turn.call.sequence or 0, turn.call.span_id)
    )
    starts = [turn.call.timing.start_ns for turn in turns]
    results: dict[str, list[int]] = defaultdict(list)
    for turn in turns:
        for message in turn.added or ():
            if message.tool_call_id is not None:
                results[message.tool_call_id].append(turn.call.timing.start_ns)
    windows = []
    for turn in turns:
        timing = turn.call.timing
        answered = timing.start_ns + (timing.last_byte or timing.end or 0)
        deeds = deeds_of(turn)
        told = [start for deed in deeds for start in results.get(deed.call_id or "", ()) if start >= answered]
        following = bisect_left(starts, answered)
        end = min(told) if told else (starts[following] if following < len(starts) else None)
        windows.append(_Window(turn, deeds, answered, end))
    return windows


def _timing(change: Change | GitChange, window: _Window) -> Timing:
    """How the last change of a file stands to a window."""
    if any(_is_within(moment, window) for moment in (change.mtime_ns, change.ctime_ns)):
        return "within"
    # Anyone may set a file's mtime; the kernel alone sets its ctime, at every change.
    if change.ctime_ns is not None and change.ctime_ns < window.start - _CLOCK_STEP:
        return "before"
    return "unknown"


def _is_within(moment: int | None, window: _Window) -> bool:
    if moment is None or moment < window.start - _CLOCK_STEP:
        return False
    return window.end is None or moment <= window.end


def _when(change: Change | GitChange, window: _Window) -> str:
    within = [moment for moment in (change.mtime_ns, change.ctime_ns) if _is_within(moment, window)]
    if within and within[0] is not None:
        return f"changed {max(0, within[0] - window.start) / 1e6:.1f} ms after the answer, before the next request"
    return "gone: when is not known" if change.ctime_ns is None else "last changed after the next request"


def _is_mentioned(path: str, text: str) -> bool:
    """Whether a path stands in a text as a whole."""
    position = text.find(path)
    while position >= 0:
        end = position + len(path)
        around = text[position - 1 : position] + text[end : end + 1]
        if not any(letter.isalnum() or letter in "_-" for letter in around):
            return True
        position = text.find(path, position + 1)
    return False


class _Names:
    """Finds the changed files that a path in a tool call means. The agent may see the workdir under another name."""

    def __init__(self, files: Iterable[Change], git: Iterable[GitChange], root: str) -> None:
        self._root = root.rstrip("/") + "/"
        self._git = {change.path for change in git}
        self._paths = {path: change.operation for change in files for path in _paths_of(change)}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in self._paths:
            self._by_name[posixpath.basename(path)].append(path)

    def named_by(self, deed: Deed) -> set[str]:
        """The changed files that a deed says it writes."""
        found = {path for name in deed.paths for path in self._meant(name)}
        for name in deed.trees:
            # Whoever moves, copies or removes a folder edits none of its files; git may.
            found.update(path for path in self._below(name) if deed.git or self._paths[path] != "modify")
        return found | self._git if deed.git else found

    def _meant(self, name: str) -> Iterable[str]:
        relative = self._relative(name)
        if relative in self._paths:
            return (relative,)
        if any(letter in relative for letter in "*?["):
            return (path for path in self._paths if fnmatchcase(path, relative))
        if relative != posixpath.normpath(name):
            return ()
        candidates = self._by_name.get(posixpath.basename(relative), ())
        if not relative.startswith("/"):
            # The agent may be in a folder below the workdir.
            return (path for path in candidates if path.endswith("/" + relative))
        ends = [path for path in candidates if relative.endswith("/" + path)]
        return (max(ends, key=len),) if ends else ()

    def _below(self, name: str) -> Iterable[str]:
        folder = self._relative(name) + "/"
        if folder.startswith("/"):
            return ()
        return (path for path in self._paths if folder == "./" or path.startswith(folder))

    def _relative(self, name: str) -> str:
        name = posixpath.normpath(name)
        return name.removeprefix(self._root) if name.startswith(self._root) else name
