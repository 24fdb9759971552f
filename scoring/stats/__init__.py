"""Statistics over many runs. Nothing here depends on the order in which runs come, and nothing is drawn without its seed."""

from ._bootstrap import bootstrap_ratio
from ._flips import Flip
from ._interval import Interval
from ._means import Mean, clustered_error, clustered_mean
from ._paired import Comparison, Verdict, compare
from ._pairs import Pair, compare_all
from ._passes import OverTasks, flakiness, mean_pass_at, mean_pass_power, pass_at, pass_power
from ._power import Design, detectable_difference, tasks_needed
from ._proportions import rule_of_three, wilson
from ._rate import Rate, rate
from ._ratios import PerSolved, per_solved
from ._significance import holm, mcnemar, sign_flip
from ._trials import Trial, by_task

__all__ = [
    "Comparison",
    "Design",
    "Flip",
    "Interval",
    "Mean",
    "OverTasks",
    "Pair",
    "PerSolved",
    "Rate",
    "Trial",
    "Verdict",
    "bootstrap_ratio",
    "by_task",
    "clustered_error",
    "clustered_mean",
    "compare",
    "compare_all",
    "detectable_difference",
    "flakiness",
    "holm",
    "mcnemar",
    "mean_pass_at",
    "mean_pass_power",
    "pass_at",
    "pass_power",
    "per_solved",
    "rate",
    "rule_of_three",
    "sign_flip",
    "tasks_needed",
    "wilson",
]
