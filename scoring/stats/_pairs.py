"""Many systems on the same tasks, two by two."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

from ._interval import LEVEL
from ._paired import Better, Comparison, Verdict, compare
from ._resampling import SEED
from ._significance import holm
from ._trials import Trial

__all__ = ["Pair", "compare_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two of many systems."""

    a: str
    b: str
    verdict: Verdict
    """The comparison's, if it holds among so many comparisons: `not separable` while the adjusted p is above 1 - level."""
    adjusted_p_value: float | None
    """By Holm, for all pairs that have one; None if the comparison has none."""
    comparison: Comparison
    """As if these two were the only ones."""


def compare_all(
    systems: Mapping[str, Iterable[Trial]],
    level: float = LEVEL,
    *,
    better: Better = "higher",
    limits: tuple[float, float] | None = (0.0, 1.0),
    seed: int = SEED,
) -> tuple[Pair, ...]:
    """Compare each two of some systems, in the order of their names.

    Args:
        systems: runs by the name of who made them.
        level: of confidence of all verdicts together.
        better: as for `compare`, and so are the others.
        limits: of the values.
        seed: of all draws.

    Raises:
        InputError: as for `compare`.
    """
    trials = {name: tuple(runs) for name, runs in systems.items()}
    found = {
        (a, b): compare(trials[a], trials[b], level, better=better, limits=limits, seed=seed)
        for a, b in combinations(sorted(trials), 2)
    }
    adjusted = holm({names: one.p_value for names, one in found.items() if one.p_value is not None})
    return tuple(
        Pair(
            a=names[0],
            b=names[1],
            verdict=one.verdict if adjusted.get(names, 1.0) <= 1 - level else "not separable",
            adjusted_p_value=adjusted.get(names),
            comparison=one,
        )
        for names, one in found.items()
    )
