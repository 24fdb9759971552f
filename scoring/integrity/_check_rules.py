"""A check that contradicts itself: someone may have had a hand in what it said."""

from collections.abc import Iterator
from typing import Final

from ..check import judge_check
from ._observed import Observed
from ._rule import Hit, Rule

__all__ = ["CHECK_RULES"]


def _contradicts(run: Observed) -> Iterator[Hit]:
    disagreement = judge_check(run.record.check).disagreement if run.record.check else None
    if disagreement is not None:
        yield Hit(message=f"the check contradicts itself: {disagreement}")


def _check_unseen(run: Observed) -> str | None:
    check = run.record.check
    if check is None:
        return run.record.reasons.get("check", "no check was recorded")
    if check.problem is not None and judge_check(check).disagreement is None:
        return f"what the check said cannot be compared: {check.problem}"
    return None


CHECK_RULES: Final = (
    Rule(
        name="check-contradicts",
        severity="medium",
        help="exit code and report of the check say different things",
        find=_contradicts,
        blind=_check_unseen,
    ),
)
