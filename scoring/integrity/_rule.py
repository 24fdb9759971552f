"""What a rule is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .._axis_value import Finding, Severity
from ._observed import Observed

__all__ = ["Hit", "Rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Where a rule found something. What each field means is said at `Finding`."""

    message: str
    path: str | None = None
    line: int | None = None
    call: str | None = None
    excerpt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One way in which a run may have passed without doing what was asked."""

    name: str
    severity: Severity
    help: str
    """What it finds, in one line."""
    find: Callable[[Observed], Iterable[Hit]]
    """Pure. Of what was not recorded it finds nothing."""
    blind: Callable[[Observed], str | None]
    """Why the rule could not look at all that it should, in one line; None if it could."""

    def findings(self, run: Observed) -> Iterable[Finding]:
        """What the rule finds in a run."""
        for hit in self.find(run):
            yield Finding(
                rule=self.name,
                severity=self.severity,
                message=hit.message,
                path=hit.path,
                line=hit.line,
                call=hit.call,
                excerpt=hit.excerpt,
            )
