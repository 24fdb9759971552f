"""All rules, in one table."""

from typing import Final

from ._check_rules import CHECK_RULES
from ._claim_rules import CLAIM_RULES
from ._literal_rules import LITERAL_RULES
from ._override_rules import OVERRIDE_RULES
from ._peeking_rules import PEEKING_RULES
from ._rule import Rule
from ._shim_rules import SHIM_RULES
from ._test_rules import TEST_RULES

__all__ = ["INTEGRITY_RULES", "INTEGRITY_RULES_VERSION"]

INTEGRITY_RULES: Final[tuple[Rule, ...]] = (
    *TEST_RULES,
    *SHIM_RULES,
    *OVERRIDE_RULES,
    *LITERAL_RULES,
    *PEEKING_RULES,
    *CLAIM_RULES,
    *CHECK_RULES,
)
"""All rules, in the order in which findings are told."""
INTEGRITY_RULES_VERSION: Final = 1
"""Changes with the rules: the same run may have other findings then."""
