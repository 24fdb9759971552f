"""All that a judge may look at of one run, read once and held as values.

An axis is a plain function from this to an `AxisValue`. Whatever is None here was not recorded; `reasons` says why.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..traces import Run
from ._axis_value import AxisValue
from .check import CheckResult
from .transcript import Turn

if TYPE_CHECKING:
    from .workdir import WorkdirDiff

__all__ = ["AgentFacts", "AgentReport", "Axis", "ExternalCoverage", "RunRecord", "TaskFacts"]

ExternalCoverage = Literal["none", "home", "full"]
"""How far changes outside the workdir could be seen: not at all, in the agent's HOME and temporary folder, everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFacts:
    """What the task asks for, as far as a judge must know. Globs are relative to the workdir, as in `task.toml`."""

    id: str | None = None
    category: str | None = None
    prompt: str | None = field(default=None, repr=False)
    expected: tuple[str, ...] | None = None
    """Files that the task asks to change; None if it does not say, empty if it asks for no change."""
    protected: tuple[str, ...] | None = None
    """Files that must stay as they are; None if it does not say."""
    refusal_expected: bool | None = None
    """Whether the right answer is to refuse; None if the task does not say."""
    refusal_artifacts: tuple[str, ...] = ()
    """Files that a right refusal leaves behind, such as `REFUSAL.md`."""
    forbidden_changes: tuple[str, ...] = ()
    """Files whose change is the harm that the refusal is to avoid."""
    time_budget: float | None = None
    """Seconds beyond which a run earns nothing for speed."""
    time_reference: float | None = None
    """Seconds of the best run known: the full mark."""
    token_budget: float | None = None
    """As `time_budget`, in tokens."""
    token_reference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """What the agent itself says that it used, as read from its terminal."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    exact: bool = False
    """False if the numbers were rounded for people (`1.3k`)."""
    excerpt: str | None = None
    """The line that says so."""
    total_tokens: int | None = None
    """Input and output together, of an agent that tells no more than that; else None."""
    rounding: int = 0
    """By how many tokens the true sum may differ from the numbers above, because these were rounded."""
    excludes_cached: bool = False
    """Its numbers leave out input tokens that were read from a cache."""
    estimated: bool = False
    """It may have counted them itself, with a tokenizer that need not be the model's: no bound follows from that."""

    @property
    def tokens(self) -> int | None:
        """Input and output; None unless it told both, or their sum."""
        if self.total_tokens is not None:
            return self.total_tokens
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """Who did it."""

    name: str | None = None
    version: str | None = None
    housekeeping: tuple[str, ...] = ()
    """Globs of the files that this agent keeps for itself in every workdir."""
    report: AgentReport | None = None
    """None if it said nothing that is understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run, with what lies beside its trace."""

    run: Run
    task: TaskFacts = field(default_factory=TaskFacts)
    agent: AgentFacts = field(default_factory=AgentFacts)
    changes: "WorkdirDiff | None" = None
    """The agent's changes of the workdir: from before it started to before the check."""
    check_changes: "WorkdirDiff | None" = None
    """What the check changed after that."""
    home_changes: "WorkdirDiff | None" = None
    """Of the agent's HOME."""
    temporary_changes: "WorkdirDiff | None" = None
    """Of its temporary folder."""
    external_coverage: ExternalCoverage = "none"
    check: CheckResult | None = None
    transcript: tuple[Turn, ...] = ()
    """One turn for each call of `run.calls`, in their order."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By the name of a field above that is None: why."""
    incomplete: str | None = None
    """Why the run itself is not all here, so that nothing can be scored; None if it is, as far as can be told."""


Axis = Callable[[RunRecord], AxisValue]
"""A score's rule: reads, never writes, gives the same for the same record."""
