"""Chances of what was seen, had it been chance."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from ...traces import InputError
from ._distributions import binomial_p_value
from ._resampling import RESAMPLES, SEED, all_flipped_sums, drawn_flipped_sums

__all__ = ["holm", "mcnemar", "sign_flip"]

_EXACT_UP_TO: Final = 16
"""Differences whose signs are flipped in all ways; beyond that ways are drawn."""
_ROUNDING: Final = 1e-12
"""Two sums closer than this, relative to their greatest possible size, are the same sum."""
_Key = TypeVar("_Key")


def mcnemar(only_a: int, only_b: int) -> float:
    """McNemar's exact two-sided test (McNemar 1947).

    The chance of a split at least as uneven, were A and B alike: 1 if they never differ.

    Args:
        only_a: tasks that A alone solved.
        only_b: tasks that B alone solved.

    Raises:
        InputError: scipy is not installed, or a count is below 0.
    """
    if min(only_a, only_b) < 0:
        raise InputError(f"counts of {only_a} and {only_b}: there are none below 0")
    return binomial_p_value(only_a, only_a + only_b) if only_a + only_b else 1.0


def sign_flip(differences: Sequence[float], seed: int = SEED) -> float:
    """Fisher's randomisation test of paired differences, two-sided.

    The chance of a mean at least as far from 0, could each difference as well have had the other sign: 1 if there is none.
    All ways to flip up to 16 differences are tried. Of more, 9,999 ways are drawn, and what was seen counts as one of them, so
    that the chance is never 0 (Phipson and Smyth 2010).

    Args:
        differences: one for each task, in any order.
        seed: of the draws; the same differences and seed give the same chance to the last bit.

    Raises:
        InputError: numpy is not installed.
    """
    known = sorted(difference for difference in differences if difference)
    if not known:
        return 1.0
    seen = abs(math.fsum(known)) - _ROUNDING * math.fsum(map(abs, known))
    if len(known) <= _EXACT_UP_TO:
        return float((abs(all_flipped_sums(known)) >= seen).mean())
    extreme = int((abs(drawn_flipped_sums(known, seed)) >= seen).sum())
    return (extreme + 1) / (RESAMPLES + 1)


def holm(p_values: Mapping[_Key, float]) -> dict[_Key, float]:
    """Adjust p-values for being several (Holm 1979): each at most 1, in the order given.

    An adjusted one below 1 - level is significant among all of them at that level.
    """
    adjusted: dict[_Key, float] = {}
    least = 0.0
    for rank, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, p_value * (len(p_values) - rank)))
        adjusted[name] = least
    return {name: adjusted[name] for name in p_values}
