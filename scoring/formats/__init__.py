"""Runs in the forms that other tools read: pure functions from what was recorded and scored."""

from ._atif import atif_trajectory
from ._genai_messages import genai_content
from ._junit import junit
from ._sarif import sarif
from ._scored_run import ScoredRun
from ._swebench import swebench_prediction

__all__ = ["ScoredRun", "atif_trajectory", "genai_content", "junit", "sarif", "swebench_prediction"]
