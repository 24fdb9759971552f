"""pass@k, pass^k and flakiness."""

import math
from collections.abc import Callable

import pytest

from tachograph.scoring.stats import Trial, flakiness, mean_pass_at, mean_pass_power, pass_at, pass_power
from tachograph.traces import InputError

Make = Callable[..., list[Trial]]


@pytest.mark.parametrize(("n", "c", "k"), [(10, 3, 1), (10, 3, 5), (200, 7, 100), (5, 5, 5), (5, 0, 5), (200, 199, 2)])
def test_pass_at_k_is_chens_product(n: int, c: int, k: int) -> None:
    """The program of Chen et al. (2021, figure 3): 1 - prod(1 - k / arange(n - c + 1, n + 1)), and 1 if n - c < k."""
    product = 1.0 if n - c < k else 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))
    assert pass_at(n, c, k) == pytest.approx(product, abs=1e-12)


def test_pass_at_1_is_the_rate() -> None:
    """To the last bit."""
    assert all(pass_at(n, c, 1) == c / n for n in range(1, 30) for c in range(n + 1))


def test_pass_power_k() -> None:
    """Yao et al. (2024): C(c,k)/C(n,k)."""
    assert pass_power(4, 3, 2) == 0.5
    assert pass_power(4, 1, 2) == 0.0
    assert pass_power(8, 6, 4) == pytest.approx(15 / 70)


def test_below_k_there_is_nothing() -> None:
    """Two attempts do not tell what three would give."""
    assert pass_at(2, 2, 3) is None
    assert pass_power(2, 2, 3) is None


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 0), (-1, 0, 1)])
def test_impossible_counts_are_refused(n: int, c: int, k: int) -> None:
    """For both."""
    for estimate in (pass_at, pass_power):
        with pytest.raises(InputError):
            estimate(n, c, k)


def test_tasks_with_too_few_runs_are_left_out_and_counted(make: Make) -> None:
    """A mean over the others only, and how many those are."""
    found = mean_pass_at(make({"a": [1.0, 0.0], "b": [1.0], "c": [0.0, 0.0]}), 2)
    assert (found.value, found.tasks, found.left_out) == (0.5, 2, 1)
    assert found.by_task == {"a": 1.0, "b": None, "c": 0.0}
    assert mean_pass_power(make({"a": [1.0, 0.0], "c": [1.0, 1.0]}), 2).value == 0.5


def test_each_task_weighs_the_same(make: Make) -> None:
    """However often it was run."""
    assert mean_pass_at(make({"a": [1.0] * 9, "b": [0.0]}), 1).value == 0.5


def test_a_run_without_a_value_is_no_pass(make: Make) -> None:
    """Had it been left out, losing a failure would raise the number; so it makes a lower bound of it."""
    found = mean_pass_at(make({"a": [1.0, 0.0, None]}), 1)
    assert (found.value, found.is_lower_bound, found.missing) == (1 / 3, True, 1)
    assert not mean_pass_at(make({"a": [1.0, 0.0, 0.0]}), 1).is_lower_bound


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [({"a": [1.0]}, "no task has 2 runs"), ({"a": [None, None]}, "no run has a value"), ({}, "no run has a value")],
)
def test_nothing_known_is_none(make: Make, tasks: dict[str, list[float | None]], reason: str) -> None:
    """With the reason, and never 0."""
    for found in (mean_pass_at(make(tasks), 2), mean_pass_power(make(tasks), 2)):
        assert (found.value, found.is_lower_bound, found.reason) == (None, False, reason)


def test_flakiness_is_the_share_of_tasks_between_never_and_always(make: Make) -> None:
    """Of those with two measured runs: one run cannot disagree with itself."""
    found = flakiness(make({"a": [1.0, 0.0], "b": [1.0, 1.0], "c": [0.0, 0.0], "d": [1.0], "e": [1.0, None]}))
    assert (found.value, found.tasks, found.left_out) == (1 / 3, 3, 2)
    assert [task for task, flaky in found.by_task.items() if flaky] == ["a"]
    assert flakiness(make({"a": [1.0]})).value is None
