"""Requirements for a gate: `pass_rate>=0.8`, `tokens<20000`, `composite>=0.5`."""

import operator
import re
from collections.abc import Callable
from typing import Final

from ..scoring import Scorecard
from ..traces import InputError

__all__ = ["Requirement", "parse_requirement"]

_FORM: Final = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(>=|<=|==|>|<)\s*([0-9.eE+-]+)\s*")
_OPERATORS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_AT_LEAST: Final = frozenset({">=", ">", "=="})


class Requirement:
    """One requirement on a set of runs.

    `pass_rate` is the share of all runs that passed: one that was not scored did not. Any other axis, and the composite of the
    first profile, must hold in every run: what was not measured does not, and of a bound or an interval the worse end counts.
    """

    def __init__(self, text: str, axis: str, comparison: str, limit: float) -> None:
        """Take the parts, and the text that they stand in."""
        self._text = text
        self._axis = axis
        self._comparison = comparison
        self._limit = limit
        self._runs = 0
        self._holding = 0.0
        self._first_miss: str | None = None

    def add(self, scorecard: Scorecard) -> None:
        """Take a run into account."""
        self._runs += 1
        if self._axis == "pass_rate":
            value = scorecard.axis("pass_rate")
            self._holding += value.value if value is not None and value.value is not None else 0.0
            return
        worst, why = self._worst(scorecard)
        if worst is not None and _OPERATORS[self._comparison](worst, self._limit):
            self._holding += 1
        elif self._first_miss is None:
            self._first_miss = f"{scorecard.run_id}: {why if worst is None else f'{self._axis} is {worst:g}'}"

    def _worst(self, scorecard: Scorecard) -> tuple[float | None, str]:
        if self._axis == "composite":
            made = scorecard.composites[0]
            return (made.lower if self._comparison in _AT_LEAST else made.upper), made.reason or ""
        value = scorecard.axis(self._axis)
        if value is None:
            raise InputError(
                f"--require {self._text!r}: there is no axis {self._axis!r}; scored are "
                f"{', '.join(value.axis for value in scorecard.axes)} and composite"
            )
        bounding = "lower" if self._comparison in _AT_LEAST else "upper"
        if value.value is None or value.bound not in ("exact", bounding):
            return None, f"{self._axis} is not known: {value.reason}"
        return value.value, ""

    @property
    def is_met(self) -> bool:
        """Whether the runs so far meet it. No run meets nothing."""
        if self._runs == 0:
            return False
        if self._axis == "pass_rate":
            return _OPERATORS[self._comparison](self._holding / self._runs, self._limit)
        return self._holding == self._runs

    @property
    def told(self) -> str:
        """The requirement and how far it is from being met."""
        if self._axis == "pass_rate":
            return f"{self._text}: {self._holding:g} of {self._runs} runs passed"
        return f"{self._text}: holds in {self._holding:g} of {self._runs} runs; first not in {self._first_miss}"


def parse_requirement(text: str) -> Requirement:
    """Read a requirement.

    Raises:
        InputError: it is not AXIS, a comparison, and a number.
    """
    match = _FORM.fullmatch(text)
    try:
        if match is not None:
            return Requirement(text.strip(), match[1], match[2], float(match[3]))
    except ValueError:
        pass
    raise InputError(f"--require {text!r}: must be an axis, >= <= == > or <, and a number, such as 'pass_rate>=0.8'")
