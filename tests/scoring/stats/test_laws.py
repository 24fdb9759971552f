"""What holds for all statistics, whatever the runs."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tachograph.scoring import stats
from tachograph.scoring.stats import Interval, Trial

Make = Callable[..., list[Trial]]
Values = Mapping[str, Sequence[float | None]]

passes = st.sampled_from([0.0, 1.0, 1.0, 0.0, 0.5, None])
sets = st.dictionaries(st.sampled_from("abcdefgh"), st.lists(passes, min_size=1, max_size=4), min_size=1)
amounts = st.one_of(st.none(), st.floats(0, 1e9))
anything = st.dictionaries(
    st.sampled_from("abcdefgh"), st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4), min_size=1
)
STATISTICS: Mapping[str, Callable[[Sequence[Trial], Sequence[Trial]], Any]] = {
    "rate": lambda a, _: stats.rate(a),
    "rate of planned": lambda a, _: stats.rate(a, planned=len(a) + 2),
    "mean": lambda a, _: stats.clustered_mean(a),
    "per_solved": lambda a, _: stats.per_solved(a),
    "pass_at": lambda a, _: stats.mean_pass_at(a, 2),
    "pass_power": lambda a, _: stats.mean_pass_power(a, 2),
    "flakiness": lambda a, _: stats.flakiness(a),
    "compare": stats.compare,
    "compare_all": lambda a, b: stats.compare_all({"a": a, "b": b, "half": a[::2]}),
}
"""Of two sets of runs."""


def numbers_in(thing: Any) -> Iterator[float]:
    """All numbers of a result, however deep."""
    if isinstance(thing, float):
        yield thing
    elif isinstance(thing, Mapping):
        for value in thing.values():
            yield from numbers_in(value)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from numbers_in(value)


def lose(runs: Sequence[Trial], place: int) -> list[Trial]:
    """The same runs, one of which says nothing any more."""
    return [replace(run, value=None) if number == place % len(runs) else run for number, run in enumerate(runs)]


@pytest.mark.parametrize("name", [name for name in STATISTICS if name != "compare_all"])
@settings(max_examples=40, deadline=None)
@given(
    both=st.tuples(sets, sets),
    source=st.randoms(use_true_random=False),
    used=st.lists(amounts, min_size=32, max_size=32),
)
def test_the_order_of_runs_changes_no_bit(
    make: Make, name: str, both: tuple[Values, Values], source: Random, used: list[float | None]
) -> None:
    """Shuffled runs give the same result: every number of it, every name, every reason."""
    ours = [replace(run, amount=amount) for run, amount in zip(make(both[0]), used, strict=False)]
    theirs = make(both[1])
    expected = STATISTICS[name](ours, theirs)
    source.shuffle(ours)
    source.shuffle(theirs)
    assert repr(STATISTICS[name](ours, theirs)) == repr(expected)


@settings(max_examples=60, deadline=None)
@given(values=anything, source=st.randoms(use_true_random=False))
def test_the_order_changes_no_bit_of_a_mean(make: Make, values: Values, source: Random) -> None:
    """Of numbers of any size, whose sums would be rounded differently in another order."""
    runs = make(values)
    expected = stats.clustered_mean(runs), stats.compare(runs, runs[::-2], limits=None)
    source.shuffle(runs)
    found = stats.clustered_mean(runs)
    assert repr(found) == repr(expected[0])
    kept = {run.run_id for run in make(values)[::-2]}
    assert repr(stats.compare(runs, [run for run in runs if run.run_id in kept], limits=None)) == repr(expected[1])


@pytest.mark.parametrize("name", STATISTICS)
@settings(max_examples=40, deadline=None)
@given(a=sets, b=sets)
def test_every_number_is_one(make: Make, name: str, a: Values, b: Values) -> None:
    """No NaN and no infinity: what is not known is None."""
    found = STATISTICS[name](make(a), make(b))
    told = [asdict(one) for one in found] if isinstance(found, tuple) else asdict(found)
    assert all(math.isfinite(number) for number in numbers_in(told))


@settings(max_examples=80, deadline=None)
@given(a=sets, b=sets)
def test_intervals_hold_their_estimates(make: Make, a: Values, b: Values) -> None:
    """None lies beside what it is about."""
    ours = make(a)
    found, mean, price, paired = (
        stats.rate(ours),
        stats.clustered_mean(ours),
        stats.per_solved(ours),
        stats.compare(ours, make(b)),
    )
    told: list[tuple[Interval | None, float | None]] = [
        (found.interval, found.strict),
        (found.interval, found.conditional),
        (found.interval, found.value),
        (mean.interval, mean.value),
        (price.interval, price.value),
        (paired.interval, paired.difference),
    ]
    for interval, estimate in told:
        assert interval is None or (estimate is not None and interval.holds(estimate))


@settings(max_examples=100, deadline=None)
@given(values=sets, place=st.integers(0, 31))
def test_no_missing_value_raises_a_rate(make: Make, values: Values, place: int) -> None:
    """Losing what a run said lowers the strict rate and the low end, or leaves them, and lowers no high end."""
    runs = make(values)
    before, after = stats.rate(runs), stats.rate(lose(runs, place))
    assert after.strict is None or (before.strict is not None and after.strict <= before.strict)
    assume(before.interval is not None and after.interval is not None)
    assert before.interval
    assert after.interval
    assert before.interval.high is not None
    assert after.interval.high is not None
    assert after.interval.low <= before.interval.low
    assert after.interval.high >= before.interval.high


@settings(max_examples=100, deadline=None)
@given(values=sets, place=st.integers(0, 31), k=st.integers(1, 3))
def test_no_missing_value_raises_pass_at_k(make: Make, values: Values, place: int, k: int) -> None:
    """Nor pass^k; and the price of a solved task is not lowered."""
    runs = make(values)
    for estimate in (stats.mean_pass_at, stats.mean_pass_power):
        before, after = estimate(runs, k).value, estimate(lose(runs, place), k).value
        assert after is None or (before is not None and after <= before)
    price, dearer = stats.per_solved(runs).value, stats.per_solved(lose(runs, place)).value
    assert dearer is None or (price is not None and dearer >= price)


@settings(max_examples=100, deadline=None)
@given(a=sets, b=sets, place=st.integers(0, 31))
def test_no_missing_value_helps_in_a_comparison(make: Make, a: Values, b: Values, place: int) -> None:
    """Whichever side loses what a run said, the interval of the difference only grows."""
    ours, theirs = make(a), make(b)
    before = stats.compare(ours, theirs).interval
    for after in (stats.compare(lose(ours, place), theirs).interval, stats.compare(ours, lose(theirs, place)).interval):
        if before is not None and after is not None:
            assert before.high is not None
            assert after.high is not None
            assert after.low <= before.low
            assert after.high >= before.high


@settings(max_examples=60, deadline=None)
@given(values=sets, place=st.integers(0, 31))
def test_an_amount_that_is_missing_is_never_a_saving(make: Make, values: Values, place: int) -> None:
    """It lowers the number, which then says that it is a lower bound and has no high end."""
    runs = make(values)
    lost = [replace(run, amount=None) if number == place % len(runs) else run for number, run in enumerate(runs)]
    found = stats.per_solved(lost)
    assert found.value is None or found.is_lower_bound
    assert found.interval is None or found.interval.high is None


@settings(max_examples=60, deadline=None)
@given(a=sets, b=sets)
def test_a_comparison_has_two_sides(make: Make, a: Values, b: Values) -> None:
    """B against A is A against B, seen from the other side."""
    one, other = stats.compare(make(a), make(b)), stats.compare(make(b), make(a))
    turned = {"a": "b", "b": "a", "not separable": "not separable"}
    assert other.verdict == turned[one.verdict]
    assert other.p_value == one.p_value
    assert (other.only_a, other.only_b) == (one.only_b, one.only_a)
    assert other.difference == (None if one.difference is None else -one.difference)


@settings(max_examples=60, deadline=None)
@given(values=sets)
def test_whoever_is_compared_with_himself_is_alike(make: Make, values: Values) -> None:
    """No verdict, and a difference of 0 unless something is missing."""
    found = stats.compare(make(values), make(values))
    assert found.verdict == "not separable"
    assert found.difference in (None, 0.0)
    assert found.flips == ()
