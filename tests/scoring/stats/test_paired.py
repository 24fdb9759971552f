"""Two systems on the same tasks."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from tachograph.scoring.stats import Flip, Interval, Trial, clustered_error, compare, mcnemar, sign_flip
from tachograph.traces import InputError

Make = Callable[..., list[Trial]]
Tasks = Mapping[str, Sequence[float | None]]


def same(value: float | None, tasks: int, runs: int = 1) -> dict[str, list[float | None]]:
    return {f"t{number}": [value] * runs for number in range(tasks)}


def test_a_clear_difference_is_one(make: Make) -> None:
    """Ten tasks to none: McNemar alone tells, as the tasks show no spread to draw from."""
    found = compare(make(same(1.0, 10)), make(same(0.0, 10)))
    assert (found.verdict, found.difference, found.test, found.p_value) == ("a", 1.0, "mcnemar", 2 / 1024)
    assert (found.interval, found.reason) == (None, "all tasks say the same, so that their spread is not known")
    assert compare(make(same(0.0, 10)), make(same(1.0, 10))).verdict == "b"


def test_a_small_difference_is_not_separable(make: Make) -> None:
    """Three tasks to one is what chance gives, too: no rank."""
    a = {"t1": [1.0], "t2": [1.0], "t3": [1.0], "t4": [0.0], "t5": [1.0]}
    b = {"t1": [0.0], "t2": [0.0], "t3": [0.0], "t4": [1.0], "t5": [1.0]}
    found = compare(make(a), make(b))
    assert (found.verdict, found.difference, found.p_value) == ("not separable", 0.4, 0.625)
    assert found.interval
    assert found.interval.holds(0)


def test_three_tasks_prove_nothing(make: Make) -> None:
    """All for A, and yet p is 0.25: an interval of no width must not decide."""
    found = compare(make(same(1.0, 3)), make(same(0.0, 3)))
    assert (found.verdict, found.p_value) == ("not separable", 0.25)


def test_both_the_interval_and_the_test_must_say_so(make: Make) -> None:
    """Seven of eight differ in one direction: p is 0.0156 and the interval above 0."""
    a = same(1.0, 8)
    b: dict[str, list[float | None]] = {task: [float(task == "t0")] for task in a}
    found = compare(make(a), make(b))
    assert found.interval
    assert found.interval.low > 0
    assert (found.p_value, found.verdict) == (mcnemar(7, 0), "a")


def test_reruns_are_averaged_first(make: Make) -> None:
    """Each task weighs the same; the error is Miller's for paired differences; signs are flipped by task."""
    a = {"t1": [1.0, 1.0, 0.0], "t2": [1.0, 1.0, 1.0], "t3": [0.0, 0.0, 1.0], "t4": [1.0]}
    b = {"t1": [0.0, 0.0, 0.0], "t2": [0.0, 1.0, 1.0], "t3": [0.0, 1.0, 0.0], "t4": [1.0, 0.0]}
    found = compare(make(a), make(b))
    differences = [2 / 3, 1 / 3, 0.0, 0.5]
    assert found.difference == pytest.approx(sum(differences) / 4)
    assert found.error == pytest.approx(clustered_error([[difference] for difference in differences]))
    assert (found.test, found.p_value) == ("sign flip", sign_flip(differences))
    assert found.a is not None
    assert found.b is not None
    assert found.difference == pytest.approx(found.a - found.b)


def test_flips_are_named(make: Make) -> None:
    """Task by task: where the means differ, and what one alone could solve."""
    a = {"x": [1.0, 0.0], "y": [1.0, 1.0], "z": [0.0, 0.0], "w": [1.0, 1.0]}
    b = {"x": [0.0, 0.0], "y": [1.0, 0.0], "z": [1.0, 1.0], "w": [1.0, 1.0]}
    found = compare(make(a), make(b))
    assert (found.only_a, found.only_b) == (("x",), ("z",))
    assert found.flips == (Flip(task="x", a=0.5, b=0.0), Flip(task="y", a=1.0, b=0.5), Flip(task="z", a=0.0, b=1.0))


def test_what_was_not_measured_did_not_fail(make: Make) -> None:
    """A run without a value is no flip: the other side may have solved it, too."""
    found = compare(make({"x": [1.0], "y": [1.0, 1.0]}), make({"x": [None], "y": [None, 0.0]}))
    assert (found.only_a, found.only_b) == ((), ())
    assert [flip.task for flip in found.flips] == ["y"]


