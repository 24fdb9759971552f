"""Intervals of one proportion."""

import pytest

from tachograph.scoring.stats import rule_of_three, wilson
from tachograph.traces import InputError


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (3, 3, 0.43850296824495444, 1.0),
        (1, 1, 0.2065493143772374, 1.0),
        (20, 25, 0.6086904963045966, 0.9113941531319744),
        (81, 263, 0.2552885198782742, 0.36620957698280004),
        (15, 148, 0.06238639953073628, 0.16048724172330803),
        (0, 20, 0.0, 0.1611251580528194),
        (1, 29, 0.006113214292762667, 0.17175521879320294),
    ],
)
def test_wilson_as_elsewhere(successes: int, trials: int, low: float, high: float) -> None:
    """As `proportion_confint(k, n, method="wilson")` of statsmodels 0.15.0.

    The last four are the examples of Newcombe (1998, Statistics in Medicine 17, table I, method 3): .2553 to .3662, .0624 to
    .1605, .0000 to .1611, .0061 to .1718.
    """
    found = wilson(successes, trials)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)


def test_wilson_holds_its_proportion_and_stays_within_bounds() -> None:
    """Ends included, for every count: the ends are not to miss 0 or 1 by the last bit."""
    for trials in range(1, 40):
        for successes in range(trials + 1):
            found = wilson(successes, trials)
            assert found is not None
            assert found.high is not None
            assert 0 <= found.low <= successes / trials <= found.high <= 1
            assert found.holds(successes / trials)


def test_nothing_seen_of_nothing_is_no_interval() -> None:
    """None, not 0 to 1: there was no trial."""
    assert wilson(0, 0) is None
    assert rule_of_three(0) is None


def test_rule_of_three() -> None:
    """Hanley and Lippman-Hand (1983, JAMA 249): none in 14 patients leaves up to 21 %, none in 100 leaves 3 %."""
    assert rule_of_three(14) == pytest.approx(0.214, abs=5e-4)
    assert rule_of_three(100) == 0.03
    assert rule_of_three(2) == 1.0


@pytest.mark.parametrize(("successes", "trials"), [(4, 3), (-1, 3), (0, -1)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    """The message says the counts."""
    with pytest.raises(InputError, match=f"{successes} successes in {trials} trials"):
        wilson(successes, trials)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    """95 for 95 % is the likely slip."""
    with pytest.raises(InputError, match="must lie between 0 and 1"):
        wilson(1, 2, level)
