"""The share of runs that solved their task, and what is missing of it."""

from collections.abc import Callable

import pytest

from tachograph.scoring.stats import Trial, rate, wilson
from tachograph.traces import InputError

Make = Callable[..., list[Trial]]


def test_all_denominators_are_there(make: Make) -> None:
    """Strict counts what says nothing as not solved, conditional leaves it out, coverage says how much that is."""
    found = rate(make({"a": [1.0, 0.0], "b": [None, 1.0]}), planned=5)
    assert (found.strict, found.conditional, found.coverage) == (2 / 5, 2 / 3, 3 / 5)
    assert (found.solved, found.scored, found.planned, found.tasks) == (2, 3, 5, 2)


@pytest.mark.parametrize(
    ("absent", "headline", "value"), [(0, "conditional", 10 / 20), (1, "conditional", 10 / 19), (2, "strict", 10 / 20)]
)
def test_the_headline_is_strict_below_95_percent(make: Make, absent: int, headline: str, value: float) -> None:
    """19 of 20 scored is enough, 18 is not."""
    values: list[float | None] = [1.0] * 10 + [0.0] * (10 - absent) + [None] * absent
    found = rate(make({f"t{number}": [value] for number, value in enumerate(values)}))
    assert (found.headline, found.value) == (headline, value)


def test_one_run_a_task_is_wilson(make: Make) -> None:
    """Tasks are independent of one another."""
    found = rate(make({f"t{number}": [float(number < 20)] for number in range(25)}))
    assert found.interval == wilson(20, 25)
    assert found.reason is None


def test_reruns_are_not_new_tasks(make: Make) -> None:
    """Three runs each of tasks that are always or never solved tell little more than one run of each."""
    once = rate(make({f"t{number}": [float(number < 5)] for number in range(10)})).interval
    thrice = rate(make({f"t{number}": [float(number < 5)] * 3 for number in range(10)})).interval
    too_sure = wilson(15, 30)
    assert once
    assert thrice
    assert too_sure
    assert once.high is not None
    assert thrice.high is not None
    assert too_sure.high is not None
    assert thrice.high - thrice.low > 1.5 * (too_sure.high - too_sure.low)
    assert thrice.high - thrice.low > 0.95 * (once.high - once.low)


def test_all_solved_is_not_certainty(make: Make) -> None:
    """Five tasks solved three times each: as sure as five of five, not 100 % to 100 %."""
    found = rate(make({f"t{number}": [1.0, 1.0, 1.0] for number in range(5)}))
    assert (found.value, found.interval) == (1.0, wilson(5, 5))


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        ({"a": [1.0, 1.0, 1.0]}, "runs of one task|one task does not tell how tasks differ"),
        ({"a": [1.0, 0.0], "b": [0.0, 1.0]}, "all tasks say the same"),
        ({"a": [None]}, "no run was scored"),
        ({}, "no run was scored"),
    ],
)
def test_no_interval_without_a_spread(make: Make, tasks: dict[str, list[float | None]], reason: str) -> None:
    """Where tasks do not tell how far the rate can be trusted, that is said."""
    found = rate(make(tasks))
    assert found.interval is None
    assert found.reason
    assert any(part in found.reason for part in reason.split("|"))


def test_nothing_scored_is_no_rate(make: Make) -> None:
    """None, not 0 %: it was not measured."""
    found = rate(make({"a": [None, None]}))
    assert (found.value, found.strict, found.conditional, found.coverage) == (None, None, None, 0.0)
    assert rate([]).coverage is None


def test_the_interval_holds_whatever_is_missing(make: Make) -> None:
    """From the low end had all that is missing failed, to the high end had all of it been solved."""
    tasks: dict[str, list[float | None]] = {f"t{number}": [float(number < 8)] for number in range(16)}
    tasks |= {f"m{number}": [None] for number in range(4)}
    found = rate(make(tasks)).interval
    worst, best = wilson(8, 20), wilson(12, 20)
    assert found
    assert worst
    assert best
    assert (found.low, found.high) == (worst.low, best.high)


def test_a_run_that_never_began_is_as_one_without_a_value(make: Make) -> None:
    """Whether it is counted or named."""
    named = rate(make({"a": [1.0], "b": [0.0], "c": [None]}))
    counted = rate(make({"a": [1.0], "b": [0.0]}), planned=3)
    assert (named.strict, named.coverage, named.interval) == (counted.strict, counted.coverage, counted.interval)


def test_a_part_of_a_pass_is_no_pass(make: Make) -> None:
    """Solved is 1."""
    assert rate(make({"a": [0.9], "b": [1.0]})).strict == 0.5


def test_more_runs_than_planned_are_refused(make: Make) -> None:
    """A coverage above 1 would hide what is missing."""
    with pytest.raises(InputError, match="1 runs planned, but 2 given"):
        rate(make({"a": [1.0, 1.0]}), planned=1)
