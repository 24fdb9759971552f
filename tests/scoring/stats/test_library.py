"""Without scipy: what works, and what is said of the rest."""

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["scipy"] = sys.modules["numpy"] = None  # as if neither were installed
from tachograph.scoring import stats
from tachograph.traces import InputError

runs = [stats.Trial(task=t, run_id=t + n, value=float(n > "0"), amount=5) for t in "abc" for n in "0123"]
print(stats.mean_pass_at(runs, 2).value, stats.flakiness(runs).value, stats.pass_power(4, 3, 2))
print(stats.rate(runs, level=None).value, stats.clustered_mean(runs, level=None).value)
print(stats.per_solved(runs, level=None).value, stats.holm({"a": 0.5}), stats.rule_of_three(30))
print(stats.tasks_needed(stats.Design(between_tasks=1, within_a=0, within_b=0, runs_a=1, runs_b=1), 1))
others = [*runs, stats.Trial(task="d", run_id="d0", value=1.0, amount=5)]
for needs in (
    lambda: stats.wilson(1, 2),
    lambda: stats.rate(others),
    lambda: stats.clustered_mean(others),
    lambda: stats.per_solved(others),
    lambda: stats.compare(runs, runs[:-1]),
    lambda: stats.sign_flip([1.0]),
    lambda: stats.mcnemar(1, 2),
):
    try:
        needs()
    except InputError as error:
        print(error)
"""


def test_what_needs_no_scipy_works_without_it_and_the_rest_says_what_to_install() -> None:
    """Since scipy is an extra: numbers need none, intervals and tests do, and say so."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == ["1.0 1.0 0.5", "0.75 0.75", "6.666666666666667 {'a': 0.5} 0.1", "8"]
    assert len(lines) == 4 + 7
    assert all(line.endswith("pip install 'tachograph[stats]'") for line in lines[4:])


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """Importing the scorers must not take the time that scipy takes."""
    program = "import sys; from tachograph.scoring import stats; print('scipy' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "False"]
