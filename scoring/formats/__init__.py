"""Runs in the forms that other tools read: pure functions from what was recorded and scored."""

from ._atif import atif_trajectory
from ._junit import junit
from ._sarif import sarif
from ._scored_run import ScoredRun
from ._swebench import swebench_prediction

__all__ = ["ScoredRun", "atif_trajectory", "junit", "sarif", "swebench_prediction"]
