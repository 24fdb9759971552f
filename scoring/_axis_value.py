"""What an axis says of a run: never a bare number.

A number that was not measured is None and says why; 0 is a number that was measured. Nothing here turns one into the other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = ["AxisValue", "Bound", "Evidence", "Finding", "Severity", "Status", "unmeasured"]

Status = Literal["measured", "partial", "missing", "not_applicable", "error"]
"""`measured`: all of it. `partial`: some of it is missing, and the value is a bound. `missing`: it was not recorded.
`not_applicable`: the question does not arise for this run. `error`: what was recorded contradicts itself or cannot be read."""

Bound = Literal["exact", "lower", "upper"]
"""How a value stands to the true one: equal, not above it, not below it."""

Severity = Literal["info", "low", "medium", "high", "severe"]
"""How much a finding weighs: `severe` is what no honest run does."""
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "low", "medium", "high", "severe")
"""From the least to the worst."""

_HAS_VALUE: Final = frozenset({"measured", "partial"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Where in the record a value comes from."""

    kind: Literal["call", "path", "check", "span", "message"]
    reference: str
    """Span id of a call or span, path of a file, name of a test."""
    note: str
    """What is seen there, in one line."""
    line: int | None = None
    """Of the file, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a reviewer should look at."""

    rule: str
    """Stable name, such as `test-edited`."""
    severity: Severity
    message: str
    """What was found, in one line."""
    path: str | None = None
    """Relative to the workdir; None if no file is concerned."""
    line: int | None = None
    """From 1; None if not known."""
    call: str | None = None
    """Span id of the call that did it; None if not known."""
    excerpt: str | None = None
    """What stands there, cut to some hundred characters; None if there is nothing to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisValue:
    """A score: the value of one axis for one run, or None with a reason."""

    axis: str
    value: float | None
    """None unless `status` is `measured` or `partial`."""
    status: Status
    bound: Bound | None
    """None if and only if `value` is."""
    unit: str
    """UCUM: `1` for a share, `{token}`, `ms`, `USD`."""
    source: str | None
    """What it was read from, such as `provider`, `check`, `workdir`; None if from nothing."""
    n: int | None
    """How many observations are behind it; None where there is nothing to count."""
    reason: str | None
    """Why it is not, or only in part, measured; None if and only if `status` is `measured`."""
    formula: str
    """Name of the rule by which it was computed."""
    version: int
    """Of that rule: it changes when the same record may give another value."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """The axis's own keys, as JSON values. None is `not known` here, too."""
    flags: tuple[str, ...] = ()
    """Words that qualify the value, such as `no_op`."""
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a value that says two things at once. Raises ValueError: a fault of the axis, not of the run."""
        if (self.value is not None) != (self.status in _HAS_VALUE):
            raise ValueError(f"axis {self.axis}: {self.status} with the value {self.value}")
        if (self.value is None) != (self.bound is None):
            raise ValueError(f"axis {self.axis}: the value {self.value} with the bound {self.bound}")
        if (self.status == "measured") != (self.reason is None):
            raise ValueError(f"axis {self.axis}: {self.status} with the reason {self.reason!r}")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"axis {self.axis}: {self.value} is no value")


def unmeasured(
    axis: str,
    status: Literal["missing", "not_applicable", "error"],
    reason: str,
    *,
    formula: str,
    version: int,
    unit: str = "1",
    details: Mapping[str, Any] | None = None,
    flags: tuple[str, ...] = (),
) -> AxisValue:
    """The value of an axis that has none for a run."""
    return AxisValue(
        axis=axis,
        value=None,
        status=status,
        bound=None,
        unit=unit,
        source=None,
        n=None,
        reason=reason,
        formula=formula,
        version=version,
        details=details or {},
        flags=flags,
    )
