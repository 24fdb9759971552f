"""Tests of significance against published examples."""

import random

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tachograph.scoring.stats import holm, mcnemar, sign_flip
from tachograph.traces import InputError

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Eighths of an inch by which the cross-fertilised plant of each pair was taller."""


@pytest.mark.parametrize(
    ("only_a", "only_b", "p_value"),
    [
        (1, 7, 0.0703125),
        (6, 16, 0.052478790283203125),
        (86, 150, 3.7159361395713866e-05),
        (25, 15, 0.1538599441628321),
        (0, 5, 0.0625),
        (2, 1, 1.0),
    ],
)
def test_mcnemar_as_elsewhere(only_a: int, only_b: int, p_value: float) -> None:
    """As `mcnemar(table, exact=True).pvalue` of statsmodels 0.15.0, whichever side is named first.

    The first two are the examples of Fagerland et al. (2013, BMC Medical Research Methodology 13:91): 0.0703 and 0.0525; the
    third is Agresti's approval of the prime minister.
    """
    assert mcnemar(only_a, only_b) == pytest.approx(p_value, rel=1e-9)
    assert mcnemar(only_b, only_a) == pytest.approx(p_value, rel=1e-9)


def test_no_difference_is_no_evidence() -> None:
    """Two that never differ are as alike as can be."""
    assert mcnemar(0, 0) == 1.0
    assert sign_flip([]) == 1.0
    assert sign_flip([0.0, 0.0]) == 1.0


def test_counts_are_not_below_0() -> None:
    """Refused with what was given."""
    with pytest.raises(InputError, match="-1"):
        mcnemar(-1, 2)


def test_sign_flip_is_fishers() -> None:
    """Fisher, The Design of Experiments, section 21: of 32,768 ways 863 are at least as extreme on one side, 1,726 on both."""
    assert sign_flip(DARWIN) == 1726 / 32768


def test_sign_flip_as_scipy_has_it() -> None:
    """`scipy.stats.permutation_test(permutation_type="samples")`, exact, of differences that are no whole numbers."""
    differences = [1 / 3, -1 / 3, 2 / 3, 1.0, 1 / 3, 2 / 3, 0.0, -1 / 3, 1.0]
    expected = scipy_stats.permutation_test(
        (np.array(differences),),
        lambda x, axis: x.mean(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert sign_flip(differences) == pytest.approx(expected.pvalue, rel=1e-12)


def test_rounding_is_no_difference() -> None:
    """Thirds that add up to one third in every way, or to more: each way is as extreme, whatever the last bit says."""
    assert sign_flip([1 / 3, -1.0, -1 / 3, 2 / 3, 1 / 3, 1 / 3]) == 1.0


@pytest.mark.parametrize(("only_a", "only_b"), [(8, 2), (5, 0), (3, 3), (9, 7), (1, 0)])
def test_flipping_signs_of_passes_is_mcnemar(only_a: int, only_b: int) -> None:
    """With one run of each task the two tests are one."""
    assert sign_flip([1.0] * only_a + [-1.0] * only_b + [0.0] * 4) == pytest.approx(mcnemar(only_a, only_b), rel=1e-12)


def test_drawn_ways_come_near_to_all_ways() -> None:
    """Beyond 16 differences: 12 to 5 by drawing, against McNemar's 0.1435."""
    assert sign_flip([1.0] * 12 + [-1.0] * 5) == pytest.approx(mcnemar(12, 5), abs=0.01)
    assert sign_flip([1.0] * 40) == 1 / 10_000


def test_drawn_ways_do_not_hang_on_the_order() -> None:
    """The same differences give the same chance to the last bit."""
    differences = [number / 7 - 2 for number in range(30)]
    shuffled = random.Random(1).sample(differences, len(differences))
    assert sign_flip(shuffled) == sign_flip(differences)


def test_holm_as_elsewhere() -> None:
    """Four hypotheses, of which the first and the last are rejected at 5 %: the example of many textbooks.

    Adjusted as `multipletests([0.01, 0.04, 0.03, 0.005], method="holm")` of statsmodels 0.15.0 does.
    """
    found = holm({"h1": 0.01, "h2": 0.04, "h3": 0.03, "h4": 0.005})
    assert list(found) == ["h1", "h2", "h3", "h4"]
    assert list(found.values()) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_many() -> None:
    """The 15 p-values of Benjamini and Hochberg (1995, section 4.1), as statsmodels 0.15.0 adjusts them."""
    p_values = [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
        *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
    ]
    expected = [0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213, *[1.0] * 6]
    assert list(holm(dict(enumerate(p_values))).values()) == pytest.approx(expected)
    assert holm({}) == {}
