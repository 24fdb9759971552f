"""The arithmetic of intervals, against sets of integers."""

from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring._intervals import Interval, clip, hull, intersection, length, subtract, union

intervals = st.builds(Interval, st.integers(-20, 20), st.integers(-20, 20))
sets = st.lists(intervals, max_size=8)


def instants(some: list[Interval] | tuple[Interval, ...]) -> set[int]:
    return {instant for start, end in some for instant in range(start, end)}


def is_normal(some: tuple[Interval, ...]) -> bool:
    edges = [edge for interval in some for edge in interval]
    return edges == sorted(set(edges))


@given(sets, sets)
def test_operations_are_those_of_sets(one: list[Interval], other: list[Interval]) -> None:
    """Union, intersection and difference hold the instants that they should, in the one form that a set has."""
    for found, expected in (
        (union(one, other), instants(one) | instants(other)),
        (intersection(one, other), instants(one) & instants(other)),
        (subtract(one, other), instants(one) - instants(other)),
    ):
        assert instants(found) == expected
        assert is_normal(found)


@given(sets, sets)
def test_difference_and_intersection_add_up(one: list[Interval], other: list[Interval]) -> None:
    """What is in both and what is in one alone make up that one, to the unit."""
    assert length(intersection(one, other)) + length(subtract(one, other)) == length(one) == len(instants(one))


@given(sets, sets, sets)
def test_several_are_subtracted_as_one(one: list[Interval], other: list[Interval], third: list[Interval]) -> None:
    """Subtracting several sets is subtracting their union, in any order."""
    assert subtract(one, other, third) == subtract(subtract(one, third), other) == subtract(one, union(other, third))


@given(st.permutations([Interval(0, 3), Interval(2, 5), Interval(5, 6), Interval(9, 9), Interval(8, 7)]))
def test_order_does_not_matter(one: list[Interval]) -> None:
    """Intervals may come in any order; empty and backward ones hold nothing; those that touch are one."""
    assert union(one) == (Interval(0, 6),)


@given(sets, intervals)
def test_clip_and_hull(one: list[Interval], window: Interval) -> None:
    """A clipped set lies in its window, and the hull spans all instants."""
    assert instants(clip(one, window)) == instants(one) & instants([window])
    around = hull(one)
    assert (around is None) == (not instants(one))
    if around is not None:
        assert around == Interval(min(instants(one)), max(instants(one)) + 1)
