"""What a solved task costs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tachograph.scoring.stats import Trial, per_solved

Make = Callable[..., list[Trial]]


def test_failures_cost_too(make: Make) -> None:
    """All that was used over all that was solved: 100 + 200 + 100 tokens for one solved run."""
    found = per_solved(make({"a": [1.0, 0.0], "b": [0.0]}))
    assert (found.value, found.total, found.solved, found.runs, found.untold) == (400.0, 400.0, 1, 3, 0)
    assert not found.is_lower_bound


def test_nothing_solved_has_no_price(make: Make) -> None:
    """None: neither 0 nor infinity."""
    found = per_solved(make({"a": [0.0], "b": [0.0]}))
    assert (found.value, found.interval, found.reason) == (None, None, "no task was solved")


@pytest.mark.parametrize("change", [{"amount": None}, {"amount_bound": "lower"}, {"amount_bound": "upper"}], ids=str)
def test_what_is_not_told_makes_a_lower_bound(make: Make, change: dict[str, Any]) -> None:
    """A run that tells nothing, or no more than a bound: the value is as much or more, and has no high end."""
    runs = make({f"t{number}": [1.0, 0.0] for number in range(5)} | {"t9": [0.0, 0.0]})
    full, found = per_solved(runs), per_solved([replace(runs[0], **change), *runs[1:]])
    assert full.interval
    assert full.interval.high is not None
    assert found.interval
    assert (found.is_lower_bound, found.untold, found.interval.high) == (True, 1, None)
    assert found.reason == "what some runs used is not known, so there is no high end"
    assert found.value == (full.value if change == {"amount_bound": "lower"} else 1700 / 5)


def test_no_amount_at_all_is_none() -> None:
    """A solved task whose tokens nobody counted did not cost 0."""
    found = per_solved([Trial(task="a", run_id="1", value=1.0)])
    assert (found.value, found.total, found.is_lower_bound) == (None, None, False)
    assert found.reason == "no run tells what it used"
    assert per_solved([]).value is None


def test_a_run_that_was_not_scored_used_tokens(make: Make) -> None:
    """It solved nothing that anyone saw: the price only rises."""
    assert per_solved(make({"a": [1.0, None], "b": [1.0]})).value == 200.0


def test_an_interval_needs_several_tasks(make: Make) -> None:
    """And is about tasks, not about runs."""
    assert per_solved(make({"a": [1.0, 0.0, 1.0]})).interval is None
    found = per_solved(make({f"t{number}": [1.0, float(number % 2)] for number in range(12)}))
    assert found.interval
    assert found.value
    assert found.interval.high
    assert found.interval.low < found.value < found.interval.high
    assert found.reason is None


def test_solved_too_rarely_for_a_high_end(make: Make) -> None:
    """One task of six: it might as well have been none."""
    found = per_solved(make({"a": [1.0]} | {f"t{number}": [0.0] for number in range(5)}))
    assert found.interval
    assert found.interval.high is None
    assert found.reason == "too many draws of tasks solve nothing, so there is no high end"
