"""How much it takes to see a difference."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from tachograph.scoring.stats import Design, Trial, compare, detectable_difference, tasks_needed
from tachograph.traces import InputError

Make = Callable[..., list[Trial]]


def design(runs: float) -> Design:
    """Miller's example: w² = 1/9, s² = 1/6."""
    return Design(between_tasks=1 / 9, within_a=1 / 6, within_b=1 / 6, runs_a=runs, runs_b=runs)


def test_millers_example() -> None:
    """Miller (2024, section 5): 969 tasks show 3 points with four chances in five, if reruns leave no noise within tasks."""
    assert tasks_needed(design(math.inf), 0.03) == 969


def test_what_a_usual_benchmark_can_show() -> None:
    """25 tasks of three runs each: no less than 26 points."""
    found = detectable_difference(design(3), 25)
    assert found == pytest.approx(0.2641, abs=5e-5)


def test_the_two_are_inverse() -> None:
    """So many tasks show that difference, one fewer does not."""
    for difference in (0.05, -0.1, 0.26):
        tasks = tasks_needed(design(3), difference)
        assert tasks is not None
        enough, too_few = detectable_difference(design(3), tasks), detectable_difference(design(3), tasks - 1)
        assert enough is not None
        assert too_few is not None
        assert enough <= abs(difference) < too_few


def test_no_number_of_tasks_shows_nothing() -> None:
    """None where there is no answer."""
    assert tasks_needed(design(1), 0.0) is None
    assert detectable_difference(design(1), 0) is None


def test_more_certainty_takes_more_tasks() -> None:
    """More runs, fewer tasks; more power or confidence, more."""
    usual = tasks_needed(design(3), 0.1)
    assert usual is not None
    for harder in (
        tasks_needed(design(1), 0.1),
        tasks_needed(design(3), 0.1, power=0.9),
        tasks_needed(design(3), 0.1, level=0.99),
    ):
        assert harder is not None
        assert harder > usual


@pytest.mark.parametrize("change", [{"between_tasks": -1.0}, {"within_b": -0.1}, {"runs_a": 0}], ids=str)
def test_impossible_designs_are_refused(change: dict[str, Any]) -> None:
    """A variance below 0, a task without a run."""
    fields = {"between_tasks": 0.1, "within_a": 0.1, "within_b": 0.1, "runs_a": 1, "runs_b": 1}
    with pytest.raises(InputError):
        Design(**(fields | change))


def test_power_lies_between_0_and_1() -> None:
    """80 for 80 % is the likely slip."""
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        tasks_needed(design(1), 0.1, power=80)


def test_a_comparison_tells_what_it_could_have_shown(make: Make) -> None:
    """(z_alpha/2 + z_beta) standard errors: 2.80 of them at 95 % and four in five."""
    tasks = {f"t{number}": [float(number % 3 == 0)] for number in range(12)}
    found = compare(make(tasks), make({task: [1.0] for task in tasks}))
    assert found.error
    assert found.detectable == pytest.approx(2.8015852 * found.error, rel=1e-6)
