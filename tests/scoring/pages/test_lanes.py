"""Lanes: whatever spans there are, none covers another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring.pages._lanes import Stretch, assign_lanes


@st.composite
def stretches(draw: st.DrawFn) -> list[Stretch]:
    count = draw(st.integers(0, 30))
    parents = st.none() | st.integers(0, count - 1) if count else st.none()
    found = []
    for _ in range(count):
        start = draw(st.integers(0, 50))
        found.append(Stretch(start, start + draw(st.integers(-5, 20)), draw(parents)))
    return found


def is_above(spans: list[Stretch], place: int) -> bool:
    """Whether a span is its own parent, by however many others."""
    seen, at = set(), spans[place].parent
    while at is not None and at not in seen:
        seen.add(at)
        at = spans[at].parent
    return at is not None


@given(stretches())
def test_no_two_spans_of_a_lane_overlap(spans: list[Stretch]) -> None:
    """Each moment of a lane belongs to one span; a span without length takes a moment, too."""
    lanes = assign_lanes(spans)
    for lane in set(lanes):
        own = sorted(
            (span.start, max(span.end, span.start + 1)) for span, at in zip(spans, lanes, strict=True) if at == lane
        )
        assert all(before[1] <= after[0] for before, after in pairwise(own))


@given(stretches())
def test_a_span_is_below_its_parent(spans: list[Stretch]) -> None:
    """Who looks for what a span did looks down. Parents in a circle have no order, and end nothing."""
    lanes = assign_lanes(spans)
    for place, span in enumerate(spans):
        if span.parent is not None and not is_above(spans, place):
            assert lanes[place] > lanes[span.parent]


def test_spans_in_a_row_share_a_lane() -> None:
    """A run of calls one after the other is one lane, however many they are: the timeline stays flat."""
    spans = [Stretch(0, 1000, None), *(Stretch(at * 10, at * 10 + 10, 0) for at in range(50))]
    assert set(assign_lanes(spans)[1:]) == {1}


def test_what_overlaps_goes_down_one_lane_each() -> None:
    """Three at once take three lanes, and the one after them the first that is free."""
    spans = [Stretch(0, 10, None), Stretch(1, 5, None), Stretch(2, 4, None), Stretch(6, 8, None)]
    assert assign_lanes(spans) == [0, 1, 2, 1]
