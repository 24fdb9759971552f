"""Many systems at once."""

from collections.abc import Callable

import pytest

from tachograph.scoring.stats import Trial, compare, compare_all

Make = Callable[..., list[Trial]]


def systems(make: Make) -> dict[str, list[Trial]]:
    """Of 20 tasks `weak` solves none, `mid` the first six and `strong` all but one; `mid` beats `weak` by p = 0.03 alone."""
    solved = {"strong": 19, "mid": 6, "weak": 0}
    return {
        name: make({f"t{number:02}": [float(number < count)] for number in range(20)}) for name, count in solved.items()
    }


def test_verdicts_hold_together(make: Make) -> None:
    """What is significant alone is not when it is one of many: p = 0.03125 becomes 0.0625 with Holm."""
    runs = systems(make) | {"idle": make({f"t{number:02}": [float(number == 19)] for number in range(20)})}
    found = {(pair.a, pair.b): pair for pair in compare_all(runs)}
    alone, pair = compare(runs["mid"], runs["weak"]), found["mid", "weak"]
    assert (alone.verdict, alone.p_value) == ("a", 0.03125)
    assert pair.comparison == alone
    assert pair.verdict == "not separable"
    assert pair.adjusted_p_value is not None
    assert pair.adjusted_p_value > 0.05
    assert found["strong", "weak"].verdict == "a"


def test_each_pair_once_in_the_order_of_names(make: Make) -> None:
    """Whatever order the systems come in."""
    runs = systems(make)
    found = compare_all(runs)
    assert [(pair.a, pair.b) for pair in found] == [("mid", "strong"), ("mid", "weak"), ("strong", "weak")]
    assert compare_all(dict(reversed(runs.items()))) == found


def test_one_pair_is_the_comparison(make: Make) -> None:
    """Holm changes nothing where there is nothing to adjust for."""
    runs = systems(make)
    (pair,) = compare_all({"mid": runs["mid"], "weak": runs["weak"]})
    assert (pair.verdict, pair.adjusted_p_value) == (pair.comparison.verdict, pair.comparison.p_value)


@pytest.mark.parametrize("names", [[], ["strong"]])
def test_fewer_than_two_are_no_pair(make: Make, names: list[str]) -> None:
    """No pair, no error."""
    runs = systems(make)
    assert compare_all({name: runs[name] for name in names}) == ()


def test_a_pair_without_common_tasks_has_no_verdict(make: Make) -> None:
    """And takes nothing from the others."""
    runs = systems(make)
    found = {
        (pair.a, pair.b): pair
        for pair in compare_all({"mid": runs["mid"], "other": make({"else": [1.0]}), "weak": runs["weak"]})
    }
    assert (found["mid", "other"].verdict, found["mid", "other"].adjusted_p_value) == ("not separable", None)
    assert found["mid", "weak"].adjusted_p_value == 0.03125
