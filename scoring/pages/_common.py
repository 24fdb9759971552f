"""What two texts, or two lists, have in common."""

from collections.abc import Sequence
from typing import Any

__all__ = ["common_prefix", "common_suffix"]


def common_prefix(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many items two sequences of a kind have in common, from the first on.

    Halves are compared, and not items: that is done where sequences are made, and much faster.
    """
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def common_suffix(one: Sequence[Any], other: Sequence[Any], limit: int) -> int:
    """As `common_prefix`, from the last on; at most `limit`, which is no more than either has."""
    low, high = 0, limit
    if one[len(one) - high :] == other[len(other) - high :]:
        return high
    while low < high - 1:
        middle = (low + high) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle
    return low
