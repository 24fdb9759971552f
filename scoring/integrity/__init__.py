"""Ways to pass without doing what was asked, each a rule that finds it in a run's record."""

from ._observed import Observed
from ._patch_lines import PatchLine, patch_lines
from ._rule import Hit, Rule
from ._rules import INTEGRITY_RULES, INTEGRITY_RULES_VERSION

__all__ = ["INTEGRITY_RULES", "INTEGRITY_RULES_VERSION", "Hit", "Observed", "PatchLine", "Rule", "patch_lines"]
