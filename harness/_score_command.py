"""`tachograph score`: what recorded runs are worth, axis by axis."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import Final

from .. import scoring
from ..scoring import (
    DEFAULT_PROFILE,
    AxisValue,
    Composite,
    Profile,
    Scorecard,
    all_axes,
    collected_record,
    load_profile,
    score_folder,
)
from ._collected import CollectedRun, RunPlace, read_collected
from ._progress import with_progress
from ._require import Requirement, parse_requirement
from ._score_files import wanted_files, write_files
from ._selection import find_runs
from ._table import print_table

__all__ = ["score", "score_all"]

_FEW: Final = 64
"""Runs that are scored here; more of them are worth starting processes for."""
_AT_ONCE: Final = 32
"""Runs given to a process at a time."""
_WAITING: Final = 16
"""How often that may wait for one."""
_UNKNOWN: Final = "-"
_SHOWN: Final = ("tokens", "cost", "latency", "blast_radius", "damage", "refusal", "integrity")
_UNITS: Final[dict[str, Callable[[float], str]]] = {
    "1": lambda value: f"{value:.3g}",
    "{token}": lambda value: f"{value:,.0f}",
    "ms": lambda value: f"{value / 1e3:,.1f} s",
    "USD": lambda value: f"${value:.4g}",
}
_BOUNDS: Final = {"exact": "", "lower": "≥ ", "upper": "≤ "}


def score(options: argparse.Namespace) -> int:
    """Score runs; exits with 1 if a requirement is not met."""
    folders = find_runs(options.store, options.runs)
    requirements = [parse_requirement(text) for text in options.require]
    profiles = [load_profile(name) for name in options.profile or [DEFAULT_PROFILE]]
    scored = _Scored(keep_all=bool(wanted_files(options)) or len(folders) == 1, requirements=requirements)
    axes = options.axis
    all_axes(axes)  # refused here if one cannot be loaded, before anything is scored
    scorecards = score_all(folders, axes, profiles, keep=not options.no_write)
    for scorecard in with_progress(scorecards, len(folders), "runs"):
        scored.add(scorecard)
        if options.json:
            sys.stdout.buffer.write(scorecard.encode_line())
    write_files(options, list(zip(folders, scored.scorecards, strict=False)))
    if not options.json:
        _print(scored, len(folders))
    return _gate(requirements, quiet=options.json)


def score_all(
    places: Sequence[RunPlace], axes: Sequence[str], profiles: Sequence[Profile], *, keep: bool
) -> Iterator[Scorecard]:
    """Score runs one after the other, many of them in several processes; in the order given.

    Args:
        places: where the runs lie.
        axes: of the user's own, `NAME=MODULE:FUNCTION`.
        profiles: for composites.
        keep: leave the scorecards in the folders, of runs that lie in folders.
    """
    task = partial(_score_some, axes=tuple(axes), profiles=tuple(profiles), keep=keep)
    some = [places[begin : begin + _AT_ONCE] for begin in range(0, len(places), _AT_ONCE)]
    if len(places) <= _FEW:
        yield from chain.from_iterable(map(task, some))
        return
    with ProcessPoolExecutor() as pool:
        for begin in range(0, len(some), _WAITING):
            yield from chain.from_iterable(pool.map(task, some[begin : begin + _WAITING]))


def _score_some(
    places: Sequence[RunPlace], axes: Sequence[str], profiles: Sequence[Profile], *, keep: bool
) -> list[Scorecard]:
    known = all_axes(axes)
    scorecards = []
    for is_collected, group in groupby(places, key=lambda place: isinstance(place, CollectedRun)):
        if is_collected:
            runs = read_collected([place for place in group if isinstance(place, CollectedRun)])
            scorecards += [scoring.score(collected_record(run), known, profiles) for run in runs]
        else:
            folders = (place for place in group if isinstance(place, Path))
            scorecards += [score_folder(folder, known, profiles, keep=keep) for folder in folders]
    return scorecards


@dataclass
class _Scored:
    """What is kept of the scorecards: a row of each, and all of them only if somebody asks."""

    keep_all: bool
    requirements: Sequence[Requirement]

    def __post_init__(self) -> None:
        self.rows: list[list[str]] = []
        self.scorecards: list[Scorecard] = []
        self.outcomes: dict[str, int] = {}

    def add(self, scorecard: Scorecard) -> None:
        self.rows.append(_row(scorecard))
        party = scorecard.outcome.party
        self.outcomes[party] = self.outcomes.get(party, 0) + 1
        for requirement in self.requirements:
            requirement.add(scorecard)
        if self.keep_all:
            self.scorecards.append(scorecard)


def _print(scored: _Scored, many: int) -> None:
    if many == 1:
        _print_one(scored.scorecards[0])
        return
    headings = ("Run", "Outcome", "Tokens", "Cost", "Wall", "Blast", "Damage", "Refusal", "Integrity", "Composite")
    print_table(headings, scored.rows, right=(2, 3, 4, 5, 6, 7, 8, 9))
    graded = scored.outcomes.get("solved", 0) + scored.outcomes.get("agent", 0)
    others = ", ".join(f"{count} {party}" for party, count in sorted(scored.outcomes.items()))
    print(f"{many} runs: {others}; {scored.outcomes.get('solved', 0)} of {graded} graded runs solved")


def _row(scorecard: Scorecard) -> list[str]:
    return [
        scorecard.run_id,
        f"{scorecard.outcome.party}: {scorecard.outcome.reason}",
        *(_shown(scorecard.axis(name)) for name in _SHOWN),
        _interval(scorecard.composites[0]) if scorecard.composites else _UNKNOWN,
    ]


def _print_one(scorecard: Scorecard) -> None:
    print(f"{scorecard.run_id}: {scorecard.outcome.message} ({scorecard.outcome.party}: {scorecard.outcome.reason})")
    rows = [
        [value.axis, _shown(value), value.status, value.source or _UNKNOWN, value.reason or ""]
        for value in scorecard.axes
    ]
    rows += [
        [f"composite {made.profile}", _interval(made), *_coverage(made), made.reason or ""]
        for made in scorecard.composites
    ]
    print_table(("Axis", "Value", "Status", "Source", "Why"), rows, right=(1,))
    for value in scorecard.axes:
        for finding in value.findings:
            where = f"{finding.path}:{finding.line}" if finding.line else finding.path or ""
            print(f"{finding.severity}: {finding.rule}: {finding.message} {where}".rstrip())
    for link in scorecard.links:
        print(f"{link.path}: {link.operation} by call {link.call} ({link.confidence})")


def _coverage(made: Composite) -> tuple[str, str]:
    return f"{made.coverage:.0%} measured", _UNKNOWN


def _shown(value: AxisValue | None) -> str:
    if value is None or value.value is None or value.bound is None:
        return _UNKNOWN
    shape = _UNITS.get(value.unit, "{:.4g}".format)
    return _BOUNDS[value.bound] + shape(value.value)


def _interval(made: Composite) -> str:
    if made.lower is None or made.upper is None:
        return _UNKNOWN
    return f"{made.value:.3f}" if made.value is not None else f"{made.lower:.3f} to {made.upper:.3f}"


def _gate(requirements: Iterable[Requirement], *, quiet: bool) -> int:
    failed = [requirement for requirement in requirements if not requirement.is_met]
    for requirement in failed:
        print(f"not met: {requirement.told}", file=sys.stderr if quiet else sys.stdout)
    return 1 if failed else 0
