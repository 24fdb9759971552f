"""Means and their standard errors."""

import math
from collections.abc import Callable, Sequence

import pytest

from tachograph.scoring.stats import Trial, clustered_error, clustered_mean

Make = Callable[..., list[Trial]]
PASSES: list[list[float]] = [[1, 0, 1], [1, 0], [0, 1], [1, 1, 0], [0, 0, 0, 0], [1]]
SECONDS: list[list[float]] = [[3.5, 1.25], [2.0, 2.5, 9.75], [0.5]]


def named(clusters: Sequence[Sequence[float]]) -> dict[str, Sequence[float]]:
    return {f"t{number}": cluster for number, cluster in enumerate(clusters)}


@pytest.mark.parametrize(
    ("clusters", "expected"),
    [
        (PASSES, (0.4666666666666666, 0.1548810774373298, 0.0685321823224852, 0.864801151010848)),
        (SECONDS, (3.2500000000000013, 1.1342214657346834, -1.63016108568377, 8.130161085683772)),
    ],
)
def test_as_statsmodels_has_it(make: Make, clusters: list[list[float]], expected: tuple[float, ...]) -> None:
    """Value, error and interval of clusters of different sizes, with the correction for few clusters.

    From statsmodels 0.15.0: `params`, `bse` and `conf_int()` of `OLS(y, ones).fit(cov_type="cluster", use_t=True,
    cov_kwds={"groups": g, "df_correction": True})`.
    """
    found = clustered_mean(make(named(clusters)))
    assert found.interval
    assert (found.value, found.error, found.interval.low, found.interval.high) == pytest.approx(expected, rel=1e-9)
    assert (found.n, found.tasks, found.missing, found.reason) == (sum(map(len, clusters)), len(clusters), 0, None)


def test_errors_as_if_independent(make: Make) -> None:
    """The usual s/sqrt(n), to be compared with the clustered one: `OLS(y, ones).fit().bse` of statsmodels 0.15.0."""
    assert clustered_mean(make(named(SECONDS))).independent_error == pytest.approx(1.3662601021279468, rel=1e-12)


def test_one_run_a_task_is_the_usual_error(make: Make) -> None:
    """Miller's formulas agree where there is nothing to cluster."""
    found = clustered_mean(make(named([[1], [0], [0], [1], [1]])))
    assert found.error == found.independent_error == pytest.approx(math.sqrt(0.6 * 0.4 / 4))


def test_averaging_reruns_first_is_the_same(make: Make) -> None:
    """With as many runs of each task the clustered error is that of the task means (Miller 2024, section 3)."""
    rerun = clustered_mean(make(named([[1, 0, 1], [0, 0, 1], [1, 1, 1]])))
    means = clustered_mean(make(named([[2 / 3], [1 / 3], [1]])))
    assert rerun.error == pytest.approx(means.error, rel=1e-12)


@pytest.mark.parametrize(
    ("tasks", "value", "reason"),
    [
        ({}, None, "no run has a value"),
        ({"a": [None]}, None, "no run has a value"),
        ({"a": [1.0, 3.0]}, 2.0, "one task does not tell how tasks differ"),
    ],
)
def test_what_is_not_known_is_none(
    make: Make, tasks: dict[str, list[float | None]], value: float | None, reason: str
) -> None:
    """No NaN, no 0, and a reason: one task has a mean, but no error."""
    found = clustered_mean(make(tasks))
    assert (found.value, found.error, found.interval, found.reason) == (value, None, None, reason)


def test_no_spread_is_no_certainty(make: Make) -> None:
    """Three tasks that say the same have the error 0, and no interval of no width."""
    found = clustered_mean(make({"a": [0.1], "b": [0.1], "c": [0.1]}))
    assert (found.value, found.error, found.interval) == (0.1, 0.0, None)
    assert found.reason == "all tasks say the same, so that their spread is not known"


def test_a_missing_value_is_left_out_and_counted(make: Make) -> None:
    """It is not 0: the mean is that of the others."""
    found = clustered_mean(make({"a": [4.0, None], "b": [2.0]}))
    assert (found.value, found.n, found.missing) == (3.0, 2, 1)


def test_rounding_makes_no_error_out_of_none() -> None:
    """Sums are exact: clusters that agree have an error of 0, not of 1e-17."""
    assert clustered_error([[0.1, 0.7], [0.7, 0.1], [0.1, 0.7]]) == 0.0
    assert clustered_error([[1e16, 1.0], [1e16, 1.0]]) == 0.0