def test_tasks_of_one_side_are_named(make: Make) -> None:
    """Nothing is compared with nothing, and nothing is dropped in silence."""
    found = compare(make({"x": [1.0], "y": [1.0], "v": [1.0]}), make({"y": [0.0], "z": [1.0], "x": [None], "v": [1.0]}))
    assert (found.unpaired, found.unmeasured, found.missing_a, found.missing_b) == (("z",), ("x",), 0, 1)
    assert found.tasks == 3


def test_what_is_missing_may_have_been_anything(make: Make) -> None:
    """B's missing runs may have passed: a clear difference is none before they are known."""
    a = same(1.0, 12)
    known: dict[str, list[float | None]] = {task: [0.0] for task in a}
    unknown = known | {f"t{number}": [None] for number in range(8)}
    assert compare(make(a), make(known)).verdict == "a"
    found = compare(make(a), make(unknown))
    assert (found.verdict, found.missing_b, found.difference) == ("not separable", 8, 1.0)
    assert found.p_value == mcnemar(4, 0)


def test_what_may_be_no_difference_is_no_evidence(make: Make) -> None:
    """Had B's missing runs gone one way it were worse, had they gone the other it were better: so p is 1, not small twice."""
    a: dict[str, list[float | None]] = {f"t{number:02}": [float(number < 13)] for number in range(25)}
    b: dict[str, list[float | None]] = {task: [1.0 if task == "t00" else None] for task in a}
    found = compare(make(a), make(b))
    assert (found.p_value, found.verdict) == (1.0, "not separable")
    assert found.interval
    assert found.interval.holds(0)


def test_without_limits_what_is_missing_is_left_out(make: Make) -> None:
    """Seconds and tokens have no worst: the numbers are of what was measured, and say of how much."""
    a = {"x": [10.0, None], "y": [20.0], "z": [None]}
    b = {"x": [12.0], "y": [26.0], "z": [5.0]}
    found = compare(make(a), make(b), limits=None, better="lower")
    assert (found.difference, found.tasks, found.missing_a, found.unmeasured) == (-4.0, 2, 2, ("z",))
    assert found.interval == Interval(-6.0, -2.0)


def test_lower_may_be_better(make: Make) -> None:
    """The verdict names who is better, whichever way the axis runs."""
    a = {f"t{number}": [100.0 + number] for number in range(10)}
    b = {f"t{number}": [150.0 + 3 * number] for number in range(10)}
    assert compare(make(a), make(b), limits=None, better="lower").verdict == "a"
    assert compare(make(b), make(a), limits=None, better="lower").verdict == "b"
    assert compare(make(b), make(a), limits=None).verdict == "a"


def test_a_missing_run_counts_as_the_worst_for_both(make: Make) -> None:
    """For an axis where lower is better that is its highest value."""
    found = compare(make({"x": [None, 0.2], "y": [0.0]}), make({"x": [0.2], "y": [0.0]}), better="lower")
    assert found.difference == pytest.approx(0.2)
    assert compare(make({"x": [None, 1.0]}), make({"x": [1.0]})).difference == -0.5


def test_values_beyond_the_limits_are_refused(make: Make) -> None:
    """Seconds compared as if they were shares would make a lie of every bound."""
    with pytest.raises(InputError, match="lies outside 0 to 1; an axis without limits is compared with limits=None"):
        compare(make({"x": [12.0]}), make({"x": [1.0]}))
    with pytest.raises(InputError, match="give the lowest value, then the highest"):
        compare(make({"x": [1.0]}), make({"x": [1.0]}), limits=(1.0, 0.0))


@pytest.mark.parametrize(
    ("a", "b"), [({}, {}), ({"x": [1.0]}, {"y": [1.0]}), ({"x": [None]}, {"x": [None]}), ({"x": [1.0]}, {"x": [None]})]
)
def test_nothing_in_common_is_none(make: Make, a: Tasks, b: Tasks) -> None:
    """No number at all, a reason, and no verdict for either."""
    found = compare(make(a), make(b))
    assert (found.difference, found.a, found.b, found.error, found.interval, found.detectable) == (None,) * 6
    assert (found.p_value, found.test, found.tasks, found.verdict) == (None, None, 0, "not separable")
    assert found.reason == "no task has a value of both"


def test_one_task_is_no_comparison(make: Make) -> None:
    """However often it was run."""
    found = compare(make({"x": [1.0] * 20}), make({"x": [0.0] * 20}))
    assert (found.verdict, found.difference, found.error, found.p_value) == ("not separable", 1.0, None, 1.0)


def test_two_that_are_alike(make: Make) -> None:
    """Not separable, with the difference 0 and no spread."""
    found = compare(make(same(1.0, 5)), make(same(1.0, 5)))
    assert (found.verdict, found.difference, found.p_value, found.detectable) == ("not separable", 0.0, 1.0, None)
