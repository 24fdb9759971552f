"""What one run is to statistics, and what is refused."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.scoring.stats import Trial, by_task
from tachograph.traces import InputError


def test_runs_come_in_one_order() -> None:
    """By task, then by run id, whatever order they came in."""
    runs = [Trial(task=task, run_id=run_id, value=1.0) for task, run_id in (("b", "1"), ("a", "3"), ("a", "2"))]
    assert [(task, [run.run_id for run in group]) for task, group in by_task(runs).items()] == [
        ("a", ["2", "3"]),
        ("b", ["1"]),
    ]
    assert list(by_task(runs)) == list(by_task(reversed(runs)))


@pytest.mark.parametrize("second_task", ["t", "other"])
def test_a_run_counts_once(second_task: str) -> None:
    """The same run twice would make the numbers look surer than they are."""
    runs = [Trial(task="t", run_id="r1", value=1.0), Trial(task=second_task, run_id="r1", value=1.0)]
    with pytest.raises(InputError, match="run r1: given more than once"):
        by_task(runs)


@pytest.mark.parametrize(
    "fields", [{"value": math.nan}, {"value": math.inf}, {"value": 1.0, "amount": math.nan}], ids=str
)
def test_what_is_no_number_is_refused(fields: dict[str, Any]) -> None:
    """What is not known is None: a NaN would make every sum NaN."""
    with pytest.raises(InputError, match="is no number; None is for what is not known"):
        Trial(task="t", run_id="r1", **fields)


def test_nobody_uses_less_than_nothing() -> None:
    """A ratio of amounts has no meaning below 0."""
    with pytest.raises(InputError, match="below 0"):
        Trial(task="t", run_id="r1", value=1.0, amount=-1)


def test_a_trial_is_made_of_what_a_scorecard_has(make: Callable[..., list[Trial]]) -> None:
    """A run without a value is a trial, too: absent is not zero, and is counted."""
    (known, absent) = make({"t": [0.0, None]})
    assert known.value == 0.0
    assert absent.value is None
