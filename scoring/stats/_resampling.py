"""Chance that anyone can draw again: numpy, and only what it promises never to change.

That is the raw stream of a bit generator for a seed; what numpy makes of the stream (`integers`, `choice`) may change with its
version. Sums are taken element by element, task after task, so that no processor sums in another order.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ._library import needing_scipy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["RESAMPLES", "SEED", "all_flipped_sums", "drawn_flipped_sums", "resampled_ratios"]

SEED: Final = 20_260_523
RESAMPLES: Final = 9_999
"""With the estimate itself that makes 10,000, of which 2.5 % is a whole number."""


def resampled_ratios(pairs: Sequence[tuple[float, float]], seed: int) -> "npt.NDArray[np.float64]":
    """Ratios of sums over pairs drawn with replacement, as many as there are pairs, in ascending order.

    Args:
        pairs: numerator and denominator, the latter not negative, of at least one cluster.
        seed: of the draws.

    Returns:
        `RESAMPLES` ratios, infinite where the denominators drawn are all 0. Where no numerator grows and no denominator
        shrinks none of them grows, at the same seed.

    Raises:
        InputError: numpy is not installed.
    """
    with needing_scipy():
        import numpy as np  # noqa: PLC0415  an extra
    bits = np.random.PCG64(seed)
    numerators, denominators = np.asarray(pairs, dtype=np.float64).T
    above, below = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for _ in pairs:
        drawn = bits.random_raw(RESAMPLES) % np.uint64(len(pairs))
        above += numerators[drawn]
        below += denominators[drawn]
    ratios = np.full(RESAMPLES, np.inf)
    np.divide(above, below, out=ratios, where=below > 0)
    return np.sort(ratios)


def all_flipped_sums(values: Sequence[float]) -> "npt.NDArray[np.float64]":
    """The sums of values under each of the 2^n ways to flip their signs. Raises InputError without numpy."""
    with needing_scipy():
        import numpy as np  # noqa: PLC0415  an extra
    ways = np.arange(2 ** len(values), dtype=np.uint64)
    sums = np.zeros(len(ways))
    for place, value in enumerate(values):
        sums += np.where(ways >> np.uint64(place) & np.uint64(1), -value, value)
    return sums


def drawn_flipped_sums(values: Sequence[float], seed: int) -> "npt.NDArray[np.float64]":
    """The sums of values under `RESAMPLES` drawn ways to flip their signs. Raises InputError without numpy."""
    with needing_scipy():
        import numpy as np  # noqa: PLC0415  an extra
    bits = np.random.PCG64(seed)
    sums = np.zeros(RESAMPLES)
    for value in values:
        sums += np.where(bits.random_raw(RESAMPLES) & np.uint64(1), -value, value)
    return sums
