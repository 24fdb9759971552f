"""What a check said."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

__all__ = ["CheckResult", "TestCase", "TestOutcome", "ToldVerdict"]

TestOutcome = Literal["passed", "failed", "error", "skipped"]
"""`error`: the test itself broke, or began and did not end, or could not be built. An expected failure is `passed`; an
unexpected success is what its runner makes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCase:
    """One test of a check."""

    __test__: ClassVar = False  # it is no test of whoever imports it

    name: str
    """Unique within the check: its suite or file, `::`, and its own name, as its format writes them."""
    outcome: TestOutcome
    seconds: float | None = None
    message: str | None = None
    """What it said of its failure, cut to some hundred characters; None if it said nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldVerdict:
    """A judgement that was recorded with the run, of outputs that stayed where it was made."""

    passed: bool | None
    """None if it was none that could be relied upon."""
    by_report: bool
    """Whether a report was among the outputs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How a task's check ended."""

    command: str | None
    exit_code: int | None
    """None if a signal ended it, or it is not known."""
    signal: int | None = None
    timed_out: bool = False
    duration_ns: int | None = None
    stdout: bytes | None = field(default=None, repr=False)
    """All of it; None if it was not kept."""
    stderr: bytes | None = field(default=None, repr=False)
    report: bytes | None = field(default=None, repr=False)
    """The file that the task names as its report; None if it names none, or there was none."""
    report_promised: str | None = None
    """Where the task says that results are: a format, or the path of a file; None if it does not say."""
    report_format: str | None = None
    """Of what the tests below were read: `junit`, `pytest`, `unittest`, `cargo`, `go`; None if no report was found."""
    tests: tuple[TestCase, ...] | None = None
    """In the order of the report; None without one. Empty: a report that says that no test ran."""
    expected_tests: tuple[str, ...] | None = None
    """Names that the task says must run; None if it does not say."""
    fresh_copy: bool | None = None
    """Whether it ran in a fresh copy, where protected files are the task's; None if not known."""
    set_aside: tuple[str, ...] = ()
    """Files of the agent's that were left out of that copy, since they would change what the check runs. A folder stands for
    all that it holds."""
    set_aside_rules: tuple[str, ...] = ()
    """For each of them the name of the rule: see `RULES` and `REASONS`."""
    restored: tuple[str, ...] = ()
    """Protected files that the agent had edited, replaced or removed: the copy has the task's."""
    problem: str | None = None
    """What kept it from being run or read; None if nothing did."""
    told: ToldVerdict | None = None
    """What the recorder judged, where its outputs are not to be had; None: they are to be judged here."""
    remarks: tuple[str, ...] = ()
    """What is odd about its report and does not keep it from being read, such as a name that stands twice."""
