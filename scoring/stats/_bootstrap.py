"""Resampling whole tasks: runs of one task hang together, tasks do not."""

import math
from collections.abc import Mapping
from fractions import Fraction
from statistics import NormalDist

from ._distributions import student_t_quantile
from ._interval import LEVEL, Interval, check_level
from ._resampling import RESAMPLES, SEED, resampled_ratios

__all__ = ["bootstrap_ratio", "why_no_spread"]


def bootstrap_ratio(
    clusters: Mapping[str, tuple[float, float]], level: float = LEVEL, seed: int = SEED
) -> Interval | None:
    """The interval of a sum over a sum, by drawing clusters with replacement.

    A mean of runs is one (values over runs), and so are what a solved task costs (tokens over solved runs) and a mean
    difference (differences over tasks). The percentiles are taken further out than the level alone says, as Hesterberg (2015,
    "What Teachers Should Know About the Bootstrap", section 4.1.1, "expanded percentile") has it: plain ones are too narrow by
    a factor of sqrt((n-1)/n) times that of normal to Student's t, which is much with the 5 to 25 tasks that people have.
    With four clusters or fewer it reaches from the least ratio that can be drawn to the greatest.

    Args:
        clusters: by task its numerator and its denominator, the latter not negative.
        level: of confidence.
        seed: of the draws; the same data and seed give the same interval to the last bit.

    Returns:
        None where `why_no_spread` says why. The high end is None where too many draws have the denominator 0.

    Raises:
        InputError: scipy is not installed, or the level is none.
    """
    check_level(level)
    if why_no_spread(clusters) is not None:
        return None
    pairs = [clusters[task] for task in sorted(clusters)]
    ratios = resampled_ratios(pairs, seed)
    outside = max(1, round((RESAMPLES + 1) * _tail(len(pairs), level)))
    # The estimate is exact and the draws are rounded: it must not fall outside by the last bit.
    estimate = float(_ratio(clusters))
    low, high = min(float(ratios[outside - 1]), estimate), max(float(ratios[-outside]), estimate)
    return Interval(low, high if math.isfinite(high) else None)


def why_no_spread(clusters: Mapping[str, tuple[float, float]]) -> str | None:
    """Why clusters do not tell how far their ratio can be trusted; None if they do."""
    if len(clusters) < 2:  # noqa: PLR2004
        return "one task does not tell how tasks differ" if clusters else "no task"
    if not any(below for _, below in clusters.values()):
        return "the denominator is 0"
    ratio = _ratio(clusters)
    if all(Fraction(above) == ratio * Fraction(below) for above, below in clusters.values()):
        return "all tasks say the same, so that their spread is not known"
    return None


def _ratio(clusters: Mapping[str, tuple[float, float]]) -> Fraction:
    above, below = (sum((Fraction(pair[place]) for pair in clusters.values()), Fraction()) for place in (0, 1))
    return above / below


def _tail(clusters: int, level: float) -> float:
    """The share to leave out at each end."""
    t = student_t_quantile((1 + level) / 2, clusters - 1)
    return NormalDist().cdf(-math.sqrt(clusters / (clusters - 1)) * t)
